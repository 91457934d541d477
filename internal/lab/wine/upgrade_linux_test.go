package wine

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"constat/internal/lab"
)

// packed makes the package of this tree's programs, which are those of the tests, as a
// version; higher ones are longer.
func packed(t *testing.T, dir, version string, longer int) {
	t.Helper()
	for program, from := range map[string]string{"wixl": "wixl", "msibuild": "msitools", "faketime": "faketime"} {
		_, err := exec.LookPath(program)
		lab.Need(t, program+" (Debian: "+from+")", err == nil)
	}
	programs := t.TempDir()
	if err := os.Mkdir(filepath.Join(programs, "windows-amd64"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, build := range map[string]func() (string, error){
		"constat-agent.exe": built,
		"constat-tray.exe":  func() (string, error) { return program("constat-tray.exe", "constat/agent/tray/program") },
	} {
		file, err := build()
		if err != nil {
			t.Fatal(err)
		}
		// What follows a program's end is not part of it.
		content, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(filepath.Join(programs, "windows-amd64", name), append(content, "of version "+version+strings.Repeat(".", longer)...), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(filepath.Join("..", "..", "..", "installers", "windows", "build"), dir)
	cmd.Env = append(os.Environ(), "VERSION="+version, "PROGRAMS="+programs)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestMSIUnderTray upgrades a computer whose person has the icon: the new program is
// in its place, and the icon is the new program's, without anybody signing in again.
func TestMSIUnderTray(t *testing.T) {
	d := newDesktop(t)
	dir := t.TempDir()
	packed(t, dir, "1.0.0", 0)
	packed(t, dir, "1.1.0", 1)
	share := d.Share(dir)
	install := func(version string) {
		t.Helper()
		if r := d.Try("msiexec.exe", "/i", fmt.Sprintf(`%s\constat-agent-%s-x64.msi`, share, version), "/qn", "/norestart", "/l*", `C:\lab-log.txt`); r.Code != 0 {
			log, _ := os.ReadFile(d.Path(`C:\lab-log.txt`))
			t.Fatalf("version %s: exit code %d\n%s", version, r.Code, log)
		}
		content, err := os.ReadFile(d.Path(agent))
		if err != nil || !bytes.Contains(content[len(content)-64:], []byte("of version "+version)) {
			t.Fatalf("version %s is not in its place: %v", version, err)
		}
	}
	install("1.0.0")
	answers(t, d.Windows)
	d.run("shell", `C:\Program Files\Constat\constat-tray.exe`)
	icons := func() (pids []string) {
		t.Helper()
		for _, process := range d.processes() {
			if strings.Contains(process.line, "constat-agent.exe\x00tray") {
				pids = append(pids, process.pid)
			}
		}
		return pids
	}
	var first []string
	d.until("the icon's program runs", func() bool { first = icons(); return len(first) == 1 })
	t.Logf("the icon is %q", first)
	install("1.1.0")
	answers(t, d.Windows)
	d.until("the icon is another program's", func() bool { now := icons(); return len(now) == 1 && now[0] != first[0] })
	// What nobody runs any more goes with the next start of the service.
	d.Run(agent, "service", "restart")
	answers(t, d.Windows)
	if left, err := filepath.Glob(d.Path(`C:\Program Files\Constat`) + "/*.old"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

// process is one of a Windows, as this system sees it.
type process struct{ pid, line string }

// processes are those in Windows' own network, which are its own.
func (w *Windows) processes() (list []process) {
	w.t.Helper()
	network, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", w.first.Process.Pid))
	if err != nil {
		w.t.Fatal(err)
	}
	names, err := filepath.Glob("/proc/[0-9]*/ns/net")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, name := range names {
		dir := filepath.Dir(filepath.Dir(name))
		line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if in, err2 := os.Readlink(name); err == nil && err2 == nil && in == network { // others end meanwhile
			list = append(list, process{filepath.Base(dir), string(line)})
		}
	}
	return list
}

// TestInstallScript runs what the kit has for Windows, with a token that somebody spent
// meanwhile: the person and the installer's log are told so.
func TestInstallScript(t *testing.T) {
	w := Start(t)
	d := newDesk(t, w)
	release, kit := t.TempDir(), filepath.Join(filepath.Dir(d.data), "kit")
	packed(t, release, "1.0.0", 0)
	w.Share(release)
	d.ask("token", "create", "--data", d.data, "--installers", kit, "--packages", release, "--collector", collectorAt)
	z, err := zip.OpenReader(filepath.Join(kit, "constat-windows.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, f := range z.File {
		content, err := fs.ReadFile(z, f.Name)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(`C:\kit\`+f.Name, content)
	}
	program, err := built()
	if err != nil {
		t.Fatal(err)
	}
	const other = `C:\other\constat-agent.exe`
	w.Copy(program, other)
	w.Run(other, "enroll", "--data", `C:\other\data`, "--collector", collectorAt, "--token-file", `C:\kit\token.txt`)

	r := w.Try("cmd.exe", "/c", `C:\kit\install.cmd`)
	const spent = "this enrolment token has been used as often as it may be"
	if r.Code != 0 || !strings.Contains(r.Stdout, "enrolled:   no") || !strings.Contains(r.Stdout, spent) {
		t.Errorf("exit code %d, and it says\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	log, err := filepath.Glob(w.Path(`C:\users`) + "/*/AppData/Local/Temp/constat-agent.log")
	if err != nil || len(log) != 1 {
		t.Fatalf("the installer's log: %q, %v", log, err)
	}
	content, err := os.ReadFile(log[0])
	if text := strings.ReplaceAll(string(content), "\x00", ""); err != nil || !strings.Contains(text, "InstallFinalize") || !strings.Contains(text, spent) {
		t.Errorf("%v: the installer's log says\n%s", err, text)
	}
}
