package host

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// leftBehind are the calls that did not come back in time, by what was asked. None
// can be ended from outside: a method of COM, a request to a driver and a call into
// the kernel return when they like. What hangs is not asked again while it hangs, so
// that it holds one goroutine and one thread, not one more with each look.
var leftBehind struct {
	sync.Mutex
	calls map[string]lateCall
}

// lateCall began at a time, and is over when that is closed.
type lateCall struct {
	since time.Time
	over  chan struct{}
}

// bounded returns what a call does, or after limit that it timed out; the call is
// left behind then, and its late answer goes nowhere. While an earlier call of the
// same name is behind, the next one waits for it within its own limit: it is made
// once that has come back, and says since when it is waited for where it has not.
func bounded[T any](ctx context.Context, what string, limit time.Duration, call func(context.Context) (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	var none T
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	leftBehind.Lock()
	earlier, hangs := leftBehind.calls[what]
	leftBehind.Unlock()
	if hangs {
		select {
		case <-earlier.over:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return none, fmt.Errorf("given up: %w", ctx.Err())
			}
			return none, fmt.Errorf("%s has not answered since %s, and is not asked again until it has", what, earlier.since.Format(time.TimeOnly))
		}
	}
	this := lateCall{time.Now(), make(chan struct{})}
	done := make(chan answer, 1)
	go func() {
		var a answer
		defer func() {
			if p := recover(); p != nil {
				a = answer{err: fmt.Errorf("the reader broke at %s: %v; please report this", panicPlace(), p)}
			}
			done <- a
			leftBehind.Lock()
			defer leftBehind.Unlock()
			close(this.over)
			if leftBehind.calls[what] == this {
				delete(leftBehind.calls, what)
			}
		}()
		a.value, a.err = call(ctx)
	}()
	select {
	case a := <-done:
		return a.value, a.err
	case <-ctx.Done():
	}
	leftBehind.Lock()
	defer leftBehind.Unlock()
	select {
	case a := <-done: // at the same moment
		return a.value, a.err
	default:
	}
	if leftBehind.calls == nil {
		leftBehind.calls = map[string]lateCall{}
	}
	leftBehind.calls[what] = this
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return none, timedOut(what, limit)
	}
	return none, fmt.Errorf("given up: %w", ctx.Err())
}

// timedOut is the error of what did not answer within a time.
func timedOut(what string, limit time.Duration) error {
	return fmt.Errorf("timed out after %s: %s did not answer", limit, what)
}
