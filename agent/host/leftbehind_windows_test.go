package host

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/windows"
	"google.golang.org/protobuf/proto"

	"constat/internal/snapshot"
	constatv1 "constat/proto/constat/v1"
)

// TestServiceThatHangs: a call on a thread of COM that does not return costs its
// group only, and holds one thread however often it is looked again; the group is
// read again once the call has returned. WMI that hangs costs the facts that it was
// asked for, of groups that are whole otherwise.
func TestServiceThatHangs(t *testing.T) {
	event, err := windows.CreateEvent(nil, 1, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer windows.CloseHandle(event)
	var threads atomic.Int32 // that hang
	hang := func() (int, error) {
		defer threads.Add(-1)
		threads.Add(1)
		_, err := windows.WaitForSingleObject(event, windows.INFINITE)
		return 1, err
	}
	table := slices.Clone(sources)
	groups := slices.DeleteFunc(Groups(), func(group string) bool { return group == "probes" })
	i := slices.IndexFunc(table, func(s source) bool { return s.group == "wifi" })
	table[i] = source{"wifi", 100 * time.Millisecond, func(ctx context.Context, _ *reader) (proto.Message, *constatv1.Observation) {
		if _, err := onCOM(context.WithoutCancel(ctx), "the stand-in", time.Hour, hang); err != nil {
			return nil, failed("stand-in", err)
		}
		return &constatv1.Wifi{}, observed("stand-in")
	}}
	if _, err := onCOM(t.Context(), "WMI", time.Millisecond, hang); err == nil || !strings.Contains(err.Error(), "timed out") {
		t.Fatal(err)
	}
	entries := func(s *constatv1.Snapshot, want ...string) {
		t.Helper()
		for _, entry := range s.Manifest.Groups {
			o := entry.Observation
			if entry.Group == "wifi" {
				if o.Status != want[0] || !strings.Contains(o.Reason, want[1]) {
					t.Errorf("wifi is %v, want %q", o, want)
				}
			} else if o.Status != "observed" || snapshot.Group(s, entry.Group) == nil {
				t.Errorf("%s is %v", entry.Group, o)
			}
		}
	}
	gapOf := func(s *constatv1.Snapshot, group, fact string) string {
		for _, entry := range s.Manifest.Groups {
			for _, g := range entry.Observation.Gaps {
				if entry.Group == group && g.Fact == fact {
					return g.Reason
				}
			}
		}
		return ""
	}
	first := observe(t.Context(), Config{}, groups, table)
	entries(first, "failed", "timed out after 100ms")
	for _, of := range [][2]string{{"storage", "mounts.encryption"}, {"security", "disk_encrypted"}, {"power", "thermal_zones"}} {
		if reason := gapOf(first, of[0], of[1]); !strings.Contains(reason, "WMI has not answered since") {
			t.Errorf("%s.%s: %q", of[0], of[1], reason)
		}
	}
	if first.GetStorage().GetMounts() == nil || first.GetPower().OnBattery == nil {
		t.Errorf("the rest of these groups: %v, %v", first.GetStorage(), first.GetPower())
	}
	entries(observe(t.Context(), Config{}, groups, table), "failed", "has not answered since")
	if n := threads.Load(); n != 2 { // WMI's and the stand-in's
		t.Errorf("%d threads hang after another look", n)
	}
	if err := windows.SetEvent(event); err != nil {
		t.Fatal(err)
	}
	table[i].limit = time.Minute
	last := observe(t.Context(), Config{}, groups, table)
	entries(last, "observed", "")
	if reason := gapOf(last, "storage", "mounts.encryption"); strings.Contains(reason, "since") {
		t.Errorf("WMI is not asked again: %s", reason)
	}
	if _, err := onCOM(t.Context(), "a broken one", time.Minute, func() (int, error) { panic("a bad pointer") }); err == nil || errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "leftbehind_windows_test.go") {
		t.Error(err)
	}
}
