package wire

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"constat/agent/uplink"
	"constat/collector/intake"
	constatv1 "constat/proto/constat/v1"
)

// A disk is copied after its machine enrolled: both live, over the real link and
// the real door. The copy is told to go and gets an identity of its own, and the
// machine that was there first goes on as if nothing had happened.
func TestCopiedDisk(t *testing.T) {
	c, err := openCollector(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	token, err := intake.NewToken(t.Context(), c.desk, c.authority, 2, time.Now().Add(time.Hour), "image", "")
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
	address := listener.Addr().String()

	first, copied := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	enrol := func(dir, hardware string) {
		t.Helper()
		about := &constatv1.EnrollRequest{Hostname: "pc", MachineHash: "image", HardwareHash: hardware, OsFamily: "linux"}
		if err := uplink.Enroll(t.Context(), address, token, dir, about, uplink.Proxy(uplink.Direct)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := map[string]chan error{}
	live := func(dir, hardware string) *uplink.Link {
		t.Helper()
		l, err := uplink.Open(dir, uplink.Proxy(uplink.Direct), uplink.Backoff(time.Millisecond, 20*time.Millisecond),
			uplink.Logger(slog.New(slog.DiscardHandler)), uplink.Hardware(func(context.Context) string { return hardware }))
		if err != nil {
			t.Fatal(err)
		}
		end := make(chan error, 1)
		ended[dir] = end
		go func() { end <- l.Run(ctx, uplink.Handlers{}) }()
		return l
	}
	enrol(first, "board 1")
	if err := os.CopyFS(copied, os.DirFS(first)); err != nil {
		t.Fatal(err)
	}
	original := live(first, "board 1")
	live(copied, "board 2")
	select {
	case err := <-ended[copied]:
		if !errors.Is(err, uplink.ErrTwin) {
			t.Fatalf("the copy ended with %v", err)
		}
	case err := <-ended[first]:
		t.Fatalf("the original ended with %v", err)
	case <-time.After(time.Minute):
		t.Fatal("nobody was told to go")
	}
	whose, err := c.desk.Endpoint(t.Context(), original.EndpointID())
	if err != nil || len(whose.GetEndpoint().GetTwins()) != 2 {
		t.Errorf("the desk shows %v, %v", whose.GetEndpoint().GetTwins(), err)
	}

	if err := uplink.PutAside(copied); err != nil {
		t.Fatal(err)
	}
	if _, err := uplink.Open(copied); !errors.Is(err, uplink.ErrNotEnrolled) {
		t.Errorf("after it was put aside: %v", err)
	}
	enrol(copied, "board 2")
	if l := live(copied, "board 2"); l.EndpointID() == original.EndpointID() {
		t.Error("the copy enrolled as the original again")
	}
	whose, err = c.desk.Endpoint(t.Context(), original.EndpointID())
	if err != nil || len(whose.GetEndpoint().GetTwins()) != 0 {
		t.Errorf("the desk still shows %v, %v", whose.GetEndpoint().GetTwins(), err)
	}
	stop()
	for dir, end := range ended {
		if err := <-end; err != nil {
			t.Errorf("%s ended with %v", filepath.Base(dir), err)
		}
	}
}

// A machine that was off for a year, four times as long as its certificate is
// good, comes back by itself: the certificate is renewed, what waited is sent.
func TestOffForAYear(t *testing.T) {
	c, err := openCollector(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	var off atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(off.Load())) }
	token, err := intake.NewToken(t.Context(), c.desk, c.authority, 1, time.Now().Add(time.Hour), "test", "")
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	server, err := intake.New(c.desk, c.authority, intake.Options{Names: []string{"127.0.0.1"}, Now: now, Log: quiet}).Server()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(listener)
	defer server.Stop()
	address, dir := listener.Addr().String(), t.TempDir()
	about := &constatv1.EnrollRequest{Hostname: "pc", MachineHash: "pc", OsFamily: "linux"}
	if err := uplink.Enroll(t.Context(), address, token, dir, about, uplink.Proxy(uplink.Direct)); err != nil {
		t.Fatal(err)
	}
	off.Store(int64(366 * 24 * time.Hour))
	l, err := uplink.Open(dir, uplink.Proxy(uplink.Direct), uplink.Clock(now), uplink.Logger(quiet), uplink.Backoff(time.Millisecond, 20*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	id := newID(t)
	receipt, cancel := l.Expect(id)
	defer cancel()
	if err := l.Spool().Put(&constatv1.Report{Content: &constatv1.Report_Ticket{Ticket: &constatv1.TicketDraft{Id: id, Text: "it is a year later"}}}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	end := make(chan error, 1)
	go func() { end <- l.Run(ctx, uplink.Handlers{}) }()
	select {
	case <-receipt:
	case err := <-end:
		t.Fatalf("the agent ended with %v", err)
	case <-time.After(time.Minute):
		t.Fatal("the machine did not come back")
	}
	stop()
	if err := <-end; err != nil {
		t.Error(err)
	}
}
