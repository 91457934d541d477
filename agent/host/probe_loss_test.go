package host

import (
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

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
			p.hint()
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

func TestLateIsNotLost(t *testing.T) {
	const ms = time.Millisecond
	quick := slices.Repeat([]try{{took: 20 * ms, answered: true}}, 30)
	again := slices.Repeat([]try{{took: 1030 * ms, answered: true, repeated: true}}, 10)
	between := slices.Repeat([]try{{took: 600 * ms, answered: true}}, 5)
	for _, c := range []struct {
		name           string
		tries          []try
		sent, received int
	}{
		{"all at once", quick, 30, 30},
		{"said twice, nothing between", slices.Concat(quick, again), 40, 30},
		{"at any time", slices.Concat(quick, between, again), 45, 45},
		{"so late, and never said twice", slices.Concat(quick, []try{{took: 1100 * ms, answered: true}}), 31, 31},
		{"silent", slices.Concat(quick, []try{{took: lossWait}, {took: lossWait}}), 32, 30},
		{"silent to the end, at any time", slices.Concat(quick, between, []try{{took: lossWait}}), 36, 35},
		{"cut short by the end", slices.Concat(quick, []try{{took: 240 * ms}}), 30, 30},
		{"cut short, at any time", slices.Concat(quick, between, []try{{took: 1200 * ms}}), 35, 35},
		{"nothing came", []try{{took: lossWait}}, 1, 0},
	} {
		if sent, received := count(c.tries); sent != c.sent || received != c.received {
			t.Errorf("%s: sent %d, received %d, expected %d and %d", c.name, sent, received, c.sent, c.received)
		}
	}
}
