package host

import (
	"errors"
	"net/netip"
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
		if a, err := netip.ParseAddrPort(target); err == nil && !p.onLink(a.Addr()) {
			p.passed[t.GetFamily()].set()
		}
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
