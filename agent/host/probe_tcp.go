package host

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// askTCP connects to an address literal: no name is needed. A target that must
// not be probed has no answer.
func (p *prober) askTCP(target string) *constatv1.TcpProbe {
	t := &constatv1.TcpProbe{Address: &target}
	if a, err := netip.ParseAddrPort(target); err == nil {
		t.Family = set(familyOf(a.Addr()))
	}
	start := time.Now()
	conn, attempts, err := p.reach(p.ctx, target)
	if errors.Is(err, errForbidden) {
		p.withhold("tcp", hostOf(target), err)
		return nil
	}
	t.Result, t.Ms, t.Attempts = set(resultOf(err)), milliseconds(start), set(int32(attempts))
	if err == nil {
		conn.Close()
		t.Ms = p.patience.own(start)
		if a, err := netip.ParseAddrPort(target); err == nil && !p.onLink(a.Addr()) {
			p.passed[t.GetFamily()].set()
			p.losses[t.GetFamily()].arrived(a)
		}
	}
	return t
}

// maxBound is how many targets of a family are asked over each link.
const maxBound = 2

// way is a target, and the link that it is to be reached by.
type way struct {
	target netip.AddrPort
	link   string
}

// ways are the first targets of each family over each of its links with a
// default route, where there are several such links: the one that is not taken
// may be the one that works.
func (p *prober) ways() []way {
	if !bindsLinks {
		return nil
	}
	var list []way
	for _, family := range []int32{4, 6} {
		var links []string
		for _, r := range p.network.GetRoutes() {
			whole := r.GetDestination() == "0.0.0.0/0" || r.GetDestination() == "::/0"
			if r.GetFamily() == family && whole && r.Link != nil && !slices.Contains(links, r.GetLink()) {
				links = append(links, r.GetLink())
			}
		}
		if len(links) < 2 {
			continue
		}
		asked := 0
		for _, t := range p.policy.GetTcp() {
			target, err := netip.ParseAddrPort(t)
			if err != nil || familyOf(target.Addr()) != family || p.onLink(target.Addr()) || p.permit(p.ctx, target.Addr().String()) != nil {
				continue
			}
			if asked++; asked > maxBound {
				break
			}
			for _, link := range links {
				list = append(list, way{target, link})
			}
		}
	}
	return list
}

// askWay connects over one link.
func (p *prober) askWay(w way) *constatv1.TcpProbe {
	t := &constatv1.TcpProbe{Address: set(w.target.String()), Family: set(familyOf(w.target.Addr())), Link: &w.link}
	start := time.Now()
	conn, attempts, err := p.race(p.ctx, []netip.AddrPort{w.target}, w.link)
	t.Result, t.Ms, t.Attempts = set(resultOf(err)), milliseconds(start), set(int32(attempts))
	if err == nil {
		conn.Close()
		t.Ms = p.patience.own(start)
	}
	return t
}

// onLink tells whether an address is reached without a gateway.
func (p *prober) onLink(a netip.Addr) bool {
	for _, l := range p.network.GetLinks() {
		for _, own := range l.GetAddresses() {
			if prefix, err := netip.ParsePrefix(own.GetCidr()); err == nil && prefix.Contains(a) {
				return true
			}
		}
	}
	return false
}

// event is something that happens once, and can be waited for.
type event struct {
	once sync.Once
	done chan struct{}
}

func newEvent() *event { return &event{done: make(chan struct{})} }

func (e *event) set() { e.once.Do(func() { close(e.done) }) }

func (e *event) yes() bool {
	select {
	case <-e.done:
		return true
	default:
		return false
	}
}

// familyOf is 4 or 6.
func familyOf(a netip.Addr) int32 {
	if a.Unmap().Is4() {
		return 4
	}
	return 6
}
