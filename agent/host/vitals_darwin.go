package host

import (
	"context"
	"errors"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	constatv1 "constat/proto/constat/v1"
)

// Sampler takes the readings of this machine again and again, without starting a
// program.
type Sampler struct {
	config Config
	pulse  pulse
	// signs are those of the last sample.
	signs Signs
}

// NewSampler begins to follow a machine.
func NewSampler(c Config) *Sampler { return &Sampler{config: c} }

// Sample takes one reading of everything that can be read. Not settled is a
// machine that has just woken up or whose clock was set: its network is not asked.
func (s *Sampler) Sample(ctx context.Context, settled bool) (all []Reading) {
	s.signs = Signs{}
	// The kernel's own word of how much of the memory could be had.
	if level, err := unix.SysctlUint32("kern.memorystatus_level"); err == nil && level <= 100 {
		all = append(all, Reading{"memoryAvailablePercent", "", float64(level)})
	}
	if mounts, err := macMounted(); err == nil {
		used := macSpace(mounts)
		for _, f := range used[:min(len(used), maxVitalMounts)] {
			if f.GetTotalBytes() > 0 && f.FreeBytes != nil {
				all = append(all, Reading{"diskFreePercent", f.GetMountPoint(), 100 * float64(f.GetFreeBytes()) / float64(f.GetTotalBytes())})
			}
		}
	}
	routes, err := routingTable()
	if err != nil || s.config.Root != "" {
		return all
	}
	wide := macDefaultRoutes(routes, linkNames())
	s.signs.Routed = set(len(wide) > 0) // configd takes the routes of a link that is out away
	if settled {
		readings, dns := s.pulse.ask(ctx, eachOnce(wide), s.upstream)
		s.signs.DNS = dns
		all = append(all, readings...)
	} else {
		s.pulse.wakes()
	}
	return all
}

// upstream is the first resolver; the zero address where there is none.
func (s *Sampler) upstream() netip.Addr {
	content, err := readFile("/etc/resolv.conf")
	if err != nil {
		return netip.Addr{}
	}
	if servers := parseResolvConf(content).servers; len(servers) > 0 {
		return servers[0]
	}
	return netip.Addr{}
}

// Signs are those of the minute that Sample looked at last. The print server is not
// asked: launchd would start it for that, again every minute.
func (s *Sampler) Signs(context.Context) Signs {
	signs := s.signs
	// A report that is written changes its directory.
	for _, dir := range reportDirs(s.config.Root) {
		if info, err := os.Stat(dir); err == nil && info.ModTime().After(signs.CrashFiles) {
			signs.CrashFiles = info.ModTime()
		}
	}
	return signs
}

// Metered is not known on this system.
func Metered(context.Context, Config) bool { return false }

// ProgramCrashes are those that the system has reports of, newest first.
func ProgramCrashes(ctx context.Context, c Config) ([]*constatv1.Crash, error) {
	m, o := readCrashes(ctx, newReader(ctx, c))
	crashes, ok := m.(*constatv1.Crashes)
	if !ok {
		return nil, errors.New(o.GetReason())
	}
	return crashes.Programs, nil
}

// Plugs tells of USB devices that come and go; not on this system.
func (s *Sampler) Plugs(context.Context, func(PlugEvent)) error { return errors.ErrUnsupported }

// Gaps are the facts of the vitals that can't be had here.
func (s *Sampler) Gaps() []*constatv1.Gap {
	all := []*constatv1.Gap{{Fact: "vitals.cpuPercent", Status: statusUnsupported, Reason: errMacUnasked.Error()}}
	if s.pulse.silenced.Load() {
		all = append(all, &constatv1.Gap{Fact: "vitals.gatewayMs", Status: statusDenied, Reason: "this user may not send echo requests"})
	}
	return all
}
