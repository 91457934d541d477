package wire

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"constat/agent/uplink"
	"constat/collector/intake"
	constatv1 "constat/proto/constat/v1"
)

// TestFiveHundredEnrol is the morning on which an organisation's computers get
// their agent: all with one token, as many at a time as a deployment tool serves,
// and all from behind one address. One more than the token is for gets none.
func TestFiveHundredEnrol(t *testing.T) {
	c, err := openCollector(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	token, err := intake.NewToken(t.Context(), c.desk, c.authority, crowd, time.Now().Add(time.Hour), "morning", "")
	if err != nil {
		t.Fatal(err)
	}
	server, err := intake.New(c.desk, c.authority, intake.Options{Names: []string{"127.0.0.1"}, Log: slog.New(slog.DiscardHandler)}).Server()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(listener)
	defer server.Stop()

	top := t.TempDir()
	enrol := func(ctx context.Context, n int) error {
		name := fmt.Sprintf("pc%03d", n)
		about := &constatv1.EnrollRequest{Hostname: name, MachineHash: name, HardwareHash: "board " + name, OsFamily: "linux"}
		return uplink.Enroll(ctx, listener.Addr().String(), token, filepath.Join(top, name), about, uplink.Proxy(uplink.Direct))
	}
	start := time.Now()
	machines, ctx := errgroup.WithContext(t.Context())
	machines.SetLimit(50)
	for n := range crowd {
		machines.Go(func() error { return enrol(ctx, n) })
	}
	if err := machines.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d enrolments with one token: %.1f s", crowd, time.Since(start).Seconds())
	if err := enrol(t.Context(), crowd); err == nil || !strings.Contains(err.Error(), "token") {
		t.Errorf("one more than the token is for: %v", err)
	}
	seen := map[string]bool{}
	for n := range crowd {
		l, err := uplink.Open(filepath.Join(top, fmt.Sprintf("pc%03d", n)))
		if err != nil {
			t.Fatal(err)
		}
		if seen[l.EndpointID()] {
			t.Errorf("%s has the identity of another one", filepath.Join(top, fmt.Sprint(n)))
		}
		seen[l.EndpointID()] = true
		known, err := c.desk.Endpoint(t.Context(), l.EndpointID())
		if err != nil || known.GetEndpoint().GetHostname() != fmt.Sprintf("pc%03d", n) {
			t.Fatalf("the desk knows %v, %v", known.GetEndpoint(), err)
		}
	}
}
