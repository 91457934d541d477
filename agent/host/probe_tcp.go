package host

import (
	"net/netip"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// askTCP connects to an address literal: no name is needed.
func (p *prober) askTCP(target string) *constatv1.TcpProbe {
	t := &constatv1.TcpProbe{Address: &target}
	if a, err := netip.ParseAddrPort(target); err == nil {
		t.Family = set(familyOf(a.Addr()))
	}
	start := time.Now()
	conn, attempts, err := p.dial(p.ctx, target)
	t.Result, t.Ms, t.Attempts = set(resultOf(err)), milliseconds(start), set(int32(attempts))
	if err == nil {
		conn.Close()
	}
	return t
}

// familyOf is 4 or 6.
func familyOf(a netip.Addr) int32 {
	if a.Unmap().Is4() {
		return 4
	}
	return 6
}
