package host

import (
	"context"
	"sync/atomic"
	"time"
)

// slowAnswer is what an answer on an office or home link never takes. One that
// did shows a link (satellite, 2G, a full queue) where silence means less.
const slowAnswer = 250 * time.Millisecond

// patience stretches deadlines: threefold, once an answer of the same run was
// slow or much is lost on the way, and by the time that the next hop itself was
// waited for. Quick where the network is quick, as patient as the link needs
// where it is not.
type patience struct {
	slow   atomic.Bool
	cold   *coldHops
	losses map[int32]*loss
}

// answered is told how long an answer took, and returns that without what its
// question waited here for the next hop.
func (p *patience) answered(took time.Duration) time.Duration {
	took = p.cold.own(took)
	if took > slowAnswer {
		p.slow.Store(true)
	}
	return took
}

// within returns a context that ends after limit, counted from when the next
// hop was known where that came late, or after three times limit where the link
// proved slow or lossy by then.
func (p *patience) within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, 3*limit)
	timer := time.AfterFunc(limit, func() {
		more := p.late(limit)
		if p.losses[4].bad() || p.losses[6].bad() || p.slow.Load() {
			return
		}
		again := time.AfterFunc(more, cancel)
		context.AfterFunc(ctx, func() { again.Stop() })
	})
	return ctx, func() {
		timer.Stop()
		cancel()
	}
}

// late is how much of limit is left of what began only when the last hop was
// known.
func (p *patience) late(limit time.Duration) time.Duration {
	if p.cold == nil || len(p.cold.hops) == 0 {
		return 0
	}
	resolved := p.cold.settled()
	if resolved.IsZero() {
		return 0
	}
	return max(limit-time.Since(resolved), 0)
}

// own is the time since start, less what was waited here for the next hop.
func (p *patience) own(start time.Time) *float64 {
	return inMilliseconds(p.cold.own(time.Since(start)))
}

// milliseconds is the time since start as the facts have it.
func milliseconds(start time.Time) *float64 { return inMilliseconds(time.Since(start)) }

func inMilliseconds(d time.Duration) *float64 {
	ms := float64(d.Microseconds()) / 1000
	return &ms
}

// pause waits, not longer than ctx.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
