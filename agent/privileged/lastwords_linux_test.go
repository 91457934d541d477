package privileged

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestLastWords(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"dmesg-ramoops-0", "two\nlines"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("secret"), 0o444); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(dir, name), time.Time{}, time.Unix(1700000000, 5)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "directory"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/shadow", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	got, err := lastWordsIn(dir)
	if want := "1700000000 dmesg-ramoops-0\n"; err != nil || string(got) != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	if _, err := lastWordsIn(filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such place: %v", err)
	}
	if _, err := listLastWords(t.Context(), "/root"); err == nil {
		t.Error("an argument was accepted")
	}
}
