package host

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// A router, a firewall or a server may let only so many connections begin in a
// second, and some of ours get no answer for that alone. So those that began are
// asked for a sign of life: a packet there and one back, which no such limit
// counts. Where next to none of these is lost, connects at a pace that none of
// these limits is set to tell whether it was one.
const (
	keptIdle     = time.Second // the least that systems take
	slowTries    = 10
	slowInterval = 110 * time.Millisecond
)

// standing are connections that stand, to be asked for a sign of life.
type standing struct {
	mu    sync.Mutex
	conns []net.Conn
	begun []time.Time
	over  bool
}

// add keeps one that just began, until the end.
func (s *standing) add(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		end(conn)
		return
	}
	if c, ok := conn.(*net.TCPConn); ok {
		_ = c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: keptIdle, Interval: keptIdle, Count: 3})
	}
	s.conns, s.begun = append(s.conns, conn), append(s.begun, time.Now())
}

// ask waits until each was asked and had time to answer, or the first of them say
// enough, and tells how many were asked and answered.
func (s *standing) ask(ctx context.Context, fastest time.Duration, enough func(first returns) bool) (all returns) {
	s.mu.Lock()
	conns, begun := s.conns, s.begun
	s.mu.Unlock()
	tick := time.NewTicker(lossInterval)
	defer tick.Stop()
	for {
		all = returns{}
		var first returns // who had time enough, as a rule
		open := false     // some may answer yet
		for i, conn := range conns {
			age := time.Since(begun[i])
			asked, answered := signOfLife(conn, age)
			inTime := age >= keptIdle+2*fastest+lossLook
			all.add(asked && (answered || inTime), answered)
			if inTime {
				first.add(asked, answered)
			}
			open = open || !answered && age < keptIdle+2*fastest+lossLimit // a slow machine is late
		}
		if !open {
			return all
		}
		if enough(first) {
			return first
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return all
		}
	}
}

// close ends all.
func (s *standing) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	for _, conn := range s.conns {
		end(conn)
	}
}

// end closes a connection in one way or the other, by chance.
func end(conn net.Conn) {
	if c, ok := conn.(*net.TCPConn); ok && rand.IntN(2) == 0 {
		_ = c.SetLinger(0)
	}
	conn.Close()
}

// onlyNew tells that new connections were lost, and next to nothing on those
// that stood: less than a third as much, where so many are to be expected. The
// catalog asks the same of six (only_new_connections_lost).
func onlyNew(connects, kept returns, expected int) bool {
	as := connects.lost() * kept.sent // what to expect, times those sent
	return 10*connects.lost() >= connects.sent && as >= expected*connects.sent && 3*kept.lost()*connects.sent < as
}

// onlyBegins tells the same of one of the families, once both were counted.
func (l *loss) onlyBegins(ctx context.Context) bool {
	only := l.begins.Load()
	for _, o := range l.others {
		if !o.begun.yes() {
			continue
		}
		select {
		case <-o.counted.done:
			only = only || o.begins.Load()
		case <-ctx.Done():
		}
	}
	return only
}

// slowly connects a few times at a slow pace, in one family only.
func (l *loss) slowly(ctx context.Context) returns {
	if !l.slowing.CompareAndSwap(false, true) {
		return returns{}
	}
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		result returns
	)
	tick := time.NewTicker(slowInterval)
	defer tick.Stop()
	for range slowTries {
		wg.Go(func() {
			dialer := net.Dialer{Timeout: lossLimit}
			conn, err := dialer.DialContext(context.WithoutCancel(ctx), "tcp", l.target.String())
			if err == nil {
				end(conn)
			}
			mu.Lock()
			defer mu.Unlock()
			result.sent++
			if err == nil || resultOf(err) == "refused" {
				result.received++
			}
		})
		select {
		case <-tick.C:
		case <-ctx.Done():
			wg.Wait()
			return result
		}
	}
	wg.Wait()
	return result
}
