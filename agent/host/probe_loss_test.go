package host

import (
	"math/rand/v2"
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
		{"said again by the other end, just before", slices.Concat(quick, again, slices.Repeat([]try{{took: 1019 * ms, answered: true}}, 8)), 48, 30},
		{"so late, and never said twice", slices.Concat(quick, []try{{took: 1100 * ms, answered: true}}), 31, 31},
		{"silent", slices.Concat(quick, []try{{took: lossWait}, {took: lossWait}}), 32, 30},
		{"silent to the end, at any time", slices.Concat(quick, between, []try{{took: lossWait}}), 36, 35},
		{"a few of very many are late", slices.Concat(quick, quick, quick, quick, between[:2], again), 132, 122},
		{"cut short by the end", slices.Concat(quick, []try{{took: 240 * ms}}), 30, 30},
		{"cut short, at any time", slices.Concat(quick, between, []try{{took: 1200 * ms}}), 35, 35},
		{"nothing came", []try{{took: lossWait}}, 1, 0},
	} {
		if sent, received := count(c.tries); sent != c.sent || received != c.received {
			t.Errorf("%s: sent %d, received %d, expected %d and %d", c.name, sent, received, c.sent, c.received)
		}
	}
}

// Whoever loses little is called lossy seldom, and who loses much is let go
// seldom, although it is looked after each answer.
func TestLossIsDecided(t *testing.T) {
	draw := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		rate   float64
		worlds int
		within func(share float64) bool
	}{
		{rate: 0.02, worlds: 2000, within: func(s float64) bool { return s == 0 }},
		{rate: 0.05, worlds: 2000, within: func(s float64) bool { return s < 0.003 }},
		{rate: 0.19, worlds: 2000, within: func(s float64) bool { return s > 0.98 }},
		{rate: 0.30, worlds: 2000, within: func(s float64) bool { return s > 0.999 }},
	} {
		found, packets := 0, 0
		for range c.worlds {
			sent, lost := 0, 0
			for sent < lossMost && !decided(sent, lost) && (sent != lossFirst || lost > 0) {
				sent++
				if draw.Float64() < c.rate {
					lost++
				}
			}
			packets += sent
			if sent >= 20 && 10*lost >= 60+sent {
				found++
			}
		}
		share := float64(found) / float64(c.worlds)
		t.Logf("of those who lose %.0f %%, %.2f %% are called lossy, after %d tries", 100*c.rate, 100*share, packets/c.worlds)
		if !c.within(share) {
			t.Errorf("of those who lose %.0f %%, %.2f %% are called lossy", 100*c.rate, 100*share)
		}
	}
}

func TestRepetitionsOfTheSystem(t *testing.T) {
	const table = "Ip: Forwarding DefaultTTL\nIp: 1 64\nTcp: RtoAlgorithm OutSegs RetransSegs InErrs\nTcp: 1 7668 206 0\n"
	if n, known := repetitions([]byte(table)); n != 206 || !known {
		t.Errorf("%d, %t", n, known)
	}
	for _, bad := range []string{"", "Tcp: RetransSegs\n", "Tcp: RetransSegs\nTcp: many\n", "Tcp: OutSegs\nTcp: 1\n", "Tcp: OutSegs RetransSegs\nTcp: 1\n"} {
		if n, known := repetitions([]byte(bad)); known {
			t.Errorf("%q: %d", bad, n)
		}
	}
}

func TestOnlyNewConnectionsAreLost(t *testing.T) {
	for _, c := range []struct {
		name           string
		connects, kept returns
		want           bool
	}{
		{"a limit of new connections", returns{74, 30}, returns{24, 24}, true},
		{"such a limit, and one of fifty packets is lost", returns{74, 30}, returns{24, 23}, true},
		{"packets are lost", returns{60, 48}, returns{36, 29}, false},
		{"few stood", returns{74, 30}, returns{9, 9}, false},
		{"few were lost", returns{60, 56}, returns{45, 45}, false},
		{"little lost, and too few stood to tell", returns{60, 50}, returns{30, 30}, false},
		{"nothing was asked", returns{74, 30}, returns{}, false},
	} {
		if got := onlyNew(c.connects, c.kept, 6); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}
