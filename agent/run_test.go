package main

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"
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
		if st, err := askStatus(ctx, filepath.Join(data, "agent.sock"), "en", 0); err == nil && st.Problem == notConfigured {
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
