package host

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const rpmListing = "bash\t(none)\t5.2.26-3.fc40\tFedora Project\t1713000000\tx86_64\n" +
	"openssl-libs\t1\t3.2.1-2.fc40\t(none)\tsoon\tx86_64\ngpg-pubkey\t(none)\ta15b79cc-63d04c2c\t(none)\t1713000000\t(none)\nbroken line\n"

func TestParseRPM(t *testing.T) {
	programs := parseRPM([]byte(rpmListing))
	if len(programs) != 2 {
		t.Fatalf("programs %v", programs)
	}
	bash, ssl := programs[0], programs[1]
	if bash.GetVersion() != "5.2.26-3.fc40" || bash.GetPublisher() != "Fedora Project" || bash.GetInstalledAt().GetSeconds() != 1713000000 || bash.GetSource() != "rpm" {
		t.Errorf("bash: %v", bash)
	}
	if ssl.GetVersion() != "1:3.2.1-2.fc40" || ssl.Publisher != nil || ssl.InstalledAt != nil {
		t.Errorf("openssl: %v", ssl)
	}
}

func FuzzRPM(f *testing.F) {
	f.Add([]byte(rpmListing))
	f.Fuzz(func(t *testing.T, listing []byte) {
		for _, p := range parseRPM(listing) {
			if p.GetName() == "" || strings.Contains(p.GetName(), "\t") {
				t.Errorf("%v", p)
			}
		}
	})
}

// fedora is a root with a database of rpm, and a program that stands for rpm.
func fedora(t *testing.T, script string) (root string) {
	t.Helper()
	root = tree(t, map[string]string{"var/lib/rpm/rpmdb.sqlite": "SQLite format 3\x00", "usr/bin/rpm": "#!/bin/sh\n" + script})
	if err := os.Chmod(filepath.Join(root, "usr/bin/rpm"), 0o755); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestRPMIsAskedOnceAChange(t *testing.T) {
	asked := filepath.Join(t.TempDir(), "asked")
	root := fedora(t, "echo again >>"+asked+"\nprintf 'bash\\t(none)\\t5-1\\t(none)\\t1\\tx86_64\\n'\n")
	look := func(times int) {
		t.Helper()
		s := Observe(t.Context(), Config{Root: root}, []string{"software"})
		if p := s.Software.GetPrograms(); len(p) != 1 || p[0].GetName() != "bash" {
			t.Fatalf("%v, %v", p, s.Manifest.Groups[0].Observation)
		}
		if content, _ := os.ReadFile(asked); strings.Count(string(content), "again") != times {
			t.Errorf("rpm was asked %d times, want %d", strings.Count(string(content), "again"), times)
		}
	}
	look(1)
	look(1)
	if err := os.Chtimes(filepath.Join(root, "var/lib/rpm/rpmdb.sqlite"), time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	look(2)
}

// An rpm that hangs, as on a damaged database, costs its packages only.
func TestHungRPM(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	root := fedora(t, "kill -STOP $$\n")
	done := make(chan error, 1)
	go func() {
		_, err := listRPMs(ctx, filepath.Join(root, "usr/bin/rpm"))
		done <- err
	}()
	cancel()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "ended") {
		t.Errorf("error %v", err)
	}
	root = fedora(t, "exit 3\n")
	s := Observe(t.Context(), Config{Root: root}, []string{"software"})
	if why := gapsOf(s, "software")["programs"]; why != statusFailed {
		t.Errorf("of an rpm that fails is said %q: %v", why, s.Manifest.Groups[0].Observation)
	}
}
