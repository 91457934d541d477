package host

import (
	"net"
	"net/netip"
	"testing"

	constatv1 "constat/proto/constat/v1"
)

func TestLossIsMeasuredAfterAHintOnly(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	target := netip.MustParseAddrPort(l.Addr().String())
	for _, c := range []struct {
		hinted bool
		sent   int32
	}{{false, 0}, {true, lossFirst}} {
		p := loopbackProber(t, nil)
		p.losses[4].arrived(target)
		if c.hinted {
			p.hint(target)
		}
		others := newEvent()
		others.set()
		p.measureLosses(others)
		result := &constatv1.Probes{Tcp: []*constatv1.TcpProbe{{Address: set(target.String()), Family: set(int32(4))}}}
		p.lossesSeen(result)
		if got := result.Tcp[0]; got.GetSent() != c.sent || got.GetReceived() != c.sent || got.GetLossPercent() != 0 || (got.LossPercent != nil) != c.hinted {
			t.Errorf("hinted %t: %v", c.hinted, got)
		}
		if p.losses[4].bad() {
			t.Error("nothing was lost")
		}
	}
}
