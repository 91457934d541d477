package host

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What the kernel keeps is listed with rights where root alone may, and what
// systemd put away is found beside.
func TestLastWords(t *testing.T) {
	root := t.TempDir()
	if err := os.Chmod(filepath.Dir(root), 0o755); err != nil { // for the thread that is nobody
		t.Fatal(err)
	}
	kept, away := filepath.Join(root, "sys/fs/pstore"), filepath.Join(root, "var/lib/systemd/pstore")
	for _, dir := range []string{kept, filepath.Join(away, "1690000000")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for file, made := range map[string]int64{
		filepath.Join(away, "dmesg-ramoops-0"): 1695000000, filepath.Join(away, "console-ramoops-0"): 1696000000,
		filepath.Join(kept, "dmesg-ramoops-0"): 1700000000, filepath.Join(kept, "dmesg-ramoops-1"): 1700000001,
	} {
		if err := os.WriteFile(file, nil, 0o444); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, time.Time{}, time.Unix(made, 0)); err != nil {
			t.Fatal(err)
		}
	}
	look := func(rights func(context.Context, string, string) ([]byte, error)) ([]int64, error) {
		var l crashLog
		err := lastWords(t.Context(), newReader(t.Context(), Config{Root: root, Privileged: rights}), &l)
		var times []int64
		for _, crash := range l.system {
			times = append(times, crash.GetAt().GetSeconds())
		}
		return times, err
	}
	check := func(who string, rights func(context.Context, string, string) ([]byte, error), denied bool, want ...int64) {
		t.Helper()
		if times, err := look(rights); !slices.Equal(times, want) || errors.Is(err, fs.ErrPermission) != denied || err != nil && !denied {
			t.Errorf("%s: %v, %v, want %v", who, times, err, want)
		}
	}
	check("one that may list it", nil, false, 1690000000, 1695000000, 1700000000)

	if err := os.Chmod(kept, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(kept, 0o755) })
	// This thread alone looks at files as nobody; as root no mode keeps it out.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if before, err := unix.SetfsuidRetUid(65534); err != nil {
		t.Fatal(err)
	} else {
		defer func() { _, _ = unix.SetfsuidRetUid(before) }()
	}
	check("nobody", nil, true, 1690000000, 1695000000)
	check("nobody, whom the other half refuses", func(context.Context, string, string) ([]byte, error) { return nil, fs.ErrPermission }, true, 1690000000, 1695000000)
	check("nobody, beside one that may", func(_ context.Context, verb, argument string) ([]byte, error) {
		if verb != "last-words" || argument != "" {
			t.Errorf("asked for %q %q", verb, argument)
		}
		return []byte("1700000000 dmesg-ramoops-0\n1700000001 dmesg-ramoops-1\n1699000000 console-ramoops-0\nx dmesg-x\n1690000001 dmesg-efi-169000000001001\n"), nil
	}, false, 1690000000, 1695000000, 1700000000)
}

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
