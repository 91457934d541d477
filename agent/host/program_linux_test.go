package host

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"constat/internal/snapshot"
	constatv1 "constat/proto/constat/v1"
)

// ended waits until a process is gone, or dead and nobody asked for its end yet.
func ended(t *testing.T, pid string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		status, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
		if err != nil || strings.Contains(string(status), ") Z ") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("process %s goes on: %s", pid, status)
		}
	}
}

// TestProgramThatHangs: a system_profiler that never ends, as it was seen to with
// broken devices, costs the group that asked it: it is ended together with the child
// it works in, the other groups are whole, and nothing of it is left.
func TestProgramThatHangs(t *testing.T) {
	dir := t.TempDir()
	profiler := filepath.Join(dir, "system_profiler")
	script := "#!/bin/sh\nsleep 1000 &\necho $! $$ >" + dir + "/pids\necho '{\"half\":'\nwait\n"
	if err := os.WriteFile(profiler, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	table := []source{
		{"host", time.Minute, func(context.Context, *reader) (proto.Message, *constatv1.Observation) {
			return &constatv1.Host{Hostname: proto.String("mac")}, observed("test")
		}},
		{"usb", time.Minute, func(ctx context.Context, _ *reader) (proto.Message, *constatv1.Observation) {
			// The time that a loaded machine needs to start it.
			_, err := inquiry{program: profiler, words: []string{"-json", "SPUSBDataType"}, limit: 3 * time.Second, most: maxPlist}.answer(ctx)
			if err != nil {
				return nil, failed("system_profiler", err)
			}
			return &constatv1.Usb{}, observed("system_profiler")
		}},
		{"clock", time.Minute, func(context.Context, *reader) (proto.Message, *constatv1.Observation) {
			return &constatv1.Clock{Service: proto.String("timed")}, observed("test")
		}},
	}
	s := observe(t.Context(), Config{}, []string{"host", "usb", "clock"}, table)
	for _, entry := range s.Manifest.Groups {
		o, there := entry.Observation, snapshot.Group(s, entry.Group) != nil
		if entry.Group == "usb" {
			if o.Status != "failed" || o.Reason != "timed out after 3s: system_profiler did not answer" || there {
				t.Errorf("usb is %v, there %v", o, there)
			}
		} else if o.Status != "observed" || !there || o.DurationMs > 2000 {
			t.Errorf("%s is %v, there %v", entry.Group, o, there)
		}
	}
	pids, err := os.ReadFile(filepath.Join(dir, "pids"))
	if err != nil || len(strings.Fields(string(pids))) != 2 {
		t.Fatalf("it did not start: %q, %v", pids, err)
	}
	for _, pid := range strings.Fields(string(pids)) {
		ended(t, pid)
	}
	awaitGoroutines(t, before)
}

// A program that writes without end is ended too; one that complains is quoted.
func TestProgramsThatMisbehave(t *testing.T) {
	for _, c := range []struct{ script, want string }{
		{"exec cat /dev/zero", "sh writes more than " + strconv.Itoa(maxRPMOut) + " bytes"},
		{"echo part; echo not today >&2; echo more >&2; exit 3", "sh: exit status 3 not today"},
	} {
		out, err := inquiry{program: "/bin/sh", words: []string{"-c", c.script}, limit: time.Minute, most: maxRPMOut}.answer(t.Context())
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", c.script, err, c.want)
		}
		if strings.HasPrefix(c.script, "echo") != (string(out) == "part\n") {
			t.Errorf("%s: %d bytes", c.script, len(out))
		}
	}
}
