package main

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"constat/agent/local"
	constatv1 "constat/proto/constat/v1"
)

// TestAgentEndsUnenrolled: an agent that never joined a collector ends in order.
func TestAgentEndsUnenrolled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Setenv("CONSTAT_ROOT", t.TempDir()) // no look at this machine, no rights given up
	var log bytes.Buffer
	data := t.TempDir()
	ended := make(chan error, 1)
	go func() { ended <- runService(ctx, &settings{Data: data}, slog.New(slog.NewTextHandler(&log, nil))) }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(10 * time.Second); ; {
		if st, err := askStatus(ctx, filepath.Join(data, "agent.sock"), "en", 0, answerLimit); err == nil && st.Problem == notConfigured {
			break
		}
		select {
		case <-tick.C:
			continue
		case <-deadline:
			t.Fatal("it never says that nothing is configured")
		}
	}
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("%v\n%s", err, &log)
		}
	case <-time.After(10 * time.Second):
		t.Error("it goes on")
	}
}

// silent is an agent that takes a question and never answers it.
type silent struct {
	constatv1.UnimplementedLocalServiceServer
}

func (silent) GetStatus(ctx context.Context, _ *constatv1.GetStatusRequest) (*constatv1.GetStatusResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestStatusOfASilentAgent: who asks is not left waiting, and is told what to do.
func TestStatusOfASilentAgent(t *testing.T) {
	socket := local.Socket(t.TempDir())
	l, err := local.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	go local.Serve(t.Context(), l, silent{})
	if st, err := askStatus(t.Context(), socket, "en", 0, 50*time.Millisecond); err == nil || !strings.Contains(err.Error(), "constat-agent service restart") {
		t.Errorf("%v, %v", st, err)
	}
}
