package privileged

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFailedSignIns(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ann"), []byte("tally"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/shadow", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if got, err := failedSignInsIn(dir, "ann"); err != nil || string(got) != "tally" {
		t.Errorf("%q, %v", got, err)
	}
	for _, user := range []string{"", "link", "../ann", "ann/", "."} {
		if got, err := failedSignInsIn(dir, user); err == nil {
			t.Errorf("%q: %q", user, got)
		}
	}
	if _, err := failedSignInsIn(dir, "zoe"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nobody's failures: %v", err)
	}
}

func TestPasswordDaysOnly(t *testing.T) {
	file := filepath.Join(t.TempDir(), "shadow")
	const shadow = "root:*:19000:0:99999:7:::\n" +
		"ann:$y$j9T$canary-salt$canary-hash:20000:0:90:7:30:20500:\n" +
		"an:!:20001:0:99999:7:::\n" +
		"short:$6$canary\n" +
		"odd:x:canary:0:99999:7:::\n"
	if err := os.WriteFile(file, []byte(shadow), 0o600); err != nil {
		t.Fatal(err)
	}
	for user, want := range map[string]string{"ann": "20000:0:90:7:30:20500", "an": "20001:0:99999:7::", "root": "19000:0:99999:7::"} {
		if got, err := passwordDaysIn(file, user); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", user, got, err, want)
		}
	}
	for _, user := range []string{"", "-ann", "ann:", "ann:$y$j9T$canary-salt$canary-hash", "a\nnn", "../ann", "short", "odd", strings.Repeat("a", 65)} {
		got, err := passwordDaysIn(file, user)
		if err == nil || got != nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %q, %v", user, got, err)
		}
	}
	if _, err := passwordDaysIn(file, "zoe"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nobody's days: %v", err)
	}
}
