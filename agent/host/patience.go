package host

import (
	"context"
	"sync/atomic"
	"time"
)

// slowAnswer is what an answer on an office or home link never takes. One that
// did shows a link (satellite, 2G, a full queue) where silence means less.
const slowAnswer = 250 * time.Millisecond

// patience stretches deadlines, threefold, once an answer of the same run was
// slow: quick where the network is quick, as patient as the link needs where
// it is not.
type patience struct{ slow atomic.Bool }

// answered tells how long an answer took.
func (p *patience) answered(took time.Duration) {
	if took > slowAnswer {
		p.slow.Store(true)
	}
}

// within returns a context that ends after limit, or after three times limit
// where the link proved slow by then.
func (p *patience) within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, 3*limit)
	timer := time.AfterFunc(limit, func() {
		if !p.slow.Load() {
			cancel()
		}
	})
	return ctx, func() {
		timer.Stop()
		cancel()
	}
}

// milliseconds is the time since start as the facts have it.
func milliseconds(start time.Time) *float64 {
	ms := float64(time.Since(start).Microseconds()) / 1000
	return &ms
}
