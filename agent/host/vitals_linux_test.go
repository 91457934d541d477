package host

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// What the lab adds (links, gateways, resolvers) is proven in agent/history.
func TestSample(t *testing.T) {
	s := NewSampler(Config{})
	for _, r := range s.Sample(t.Context(), false) {
		if r.Kind != CarrierLosses {
			t.Errorf("a machine that has just woken up was measured: %v", r)
		}
	}
	all := s.Sample(t.Context(), true)
	for _, r := range all {
		if r.Value < 0 || r.Kind == "memoryAvailablePercent" && (r.Value == 0 || r.Value > 100) {
			t.Errorf("%v cannot be", r)
		}
	}
	if !slices.ContainsFunc(all, func(r Reading) bool { return r.Kind == "memoryAvailablePercent" }) {
		t.Errorf("no memory in %v", all)
	}
}

// The kernel's messages are heard: one is asked for that it sends of /dev/null,
// for machines without USB.
func TestUevents(t *testing.T) {
	const null = "/sys/devices/virtual/mem/null"
	trigger, err := os.OpenFile(null+"/uevent", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("no message can be asked for: %v", err)
	}
	defer trigger.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended, heard := make(chan error, 1), make(chan string, 100)
	go func() {
		ended <- uevents(ctx, func(message []byte) {
			if strings.HasPrefix(string(message), "change@"+strings.TrimPrefix(null, "/sys")) {
				select {
				case heard <- string(message):
				default:
				}
			}
		})
	}()
	// It may not listen yet.
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		if _, err := trigger.WriteString("change"); err != nil {
			t.Skipf("no message can be asked for: %v", err)
		}
		select {
		case <-heard:
			tick.Stop()
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			return
		case err := <-ended:
			t.Fatalf("nothing was heard: %v", err)
		case <-tick.C:
		}
	}
}

// The stub of systemd-resolved answers from its memory; those behind it are
// asked.
func TestUpstream(t *testing.T) {
	root := t.TempDir()
	for _, step := range []struct{ name, content, want string }{
		{"etc/resolv.conf", "nameserver 127.0.0.53\n", "127.0.0.53"},
		{"run/systemd/resolve/resolv.conf", "nameserver 192.0.2.53\nnameserver 192.0.2.54\n", "192.0.2.53"},
		{"run/systemd/resolve/resolv.conf", "# none\n", "127.0.0.53"},
	} {
		path := filepath.Join(root, step.name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(step.content), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := newReader(t.Context(), Config{Root: root}).upstream(); got.String() != step.want {
			t.Errorf("with %s: %v, want %s", step.name, got, step.want)
		}
	}
}

// BenchmarkSample is the cost of one minute's look.
func BenchmarkSample(b *testing.B) {
	s := NewSampler(Config{})
	s.Sample(b.Context(), false)
	b.ReportAllocs()
	for b.Loop() {
		s.Sample(b.Context(), true)
	}
}
