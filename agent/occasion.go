package main

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/agent/history"
	"constat/agent/host"
	"constat/agent/trigger"
	"constat/internal/diagnosis"
	constatv1 "constat/proto/constat/v1"
)

const (
	// loopsEvery is how often services are looked at for ones that are restarted
	// again and again, whose manager counts over ten minutes, and the network for
	// whether it is paid for.
	loopsEvery = 10 * time.Minute
	// busyPercent is a processor that somebody is waiting for.
	busyPercent = 30
	// keptFindings and findingsFor bound what is told of what was found.
	keptFindings = 5
	findingsFor  = 24 * time.Hour
)

// occasions looks for a cause whenever a minute gives reason to, until ctx ends.
// A look that finds nothing leaves no trace but a line in the log; what is found
// goes to the collector, which knows whose ticket it belongs to.
func (c *counter) occasions(ctx context.Context, minutes <-chan history.Minute, log *slog.Logger) {
	w := trigger.Watch{Machine: c.observer.config.EndpointID}
	var s signs
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-minutes:
			c.mu.Lock()
			w.Policy = c.triggers
			c.mu.Unlock()
			for _, o := range w.Next(s.minute(ctx, c, m)) {
				c.lookInto(ctx, o, log)
			}
		}
	}
}

// signs is what has to be remembered between two minutes to tell what happened
// in one.
type signs struct {
	loopsAt, crashFiles time.Time
	before, metered     bool
}

// minute turns readings into what a trigger.Watch takes. What costs more than a
// reading is looked at when there is reason to.
func (s *signs) minute(ctx context.Context, c *counter, m history.Minute) trigger.Minute {
	t := trigger.Minute{
		At: m.At, Settled: m.Settled, DNS: m.Signs.DNS, Routed: m.Signs.Routed, FailedQueues: m.Signs.FailedQueues,
		OnBattery: m.Signs.OnBattery, Charge: m.Signs.Charge, Gateways: map[string]bool{}, CarrierLosses: map[string]int{}, Idle: true,
	}
	for _, r := range m.Readings {
		switch r.Kind {
		case "lossPercent":
			t.Gateways[r.Owner] = t.Gateways[r.Owner] || r.Value < 100
		case host.CarrierLosses:
			t.CarrierLosses[r.Owner] = int(r.Value)
		case "cpuPercent":
			t.Idle = r.Value < busyPercent
		}
	}
	c.mu.Lock()
	t.Refused = c.refused
	c.mu.Unlock()
	if s.before && m.Signs.CrashFiles.After(s.crashFiles) {
		t.Crashes = crashesSince(c.glance(ctx, "crashes").GetCrashes(), m.At.Add(-findingsFor))
	}
	s.crashFiles, s.before = m.Signs.CrashFiles, true
	if m.At.Sub(s.loopsAt) >= loopsEvery {
		s.loopsAt, s.metered = m.At, host.Metered(ctx, c.observer.config)
		if seen := c.glance(ctx, "services").GetServices(); seen != nil {
			t.Loops = loops(seen)
		}
	}
	t.Metered = s.metered
	return t
}

// glance reads one group, beside no diagnosis.
func (c *counter) glance(ctx context.Context, group string) *constatv1.Snapshot {
	c.one.Lock()
	defer c.one.Unlock()
	return host.Observe(ctx, c.observer.config, []string{group})
}

// crashesSince are the crashes of programs after a time.
func crashesSince(seen *constatv1.Crashes, since time.Time) (all []trigger.Crash) {
	for _, crash := range seen.GetPrograms() {
		if at := crash.GetAt().AsTime(); crash.At != nil && at.After(since) && crash.GetProgram() != "" {
			all = append(all, trigger.Crash{Program: crash.GetProgram(), At: at})
		}
	}
	return all
}

// loopRestarts is how many restarts within ten minutes are a loop.
const loopRestarts = 3

// loops are the services that are restarted again and again.
func loops(seen *constatv1.Services) []string {
	all := []string{}
	for _, service := range seen.GetServices() {
		if service.GetRecentRestarts() >= loopRestarts || service.GetResult() == "startLimitHit" {
			all = append(all, service.GetName())
		}
	}
	return all
}

// noteDevices remembers which devices are plugged in and can't be used: the system
// or somebody forbids them, or nothing could be set up for them.
func (c *counter) noteDevices(u *constatv1.Usb) {
	if u == nil {
		return
	}
	refused := []string{}
	for _, d := range u.GetDevices() {
		if d.Authorized != nil && !d.GetAuthorized() || d.Configured != nil && !d.GetConfigured() || d.GetProblemCode() != 0 {
			refused = append(refused, d.GetPath())
		}
	}
	slices.Sort(refused)
	c.mu.Lock()
	c.refused = refused
	c.mu.Unlock()
}

// takeTriggers adopts what the organisation says of looks that nobody asked for.
// Quiet hours that can't be read are none; the rest counts.
func (c *counter) takeTriggers(p *constatv1.TriggerPolicy) {
	policy := trigger.Policy{Off: p.GetOff(), PerDay: int(p.GetPerDay())}
	var err error
	if policy.From, policy.Until, err = trigger.ParseQuiet(p.GetQuiet()); err != nil {
		slog.Warn("the organisation's policy", "error", err)
	}
	c.mu.Lock()
	c.triggers = policy
	c.mu.Unlock()
}

// lookInto runs the procedure of an occasion, and passes on what it found.
func (c *counter) lookInto(ctx context.Context, o trigger.Occasion, log *slog.Logger) {
	p, known := diagnosis.Lookup(o.Procedure)
	if !known {
		log.Error("an occasion without a procedure", "event", o.Event)
		return
	}
	why := "event"
	if o.Event == trigger.Daily {
		why = "schedule"
	}
	d, s := c.run(ctx, p, (&options{}).lang(), why, nil)
	if ctx.Err() != nil {
		return
	}
	d.Event, d.EventSubject = o.Event, o.Subject
	log.Info("looked into something that happened", "event", o.Event, "subject", o.Subject, "verdict", d.GetVerdict())
	if d.GetVerdict() == "healthy" || why == "schedule" && d.GetVerdict() != "fault" {
		return
	}
	for _, cause := range d.GetRootCauses()[:min(1, len(d.GetRootCauses()))] {
		c.mu.Lock()
		c.found = append(c.found, &constatv1.Finding{
			At: timestamppb.New(o.At), Event: o.Event, Subject: o.Subject, Fault: cause.GetFault(), Title: cause.GetTitle(), Certainty: cause.GetCertainty(),
		})
		c.found = c.found[max(0, len(c.found)-keptFindings):]
		c.mu.Unlock()
	}
	if c.link.Load() == nil {
		return
	}
	if err := c.spoolDiagnosis(d, s); err != nil {
		log.Warn("a diagnosis could not be kept", "event", o.Event, "error", err)
	}
}

// findings are what was found without being asked, newest first.
func (c *counter) findings(now time.Time) []*constatv1.Finding {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.found = slices.DeleteFunc(c.found, func(f *constatv1.Finding) bool { return now.Sub(f.GetAt().AsTime()) > findingsFor })
	found := slices.Clone(c.found)
	slices.Reverse(found)
	return found
}
