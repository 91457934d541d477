package privileged

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

func pair(t *testing.T) (*Client, net.Conn) {
	t.Helper()
	ours, theirs := net.Pipe()
	c := &Client{}
	c.use(ours)
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	return c, theirs
}

func TestVerbs(t *testing.T) {
	saved := verbs
	t.Cleanup(func() { verbs = saved })
	verbs = map[string]verb{
		"echo":   func(_ context.Context, a string) ([]byte, error) { return []byte(a), nil },
		"denied": func(context.Context, string) ([]byte, error) { return nil, os.ErrPermission },
		"absent": func(context.Context, string) ([]byte, error) { return nil, os.ErrNotExist },
		"huge":   func(context.Context, string) ([]byte, error) { return make([]byte, maxAnswer+1), nil },
		"broken": func(context.Context, string) ([]byte, error) { return nil, errors.New("disk on fire") },
	}
	c, theirs := pair(t)
	go func() { _ = Serve(t.Context(), theirs, 0) }()
	if got, err := c.Do(t.Context(), "echo", "hello"); err != nil || string(got) != "hello" {
		t.Errorf("echo: %q, %v", got, err)
	}
	for name, want := range map[string]func(error) bool{
		"denied":    func(err error) bool { return errors.Is(err, fs.ErrPermission) },
		"absent":    func(err error) bool { return errors.Is(err, fs.ErrNotExist) },
		"rm -rf /":  func(err error) bool { return errors.Is(err, fs.ErrNotExist) },
		"huge":      func(err error) bool { return err != nil && strings.Contains(err.Error(), "more than") },
		"broken":    func(err error) bool { return err != nil && err.Error() == "disk on fire" },
		"echo\nbad": func(err error) bool { return errors.Is(err, fs.ErrNotExist) },
	} {
		if _, err := c.Do(t.Context(), name, ""); !want(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := c.Do(t.Context(), "echo", "still there"); err != nil || string(got) != "still there" {
		t.Errorf("after refusals: %q, %v", got, err)
	}
}

// TestHungVerb: what hangs costs those who wait for it, nobody else.
func TestHungVerb(t *testing.T) {
	saved := verbs
	hang := make(chan struct{})
	started := make(chan struct{})
	verbs = map[string]verb{
		"hang": func(context.Context, string) ([]byte, error) { close(started); <-hang; return []byte("late"), nil },
		"echo": func(_ context.Context, a string) ([]byte, error) { return []byte(a), nil },
	}
	c, theirs := pair(t)
	served := make(chan error, 1)
	go func() { served <- Serve(t.Context(), theirs, 0) }()
	t.Cleanup(func() {
		c.Close()
		<-served
		verbs = saved
	})
	ctx, giveUp := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() { _, err := c.Do(ctx, "hang", ""); gone <- err }()
	<-started
	if got, err := c.Do(t.Context(), "echo", "meanwhile"); err != nil || string(got) != "meanwhile" {
		t.Errorf("beside a verb that hangs: %q, %v", got, err)
	}
	giveUp()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	close(hang)
	if got, err := c.Do(t.Context(), "echo", "after"); err != nil || string(got) != "after" {
		t.Errorf("after a late answer: %q, %v", got, err)
	}
}

func TestEndedHelperIsSaid(t *testing.T) {
	c, theirs := pair(t)
	go func() {
		_, _ = theirs.Read(make([]byte, 512))
		theirs.Close()
	}()
	if _, err := c.Do(t.Context(), "smbios", ""); err == nil || errors.Is(err, fs.ErrPermission) {
		t.Errorf("a helper that died: %v", err)
	}
	if _, err := c.Do(t.Context(), "smbios", ""); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("after it: %v, want denied", err)
	}
}

func TestNoHelperIsDenied(t *testing.T) {
	if _, err := new(Client).Do(t.Context(), "smbios", ""); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("without a helper: %v, want permission denied", err)
	}
}

func TestServeEndsWhenIdle(t *testing.T) {
	_, theirs := pair(t)
	if err := Serve(t.Context(), theirs, time.Millisecond); err == nil {
		t.Error("an idle connection was kept")
	}
}

func TestServeTakesNoEndlessRequest(t *testing.T) {
	ours, theirs := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- Serve(t.Context(), theirs, 0) }()
	go func() { _, _ = ours.Write([]byte(`{"verb":"` + strings.Repeat("a", 2*maxRequest))) }()
	if err := <-done; err == nil {
		t.Error("a request without an end was read")
	}
	ours.Close()
}

// FuzzServe sends bytes as a hostile other half would.
func FuzzServe(f *testing.F) {
	f.Add([]byte(`{"verb":"smbios"}`))
	f.Add([]byte(`{"verb":"../../bin/sh","argument":"-c id"}`))
	f.Add([]byte("{{{{"))
	f.Fuzz(func(t *testing.T, content []byte) {
		ours, theirs := net.Pipe()
		done := make(chan struct{})
		go func() { _ = Serve(t.Context(), theirs, 0); close(done) }()
		go func() {
			buf := make([]byte, 4096)
			for {
				if _, err := ours.Read(buf); err != nil {
					return
				}
			}
		}()
		_ = ours.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = ours.Write(content)
		ours.Close()
		<-done
	})
}
