package main

import (
	"context"
	"sync"
	"time"
)

// commandPause is the least time between two diagnoses that the collector asks
// for: whoever holds it must not make of the agents a flood of probes.
const commandPause = 5 * time.Second

// pace lets one caller pass in every commandPause. Its zero value is ready.
type pace struct {
	mu   sync.Mutex
	next time.Time
}

// wait returns when it is the caller's turn; the error is the context's.
func (p *pace) wait(ctx context.Context) error {
	p.mu.Lock()
	turn := time.Now()
	if p.next.After(turn) {
		turn = p.next
	}
	p.next = turn.Add(commandPause)
	p.mu.Unlock()
	timer := time.NewTimer(time.Until(turn))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
