package install

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"constat/internal/lab"
)

// TestPackages has the distributions' own checkers look at the packages, and
// weighs what is installed on every machine.
func TestPackages(t *testing.T) {
	for _, program := range []string{"lintian", "rpmlint", "rpm", "rpm2cpio", "cpio", "xz", "dpkg-deb"} {
		_, err := exec.LookPath(program)
		lab.Need(t, program, err == nil)
	}
	const limit = 10 << 20
	build := func(name, level string) (dir string) {
		t.Helper()
		dir = t.TempDir()
		cmd := exec.Command(filepath.Join("..", "..", "..", "installers", "linux", "build"), dir, name, "amd64", "deb rpm")
		cmd.Env = append(os.Environ(), "VERSION=1.0.0", "COMPRESSION=", "LEVEL="+level)
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("building the packages: %v\n%s", err, text)
		}
		return dir
	}
	// Only what is installed everywhere is packed as tightly as for a release.
	agent, collector, again := build("agent", ""), build("collector", "0"), build("collector", "0")
	files, err := filepath.Glob(filepath.Join(filepath.Dir(agent), "*", "constat-*"))
	if err != nil || len(files) != 6 {
		t.Fatalf("there are %d packages, %v: %q", len(files), err, files)
	}
	for _, file := range files {
		if filepath.Dir(file) != collector {
			continue
		}
		one, err := os.ReadFile(file)
		other, err2 := os.ReadFile(filepath.Join(again, filepath.Base(file)))
		if err != nil || err2 != nil || !bytes.Equal(one, other) {
			t.Errorf("one commit gives two packages %s; %v, %v", filepath.Base(file), err, err2)
		}
	}
	files = slices.DeleteFunc(files, func(file string) bool { return filepath.Dir(file) == again })
	var debs, rpms []string
	for _, file := range files {
		if strings.HasSuffix(file, ".deb") {
			debs = append(debs, file)
		} else {
			rpms = append(rpms, file)
		}
		if info, err := os.Stat(file); err != nil || strings.HasPrefix(filepath.Base(file), "constat-agent") && info.Size() >= limit {
			t.Errorf("%s has %d bytes, the limit is %d; %v", filepath.Base(file), info.Size(), limit, err)
		} else {
			t.Logf("%s: %.1f MiB", filepath.Base(file), float64(info.Size())/(1<<20))
		}
	}

	// What they say is nothing, or it is a mistake.
	out, err := exec.Command("lintian", append([]string{"--fail-on", "error,warning", "--info"}, debs...)...).Output()
	if err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("lintian: %v\n%s", err, out)
	}
	for _, file := range rpms {
		if out, err := exec.Command("rpm", "--checksig", "--nosignature", "--dbpath", t.TempDir(), file).CombinedOutput(); err != nil || !strings.Contains(string(out), "digests OK") {
			t.Errorf("rpm: %v: %s", err, out)
		}
		// A name that begins with a slash would be written where it says by all that
		// unpack with cpio, rpmlint among them.
		out, err := exec.Command("sh", "-c", `rpm2cpio "$1" | cpio --list --quiet`, "sh", file).Output()
		if err != nil || bytes.HasPrefix(out, []byte("/")) || bytes.Contains(out, []byte("\n/")) || !bytes.Contains(out, []byte("./usr/bin/constat-")) {
			t.Fatalf("names in the archive: %v\n%s", err, out)
		}
	}
	cmd := exec.Command("rpmlint", append([]string{"--config", filepath.Join("..", "..", "..", "installers", "linux", "rpmlint.toml")}, rpms...)...)
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("0 errors, 0 warnings")) {
		t.Errorf("rpmlint: %v\n%s", err, out)
	}
}
