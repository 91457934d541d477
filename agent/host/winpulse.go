package host

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// errNoStalls is the gap of facts that only Linux counts.
var errNoStalls = fmt.Errorf("Windows does not count how long programs wait for processor, memory or disks: %w", errors.ErrUnsupported)

// carriers counts how often links lose their carrier, from looks at them: Windows
// keeps no such count.
type carriers struct {
	mu     sync.Mutex
	had    map[string]bool
	losses map[string]int
}

// look takes over which links have a carrier now. One that is not there any more is
// forgotten, with its count.
func (c *carriers) look(now map[string]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	losses := map[string]int{}
	for link, has := range now {
		losses[link] = c.losses[link]
		if c.had[link] && !has {
			losses[link]++
		}
	}
	c.had, c.losses = now, losses
}

// readings are the counts, sorted by link.
func (c *carriers) readings() (all []Reading) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, link := range sortedNames(c.losses) {
		if len(all) < maxVitalLinks {
			all = append(all, Reading{CarrierLosses, link, float64(c.losses[link])})
		}
	}
	return all
}

// signals are the machine's own ports, and which of them have a signal.
func (s *ipStack) signals() map[string]bool {
	all := map[string]bool{}
	for i := range s.links {
		l := &s.links[i]
		if !l.shown() || !l.stated || l.flags&ipHardware == 0 || l.media != ipMediaConnected && l.media != ipMediaDisconnected {
			continue
		}
		all[l.name] = l.media == ipMediaConnected
	}
	return all
}

// carries tells whether packets can leave by a link.
func (s *ipStack) carries(name string) bool {
	return slices.ContainsFunc(s.links, func(l ipLink) bool {
		return l.name == name && l.media != ipMediaDisconnected && ipOperWords[l.oper] == "up"
	})
}

// pulse is where default routes lead, best first, and the name servers for all
// names that are no program of this machine's.
func (s *ipStack) pulse() (wide []*constatv1.Route, servers []netip.Addr) {
	byIndex := map[uint32]*ipLink{}
	for i := range s.links {
		byIndex[s.links[i].index] = &s.links[i]
	}
	n := &constatv1.Network{}
	s.addResolvers(n)
	for _, r := range n.Resolvers {
		if a, err := netip.ParseAddr(r.GetAddress()); err == nil && !r.GetStub() && len(r.Domains) == 0 {
			servers = append(servers, a)
		}
	}
	return s.wideRoutes(byIndex), servers
}

// nameOf is the name of the link with this GUID; "" where there is none.
func (s *ipStack) nameOf(guid string) string {
	for _, l := range s.links {
		if strings.EqualFold(l.guid, guid) && l.flags&ipFilter == 0 {
			return l.name
		}
	}
	return ""
}

// failedOfWindows are the queues with jobs that can't go on, sorted: they are
// paused, offline or in trouble by the spooler's word, or one of their jobs is.
func failedOfWindows(queues []winQueue, jobs map[string][]*constatv1.Job) []string {
	failed := []string{}
	for _, q := range queues {
		inVain := func(j *constatv1.Job) bool { return j.GetState() == "processingStopped" }
		if q.waiting == 0 || q.remote {
			continue
		}
		if q.GetState() == "stopped" || q.GetOffline() || slices.ContainsFunc(jobs[q.GetName()], inVain) ||
			slices.ContainsFunc(q.StateReasons, func(reason string) bool { return strings.HasSuffix(reason, "-error") }) {
			failed = append(failed, q.GetName())
		}
	}
	slices.Sort(failed)
	return failed
}

// plugNews is a device that Windows has found, or lost.
type plugNews struct {
	instance string
	plugged  bool
}

// maxPlugNews is the size of CM_NOTIFY_EVENT_DATA with the longest instance.
const maxPlugNews = 8 + 2*200

// parsePlugNews reads what CM_Register_Notification tells (cfgmgr32.h): the event's
// kind, a word that is reserved, and the device's instance. ok is false for all but
// whole USB devices that come or go; hubs of controllers do neither.
func parsePlugNews(action uint32, raw []byte) (n plugNews, ok bool) {
	const enumerated, removed = 7, 9 // CM_NOTIFY_ACTION_DEVICEINSTANCE…
	const instances = 2              // CM_NOTIFY_FILTER_TYPE_DEVICEINSTANCE
	if len(raw) < 8 || binary.LittleEndian.Uint32(raw) != instances || action != enumerated && action != removed {
		return n, false
	}
	n = plugNews{clean(utf16Text(raw[8:])), action == enumerated}
	d := &plugDevice{instance: n.instance}
	return n, isUSBDevice(d) && !isRootHub(d) && usbID(n.instance) != ""
}

// event says it in the words of the schema.
func (n plugNews) event(p plugPaths) PlugEvent {
	return PlugEvent{Path: cmp.Or(p[strings.ToUpper(n.instance)], n.instance), ID: usbID(n.instance), Plugged: n.plugged}
}

// plugPaths are the places of USB devices by their instances: one that is gone has
// none any more.
type plugPaths map[string]string

func (p plugPaths) learn(t *plugTree) {
	if len(p) > maxDevices {
		clear(p)
	}
	for i := range t.devices {
		if d := &t.devices[i]; isUSBDevice(d) {
			p[strings.ToUpper(d.instance)] = t.usbPath(d)
		}
	}
}

// powerStatus is SYSTEM_POWER_STATUS (winbase.h).
type powerStatus struct {
	line, flags, percent, saver byte
	left, whole                 uint32
}

// hasBattery tells whether the machine has one, and knows.
func (s powerStatus) hasBattery() bool {
	const none, unknown = 128, 255
	return s.flags&none == 0 && s.flags != unknown
}

// onBattery tells whether it runs on it; nil where that is not known.
func (s powerStatus) onBattery() *bool {
	if s.line > 1 {
		return nil
	}
	return set(s.line == 0)
}

// chargers are the mains, for a machine that has a battery: one without has no
// charger that could be out.
func (s powerStatus) chargers() []*constatv1.Charger {
	if on := s.onBattery(); on != nil && s.hasBattery() {
		return []*constatv1.Charger{{Name: set("AC"), Online: set(!*on)}}
	}
	return nil
}

// charge is that of all batteries together, in percent.
func (s powerStatus) charge() *int {
	if s.percent > 100 {
		return nil
	}
	return set(int(s.percent))
}

// diskTimes is what DISK_PERFORMANCE counts since a disk was first asked
// (winioctl.h), times in tenths of microseconds.
type diskTimes struct {
	work, idle, now uint64
	operations      uint64
}

// parseDiskTimes reads DISK_PERFORMANCE; false where it is cut off.
func parseDiskTimes(raw []byte) (t diskTimes, ok bool) {
	const size = 88
	if len(raw) < size {
		return t, false
	}
	b := winBuffer{data: raw}
	return diskTimes{
		work: b.u64(16) + b.u64(24), idle: b.u64(32), now: b.u64(56), operations: uint64(b.u32(40)) + uint64(b.u32(44)),
	}, true
}

// use is what a disk did between two readings; nil where they don't fit each other.
func (t diskTimes) use(name string, after diskTimes) *constatv1.DiskLoad {
	sample, idle := float64(after.now)-float64(t.now), float64(after.idle)-float64(t.idle)
	if after.now <= t.now || after.idle < t.idle || after.work < t.work || after.operations < t.operations {
		return nil
	}
	work := float64(after.work - t.work)
	d := &constatv1.DiskLoad{Disk: &name, BusyPercent: set(tenth(max(0, min(100, (1-idle/sample)*100)))), Queue: set(tenth(work / sample))}
	if done := after.operations - t.operations; done > 0 {
		const perMillisecond = 1e4
		d.AwaitMs = set(tenth(work / perMillisecond / float64(done)))
	}
	return d
}

// Events of a start: how long it took, and programs, drivers and services that
// were slower than usual. Only editions for desktops log them.
const (
	startProvider = "Microsoft-Windows-Diagnostics-Performance"
	startTook     = 100
	slowProgram   = 101
	slowDriver    = 102
	slowService   = 103
	maxSlow       = 5
)

var startRows = []eventRow{{startProvider + "/Operational", startProvider, []int{startTook, slowProgram, slowDriver, slowService}}}

// bootOfWindows tells how long the start at a time took; nil where the log does not
// know of it (yet: Windows writes it some minutes after).
func bootOfWindows(events []loggedEvent, started time.Time) *constatv1.Boot {
	ms := func(e loggedEvent, field string) (float64, bool) {
		n, err := strconv.ParseUint(e.field(field), 10, 32)
		return float64(n), err == nil
	}
	type slow struct {
		name string
		ms   float64
	}
	var b *constatv1.Boot
	var all []slow
	for _, e := range events {
		if e.provider != startProvider || e.at.Before(started) {
			continue
		}
		if e.id != startTook {
			if took, ok := ms(e, "TotalTime"); ok && e.field("Name") != "" {
				all = append(all, slow{e.field("Name"), took})
			}
			continue
		}
		whole, ok := ms(e, "BootTime")
		if !ok {
			continue
		}
		b = &constatv1.Boot{UserspaceSeconds: set(tenth(whole / 1000))}
		if kernel, ok := ms(e, "BootKernelInitTime"); ok && kernel <= whole {
			b.KernelSeconds, b.UserspaceSeconds = set(tenth(kernel/1000)), set(tenth((whole-kernel)/1000))
		}
	}
	if b == nil {
		return nil
	}
	slices.SortFunc(all, func(x, y slow) int { return cmp.Or(cmp.Compare(y.ms, x.ms), strings.Compare(x.name, y.name)) })
	for _, s := range all[:min(len(all), maxSlow)] {
		b.SlowestUnits = append(b.SlowestUnits, fmt.Sprintf("%s %.1f s", s.name, s.ms/1000))
	}
	return b
}

// Events of disks: a bad block, an error while memory was swapped, a failure of the
// hardware. Retries and resets of controllers are none of the disk's own.
var diskRows = []eventRow{{"System", "disk", []int{7, 51, 154}}}

// diskErrors counts them by the disk's number, which stands in the name of its
// device: “\Device\Harddisk1\DR1”.
func diskErrors(events []loggedEvent) map[int]int64 {
	counts := map[int]int64{}
	for _, e := range events {
		if !e.is(diskRows[0].provider, diskRows[0].ids...) {
			continue
		}
		_, rest, found := strings.Cut(e.nth(0), `\Harddisk`)
		digits, _, _ := strings.Cut(rest, `\`)
		if number, err := strconv.Atoi(digits); found && err == nil && number >= 0 {
			counts[number]++
		}
	}
	return counts
}
