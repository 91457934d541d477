package host

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCoredumpSignal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "core")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"11": "SIGSEGV", "6": "SIGABRT", "99": "", "x": "", "": "", "0000000011": ""} {
		if err := unix.Setxattr(file, "user.coredump.signal", []byte(text), 0); errors.Is(err, unix.ENOTSUP) {
			t.Skip("the file system of temporary files keeps no extended attributes")
		} else if err != nil {
			t.Fatal(err)
		}
		if got := coredumpSignal(file); (got == nil) != (want == "") || got != nil && *got != want {
			t.Errorf("%q: %v, want %q", text, got, want)
		}
	}
	if coredumpSignal(file+"-absent") != nil {
		t.Error("a signal of no dump")
	}
}
