package host

import (
	"context"
	"crypto/rand"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/icmp"

	constatv1 "constat/proto/constat/v1"
)

// How loss is measured: a few connects and echoes, quickly one after the other,
// and more of them where one of the first is missing. A SYN is repeated by the
// system after a second, so what is answered before that was not lost. What is
// answered later may be late: a machine or a line that is slow answers at any
// time, one that loses at once or after the repetition, and seldom between.
const (
	lossFirst    = 20
	lossMore     = 30
	lossInterval = 20 * time.Millisecond
	lossLimit    = 900 * time.Millisecond
	lossWait     = 2 * time.Second
	lossLook     = 250 * time.Millisecond
	lossBetween  = 400 * time.Millisecond // so much slower than the fastest is slow
	lossSlow     = 2                      // so many of them are no accident
)

// lossy is how many of the packets on the way there and back must be lost, for
// silence to be worth a longer wait.
const lossy = 2

// loss measures a family's way to one target, and to the gateway, once
// something had to be said twice. Nothing is sent where all is answered at once.
type loss struct {
	// hinted happens when something was not answered in good time, reached when
	// the first target beyond the gateway was; begun and done frame the measuring.
	hinted, reached, begun, done *event
	target                       netip.AddrPort // written before reached
	connects, echoes             tally
}

// tally is how many were sent and answered.
type tally struct{ sent, received atomic.Int32 }

func (t *tally) lost() int { return int(t.sent.Load() - t.received.Load()) }

// percent is the share that was lost; nil where none was answered.
func (t *tally) percent() *float64 {
	if t.received.Load() == 0 {
		return nil
	}
	return set(float64(t.lost()) / float64(t.sent.Load()) * 100)
}

func newLoss() *loss {
	return &loss{hinted: newEvent(), reached: newEvent(), begun: newEvent(), done: newEvent()}
}

// arrived notes the first target that answered.
func (l *loss) arrived(target netip.AddrPort) {
	l.reached.once.Do(func() {
		l.target = target
		close(l.reached.done)
	})
}

// bad waits for a measurement that is under way, and tells whether much is lost.
func (l *loss) bad() bool {
	if l == nil || !l.begun.yes() {
		return false
	}
	<-l.done.done
	return l.connects.lost() >= lossy
}

// try is one connect: how long it took, and whether it was answered.
type try struct {
	took     time.Duration
	answered bool
	// repeated: the system said it twice before the answer came.
	repeated bool
}

// count tells how many of the tries were sent and answered. What came late was
// not lost, and what could not be waited for was neither.
func count(tries []try) (sent, received int) {
	fastest, slow := lossLimit, 0
	for _, t := range tries {
		if t.answered {
			fastest = min(fastest, t.took)
		}
	}
	for _, t := range tries {
		if t.answered && !t.repeated && t.took >= fastest+lossBetween {
			slow++
		}
	}
	for _, t := range tries {
		switch {
		case t.answered && (!t.repeated || slow >= lossSlow):
			sent, received = sent+1, received+1
		case t.answered, t.took >= lossWait, t.took >= lossLimit && slow < lossSlow:
			sent++
		}
	}
	return sent, received
}

// measure waits for a hint and a target, not longer than others probe, and
// measures.
func (l *loss) measure(ctx context.Context, others *event, gateway netip.Addr) {
	for _, e := range []*event{l.hinted, l.reached} {
		select {
		case <-e.done:
		case <-others.done:
			if !e.yes() {
				return
			}
		}
	}
	l.begun.set()
	defer l.done.set()
	var wg sync.WaitGroup
	if gateway.IsValid() {
		wg.Go(func() { l.echo(ctx, gateway) })
	}
	wg.Go(func() { l.connect(ctx) })
	wg.Wait()
}

// rounds sends at intervals, and goes on after the first few only while one of
// them is missing.
func rounds(ctx context.Context, t *tally, send func()) {
	tick := time.NewTicker(lossInterval)
	defer tick.Stop()
	for i := range lossFirst + lossMore {
		if i == lossFirst && t.allAnswered(ctx, lossLook) {
			return
		}
		t.sent.Add(1)
		send()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// allAnswered waits a moment for the last answers.
func (t *tally) allAnswered(ctx context.Context, limit time.Duration) bool {
	look := time.NewTimer(limit)
	defer look.Stop()
	tick := time.NewTicker(lossInterval)
	defer tick.Stop()
	for t.lost() > 0 {
		select {
		case <-tick.C:
		case <-look.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (l *loss) connect(ctx context.Context) {
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		tries []try
	)
	rounds(ctx, &l.connects, func() {
		wg.Go(func() {
			start := time.Now()
			dialer := net.Dialer{Timeout: lossWait}
			conn, err := dialer.DialContext(ctx, "tcp", l.target.String())
			t := try{took: time.Since(start), answered: err == nil || resultOf(err) == "refused"}
			t.repeated = t.took >= lossLimit
			if err == nil {
				if n, known := saidAgain(conn); known {
					t.repeated = n > 0
				}
				conn.Close()
			}
			if t.answered && !t.repeated {
				l.connects.received.Add(1)
			}
			mu.Lock()
			defer mu.Unlock()
			tries = append(tries, t)
		})
	})
	wg.Wait()
	sent, received := count(tries)
	l.connects.sent.Store(int32(sent))
	l.connects.received.Store(int32(received))
}

// echo pings the gateway as often. One that answers as it likes shows as loss
// that the way beyond it does not have: whoever judges has both.
func (l *loss) echo(ctx context.Context, gateway netip.Addr) {
	e := echoes[familyOf(gateway)]
	conn, datagram, err := e.listen()
	if err != nil {
		return
	}
	defer conn.Close()
	var to net.Addr = &net.IPAddr{IP: gateway.AsSlice(), Zone: gateway.Zone()}
	if datagram {
		to = &net.UDPAddr{IP: gateway.AsSlice(), Zone: gateway.Zone()}
	}
	nonce := rand.Text()
	var (
		reading sync.WaitGroup
		times   []time.Time
		seen    = map[int]bool{} // of the reader, until it has ended
	)
	reading.Go(func() {
		for seq := e.read(conn, nonce); seq != 0; seq = e.read(conn, nonce) {
			if !seen[seq] {
				seen[seq] = true
				l.echoes.received.Add(1)
			}
		}
	})
	rounds(ctx, &l.echoes, func() {
		times = append(times, time.Now())
		message, err := (&icmp.Message{Type: e.request, Body: &icmp.Echo{
			ID: os.Getpid() & 0xffff, Seq: int(l.echoes.sent.Load()), Data: []byte(nonce),
		}}).Marshal(nil)
		if err == nil {
			_, _ = conn.WriteTo(message, to) // what is not sent is not answered
		}
	})
	l.echoes.allAnswered(ctx, lossLimit)
	conn.SetReadDeadline(time.Unix(1, 0))
	reading.Wait()
	for i, at := range times {
		if !seen[i+1] && time.Since(at) < lossLimit {
			l.echoes.sent.Add(-1) // its answer was not waited for
		}
	}
}

// hint starts the measuring of both families: what one of them loses tells what
// the other's silence is worth.
func (p *prober) hint() {
	for _, l := range p.losses {
		l.hinted.set()
	}
}

// measureLosses measures where a hint comes, until the other probes have ended,
// and returns when that is done.
func (p *prober) measureLosses(others *event) {
	var wg sync.WaitGroup
	for family, l := range p.losses {
		gateway := netip.Addr{}
		for _, r := range p.gateways() {
			if a, err := netip.ParseAddr(r.GetGateway()); err == nil && r.GetFamily() == family && !gateway.IsValid() {
				gateway = a
				if a.IsLinkLocalUnicast() && a.Is6() {
					gateway = a.WithZone(r.GetLink())
				}
			}
		}
		wg.Go(func() { l.measure(p.ctx, others, gateway) })
	}
	wg.Wait()
}

// lossesSeen writes down what was measured.
func (p *prober) lossesSeen(result *constatv1.Probes) {
	for _, t := range result.GetTcp() {
		l := p.losses[t.GetFamily()]
		if l == nil || t.Link != nil || l.connects.sent.Load() == 0 || t.GetAddress() != l.target.String() {
			continue
		}
		t.Sent, t.Received = set(l.connects.sent.Load()), set(l.connects.received.Load())
		t.LossPercent = l.connects.percent()
	}
	for _, g := range result.GetGateways() {
		l := p.losses[g.GetFamily()]
		best := l != nil && l.echoes.received.Load() > 0
		for _, r := range p.gateways() {
			if r.GetGateway() == g.GetAddress() && r.GetLink() == g.GetLink() {
				best = best && p.isBest(r)
			}
		}
		if best {
			g.Sent, g.Received = set(l.echoes.sent.Load()), set(l.echoes.received.Load())
			g.LossPercent = l.echoes.percent()
		}
	}
}
