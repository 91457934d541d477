package host

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	constatv1 "constat/proto/constat/v1"
)

// Sampler takes the readings of this machine again and again, without starting a
// program.
type Sampler struct{ config Config }

// NewSampler begins to follow a machine.
func NewSampler(c Config) *Sampler { return &Sampler{c} }

// Sample takes one reading of everything that can be read. Not settled is a
// machine that has just woken up or whose clock was set.
func (s *Sampler) Sample(context.Context, bool) (all []Reading) {
	// The kernel's own word of how much of the memory could be had.
	if level, err := unix.SysctlUint32("kern.memorystatus_level"); err == nil && level <= 100 {
		all = append(all, Reading{"memoryAvailablePercent", "", float64(level)})
	}
	mounts, err := macMounted()
	if err != nil {
		return all
	}
	used := macSpace(mounts)
	for _, f := range used[:min(len(used), maxVitalMounts)] {
		if f.GetTotalBytes() > 0 && f.FreeBytes != nil {
			all = append(all, Reading{"diskFreePercent", f.GetMountPoint(), 100 * float64(f.GetFreeBytes()) / float64(f.GetTotalBytes())})
		}
	}
	return all
}

// Signs are not read on this system.
func (s *Sampler) Signs(context.Context) Signs { return Signs{} }

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
	return []*constatv1.Gap{{Fact: "vitals.gatewayMs", Status: statusUnsupported, Reason: notYet().Error()}}
}
