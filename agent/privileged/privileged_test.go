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
