package host

import (
	"net/netip"
	"slices"
	"sync"
	"time"
)

// hopLimit is how long the hardware address of a next hop is waited for. It
// spans two of the kernel's own ARP or ND questions, which are a second apart,
// with time for the second answer on a busy machine.
const hopLimit = 1300 * time.Millisecond

// hop is a neighbour that packets are handed to.
type hop struct {
	link    string
	address netip.Addr
}

// coldHops are the next hops that the kernel had no hardware address of when the
// probes began. Where one of its ARP or ND frames is lost, everything for that
// hop waits a second in the kernel: silence means nothing before.
type coldHops struct {
	hops  []hop
	begun time.Time
	// settled waits until each hop is resolved or given up, and returns when the
	// last one was; the zero time when none was.
	settled func() time.Time
}

func newColdHops(hops []hop) *coldHops {
	c := &coldHops{begun: time.Now()}
	_, _, c.hops = lookHops(hops)
	c.settled = sync.OnceValue(func() time.Time {
		for wait := time.Millisecond; ; wait = min(2*wait, 20*time.Millisecond) {
			resolved, pending, _ := lookHops(c.hops)
			if !pending || time.Since(c.begun) > hopLimit {
				return resolved
			}
			time.Sleep(wait)
		}
	})
	return c
}

// own is how long an answer took without what it waited here for its hop.
func (c *coldHops) own(took time.Duration) time.Duration {
	if c == nil || len(c.hops) == 0 || took <= slowAnswer {
		return took
	}
	if resolved, _, _ := lookHops(c.hops); !resolved.IsZero() {
		took = min(took, time.Since(resolved))
	}
	return took
}

// hops are the neighbours that the probes' packets are handed to: the gateways,
// and the name servers that need none.
func (p *prober) hops() []hop {
	var list []hop
	add := func(h hop) {
		if !slices.Contains(list, h) {
			list = append(list, h)
		}
	}
	for _, r := range p.gateways() {
		if a, err := netip.ParseAddr(r.GetGateway()); err == nil {
			add(hop{r.GetLink(), a.WithZone("")})
		}
	}
	for _, s := range p.network.GetResolvers() {
		a, err := netip.ParseAddr(s.GetAddress())
		if err != nil || a.IsLoopback() {
			continue
		}
		for _, l := range p.network.GetLinks() {
			for _, own := range l.GetAddresses() {
				if prefix, err := netip.ParsePrefix(own.GetCidr()); err == nil && prefix.Contains(a.WithZone("")) {
					add(hop{l.GetName(), a.WithZone("")})
				}
			}
		}
	}
	return list
}
