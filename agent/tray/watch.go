package tray

import (
	"context"
	"fmt"
	"os"
	"time"

	"constat/agent/local"
	constatv1 "constat/proto/constat/v1"
)

// Pauses between looks for an agent that is not there: between two of them the tray
// sleeps, and while there is one it is told.
const shortestPause, longestPause = 2 * time.Second, 5 * time.Minute

// watch hears from the agent how things stand, until ctx ends.
func (s *session) watch(ctx context.Context, told func(*constatv1.WatchResponse)) {
	pause := shortestPause
	for ctx.Err() == nil {
		if s.hear(ctx, told) {
			pause = shortestPause
		}
		told(&constatv1.WatchResponse{State: "away"})
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
		pause = min(2*pause, longestPause)
	}
}

// hear tells whether an agent was there.
func (s *session) hear(ctx context.Context, told func(*constatv1.WatchResponse)) (there bool) {
	upgraded := s.program.replaced()
	conn, err := local.Dial(ctx, s.socket)
	if err != nil {
		return false
	}
	defer conn.Close()
	stream, err := constatv1.NewLocalServiceClient(conn).Watch(ctx, &constatv1.WatchRequest{Language: s.language})
	if err != nil {
		return false
	}
	for {
		m, err := stream.Recv()
		if err != nil {
			return there
		}
		there = true
		told(m)
		if upgraded && m.GetTitle() == "" { // news are told by who got them
			if err := s.giveWay(); err != nil {
				fmt.Fprintln(os.Stderr, "constat-tray: this is a former version until you sign in again:", err)
			}
		}
	}
}
