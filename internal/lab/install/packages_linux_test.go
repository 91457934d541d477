package install

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
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
	// Only what is installed everywhere is packed as tightly as for a release.
	again, agent, collector := packages(t), t.TempDir(), t.TempDir()
	if err := errors.Join(build(agent, "1.0.0", "agent", "deb rpm", "LEVEL=", programs(t)), build(collector, "1.0.0", "collector", "deb rpm")); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(collector, "constat-*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("there are %d packages, %v: %q", len(files), err, files)
	}
	for _, file := range files {
		one, err := os.ReadFile(file)
		other, err2 := os.ReadFile(filepath.Join(again, filepath.Base(file)))
		if err != nil || err2 != nil || !bytes.Equal(one, other) {
			t.Errorf("one commit gives two packages %s; %v, %v", filepath.Base(file), err, err2)
		}
	}
	more, err := filepath.Glob(filepath.Join(agent, "constat-*"))
	if err != nil || len(more) != 2 {
		t.Fatalf("there are %d packages, %v: %q", len(more), err, more)
	}
	files = append(files, more...)
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
