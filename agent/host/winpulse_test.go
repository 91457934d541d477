package host

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// TestCarriers: each loss is counted once, however often one looks, and a port
// that was taken away takes its count along.
func TestCarriers(t *testing.T) {
	var c carriers
	for _, now := range []map[string]bool{
		{"Ethernet": true, "Wi-Fi": false}, {"Ethernet": false, "Wi-Fi": true}, {"Ethernet": false, "Wi-Fi": true}, {"Ethernet": true, "Wi-Fi": true}, {"Ethernet": false, "Wi-Fi": true},
	} {
		c.look(now)
	}
	if got, want := c.readings(), []Reading{{CarrierLosses, "Ethernet", 2}, {CarrierLosses, "Wi-Fi", 0}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	c.look(map[string]bool{"Wi-Fi": true})
	c.look(map[string]bool{"Ethernet": true, "Wi-Fi": true})
	if got, want := c.readings(), []Reading{{CarrierLosses, "Ethernet", 0}, {CarrierLosses, "Wi-Fi", 0}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestPulseOfWindows: ports and not layers are followed, the way out is the one that
// carries, and a program of this machine is no server to be asked.
func TestPulseOfWindows(t *testing.T) {
	s := officeStack()
	if got := s.signals(); len(got) != 2 || !got["Ethernet"] || got["Wi-Fi"] {
		t.Errorf("signals %v", got)
	}
	wide, servers := s.pulse()
	if len(wide) != 2 || len(servers) != 1 || servers[0].String() != "192.0.2.53" {
		t.Errorf("%v %v", wide, servers)
	}
	if gateways := eachOnce(append(wide, wide...)); len(gateways) != 2 {
		t.Errorf("gateways %v", gateways)
	}
	if !s.carries("Ethernet") || s.carries("Wi-Fi") || s.carries("none") {
		t.Error("the wrong links carry")
	}
	if s.nameOf("{a}") != "Ethernet" || s.nameOf("{b}") != "" {
		t.Error("the wrong names")
	}
}

func TestQueuesInVain(t *testing.T) {
	b, n := composedQueues()
	queues := decodeQueues(b, n)
	if got := failedOfWindows(queues, nil); got == nil || len(got) != 0 {
		t.Errorf("without a job: %v", got)
	}
	for i := range queues {
		queues[i].waiting = 1
	}
	// Office is paused, Lost offline, Paper jammed; PDF works.
	if got := failedOfWindows(queues, nil); !slices.Equal(got, []string{"Lost", "Office", "Paper"}) {
		t.Error(got)
	}
	jobs, m := composedJobs()
	if got := failedOfWindows(queues[3:], map[string][]*constatv1.Job{"PDF": decodeJobs(jobs, m)}); !slices.Equal(got, []string{"PDF"}) {
		t.Errorf("a job that can't go on: %v", got)
	}
	queues[0].remote = true
	if got := failedOfWindows(queues[:1], nil); len(got) != 0 {
		t.Errorf("another machine's: %v", got)
	}
}

func TestWaitingInAQueue(t *testing.T) {
	c := compose(printerRowSize)
	c.text(8, "Office")
	c.u32(128, 3)
	if q := decodeQueues(c.block(), 1); len(q) != 1 || q[0].waiting != 3 {
		t.Error(q)
	}
}

// plugged composes CM_NOTIFY_EVENT_DATA.
func pluggedNews(kind uint32, instance string) []byte {
	raw := binary.LittleEndian.AppendUint32(nil, kind)
	return append(binary.LittleEndian.AppendUint32(raw, 0), inUTF16(instance+"\x00")...)
}

func TestPlugNews(t *testing.T) {
	const mouse = `USB\VID_046D&PID_C52B\5&2&0&3`
	paths := plugPaths{}
	tree := newPlugTree(deskDevices())
	paths.learn(tree)
	n, ok := parsePlugNews(7, pluggedNews(2, mouse))
	if e := n.event(paths); !ok || !e.Plugged || e.ID != "046d:c52b" || e.Path != mouse {
		t.Errorf("%+v %v", e, ok)
	}
	for i := range tree.devices {
		d := &tree.devices[i]
		if n, ok := parsePlugNews(9, pluggedNews(2, d.instance)); ok {
			if e := n.event(paths); e.Plugged || e.Path != tree.usbPath(d) || e.ID == "" {
				t.Errorf("%s: %+v", d.instance, e)
			}
		}
	}
	for _, other := range []struct {
		action uint32
		raw    []byte
	}{
		{8, pluggedNews(2, mouse)}, {7, pluggedNews(0, mouse)}, {7, pluggedNews(2, `USB\VID_046D&PID_C52B&MI_00\6&1`)}, {7, pluggedNews(2, `USB\ROOT_HUB30\4&1`)},
		{7, pluggedNews(2, `PCI\VEN_8086&DEV_15FB\3&1`)}, {7, nil}, {9, []byte{2, 0, 0, 0, 0, 0, 0, 0}},
	} {
		if n, ok := parsePlugNews(other.action, other.raw); ok {
			t.Errorf("%+v is a device", n)
		}
	}
}

func FuzzPlugNews(f *testing.F) {
	f.Add(uint32(7), pluggedNews(2, `USB\VID_046D&PID_C52B\5&2&0&3`))
	f.Fuzz(func(t *testing.T, action uint32, raw []byte) {
		if n, ok := parsePlugNews(action, raw); ok {
			if e := n.event(plugPaths{}); e.Path == "" || len(e.Path) > maxText || len(e.ID) != len("046d:c52b") {
				t.Errorf("%+v", e)
			}
		}
		if times, ok := parseDiskTimes(raw); ok {
			diskTimes{}.use("x", times)
		}
	})
}

func TestPowerStatus(t *testing.T) {
	if s := (powerStatus{line: 0, percent: 40}); !s.hasBattery() || s.onBattery() == nil || !*s.onBattery() || *s.charge() != 40 {
		t.Error(s)
	}
	if s := (powerStatus{line: 1, flags: 128, percent: 255}); s.hasBattery() || *s.onBattery() || s.charge() != nil {
		t.Error(s)
	}
	if s := (powerStatus{line: 255, flags: 255, percent: 255}); s.hasBattery() || s.onBattery() != nil {
		t.Error(s)
	}
}

// diskPerformance composes DISK_PERFORMANCE.
func diskPerformance(read, write, idle, now uint64, reads, writes uint32) []byte {
	raw := make([]byte, 88)
	for at, v := range map[int]uint64{16: read, 24: write, 32: idle, 56: now} {
		binary.LittleEndian.PutUint64(raw[at:], v)
	}
	binary.LittleEndian.PutUint32(raw[40:], reads)
	binary.LittleEndian.PutUint32(raw[44:], writes)
	return raw
}

// composedDiskLoad is a disk that was idle for a tenth of a second.
func composedDiskLoad(t *testing.T) *constatv1.DiskLoad {
	t.Helper()
	before, ok := parseDiskTimes(diskPerformance(1e6, 0, 5e7, 1e9, 100, 0))
	after, also := parseDiskTimes(diskPerformance(3e6, 1e7, 5.1e7, 1.01e9, 110, 50))
	if !ok || !also {
		t.Fatal("no reading")
	}
	return before.use("PhysicalDrive0", after)
}

func TestDiskTimes(t *testing.T) {
	d := composedDiskLoad(t)
	if d.GetBusyPercent() != 90 || d.GetAwaitMs() != 20 || d.GetQueue() != 1.2 || d.GetDisk() != "PhysicalDrive0" {
		t.Error(d)
	}
	still := diskTimes{idle: 1e6, now: 2e6}
	if d := (diskTimes{idle: 0, now: 1e6}).use("x", still); d.GetBusyPercent() != 0 || d.AwaitMs != nil {
		t.Errorf("a disk with nothing to do: %v", d)
	}
	if d := still.use("x", diskTimes{}); d != nil {
		t.Errorf("a count that ran back: %v", d)
	}
	if _, ok := parseDiskTimes(make([]byte, 87)); ok {
		t.Error("a cut one")
	}
}

// composedStart is what the log has of a start that was slow.
func composedStart(t *testing.T) []loggedEvent {
	t.Helper()
	return []loggedEvent{
		logged(t, xmlEvent(startProvider, "103", "Name=Maker Update", "TotalTime=21000", "DegradationTime=15000")),
		logged(t, xmlEvent(startProvider, "101", "Name=big.exe", "TotalTime=45500", "DegradationTime=30000")),
		logged(t, xmlEvent(startProvider, "100", "BootTime=121000", "MainPathBootTime=60000", "BootKernelInitTime=1000", "BootPostBootTime=61000")),
	}
}

func TestStartOfWindows(t *testing.T) {
	started := time.Date(2026, 3, 9, 10, 0, 0, 0, time.UTC)
	b := bootOfWindows(composedStart(t), started)
	if b.GetUserspaceSeconds() != 120 || b.GetKernelSeconds() != 1 || !slices.Equal(b.GetSlowestUnits(), []string{"big.exe 45.5 s", "Maker Update 21.0 s"}) {
		t.Error(b)
	}
	if b := bootOfWindows(composedStart(t), started.Add(time.Hour)); b != nil {
		t.Errorf("of a start before: %v", b)
	}
	if b := bootOfWindows(composedStart(t)[:2], started); b != nil {
		t.Errorf("nobody said how long it took: %v", b)
	}
}

func composedDiskErrors(t *testing.T) []loggedEvent {
	t.Helper()
	return []loggedEvent{
		logged(t, xmlEvent("disk", "7", `\Device\Harddisk1\DR1`)), logged(t, xmlEvent("disk", "154", `\Device\Harddisk1\DR5`, "0x10", "1")), logged(t, xmlEvent("disk", "51", `\Device\Harddisk0\DR0`)),
		logged(t, xmlEvent("disk", "153", `\Device\Harddisk0\DR0`)), logged(t, xmlEvent("disk", "7", `\Device\CdRom0`)), logged(t, xmlEvent("other", "7", `\Device\Harddisk0\DR0`)),
	}
}

func TestDiskErrors(t *testing.T) {
	if got := diskErrors(composedDiskErrors(t)); len(got) != 2 || got[0] != 1 || got[1] != 2 {
		t.Error(got)
	}
}
