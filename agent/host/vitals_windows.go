package host

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/shirou/gopsutil/v3/mem"
	"golang.org/x/sys/windows"

	constatv1 "constat/proto/constat/v1"
)

var (
	queryUnbiasedInterruptTime = kernel32.NewProc("QueryUnbiasedInterruptTime")
	cancelMibChangeNotify      = iphlpapi.NewProc("CancelMibChangeNotify2")
	cmRegisterNotification     = cfgmgr32.NewProc("CM_Register_Notification")
	cmUnregisterNotification   = cfgmgr32.NewProc("CM_Unregister_Notification")
)

// Sampler takes the readings of this machine again and again, without a child
// process or a right.
type Sampler struct {
	config   Config
	before   systemTimes
	pulse    pulse
	carriers carriers
	// following begins, once, to look at the links whenever Windows says that one
	// changed.
	following sync.Once
	// asking: the print service has not answered the last question yet.
	asking atomic.Bool
	// signs are those of the last sample that it saw on its way.
	signs Signs
	// slept is how long the machine had slept since its start at the last look, in
	// nanoseconds.
	slept atomic.Int64
}

// NewSampler begins to follow a machine.
func NewSampler(c Config) *Sampler { return &Sampler{config: c} }

// Sample takes one reading of everything that can be read. Not settled is a
// machine that has just woken up or whose clock was set: it is not asked what
// that alone would disturb. What it follows between two looks ends with the first
// one's ctx.
func (s *Sampler) Sample(ctx context.Context, settled bool) []Reading {
	s.following.Do(func() { go s.follow(ctx) })
	s.slept.Store(int64(slept()))
	ctx, cancel := context.WithTimeout(ctx, 2*vitalPatience)
	defer cancel()
	s.signs = Signs{}
	all := s.machine(ctx, settled)
	stack, err := pulseStack()
	if err != nil {
		return all
	}
	s.carriers.look(stack.signals())
	all = append(all, s.carriers.readings()...)
	wide, servers := stack.pulse()
	s.signs.Routed = set(slices.ContainsFunc(wide, func(g *constatv1.Route) bool { return stack.carries(g.GetLink()) }))
	if settled {
		readings, dns := s.pulse.ask(ctx, eachOnce(wide), func() netip.Addr {
			if len(servers) == 0 {
				return netip.Addr{}
			}
			return servers[0]
		})
		s.signs.DNS = dns
		all = append(all, readings...)
		all = append(all, heardByWindows(stack)...)
	} else {
		s.pulse.wakes()
	}
	return all
}

// pulseStack reads of the network what a minute's readings need.
func pulseStack() (*ipStack, error) {
	s := &ipStack{}
	if err := s.readInterfaces(); err != nil {
		return nil, err
	}
	if err := s.readAdapters(); err != nil {
		return nil, err
	}
	return s, s.readRoutes()
}

// machine reads what needs no network.
func (s *Sampler) machine(ctx context.Context, settled bool) (all []Reading) {
	if now, err := processorTimes(); err == nil {
		if busy := windowsCPU(s.before, now, 0, 0).BusyPercent; busy != nil && settled && s.before != (systemTimes{}) {
			all = append(all, Reading{"cpuPercent", "", *busy})
		}
		s.before = now
	}
	if !settled {
		return all
	}
	if m, err := mem.VirtualMemoryWithContext(ctx); err == nil && m.Total > 0 {
		all = append(all, Reading{"memoryAvailablePercent", "", 100 * float64(m.Available) / float64(m.Total)})
	}
	if p, err := supplyStatus(); err == nil && p.hasBattery() {
		s.signs.OnBattery, s.signs.Charge = p.onBattery(), p.charge()
		if s.signs.Charge != nil { // of all batteries together
			all = append(all, Reading{"batteryPercent", "", float64(*s.signs.Charge)})
		}
	}
	return append(all, freeOfVolumes()...)
}

// freeOfVolumes is the space that is left on the machine's own volumes; shares,
// discs and sticks are not asked.
func freeOfVolumes() (all []Reading) {
	drives, err := windows.GetLogicalDrives()
	if err != nil {
		return nil
	}
	for letter := range 26 {
		name := string(rune('A'+letter)) + ":"
		root, err := windows.UTF16PtrFromString(name + `\`)
		if err != nil || drives&(1<<letter) == 0 || len(all) == maxVitalMounts || windows.GetDriveType(root) != windows.DRIVE_FIXED {
			continue
		}
		var available, total uint64
		if err := windows.GetDiskFreeSpaceEx(root, &available, &total, nil); err == nil && total > 0 {
			all = append(all, Reading{"diskFreePercent", name, 100 * float64(available) / float64(total)})
		}
	}
	return all
}

// follow looks at the links whenever Windows says that one changed, so that a cable
// which is out and in within a minute is seen; each minute's own look is the rest.
func (s *Sampler) follow(ctx context.Context) {
	changed := make(chan struct{}, 1)
	tell := windows.NewCallback(func(_, _ uintptr, _ uintptr) uintptr {
		select {
		case changed <- struct{}{}:
		default: // a look is due already
		}
		return 0
	})
	var handle windows.Handle
	if err := windows.NotifyIpInterfaceChange(windows.AF_UNSPEC, tell, nil, false, &handle); err != nil || handle == 0 {
		return
	}
	defer func() { _, _, _ = cancelMibChangeNotify.Call(uintptr(handle)) }()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
		stack := &ipStack{}
		if stack.readInterfaces() == nil && stack.readAdapters() == nil {
			s.carriers.look(stack.signals())
		}
	}
}

// heardByWindows is how well the access points are heard.
func heardByWindows(stack *ipStack) (all []Reading) {
	if !slices.ContainsFunc(stack.links, func(l ipLink) bool { return l.kindWord() == "wifi" && stack.carries(l.name) }) {
		return nil // the service need not be asked
	}
	client, adapters, err := wlanAdapters()
	if err != nil {
		return nil
	}
	defer wlanCloseHandle.Call(client, 0)
	for _, a := range adapters {
		if dbm := a.signal(); dbm != nil {
			if name := stack.nameOf(a.guid.String()); name != "" {
				all = append(all, Reading{"wifiSignalDbm", name, float64(*dbm)})
			}
		}
	}
	return all
}

// Signs are those of the minute that Sample looked at last.
func (s *Sampler) Signs(ctx context.Context) Signs {
	signs := s.signs
	for _, place := range placesOfWER() {
		// A report that is written changes its directory.
		if info, err := os.Stat(place); err == nil && info.ModTime().After(signs.CrashFiles) {
			signs.CrashFiles = info.ModTime()
		}
	}
	// A spooler that hangs holds up whoever calls it: nobody asks it twice.
	if spoolerRuns() && s.asking.CompareAndSwap(false, true) {
		answer := make(chan []string, 1)
		go func() {
			defer s.asking.Store(false)
			answer <- queuesInVain()
		}()
		select {
		case signs.FailedQueues = <-answer:
		case <-time.After(vitalPatience):
		case <-ctx.Done():
		}
	}
	return signs
}

// spoolerRuns tells whether the print service can be asked: a question is none that
// should start it, and one to a service that does not run may wait for it.
func spoolerRuns() bool {
	manager, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT)
	if err != nil {
		return false
	}
	defer func() { _ = windows.CloseServiceHandle(manager) }()
	name, err := windows.UTF16PtrFromString("Spooler")
	if err != nil {
		return false
	}
	service, err := windows.OpenService(manager, name, windows.SERVICE_QUERY_STATUS)
	if err != nil {
		return false
	}
	defer func() { _ = windows.CloseServiceHandle(service) }()
	var status windows.SERVICE_STATUS
	return windows.QueryServiceStatus(service, &status) == nil && status.CurrentState == windows.SERVICE_RUNNING
}

// queuesInVain are the queues of this machine with jobs that can't go on; nil where
// the print service does not run or does not say.
func queuesInVain() []string {
	queues, err := enumQueues(printersHere)
	if err != nil {
		return nil
	}
	jobs := map[string][]*constatv1.Job{}
	for _, q := range queues {
		if q.waiting > 0 && !q.remote {
			// Where the jobs are not told, the queue's own word counts.
			if list, err := jobsOf(q.GetName()); err == nil {
				jobs[q.GetName()] = list
			}
		}
	}
	return failedOfWindows(queues, jobs)
}

// slept is how long the machine has slept since its start: the one clock stands
// still meanwhile and the other does not.
func slept() time.Duration {
	const tick = 100 * time.Nanosecond
	var awake uint64
	if queryUnbiasedInterruptTime.Find() != nil {
		return 0
	}
	if ok, _, _ := queryUnbiasedInterruptTime.Call(uintptr(unsafe.Pointer(&awake))); ok == 0 {
		return 0
	}
	return windows.DurationSinceBoot() - time.Duration(awake)*tick
}

// Plugs tells of USB devices that come and go until ctx ends.
func (s *Sampler) Plugs(ctx context.Context, take func(PlugEvent)) error {
	for _, p := range []*windows.LazyProc{cmRegisterNotification, cmUnregisterNotification} {
		if p.Find() != nil {
			return windowsError(p.Name, windows.ERROR_PROC_NOT_FOUND)
		}
	}
	paths := plugPaths{}
	learn := func() {
		if tree, err := newReader(ctx, s.config).plugTree(); err == nil {
			paths.learn(tree)
		}
	}
	learn()
	events := make(chan plugNews, 64)
	tell := windows.NewCallback(func(_, _ uintptr, action uint32, event *byte, size uint32) uintptr {
		if event != nil {
			if news, ok := parsePlugNews(action, unsafe.Slice(event, min(size, maxPlugNews))); ok {
				select {
				case events <- news:
				default: // a flood: the next look finds what is there
				}
			}
		}
		return 0 // ERROR_SUCCESS
	})
	filter := deviceFilter{flags: filterAllInstances, kind: filterInstances}
	filter.size = uint32(unsafe.Sizeof(filter))
	var handle uintptr
	if result, _, _ := cmRegisterNotification.Call(uintptr(unsafe.Pointer(&filter)), 0, tell, uintptr(unsafe.Pointer(&handle))); result != uintptr(windows.CR_SUCCESS) {
		return windowsError("CM_Register_Notification", fmt.Errorf("CONFIGRET %#x: %w", uint32(result), windows.ERROR_NOT_SUPPORTED))
	}
	defer func() { _, _, _ = cmUnregisterNotification.Call(handle) }()
	for {
		select {
		case <-ctx.Done():
			return nil
		case news := <-events:
			if news.plugged {
				learn()
			}
			e := news.event(paths)
			e.At = time.Now()
			e.Disturbed = slept()-time.Duration(s.slept.Load()) > time.Second
			take(e)
		}
	}
}

// deviceFilter is CM_NOTIFY_FILTER (cfgmgr32.h), for the instances of all devices.
type deviceFilter struct {
	size, flags, kind, reserved uint32
	instance                    [200]uint16
}

const (
	filterAllInstances = 2
	filterInstances    = 2
)

// Gaps are the facts of the vitals that can't be had here.
func (s *Sampler) Gaps() []*constatv1.Gap {
	return []*constatv1.Gap{{Fact: "vitals.cpuPressurePercent", Status: statusUnsupported, Reason: errNoStalls.Error()}}
}
