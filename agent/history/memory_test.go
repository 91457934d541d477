package history

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/agent/host"
	"constat/internal/snapshot"
	constatv1 "constat/proto/constat/v1"
)

// seen is a snapshot with these groups observed at a time.
func seen(t *testing.T, at time.Time, groups map[string]proto.Message) *constatv1.Snapshot {
	t.Helper()
	s := &constatv1.Snapshot{Manifest: &constatv1.Manifest{TakenAt: timestamppb.New(at)}}
	for name, m := range groups {
		if err := snapshot.Put(s, name, m); err != nil {
			t.Fatal(err)
		}
		s.Manifest.Groups = append(s.Manifest.Groups, &constatv1.GroupEntry{Group: name, Observation: &constatv1.Observation{Status: "observed"}})
	}
	return s
}

func programs(versions ...string) *constatv1.Software {
	s := &constatv1.Software{}
	for i, v := range versions {
		s.Programs = append(s.Programs, &constatv1.Program{Name: proto.String(fmt.Sprintf("p%04d", i)), Version: &v})
	}
	return s
}

func TestChangesAreKept(t *testing.T) {
	dir := t.TempDir()
	m := Keep(dir)
	look := func(m *Memory, at time.Time, groups map[string]proto.Message) []*constatv1.Change {
		t.Helper()
		s := seen(t, at, groups)
		m.Complete(s, Groups(), at)
		for _, e := range s.Manifest.Groups {
			if e.GetObservation().GetStatus() != "observed" || len(e.GetPayloadHash()) == 0 {
				t.Fatalf("%v", e)
			}
		}
		return s.GetChanges().GetChanges()
	}
	firmware := func(v string) proto.Message {
		return &constatv1.Hardware{Firmware: &constatv1.Firmware{Version: &v}}
	}
	day := 24 * time.Hour
	if got := look(m, noon, map[string]proto.Message{"hardware": firmware("1.2"), "software": programs("1")}); len(got) != 0 {
		t.Errorf("at the first look nothing is different: %v", got)
	}
	// A group that was not asked for meanwhile is compared with when it was.
	look(m, noon.Add(day), map[string]proto.Message{"software": programs("2")})
	m = Keep(dir) // started anew
	got := look(m, noon.Add(2*day), map[string]proto.Message{"hardware": firmware("1.3"), "software": programs("2")})
	if len(got) != 2 || got[0].GetAfter() != "1.3" || got[1].GetAfter() != "2" || !got[1].GetAt().AsTime().Equal(noon.Add(day)) {
		t.Fatalf("want the firmware, then the program: %v", got)
	}
	// Another process sees what is kept and what is different now, and keeps none.
	beside := Recall(dir, noon.Add(2*day))
	if got := look(beside, noon.Add(3*day), map[string]proto.Message{"hardware": firmware("1.4")}); len(got) != 3 || got[0].GetAfter() != "1.4" {
		t.Errorf("beside the service: %v", got)
	}
	if got := look(m, noon.Add(3*day), map[string]proto.Message{"hardware": firmware("1.3")}); len(got) != 2 {
		t.Errorf("what another process saw was kept: %v", got)
	}
	if got := look(m, noon.Add(32*day), nil); len(got) != 1 {
		t.Errorf("a month later: %v", got)
	}
	// Thousands at once: bounded, in memory and on disk.
	var all []string
	for range 3 * keptChanges {
		all = append(all, "1")
	}
	for i := range 4 {
		look(m, noon.Add(time.Duration(33+i)*day), map[string]proto.Message{"software": programs(all...)})
		for j := range all {
			all[j] = fmt.Sprint(i)
		}
	}
	got = look(m, noon.Add(40*day), nil)
	if size, _ := sizeOf(t, dir); len(got) > keptChanges || size > 512<<10 {
		t.Errorf("%d changes, %d bytes on disk", len(got), size)
	}
}

func TestPrintersAreRemembered(t *testing.T) {
	dir := t.TempDir()
	m := Keep(dir)
	printer := func(connection, address, uuid string) *constatv1.Printer {
		return &constatv1.Printer{Connection: &connection, Address: &address, Uuid: &uuid}
	}
	m.Complete(seen(t, noon, map[string]proto.Message{"printing": &constatv1.Printing{Printers: []*constatv1.Printer{
		printer("network", "192.0.2.7:631", "a"), printer("network", "192.0.2.8:631", ""), printer("usb", "1-2", "b"),
	}}}), Groups(), noon)
	if got := Recall(dir, noon).Printers(); len(got) != 1 || got["192.0.2.7:631"] != "a" {
		t.Errorf("remembered %v", got)
	}
	if got := (&Memory{}).Printers(); len(got) != 0 {
		t.Errorf("of a machine in a folder: %v", got)
	}
}

// TestGapsAreTold: a command knows what the service could not take, until it
// can.
func TestGapsAreTold(t *testing.T) {
	dir := t.TempDir()
	m := Keep(dir)
	silent := []*constatv1.Gap{{Fact: "vitals.gatewayMs", Status: "denied", Reason: "echo requests are not for this user"}}
	for _, gaps := range [][]*constatv1.Gap{nil, silent, silent, nil} {
		if err := m.keepGaps(gaps); err != nil {
			t.Fatal(err)
		}
		s := seen(t, noon, nil)
		Recall(dir, noon).Complete(s, []string{"vitals"}, noon)
		got := s.Manifest.Groups[0].GetObservation().GetGaps()
		if !slices.EqualFunc(got, gaps, func(a, b *constatv1.Gap) bool { return proto.Equal(a, b) }) {
			t.Errorf("gaps %v, want %v", got, gaps)
		}
	}
}

// A minute is told by the clock on the wall alone: by the monotonic one, which stands
// still in sleep, a laptop's last day's look would be of the same day.
func TestMinutesAreOfTheWall(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var minutes []Minute
	Keep(t.TempDir()).Watch(ctx, host.Config{Root: t.TempDir()}, func(context.Context) {}, func(m Minute) {
		minutes = append(minutes, m)
		cancel()
	}, slog.New(slog.DiscardHandler))
	if len(minutes) != 1 || minutes[0].At.IsZero() || minutes[0].At != minutes[0].At.Round(0) {
		t.Errorf("minutes: %v", minutes)
	}
}

func TestMemoryThatCannotBeRead(t *testing.T) {
	for want, m := range map[string]*Memory{
		"unsupported": Recall(filepath.Join(t.TempDir(), "nowhere"), noon),
		"failed":      Recall("/dev/null", noon),
	} {
		s := seen(t, noon, map[string]proto.Message{"hardware": &constatv1.Hardware{}})
		m.Complete(s, append(Groups(), "hardware"), noon)
		if n := len(s.Manifest.Groups); n != 3 {
			t.Fatalf("%d groups: %v", n, s.Manifest)
		}
		for _, e := range s.Manifest.Groups {
			if o := e.GetObservation(); e.GetGroup() != "hardware" && (o.GetStatus() != want || o.GetReason() == "") {
				t.Errorf("want %s: %v", want, o)
			}
		}
	}
	// Damaged files are as none.
	dir := t.TempDir()
	Keep(dir)
	for _, name := range []string{changesFile, devicesFile, filepath.Join(knownDir, "hardware")} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte("\xff\xff{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := seen(t, noon, map[string]proto.Message{"hardware": &constatv1.Hardware{Firmware: &constatv1.Firmware{Version: proto.String("1.2")}}, "peripherals": &constatv1.Peripherals{}})
	Keep(dir).Complete(s, Groups(), noon)
	if s.Changes == nil || s.Vitals == nil || len(s.Changes.Changes) != 0 {
		t.Errorf("with damaged files: %v", s.Manifest)
	}
}

// A mouse that is pulled is absent since then, with its flaps counted by the
// port; one that comes back is not.
func TestDevicesComeAndGo(t *testing.T) {
	dir := t.TempDir()
	m := Keep(dir)
	mouse := &constatv1.Peripheral{
		Id: proto.String("046d:c077"), Brand: proto.String("Logitech"), Model: proto.String("M105"),
		Kind: proto.String("mouse"), Connection: proto.String("usb"), UsbPath: proto.String("1-2"),
	}
	inside := &constatv1.Peripheral{Id: proto.String("inside"), Connection: proto.String("internal")}
	look := func(at time.Time, here ...*constatv1.Peripheral) *constatv1.Snapshot {
		t.Helper()
		s := seen(t, at, map[string]proto.Message{"peripherals": &constatv1.Peripherals{Devices: here}})
		m.Complete(s, Groups(), at)
		return s
	}
	look(noon, mouse, inside)
	pulled := noon.Add(20 * time.Minute)
	for i := range 3 {
		at := pulled.Add(time.Duration(i-2) * time.Minute)
		for _, plugged := range []bool{true, false} {
			if err := m.note(host.PlugEvent{At: at, Path: "1-2", ID: "046d:c077", Plugged: plugged}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := m.note(host.PlugEvent{At: pulled, Path: "1-3", ID: "1d6b:0002", Disturbed: true}); err != nil {
		t.Fatal(err)
	}
	m = Keep(dir)
	s := look(noon.Add(time.Hour))
	absent := s.GetPeripherals().GetAbsent()
	if len(absent) != 1 || absent[0].GetName() != "M105" || absent[0].GetKind() != "mouse" || !absent[0].GetLastSeenAt().AsTime().Equal(pulled) {
		t.Errorf("want the mouse, gone at %v: %v", pulled, absent)
	}
	events := s.GetVitals().GetPlugEvents()
	if len(events) != 2 || events[0].GetWindowSeconds() != 3600 || events[0].GetUnplugs() != 3 || events[0].GetPath() != "1-2" ||
		!events[0].GetLastUnplugAt().AsTime().Equal(pulled) {
		t.Errorf("want three flaps in each window: %v", events)
	}
	if again := look(noon.Add(2 * time.Hour)); !proto.Equal(again.GetPeripherals(), s.GetPeripherals()) {
		t.Errorf("the group changes while nothing does: %v", again.GetPeripherals())
	}
	if s := look(noon.Add(3*time.Hour), mouse); len(s.GetPeripherals().GetAbsent()) != 0 || len(s.GetVitals().GetPlugEvents()) != 1 {
		t.Errorf("it is back: %v %v", s.GetPeripherals(), s.GetVitals())
	}
	gone := look(noon.Add(4 * time.Hour))
	if len(gone.GetPeripherals().GetAbsent()) != 1 {
		t.Errorf("gone again: %v", gone.GetPeripherals())
	}
	if s := look(noon.Add(40 * 24 * time.Hour)); len(s.GetPeripherals().GetAbsent()) != 0 {
		t.Errorf("missed for more than a month: %v", s.GetPeripherals())
	}
	for i := range 3 * maxDevices {
		if err := m.note(host.PlugEvent{At: noon, Path: fmt.Sprint("9-", i)}); err != nil {
			t.Fatal(err)
		}
	}
	b, err := m.belongings()
	if err != nil || len(b.Ports) > maxDevices {
		t.Errorf("%d ports are remembered, %v", len(b.Ports), err)
	}
}
