package host

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/icmp"

	constatv1 "constat/proto/constat/v1"
)

// How loss is measured: a few connects and echoes, quickly one after the other,
// and where one of the first is missing more of them, until it is decided
// whether much is lost (decided). A SYN is repeated by the system after a second,
// so what is answered before that was not lost. What is answered later may be
// late: a machine or a line that is slow answers at any time, one that loses at
// once or after the repetition, and seldom between.
const (
	lossFirst    = 30
	lossEnough   = 60 // so many before much is taken for lost: some may only be late
	lossMost     = 200
	lossInterval = 15 * time.Millisecond
	lossLimit    = 900 * time.Millisecond
	lossTail     = lossLimit + 200*time.Millisecond // for the last answers
	lossWait     = 2 * time.Second
	lossLook     = 250 * time.Millisecond
	lossBetween  = 400 * time.Millisecond // so much slower than the fastest is slow
	lossSlow     = 2                      // so many of them are no accident …
	lossSlowPart = 20                     // … nor is one of so many
)

// decided tells whether enough was sent to know. It is the sequential test of
// Wald between a harmless 6 % of round trips lost and 15 %: who loses no more
// than the one is called lossy once in 400 times, however often is looked, and
// who loses the other is let go once in a hundred. The catalog asks the same of
// what was counted (loss_measured).
func decided(sent, lost int) bool {
	return sent >= lossEnough && 10*lost >= 60+sent || 10*lost <= sent-45
}

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
	// kept are connects that stood, and were asked for a sign of life; slow are
	// those at a slow pace.
	kept, slow returns
	begins     atomic.Bool  // only connections that begin are lost; written before counted
	counted    *event       // all connects were sent, and what stood was asked
	slowing    *atomic.Bool // one family is counted at a slow pace
	others     []*loss      // of the other family
	// missed: what was not answered had been lost, or the way is slow; 30 good
	// answers are then too few to say that it was an accident.
	missed atomic.Bool
}

// tally is how many were sent and answered.
type tally struct {
	mu      sync.Mutex
	begun   []time.Time
	took    []time.Duration // of each; zero: not answered so far, or not at the first time
	returns                 // what it comes to, once the measuring is done
}

// returns is how many were sent, and of these answered.
type returns struct{ sent, received int }

func (s returns) lost() int { return s.sent - s.received }

// add is one more.
func (s *returns) add(sent, received bool) {
	if sent {
		s.sent++
	}
	if received {
		s.received++
	}
}

// begin counts one more, and says which it is.
func (t *tally) begin() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.begun, t.took = append(t.begun, time.Now()), append(t.took, 0)
	return len(t.begun) - 1
}

// answered notes an answer, the first of one.
func (t *tally) answered(i int, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i < len(t.took) && t.took[i] == 0 {
		t.took[i] = max(took, 1)
	}
}

// fastest is the shortest time that an answer took; 0: none came.
func (t *tally) fastest() (fastest time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, took := range t.took {
		if took > 0 && (fastest == 0 || took < fastest) {
			fastest = took
		}
	}
	return fastest
}

// soFar is how many were answered or should be by now, and how many of them were
// not. Where none was answered, nothing tells how long the way is.
func (t *tally) soFar() (sent, lost int) {
	fastest := t.fastest()
	if fastest == 0 {
		return 0, 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, at := range t.begun {
		if t.took[i] > 0 {
			sent++
		} else if time.Since(at) > fastest+lossLook {
			sent, lost = sent+1, lost+1
		}
	}
	return sent, lost
}

// complete tells whether each was answered.
func (t *tally) complete() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !slices.Contains(t.took, 0)
}

// percent is the part that was lost; nil where none was answered.
func (s returns) percent() *float64 {
	if s.received == 0 {
		return nil
	}
	return set(float64(s.lost()) / float64(s.sent) * 100)
}

func newLoss() *loss {
	return &loss{hinted: newEvent(), reached: newEvent(), begun: newEvent(), done: newEvent(), counted: newEvent(), slowing: &atomic.Bool{}}
}

// arrived notes the first target that answered.
func (l *loss) arrived(target netip.AddrPort) {
	l.reached.once.Do(func() {
		l.target = target
		close(l.reached.done)
	})
}

// bad tells whether much is lost; a measurement that is under way is waited for
// until that is seen.
func (l *loss) bad() bool {
	if l == nil || !l.begun.yes() {
		return false
	}
	tick := time.NewTicker(lossInterval)
	defer tick.Stop()
	for {
		select {
		case <-l.done.done:
			return l.connects.lost() >= lossy
		case <-tick.C:
			if _, lost := l.connects.soFar(); lost >= lossy {
				return true
			}
		}
	}
}

// try is one connect: how long it took, and whether it was answered.
type try struct {
	took     time.Duration
	answered bool
	// repeated: the system said it twice before the answer came.
	repeated bool
}

// repetition is when the other end says something again that was not answered, as
// this one does, at about the same time (RFC 6298 2.1): what comes then, and is
// the first answer, is the second that was sent.
func (t try) repetition(fastest time.Duration) bool {
	const early, late = 20 * time.Millisecond, 60 * time.Millisecond
	return t.took >= fastest+time.Second-early && t.took <= fastest+time.Second+late
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
	for i, t := range tries {
		if t.answered && t.repetition(fastest) {
			tries[i].repeated = true
		} else if t.answered && !t.repeated && t.took >= fastest+lossBetween {
			slow++
		}
	}
	late := slow >= max(lossSlow, len(tries)/lossSlowPart)
	for _, t := range tries {
		switch {
		case t.answered && (!t.repeated || late):
			sent, received = sent+1, received+1
		case t.answered, t.took >= lossWait, t.took >= lossLimit && !late:
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

// rounds sends at intervals, and goes on after the first few only where one of
// them is missing, or one of another's, until it is decided or ctx ends.
func (t *tally) rounds(ctx context.Context, missed *atomic.Bool, others []*loss, send func(i int)) {
	next := time.Now()
	for n := range lossMost {
		if n == lossFirst && t.settles(ctx, lossLook) && !missed.Load() && !slices.ContainsFunc(others, (*loss).misses) {
			return
		}
		if n >= lossFirst {
			if sent, lost := t.soFar(); decided(sent, lost) || sent == 0 {
				return
			}
		}
		send(t.begin())
		// A machine that is busy catches up a little.
		if next = next.Add(lossInterval); time.Since(next) > 4*lossInterval {
			next = time.Now()
		}
		select {
		case <-time.After(time.Until(next)):
		case <-ctx.Done():
			return
		}
	}
}

// misses tells whether an answer is missing so far.
func (l *loss) misses() bool {
	_, lost := l.connects.soFar()
	return lost > 0
}

// settles waits a moment for the last answers, and tells whether they came.
func (t *tally) settles(ctx context.Context, limit time.Duration) bool {
	look := time.NewTimer(limit)
	defer look.Stop()
	tick := time.NewTicker(lossInterval)
	defer tick.Stop()
	for !t.complete() {
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

// sending ends where what is sent could not be waited for any more.
func sending(ctx context.Context) (context.Context, context.CancelFunc) {
	end, limited := ctx.Deadline()
	if !limited {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, end.Add(-lossTail))
}

func (l *loss) connect(ctx context.Context) {
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		tries []try
		stood standing
	)
	defer stood.close()
	while, cancel := sending(ctx)
	defer cancel()
	quick, stop := context.WithCancel(ctx)
	defer stop()
	l.connects.rounds(while, &l.missed, l.others, func(i int) {
		wg.Go(func() {
			start := time.Now()
			dialer := net.Dialer{Timeout: lossWait, KeepAlive: -1}
			conn, err := dialer.DialContext(quick, "tcp", l.target.String())
			t := try{took: time.Since(start), answered: err == nil || resultOf(err) == "refused"}
			t.repeated = t.took >= lossLimit
			if err == nil {
				if n, took, known := saidAgain(conn); known {
					t.repeated = n > 0
					if !t.repeated && took > 0 {
						t.took = min(t.took, took) // without the time until we were told
					}
				}
				// Some end at once, by chance: who loses each so many-th packet would
				// else always lose the same one of a connection.
				if t.repeated || rand.IntN(4) == 0 {
					end(conn)
				} else {
					stood.add(conn)
				}
			}
			if t.answered && !t.repeated {
				l.connects.answered(i, t.took)
			}
			mu.Lock()
			defer mu.Unlock()
			tries = append(tries, t)
		})
	})
	defer l.counted.set()
	// Where little is lost, it matters no more whether that was lost or late.
	if sent, lost := l.connects.soFar(); lost > 0 && decided(sent, lost) && 10*lost < sent {
		stop()
		wg.Wait()
		l.connects.returns = returns{sent, sent - lost}
		return
	}
	if !l.connects.complete() {
		connects := func() returns {
			sent, lost := l.connects.soFar()
			return returns{sent, sent - lost}
		}
		l.kept = stood.ask(ctx, l.connects.fastest(), func(first returns) bool { return onlyNew(connects(), first, 8) })
		l.begins.Store(onlyNew(connects(), l.kept, 6))
		if l.counted.set(); l.onlyBegins(ctx) {
			l.connects.returns = connects()
			stop() // what is said again would count for a limit
			wg.Wait()
			l.slow = l.slowly(while)
			return
		}
	}
	wg.Wait()
	l.connects.sent, l.connects.received = count(tries)
}

// echo pings the gateway as often. One that answers as it likes shows as loss
// that the way beyond it does not have: whoever judges has both.
func (l *loss) echo(ctx context.Context, gateway netip.Addr) {
	e := echoes[familyOf(gateway)]
	conn, writable, err := e.listen()
	if err != nil {
		return
	}
	defer conn.Close()
	to := writable(gateway)
	nonce := crand.Text()
	var reading sync.WaitGroup
	reading.Go(func() {
		for seq := e.read(conn, nonce); seq != 0; seq = e.read(conn, nonce) {
			l.echoes.answered(seq-1, l.echoes.age(seq-1))
		}
	})
	while, cancel := sending(ctx)
	defer cancel()
	l.echoes.rounds(while, &atomic.Bool{}, nil, func(i int) {
		message, err := (&icmp.Message{Type: e.request, Body: &icmp.Echo{
			ID: os.Getpid() & 0xffff, Seq: i + 1, Data: []byte(nonce),
		}}).Marshal(nil)
		if err == nil {
			_, _ = conn.WriteTo(message, to) // what is not sent is not answered
		}
	})
	if sent, lost := l.echoes.soFar(); !decided(sent, lost) || 10*lost > sent {
		l.echoes.settles(ctx, lossLimit)
	}
	conn.SetReadDeadline(time.Unix(1, 0))
	reading.Wait()
	for i, took := range l.echoes.took {
		switch {
		case took > 0:
			l.echoes.sent, l.echoes.received = l.echoes.sent+1, l.echoes.received+1
		case l.echoes.age(i) >= lossLook: // else its answer was not waited for
			l.echoes.sent++
		}
	}
}

// age is how long ago one was sent.
func (t *tally) age(i int) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i < 0 || i >= len(t.begun) {
		return 0
	}
	return time.Since(t.begun[i])
}

// hint starts the measuring of both families: what one of them loses tells what
// the other's silence is worth.
func (p *prober) hint() {
	for _, l := range p.losses {
		l.hinted.set()
	}
}

// hintLost is hint, where a connection's packet was missing.
func (p *prober) hintLost() {
	for _, l := range p.losses {
		l.missed.Store(true)
	}
	p.hint()
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

// watchRepetitions takes it for a hint when this system says something twice on
// any connection: much of what is lost nobody waits for long enough to notice.
// What it returns looks once more.
func (p *prober) watchRepetitions(others *event) (look func()) {
	before, known := saidAgainByAll()
	if !known {
		return func() {}
	}
	look = func() {
		if now, _ := saidAgainByAll(); now > before {
			p.hintLost()
		}
	}
	go func() {
		tick := time.NewTicker(lossLook / 5)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				look()
			case <-others.done:
				return
			}
		}
	}()
	return look
}

// lossesSeen writes down what was measured.
func (p *prober) lossesSeen(result *constatv1.Probes) {
	for _, t := range result.GetTcp() {
		l := p.losses[t.GetFamily()]
		if l == nil || t.Link != nil || l.connects.sent == 0 || t.GetAddress() != l.target.String() {
			continue
		}
		t.Sent, t.Received = set(int32(l.connects.sent)), set(int32(l.connects.received))
		t.LossPercent = l.connects.percent()
		if l.kept.sent > 0 {
			t.KeptSent, t.KeptReceived = set(int32(l.kept.sent)), set(int32(l.kept.received))
		}
		if l.slow.sent > 0 {
			t.SlowSent, t.SlowReceived = set(int32(l.slow.sent)), set(int32(l.slow.received))
		}
	}
	for _, g := range result.GetGateways() {
		l := p.losses[g.GetFamily()]
		best := l != nil && l.echoes.received > 0
		for _, r := range p.gateways() {
			if r.GetGateway() == g.GetAddress() && r.GetLink() == g.GetLink() {
				best = best && p.isBest(r)
			}
		}
		if best {
			g.Sent, g.Received = set(int32(l.echoes.sent)), set(int32(l.echoes.received))
			g.LossPercent = l.echoes.percent()
		}
	}
}

// repetitions finds the number in a table of two lines, names and values.
func repetitions(snmp []byte) (n uint64, known bool) {
	var names [][]byte
	for line := range bytes.Lines(snmp) {
		fields := bytes.Fields(line)
		if len(fields) == 0 || string(fields[0]) != "Tcp:" {
			continue
		}
		if names == nil {
			names = fields
			continue
		}
		i := slices.IndexFunc(names, func(f []byte) bool { return string(f) == "RetransSegs" })
		if i < 0 || i >= len(fields) {
			return 0, false
		}
		n, err := strconv.ParseUint(string(fields[i]), 10, 64)
		return n, err == nil
	}
	return 0, false
}
