package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"constat/agent/history"
	"constat/agent/host"
	"constat/agent/trigger"
)

// TestMinutes is a Windows for which a minute passes whenever a line comes; what it
// sees is real, only its clock is not. "woke" is a minute after a sleep, "records"
// one in which it looks at what it rarely looks at, "plugged" one in which devices
// came or went. internal/lab/wine starts it in one of the lab's networks.
func TestMinutes(t *testing.T) {
	if os.Getenv("OCCASIONS_MINUTES") == "" {
		t.Skip("started by internal/lab/wine only")
	}
	c := &counter{observer: &observer{config: host.Config{}}}
	sampler := host.NewSampler(c.observer.config)
	w := trigger.Watch{Machine: "pc", Policy: trigger.Policy{Off: []string{trigger.Daily}}}
	var s signs
	at := time.Now()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); at = at.Add(time.Minute) {
		word := strings.TrimSpace(lines.Text())
		if s.recordsAt = at; word == "records" {
			s.recordsAt = time.Time{}
		}
		if word == "plugged" {
			c.noteDevices(c.glance(t.Context(), "usb").GetUsb())
		}
		m := history.Minute{At: at, Settled: word != "woke"}
		m.Readings = sampler.Sample(t.Context(), m.Settled)
		m.Signs = sampler.Signs(t.Context())
		for _, r := range m.Readings {
			fmt.Println("reading", r.Kind, r.Owner)
		}
		for _, o := range w.Next(s.minute(t.Context(), c, m)) {
			fmt.Println("occasion", o.Event, o.Subject)
		}
		fmt.Println("end")
	}
}
