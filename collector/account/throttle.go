package account

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// freeFailures may follow each other without a wait.
	freeFailures = 5
	// longestWait bounds how long a failure makes wait.
	longestWait = 15 * time.Minute
	// forgetAfter is when failures of long ago stop to count.
	forgetAfter = time.Hour
	// maxRemembered bounds the memory that an attacker can take.
	maxRemembered = 10_000
)

// attempt is who tries to sign in, from where. Both together: so that nobody
// locks a colleague out from elsewhere.
type attempt struct{ name, address string }

type failures struct {
	count int
	last  time.Time
	until time.Time
}

// throttle slows down who guesses passwords. It is this collector's own memory:
// with several collectors behind one name a guesser has that many times the
// tries, which changes nothing.
type throttle struct {
	mu    sync.Mutex
	byWho map[attempt]failures
}

func newThrottle() *throttle { return &throttle{byWho: map[attempt]failures{}} }

// begin refuses an attempt that has to wait, and counts any other as failed until
// it has succeeded: of a thousand at once, no more are tried than one after the
// other. The sixth in a row waits 1 s, each next twice as long.
func (t *throttle) begin(who attempt, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.byWho[who]
	if now.Before(f.until) {
		wait := f.until.Sub(now).Round(time.Second)
		return &sentence{ErrThrottled, fmt.Sprintf("too many wrong passwords: wait %s and try again", max(wait, time.Second))}
	}
	if now.Sub(f.last) > forgetAfter {
		f = failures{}
	}
	if f.count == 0 && len(t.byWho) >= maxRemembered {
		t.forget(now)
	}
	f.count, f.last = f.count+1, now
	if over := f.count - freeFailures; over >= 0 {
		f.until = now.Add(min(longestWait, time.Second<<min(over, 20)))
	}
	t.byWho[who] = f
	return nil
}

// forget makes room: what no longer counts goes, and of the rest any.
func (t *throttle) forget(now time.Time) {
	for who, f := range t.byWho {
		if now.Sub(f.last) > forgetAfter || len(t.byWho) > maxRemembered*9/10 {
			delete(t.byWho, who)
		}
	}
}

// succeeded forgets the failures.
func (t *throttle) succeeded(who attempt) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byWho, who)
}

type addressKey struct{}

// From tells Authenticate, through its context, from which network address the
// attempt comes.
func From(ctx context.Context, address string) context.Context {
	return context.WithValue(ctx, addressKey{}, address)
}

func address(ctx context.Context) string {
	a, _ := ctx.Value(addressKey{}).(string)
	return a
}
