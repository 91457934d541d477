package host

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"
)

// awaitGoroutines waits until there are no more than before.
func awaitGoroutines(t *testing.T, before int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(end) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// What hangs holds one goroutine, however often it is asked for, and is asked again
// once it has come back.
func TestWhatHangsIsNotAskedAgain(t *testing.T) {
	before := runtime.NumGoroutine()
	hang, asked := make(chan struct{}), 0
	ask := func(limit time.Duration) (int, error) {
		return bounded(t.Context(), "the maker's driver", limit, func(context.Context) (int, error) {
			asked++
			<-hang
			return asked, nil
		})
	}
	if _, err := ask(time.Millisecond); err == nil || !strings.Contains(err.Error(), "timed out after 1ms: the maker's driver") {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := ask(time.Millisecond); err == nil || !strings.Contains(err.Error(), "has not answered since") {
			t.Fatal(err)
		}
	}
	if n := runtime.NumGoroutine(); n > before+1 {
		t.Errorf("%d goroutines, %d before", n, before)
	}
	if other, err := bounded(t.Context(), "another", time.Minute, func(context.Context) (int, error) { return 7, nil }); other != 7 || err != nil {
		t.Error(other, err)
	}
	close(hang)
	if n, err := ask(time.Minute); n != 2 || err != nil {
		t.Errorf("once it came back: %d, %v", n, err)
	}
	awaitGoroutines(t, before)
	leftBehind.Lock()
	defer leftBehind.Unlock()
	if len(leftBehind.calls) != 0 {
		t.Error(leftBehind.calls)
	}
}
