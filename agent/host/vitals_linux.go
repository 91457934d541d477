package host

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jsimonetti/rtnetlink/v2"
	"github.com/mdlayher/genetlink"
	"golang.org/x/sys/unix"

	constatv1 "constat/proto/constat/v1"
)

// Sampler takes the readings of this machine again and again, without a child
// process or a right.
type Sampler struct {
	config Config
	before cpuTimes
	// links were physical or led somewhere at some time; their counters are
	// followed from then on, also while the cable is out.
	links map[string]bool
	pulse pulse
	// signs are those of the last sample that it saw on its way.
	signs Signs
	// slept is how long the machine had slept since its start at the last look,
	// in nanoseconds.
	slept atomic.Int64
}

// NewSampler begins to follow a machine.
func NewSampler(c Config) *Sampler {
	return &Sampler{config: c, links: map[string]bool{}}
}

// Sample takes one reading of everything that can be read. Not settled is a
// machine that has just woken up or whose clock was set: it is not asked what
// that alone would disturb, so that no fault is seen in it later.
func (s *Sampler) Sample(ctx context.Context, settled bool) []Reading {
	s.slept.Store(int64(slept()))
	r := newReader(ctx, s.config)
	ctx, cancel := context.WithTimeout(ctx, 2*vitalPatience)
	defer cancel()
	s.signs = Signs{}
	all, gateways := s.stack(ctx, r)
	all = append(all, s.machine(r, settled)...)
	if settled {
		if s.config.Root == "" { // files below a root are another machine's, whose network can't be asked
			readings, dns := s.pulse.ask(ctx, gateways, r.upstream)
			s.signs.DNS = dns
			all = append(all, readings...)
		}
		all = append(all, heardSignals(r)...)
	} else {
		s.pulse.wakes()
	}
	return all
}

// Gaps are the facts of the vitals that this user may not have.
func (s *Sampler) Gaps() []*constatv1.Gap {
	if !s.pulse.silenced.Load() {
		return nil
	}
	return []*constatv1.Gap{{
		Fact: "vitals.gatewayMs", Status: statusDenied, Reason: "this user may not send echo requests: net.ipv4.ping_group_range leaves it out",
	}}
}

// stack reads the links' counters, and where the default routes lead.
func (s *Sampler) stack(ctx context.Context, r *reader) (all []Reading, gateways []*constatv1.Route) {
	c, err := dialRoute(ctx)
	if err != nil {
		return nil, nil
	}
	defer c.Close()
	links, err := c.Link.List()
	if err != nil {
		return nil, nil
	}
	names, dead := map[uint32]string{}, map[string]bool{}
	for _, l := range links {
		names[l.Index] = l.Attributes.Name
		dead[l.Attributes.Name] = l.Attributes.Carrier != nil && *l.Attributes.Carrier == 0
	}
	if routes, err := c.Route.List(); err == nil {
		wide := wideRoutes(routes, names, nil)
		// Routes that nobody takes away stay where the cable is out.
		s.signs.Routed = set(slices.ContainsFunc(wide, func(g *constatv1.Route) bool { return !dead[g.GetLink()] }))
		for _, route := range wide {
			s.links[route.GetLink()] = true
		}
		gateways = eachOnce(wide)
	}
	for _, l := range links {
		name := l.Attributes.Name
		if len(s.links) < maxVitalLinks && !s.links[name] {
			if _, err := r.stat("/sys/class/net/" + strings.ReplaceAll(name, "/", "!") + "/device"); err == nil {
				s.links[name] = true
			}
		}
		if n := carrierLosses(l.Attributes); n != nil && s.links[name] && len(all) < maxVitalLinks {
			all = append(all, Reading{CarrierLosses, name, float64(*n)})
		}
	}
	return all, gateways
}

// carrierLosses is how often the carrier went. Kernels before 4.16 count ups and
// downs together, and every second one was a loss.
func carrierLosses(a *rtnetlink.LinkAttributes) *uint32 {
	if a.CarrierDownCount == nil && a.CarrierChanges != nil {
		return set(*a.CarrierChanges / 2)
	}
	return a.CarrierDownCount
}

// machine reads what needs no network.
func (s *Sampler) machine(r *reader, settled bool) (all []Reading) {
	if stat, err := r.file("/proc/stat"); err == nil {
		if now, err := parseCPUTimes(stat); err == nil {
			if busy := cpuUse(s.before, now, 0).BusyPercent; busy != nil && settled && s.before.total > 0 {
				all = append(all, Reading{"cpuPercent", "", *busy})
			}
			s.before = now
		}
	}
	if !settled {
		return all
	}
	if info, err := r.file("/proc/meminfo"); err == nil {
		if m, err := memoryOf(info); err == nil && m.AvailableBytes != nil {
			all = append(all, Reading{"memoryAvailablePercent", "", 100 * float64(m.GetAvailableBytes()) / float64(m.GetTotalBytes())})
		}
	}
	if p, err := r.pressure(); err == nil {
		for kind, share := range map[string]*float64{
			"cpuPressurePercent": p.CpuSome60, "memoryPressurePercent": p.MemorySome60, "ioPressurePercent": p.IoSome60,
		} {
			if share != nil {
				all = append(all, Reading{kind, "", *share})
			}
		}
	}
	power := &constatv1.Power{}
	if readSupplies(r, power) == nil {
		if len(power.Batteries) > 0 {
			s.signs.OnBattery = power.OnBattery
		}
		for _, b := range power.Batteries {
			if b.ChargePercent != nil {
				all = append(all, Reading{"batteryPercent", b.GetName(), float64(*b.ChargePercent)})
				s.signs.Charge = set(int(*b.ChargePercent))
			}
		}
	}
	return append(all, free(r)...)
}

// free is the space that is left on the machine's own file systems.
func free(r *reader) (all []Reading) {
	mounts, err := r.mounts()
	if err != nil {
		return nil
	}
	mounts = distinct(mounts)
	for _, m := range mounts[:min(len(mounts), maxVitalMounts)] {
		point := r.path(m.point)
		select {
		case a := <-statfsCalls.DoChan(point, func() (any, error) { return statfs(point) }):
			if use, ok := a.Val.(fsUse); ok && a.Err == nil && use.total > 0 {
				all = append(all, Reading{"diskFreePercent", discreet(m.point), 100 * float64(use.available) / float64(use.total)})
			}
		case <-time.After(vitalPatience):
			return all // it hangs: a fact of another group
		}
	}
	return all
}

// upstream is the first resolver, and not the stub of systemd-resolved: that one
// answers from its memory.
func (r *reader) upstream() netip.Addr {
	for _, name := range []string{"/run/systemd/resolve/resolv.conf", "/etc/resolv.conf"} {
		content, err := r.file(name)
		if err != nil {
			continue
		}
		if servers := parseResolvConf(content).servers; len(servers) > 0 {
			return servers[0]
		}
	}
	return netip.Addr{}
}

// heardSignals is how well the access points are heard.
func heardSignals(r *reader) (all []Reading) {
	if _, err := r.stat("/sys/class/ieee80211"); err != nil || r.Root != "" {
		return nil
	}
	c, err := genetlink.Dial(nil)
	if err != nil {
		return nil
	}
	defer c.Close()
	if err := c.SetReadDeadline(time.Now().Add(vitalPatience)); err != nil {
		return nil
	}
	family, err := c.GetFamily("nl80211")
	if err != nil {
		return nil
	}
	n := &nl80211{c, family}
	interfaces, err := dumpAll(n, nlGetInterface, 0, parseWifiInterface)
	if err != nil {
		return nil
	}
	for _, w := range interfaces[:min(len(interfaces), maxRadios)] {
		if w.kind != nlIftypeStation {
			continue
		}
		stations, err := dumpAll(n, nlGetStation, w.index, parseStation)
		if err != nil || len(stations) == 0 {
			continue
		}
		one := &constatv1.Radio{}
		addStation(one, stations[0])
		if one.SignalDbm != nil {
			all = append(all, Reading{"wifiSignalDbm", w.name, float64(*one.SignalDbm)})
		}
	}
	return all
}

// slept is how long the machine has slept since its start: the one clock stands
// still meanwhile and the other does not (clock_gettime(2)).
func slept() time.Duration {
	var awake, all unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &awake) != nil || unix.ClockGettime(unix.CLOCK_BOOTTIME, &all) != nil {
		return 0
	}
	return time.Duration(all.Nano() - awake.Nano())
}

// Plugs tells of USB devices that come and go until ctx ends. The kernel sends
// it to whoever listens; no right is needed, and nothing is asked again and
// again.
func (s *Sampler) Plugs(ctx context.Context, take func(PlugEvent)) error {
	if s.config.Root != "" {
		return errors.ErrUnsupported
	}
	return uevents(ctx, func(message []byte) {
		if e, ok := parseUevent(message); ok {
			e.At = time.Now()
			e.Disturbed = slept()-time.Duration(s.slept.Load()) > time.Second
			take(e)
		}
	})
}

// uevents gives the kernel's messages about its devices until ctx ends. One is
// valid until take returns.
func uevents(ctx context.Context, take func(message []byte)) error {
	const kernel = 1 // the group of the kernel's own messages, and not udev's
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return fmt.Errorf("listening for devices: %w", err)
	}
	f := os.NewFile(uintptr(fd), "uevents")
	defer f.Close()
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: kernel}); err != nil {
		return fmt.Errorf("listening for devices: %w", err)
	}
	socket, err := f.SyscallConn()
	if err != nil {
		return fmt.Errorf("listening for devices: %w", err)
	}
	defer context.AfterFunc(ctx, func() { f.SetReadDeadline(time.Unix(1, 0)) })()
	buffer := make([]byte, 8<<10) // UEVENT_BUFFER_SIZE is 2048, and the path before it
	for {
		var (
			n    int
			from unix.Sockaddr
			fail error
		)
		err := socket.Read(func(fd uintptr) bool {
			n, from, fail = unix.Recvfrom(int(fd), buffer, 0)
			return fail != unix.EAGAIN && fail != unix.EINTR
		})
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("listening for devices: %w", err)
		case fail == unix.ENOBUFS:
			continue // more than it could hold: the next look finds what is there
		case fail != nil:
			return fmt.Errorf("listening for devices: %w", fail)
		}
		// Other programs may speak there too; the kernel's port is 0.
		if sender, ok := from.(*unix.SockaddrNetlink); !ok || sender.Pid != 0 {
			continue
		}
		take(buffer[:n])
	}
}
