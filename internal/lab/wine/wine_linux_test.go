package wine

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestHarness: programs run, the registry takes fixtures, files come and go, and
// nothing is left.
func TestHarness(t *testing.T) {
	var dir string
	t.Run("Windows", func(t *testing.T) {
		w := Start(t)
		dir = w.dir
		if out := w.Run("cmd.exe", "/c", "ver"); !strings.Contains(out, "Microsoft Windows") {
			t.Errorf("ver says %q", out)
		}
		if r := w.Try("cmd.exe", "/c", "exit 3"); r.Code != 3 {
			t.Errorf("exit code %d, want 3", r.Code)
		}
		w.Registry("Windows Registry Editor Version 5.00\n\n[HKEY_LOCAL_MACHINE\\Software\\Lab]\n\"Name\"=\"Société\"\n")
		if out := w.Run("reg.exe", "query", `HKLM\Software\Lab`, "/v", "Name"); !strings.Contains(out, "Soci") {
			t.Errorf("the registry has %q", out)
		}
		w.Write(`C:\ProgramData\lab\note.txt`, []byte("here"))
		if out := w.Run("cmd.exe", "/c", "type", `c:\programdata\LAB\Note.TXT`); out != "here" {
			t.Errorf("the file holds %q", out)
		}
		if _, err := os.Stat(w.Path(`c:\PROGRAMDATA\lab\note.txt`)); err != nil {
			t.Error(err)
		}
		const hosts = `C:\windows\system32\drivers\etc\hosts`
		outside, err := os.ReadFile("/etc/hosts")
		if err != nil {
			t.Fatal(err)
		}
		w.Write(hosts, []byte("192.0.2.1 lab.example\n"))
		if out := w.Debian("cat", "/etc/hosts"); out != "192.0.2.1 lab.example\n" {
			t.Errorf("the hosts file below holds %q", out)
		}
		if now, err := os.ReadFile("/etc/hosts"); err != nil || !bytes.Equal(now, outside) {
			t.Fatalf("this machine's own hosts file changed: %v", err)
		}
		shared := w.Share(t.TempDir())
		w.Run("cmd.exe", "/c", "echo", "there", ">", shared+`\out.txt`)
	})
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", dir, err)
	}
}

// TestFacts: the agent runs, says of every group how it came by it, and nothing
// that it tries goes wrong.
func TestFacts(t *testing.T) {
	groups := facts(shared(t)).GetManifest().GetGroups()
	if len(groups) == 0 {
		t.Fatal("no group was observed")
	}
	for _, g := range groups {
		o := g.GetObservation()
		t.Logf("%-14s %-11s %6d ms  %s", g.GetGroup(), o.GetStatus(), o.GetDurationMs(), o.GetReason())
		if o.GetStatus() == "failed" {
			t.Errorf("%s failed: %s", g.GetGroup(), o.GetReason())
		}
	}
}
