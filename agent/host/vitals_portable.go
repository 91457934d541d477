//go:build windows

package host

import (
	"context"
	"errors"

	constatv1 "constat/proto/constat/v1"
)

// Sampler takes the readings of this machine again and again. On this system
// they are those that the groups load and space have.
type Sampler struct{ config Config }

// NewSampler begins to follow a machine.
func NewSampler(c Config) *Sampler { return &Sampler{c} }

// Sample takes one reading of everything that can be read. Not settled is a
// machine that has just woken up or whose clock was set.
func (s *Sampler) Sample(ctx context.Context, settled bool) (all []Reading) {
	if !settled {
		return nil
	}
	r := newReader(ctx, s.config)
	if m, _ := readLoad(ctx, r); m != nil {
		if l, ok := m.(*constatv1.Load); ok && l.GetMemory().GetTotalBytes() > 0 {
			all = append(all, Reading{"memoryAvailablePercent", "", 100 * float64(l.GetMemory().GetAvailableBytes()) / float64(l.GetMemory().GetTotalBytes())})
		}
	}
	if m, _ := readSpace(ctx, r); m != nil {
		if space, ok := m.(*constatv1.Space); ok {
			for _, f := range space.Filesystems[:min(len(space.Filesystems), maxVitalMounts)] {
				if f.GetTotalBytes() > 0 && f.FreeBytes != nil {
					all = append(all, Reading{"diskFreePercent", f.GetMountPoint(), 100 * float64(f.GetFreeBytes()) / float64(f.GetTotalBytes())})
				}
			}
		}
	}
	return all
}

// Signs are not read on this system.
func (s *Sampler) Signs(context.Context) Signs { return Signs{} }

// Plugs tells of USB devices that come and go; not on this system.
func (s *Sampler) Plugs(context.Context, func(PlugEvent)) error { return errors.ErrUnsupported }

// Gaps are the facts of the vitals that can't be had here.
func (s *Sampler) Gaps() []*constatv1.Gap {
	return []*constatv1.Gap{{Fact: "vitals.gatewayMs", Status: statusUnsupported, Reason: notYet().Error()}}
}
