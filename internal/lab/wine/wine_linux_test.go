package wine

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"constat/internal/lab"
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

// lacking are facts that Wine has nothing to tell of: it has no event log, no
// WMI for BitLocker, no Security Center, no winget, and its disks, printer jobs,
// batteries and accounts answer no questions. A fact that could not be asked is a gap,
// which no fault takes for fine.
var lacking = map[string]string{
	"crashes.launch_failures":              "unsupported",
	"crashes.programs":                     "unsupported",
	"crashes.refusals":                     "unsupported",
	"crashes.system":                       "unsupported",
	"host.resumed_at":                      "unsupported",
	"load.boot":                            "unsupported",
	"load.disks":                           "unsupported",
	"network.firewall":                     "unsupported",
	"power.batteries":                      "failed",
	"printing.spooler.failing_module":      "unsupported",
	"printing.spooler.restarts":            "unsupported",
	"readings.disks":                       "unsupported",
	"security.disk_encrypted":              "unsupported",
	"security.products":                    "unsupported",
	"services.services.recent_restarts":    "unsupported",
	"sign_in.accounts.locked":              "failed",
	"sign_in.accounts.password_expires_at": "failed",
	"software.programs.available_version":  "unsupported",
	"storage.disks.io_errors":              "unsupported",
	"storage.disks.smart_passed":           "unsupported",
	"storage.mounts.encryption":            "unsupported",
	"updates.failures":                     "unsupported",
	"updates.last_check_at":                "unsupported",
	"updates.last_success_at":              "unsupported",
	"updates.pending":                      "unsupported",
}

// TestFacts: the agent runs, says of every group how it came by it, nothing that it
// tries goes wrong, and what Wine lacks is said to be unknown.
func TestFacts(t *testing.T) {
	s := facts(shared(t))
	set := map[string]bool{}
	for _, path := range lab.SetFacts(s) {
		for ; path != ""; path = path[:max(0, strings.LastIndex(path, "."))] {
			set[path] = true
		}
	}
	said := map[string]string{}
	for _, g := range s.GetManifest().GetGroups() {
		for _, gap := range g.GetObservation().GetGaps() {
			said[g.GetGroup()+"."+gap.GetFact()] = gap.GetStatus()
		}
	}
	for fact, status := range lacking {
		if said[fact] != status || set[fact] {
			t.Errorf("%s is %q, want %q; told: %v", fact, said[fact], status, set[fact])
		}
	}
	groups := s.GetManifest().GetGroups()
	if len(groups) == 0 {
		t.Fatal("no group was observed")
	}
	for _, g := range groups {
		o := g.GetObservation()
		t.Logf("%-14s %-11s %6d ms  %s", g.GetGroup(), o.GetStatus(), o.GetDurationMs(), o.GetReason())
		for _, gap := range o.GetGaps() {
			t.Logf("  %s.%s is %s: %s", g.GetGroup(), gap.GetFact(), gap.GetStatus(), gap.GetReason())
		}
		if o.GetStatus() == "failed" {
			t.Errorf("%s failed: %s", g.GetGroup(), o.GetReason())
		}
	}
}
