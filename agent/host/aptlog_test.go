package host

import (
	"strings"
	"testing"
	"time"
)

const aptHistory = `
Start-Date: 2026-11-20  09:00:00
Commandline: apt install secret-argument
Requested-By: ann (1000)
Install: broken:amd64 (1.0-1)
Error: Sub-process /usr/bin/dpkg returned an error code (1)
End-Date: 2026-11-20  09:00:05

Start-Date: 2026-11-20  10:00:00
Install: broken:amd64 (1.0-1)
Error: Sub-process /usr/bin/dpkg returned an error code (1)
End-Date: 2026-11-20  10:00:05

Start-Date: 2026-11-20  11:00:00
Upgrade: git:amd64 (1:2.39-0, 1:2.40-0), healed:amd64 (1, 2)
Error: Sub-process dpkg received a segmentation fault.
End-Date: 2026-11-20  11:00:05

Start-Date: 2026-11-20  12:00:00
Install: healed:amd64 (2)
Error: strange
End-Date: 2026-11-20  12:00:05

Start-Date: 2026-11-20  13:00:00
Upgrade: healed:amd64 (1, 2), other:all (3, 4, automatic)
End-Date: 2026-11-20  13:00:05

Start-Date: 2026-11-20  14:00:00
Remove: gone:amd64 (1)
End-Date: 2026-11-20  14:00:05

Start-Date: 2026-11-20  15:00:00
Install: cut:amd64 (1)
`

func TestAptHistory(t *testing.T) {
	l := newUpdateLog()
	zone := time.FixedZone("", 3600)
	if err := l.history(strings.NewReader(aptHistory), zone); err != nil {
		t.Fatal(err)
	}
	got := l.sorted()
	if len(got) != 1 || got[0].GetName() != "broken" || got[0].GetCode() != "dpkg 1" || got[0].GetAttempts() != 2 ||
		!got[0].At.AsTime().Equal(time.Date(2026, 11, 20, 10, 0, 0, 0, zone)) {
		t.Errorf("failures %v, want the one that never went in", got)
	}
	if !l.lastSuccess.Equal(time.Date(2026, 11, 20, 13, 0, 0, 0, zone)) {
		t.Errorf("last success %v", l.lastSuccess)
	}
}

func TestUnattendedUpgrades(t *testing.T) {
	l := newUpdateLog()
	l.unattended([]byte(`2026-11-18 06:00:00,001 INFO Starting unattended upgrades script
2026-11-18 06:00:09,001 INFO All upgrades installed
2026-11-19 06:00:00,001 INFO Starting unattended upgrades script
2026-11-19 06:00:01,123 ERROR Cache has broken packages, exiting
2026-11-20 06:00:00,001 INFO Starting unattended upgrades script
2026-11-20 06:00:01,123 ERROR Installing the upgrades failed!
2026-11-20 06:00:01,124 ERROR error message: installArchives() failed
Traceback: /home/ann/secret
`), time.UTC)
	got := l.sorted()
	if len(got) != 1 || got[0].GetCode() != "installFailed" || got[0].GetAttempts() != 2 || l.lastSuccess.Day() != 18 {
		t.Errorf("failures %v, last success %v", got, l.lastSuccess)
	}
	l.unattended([]byte("2026-11-21 06:00:09,001 INFO No packages found that can be upgraded unattended and no pending auto-removals\n"), time.UTC)
	if len(l.failures) != 0 || l.lastSuccess.Day() != 18 {
		t.Errorf("failures %v, last success %v", l.failures, l.lastSuccess)
	}
}

func TestLockHeld(t *testing.T) {
	locks := []byte("1: POSIX  ADVISORY  WRITE 3568 fe:01:2531452 0 EOF\n1: -> POSIX  ADVISORY  WRITE 7 00:1b:9 0 EOF\n")
	for file, want := range map[string]bool{
		"fe:01:2531452": true, "fe:01:253145": false, "fe:02:2531452": false, "00:1b:9": true, "00:2c:9": true, "00:1b:19": false,
	} {
		if got := lockHeld(locks, []string{file}); got != want {
			t.Errorf("%s: %v, want %v", file, got, want)
		}
	}
	if lockHeld(locks, nil) {
		t.Error("no file is locked")
	}
}

func FuzzAptLogs(f *testing.F) {
	f.Add(aptHistory)
	f.Add("2026-11-20 06:00:01,123 ERROR Installing the upgrades failed!\n")
	f.Fuzz(func(t *testing.T, log string) {
		l := newUpdateLog()
		_ = l.history(strings.NewReader(log), time.UTC)
		l.unattended([]byte(log), time.UTC)
		if len(l.sorted()) > maxFailures {
			t.Errorf("%d failures", len(l.failures))
		}
		for _, failure := range l.sorted() {
			if failure.GetAttempts() < 1 || failure.GetCode() == "" {
				t.Errorf("failure %v", failure)
			}
		}
		lockHeld([]byte(log), []string{"00:1:2"})
	})
}
