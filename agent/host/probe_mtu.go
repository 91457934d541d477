package host

import (
	"net/netip"
	"slices"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// mtuLimit is how long echoes of all sizes are waited for; mtuTimes are when
// those that are missing are sent.
const mtuLimit = 900 * time.Millisecond

var mtuTimes = []time.Duration{0, 200 * time.Millisecond, 450 * time.Millisecond}

// mtuSizes are the sizes of packets that are tried, in bytes with the header of
// IP: the least that everybody must take (RFC 791, RFC 8200), those of tunnels
// (WireGuard, IPsec, GRE, PPPoE) and Ethernet's.
var mtuSizes = []int32{576, 1280, 1380, 1400, 1420, 1452, 1472, 1492, 1500}

// mtuTargets are the first target of each family beyond the gateway.
func (p *prober) mtuTargets() []netip.Addr {
	var list []netip.Addr
	for _, t := range p.policy.GetTcp() {
		a, err := netip.ParseAddrPort(t)
		if err != nil || p.onLink(a.Addr()) || a.Addr().IsLoopback() || p.permit(p.ctx, a.Addr().String()) != nil {
			continue
		}
		same := func(o netip.Addr) bool { return familyOf(o) == familyOf(a.Addr()) }
		routed := func(r *constatv1.Route) bool { return r.GetFamily() == familyOf(a.Addr()) }
		if !slices.ContainsFunc(list, same) && slices.ContainsFunc(p.network.GetRoutes(), routed) {
			list = append(list, a.Addr().Unmap())
		}
	}
	return list
}

// sizes are what became of packets, by their size.
type sizes struct {
	answered map[int32]bool
	refused  map[int32]bool // by this machine: larger than its own link takes
	told     bool           // a router said that a packet is too big
}

// askMTU sends echo requests of all sizes that must not be fragmented, until
// the largest is answered. A target that answers none tells nothing.
func (p *prober) askMTU(target netip.Addr) *constatv1.MtuProbe {
	ctx, cancel := p.patience.within(p.ctx, mtuLimit)
	defer cancel()
	wanted := mtuSizes
	if familyOf(target) == 6 {
		wanted = mtuSizes[1:]
	}
	seen, err := sendSizes(ctx, target, wanted)
	if err != nil {
		return nil
	}
	m := &constatv1.MtuProbe{Target: set(target.String()), IcmpReceived: set(seen.told)}
	for _, size := range wanted {
		switch {
		case seen.answered[size]:
			m.LargestOkBytes, m.SmallestLostBytes = set(size), nil
		case seen.refused[size]:
		case m.SmallestLostBytes == nil:
			m.SmallestLostBytes = set(size)
		}
	}
	return m
}
