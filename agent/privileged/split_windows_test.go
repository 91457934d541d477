package privileged

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// workerVariable says to this test program that it is the network half, and what
// of it.
const workerVariable = "PRIVILEGED_TEST_WORKER"

// buffer is a log that is read while it is written.
type buffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *buffer) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(text)
}

func (b *buffer) has(text string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Contains(b.String(), text)
}

func worker(t *testing.T, what string) (*Worker, *buffer) {
	t.Helper()
	t.Setenv(workerVariable, what)
	log := &buffer{}
	w, err := StartWorker(t.Context(), "S-1-5-80-1-2-3-4-5", t.TempDir(), log, "-test.run=^TestWorkerItself$", "-test.v")
	if err != nil {
		t.Fatal(err)
	}
	return w, log
}

// TestWorkerItself is the network half of the other tests.
func TestWorkerItself(t *testing.T) {
	what := os.Getenv(workerVariable)
	if what == "" {
		t.Skip("started by TestWorker only")
	}
	if what == "hangs" {
		os.Stderr.WriteString("at work\n")
		// A timer runs, so that Go's runtime does not end it as deadlocked where
		// the service is slower than its look.
		<-time.After(time.Hour)
	}
	client, _, err := Split(t.Context(), "", Anything)
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv(linkVariable) != "" {
		t.Error("its children would hear of the link")
	}
	if got, err := client.Do(t.Context(), "echo", "hello"); err != nil || string(got) != "HELLO" {
		t.Errorf("echo: %q, %v", got, err)
	}
	if _, err := client.Do(t.Context(), "denied", ""); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("denied: %v", err)
	}
	if _, err := client.Do(t.Context(), "format-disk", ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a verb that is none: %v", err)
	}
	words, err := io.ReadAll(os.Stdin) // until the service wants it to end
	if err != nil || string(words) != "woken\n" {
		t.Errorf("it was told %q, %v", words, err)
	}
}

// TestWorker: the half without rights has its verbs done by the other, hears what
// that tells it, and ends when it is asked to.
func TestWorker(t *testing.T) {
	saved := verbs
	t.Cleanup(func() { verbs = saved })
	verbs = map[string]verb{
		"echo":   func(_ context.Context, a string) ([]byte, error) { return []byte(strings.ToUpper(a)), nil },
		"denied": func(context.Context, string) ([]byte, error) { return nil, fs.ErrPermission },
	}
	w, log := worker(t, "asks")
	if err := w.Tell("woken"); err != nil {
		t.Fatal(err)
	}
	if err := w.Stop(time.Minute); err != nil || log.has("--- FAIL") || !log.has("--- PASS") {
		t.Errorf("%v\n%s", err, log.String())
	}
}

// TestWorkerThatHangs: it ends all the same.
func TestWorkerThatHangs(t *testing.T) {
	w, log := worker(t, "hangs")
	for !log.has("at work") {
		select {
		case <-w.Ended():
			t.Fatalf("it ended: %s", log.String())
		default:
		}
	}
	if err := w.Stop(0); err == nil {
		t.Error("it is said to have ended well")
	}
}

// TestRestricted: the token has no privileges but the one everybody has. That it
// is asked a second time where it writes can't be seen under Wine.
func TestRestricted(t *testing.T) {
	token, err := restricted("S-1-5-80-1-2-3-4-5")
	if err != nil {
		t.Fatal(err)
	}
	defer token.Close()
	left, err := privilegesOf(token)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range left {
		if p.Luid != keptPrivilege {
			t.Errorf("privilege %d is left", p.Luid.LowPart)
		}
	}
}
