package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/agent/history"
	"constat/agent/host"
	"constat/agent/trigger"
	"constat/internal/diagnosis"
	"constat/internal/durable"
	constatv1 "constat/proto/constat/v1"
)

const (
	// recordsEvery is how often it is looked at what costs more than a reading:
	// services for ones that are restarted again and again, whose manager counts
	// over ten minutes, the records of crashed programs, and the network for
	// whether it is paid for.
	recordsEvery = 10 * time.Minute
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
	c.recall(&w, time.Now())
	var s signs
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-minutes:
			c.mu.Lock()
			w.Policy = c.triggers
			c.mu.Unlock()
			due := w.Next(s.minute(ctx, c, m))
			c.holdBack(w.Held(), log)
			c.remember(&w, log)
			for _, o := range due {
				if c.lookInto(ctx, o, log); ctx.Err() == nil {
					c.remember(&w, log)
				}
			}
		}
	}
}

// signs is what has to be remembered between two minutes to tell what happened
// in one.
type signs struct {
	recordsAt, crashFiles time.Time
	metered               bool
	// restarts are those of each service when they were last looked at.
	restarts map[string]int32
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
	every := m.At.Sub(s.recordsAt) >= recordsEvery || m.At.Before(s.recordsAt)
	if every || !m.Settled || m.Signs.CrashFiles.After(s.crashFiles) {
		t.Crashes = c.crashes(ctx, m.At.Add(-findingsFor))
	}
	s.crashFiles = m.Signs.CrashFiles
	if every {
		s.recordsAt, s.metered = m.At, host.Metered(ctx, c.observer.config)
		if seen := c.glance(ctx, "services").GetServices(); seen != nil {
			t.Loops = s.loops(seen, m.At)
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

// crashes are the crashes of programs on record, since a time; nil: nobody may
// read of them.
func (c *counter) crashes(ctx context.Context, since time.Time) []trigger.Crash {
	c.one.Lock()
	defer c.one.Unlock()
	seen, err := host.ProgramCrashes(ctx, c.observer.config)
	if err != nil {
		return nil
	}
	all := []trigger.Crash{}
	for _, crash := range seen {
		if at := crash.GetAt().AsTime(); crash.At != nil && at.After(since) && crash.GetProgram() != "" {
			all = append(all, trigger.Crash{Program: crash.GetProgram(), At: at})
		}
	}
	return all
}

// loopRestarts is how many restarts within recordsEvery are a loop.
const loopRestarts = 3

// loops are the services that are restarted again and again by themselves, also in
// vain: the manager gave up since the last look. Managers count restarts and do not
// say when they were, so the count of the last look stands beside.
func (s *signs) loops(seen *constatv1.Services, now time.Time) []string {
	all, restarts := []string{}, map[string]int32{}
	for _, service := range seen.GetServices() {
		name, count := service.GetName(), service.GetRestarts()
		before, known := s.restarts[name]
		restarts[name] = count
		gaveUp := service.GetState() == "failed" && count >= loopRestarts &&
			service.Since != nil && now.Sub(service.GetSince().AsTime()) < recordsEvery
		if known && count-before >= loopRestarts || gaveUp || service.GetRecentRestarts() >= loopRestarts || service.GetResult() == "startLimitHit" {
			all = append(all, name)
		}
	}
	s.restarts = restarts
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

// occasionsFile has what is remembered of the looks nobody asked for, and what
// they found, over a restart.
const occasionsFile = "occasions"

// remembered is its content, JSON.
type remembered struct {
	trigger.Memory
	Found []json.RawMessage `json:"found,omitempty"` // constat.v1.Finding
}

// recall takes up what was remembered. What can't be read is forgotten: it is no
// more than what the agent spares its users.
func (c *counter) recall(w *trigger.Watch, now time.Time) {
	var before remembered
	content, err := os.ReadFile(filepath.Join(c.observer.dir, occasionsFile))
	if err != nil || json.Unmarshal(content, &before) != nil {
		return
	}
	w.Recall(before.Memory, now)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, text := range before.Found[max(0, len(before.Found)-keptFindings):] {
		if f := (&constatv1.Finding{}); protojson.Unmarshal(text, f) == nil {
			c.found = append(c.found, f)
		}
	}
}

// remember keeps it, when it is another than before.
func (c *counter) remember(w *trigger.Watch, log *slog.Logger) {
	memory, changed := w.Memory()
	c.mu.Lock()
	kept := remembered{Memory: memory}
	for _, f := range c.found {
		text, err := protojson.Marshal(f)
		if err == nil {
			kept.Found = append(kept.Found, text)
		}
	}
	changed = changed || c.foundMore
	c.foundMore = false
	c.mu.Unlock()
	if !changed {
		return
	}
	content, err := json.Marshal(kept)
	if err == nil {
		err = durable.Write(filepath.Join(c.observer.dir, occasionsFile), content, 0o600)
	}
	if err != nil {
		log.Warn("what was looked into is not remembered", "error", err)
	}
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

// holdBack says what happened and waits: in the log when that begins, and to who asks.
func (c *counter) holdBack(held []trigger.Held, log *slog.Logger) {
	c.mu.Lock()
	before := c.held
	c.held = held
	c.mu.Unlock()
	for _, h := range held {
		if !slices.Contains(before, h) {
			log.Info("a look waits", "event", h.Event, "subject", h.Subject, "reason", h.Reason)
		}
	}
}

// heldBack is what waits, for who asks.
func (c *counter) heldBack() (all []*constatv1.GetStatusResponse_Held) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.held {
		all = append(all, &constatv1.GetStatusResponse_Held{Event: h.Event, Subject: h.Subject, Reason: h.Reason})
	}
	return all
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
	found := &constatv1.Finding{At: timestamppb.New(o.At), Event: o.Event, Subject: o.Subject, Procedure: o.Procedure}
	if causes := d.GetRootCauses(); len(causes) > 0 {
		found.Fault, found.Title, found.Certainty = causes[0].GetFault(), causes[0].GetTitle(), causes[0].GetCertainty()
		found.Component = causes[0].GetComponent()
	}
	c.mu.Lock()
	c.found = append(c.found, found)
	c.found = c.found[max(0, len(c.found)-keptFindings):]
	c.foundMore = true
	c.mu.Unlock()
	c.people.wake()
	if c.link.Load() == nil {
		return
	}
	if err := c.spoolDiagnosis(d, s); err != nil {
		log.Warn("a diagnosis could not be kept", "event", o.Event, "error", err)
	}
}

// findings are what was found without being asked, newest first, in the language
// of who reads it; "": as the service said it.
func (c *counter) findings(now time.Time, language string) []*constatv1.Finding {
	c.mu.Lock()
	c.found = slices.DeleteFunc(c.found, func(f *constatv1.Finding) bool { return now.Sub(f.GetAt().AsTime()) > findingsFor })
	found := slices.Clone(c.found)
	c.mu.Unlock()
	slices.Reverse(found)
	if language == "" || !slices.ContainsFunc(found, func(f *constatv1.Finding) bool { return f.GetFault() != "" }) {
		return found
	}
	catalog, _, _, err := c.observer.known()
	if err != nil {
		return found
	}
	for i, f := range found {
		if known := catalog.Lookup(f.GetFault()); known != nil {
			found[i] = proto.CloneOf(f)
			found[i].Title = known.Title.About(language, f.GetComponent())
		}
	}
	return found
}
