package gear

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"constat/collector/store"
	"constat/collector/store/query"
	"constat/internal/diagnosis"
	"constat/internal/snmp"
	constatv1 "constat/proto/constat/v1"
)

const (
	// Of a device three things are read, each at its time: its status, its
	// counters with the status, and everything, which also happens when the status
	// shows that something changed.
	statusEvery   = time.Minute
	countersEvery = 5 * time.Minute
	wholeEvery    = 24 * time.Hour
	// stationsEvery is how often the tables of stations are read, with the counters:
	// switches forget a station after five minutes, and one that is on speaks again.
	stationsEvery = 15 * time.Minute
	// Each kind has its time; a lease outlives the longest.
	maxStatus   = 30 * time.Second
	maxCounters = 90 * time.Second
	maxPoll     = 4 * time.Minute
	lease       = 5 * time.Minute
	// maxShare is which part of its time a device spends on answering us: a poll
	// that took a second is not repeated within maxShare seconds, unless it is
	// faster than its turn comes anyway.
	maxShare = 20
	// minWhole is how soon everything is read again when something changed; twice
	// as late each time for a device that changes all the time.
	minWhole    = time.Minute
	calmAfter   = 20 * time.Minute
	maxRestless = 4
	// Silent devices are asked less and less often, those that refuse us seldom
	// at once: wrong passwords lock users.
	maxPause     = 15 * time.Minute
	refusedPause = time.Hour
	// atOnce bounds how many devices one collector asks at the same time.
	atOnce = 32
	// lookEvery is how often a collector looks for what is due.
	lookEvery = 2 * time.Second
	// tendEvery is how often a collector looks after the tables of measurements.
	tendEvery = time.Hour
	// forgetAfter is how long the last known port of a station is kept.
	forgetAfter = 90 * 24 * time.Hour
	maxWord     = 255
)

func jitter(d time.Duration) time.Duration { return d + rand.N(d/10+1) }

// Run polls what is due until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	var polls sync.WaitGroup
	defer polls.Wait()
	polls.Go(func() { w.tend(ctx) })
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	busy, done := 0, make(chan struct{}, atOnce)
	troubled := false
	for {
		places := atOnce - busy
		due, err := w.claim(ctx, places)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !troubled {
			w.log.Error("gear is not polled", "error", err)
		}
		troubled = err != nil
		for _, device := range due {
			busy++
			polls.Go(func() {
				w.visit(ctx, device)
				done <- struct{}{}
			})
		}
		for wait := true; wait; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				wait = false
			case <-done:
				busy--
				// More were due than there were places: they need not wait for the
				// next look.
				wait = len(due) < places || busy > atOnce/2
			}
		}
	}
}

// tend looks after the tables of measurements until ctx ends.
func (w *Watch) tend(ctx context.Context) {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for {
		if err := w.store.Tend(ctx, w.now()); err != nil && ctx.Err() == nil {
			w.log.Error("the tables of measurements are not looked after", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// claim leases devices that are due.
func (w *Watch) claim(ctx context.Context, most int) (due []query.Gear, err error) {
	if most <= 0 {
		return nil, nil
	}
	now := w.now()
	err = w.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		due, err = q.ClaimGear(ctx, query.ClaimGearParams{
			Owner: w.owner, Until: store.Millis(now.Add(lease)), Now: store.Millis(now), MaxRows: int32(most),
		})
		return err
	})
	return due, err
}

// visit polls one device and keeps what it said.
func (w *Watch) visit(ctx context.Context, device query.Gear) {
	seen, err := w.ask(ctx, device)
	if ctx.Err() != nil {
		return // the lease ends by itself
	}
	if err == nil {
		err = w.keep(ctx, device, seen)
	}
	if err == nil && seen.kind == whole {
		w.changes.Add(1) // it may have told other addresses of its own
	}
	if err != nil && ctx.Err() == nil { // ours, not the device's: it is due again when the lease ends
		w.log.Error("what a device said was not kept", "device", device.Address, "error", err)
	}
}

// kind is what is read of a device.
type kind string

const (
	status   kind = "status"
	counters kind = "counters"
	whole    kind = "whole"
)

// visited is what a visit brought.
type visited struct {
	kind   kind
	before query.GearFact
	last   Known
	// News is what the device said; nil: nothing.
	*News
	tracks *tracks // of the stations that it sees now
	// state and reason are how it went.
	state, reason string
	// replaced: another device answers than before; nil: the same.
	replaced *replacement
	// pings: a device that is silent answers a ping, as far as that is known.
	pings *bool
}

// ask reads what is due of a device. That it does not answer is no error, but a
// state.
func (w *Watch) ask(ctx context.Context, device query.Gear) (*visited, error) {
	v := &visited{kind: whole, state: "ok"}
	var err error
	if v.before, err = w.store.Read().GearFacts(ctx, device.ID); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	if v.last, err = lastKnown(v.before); err != nil {
		return nil, err
	}
	now := w.now()
	switch {
	case v.last.Plan.GetTakenAt() == 0 || device.WholeDueAt <= store.Millis(now):
	case device.CountersDueAt <= store.Millis(now):
		v.kind = counters
	default:
		v.kind = status
	}
	opens, err := w.credential(ctx, device.Credential)
	var unusable Refusal
	if errors.As(err, &unusable) {
		v.state, v.reason = "authFailed", err.Error()
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	session, err := snmp.Open(ctx, device.Address, opens, snmp.Patience{})
	if err != nil {
		return v.failed(err), nil
	}
	defer session.Close()
	began := time.Now()
	v.News, err = w.poll(ctx, session, v, now)
	if err == nil && v.kind == whole && another(v.last, v.Result) || errors.Is(err, ErrReplaced) {
		// Nothing that was learnt of the one before is taken to hold.
		last := v.last
		v.kind, v.last = whole, nothingKnown()
		session.Forget()
		if v.News, err = w.poll(ctx, session, v, now); err == nil && !another(last, v.Result) {
			v.last = last // the same in another shape, as a stack with another master
		} else if err == nil {
			v.replaced = replacing(last, v.Result, now)
			w.log.Warn("another device answers at an address", "device", device.Address, "was", v.replaced.event.GetReplacedSerial(), "is", v.replaced.event.GetSerial())
		}
	}
	w.metrics.polled(v.kind, session.Stats(), time.Since(began), err)
	if err != nil {
		if v.failed(err); v.state == "timeout" {
			v.pings = silence(ctx, device.Address, v.last.Gear)
		}
		return v, nil
	}
	if v.Partial != nil {
		v.state, v.reason = "partial", v.Partial.Error()
	}
	if v.kind == whole {
		v.Gear.AnswersPing = answersPing(ctx, device.Address)
		sinceWhole(v.last, v.Result, device.WholeDueAt != 0, now)
	}
	if v.kind != status {
		Compare(v.Gear, v.Counters, v.last.Counters)
		for _, c := range v.Counters.GetPorts() {
			c.SeenChanges = 0
		}
		refusals(v.Gear, v.last.Gear, v.Plan)
	}
	if v.Stations {
		if v.tracks, err = w.track(ctx, device.ID, v.Gear, v.replaced, now); err != nil {
			return nil, err
		}
	}
	if v.kind != status {
		sinceLast(v.Gear, v.last.Gear, now)
	}
	return v, nil
}

// poll reads one kind, within its time.
func (w *Watch) poll(ctx context.Context, session *snmp.Session, v *visited, now time.Time) (*News, error) {
	ctx, cancel := context.WithTimeout(ctx, w.within[v.kind])
	defer cancel()
	var known *constatv1.GearPlan
	if learnt, ok := profile(v.last.Plan, now); ok {
		session.Use(learnt)
		known = v.last.Plan
	}
	switch v.kind {
	case status:
		return Status(ctx, session, v.last, now)
	case counters:
		stations := v.last.Plan.GetForwards() && now.Sub(store.Time(v.before.WholeAt)) >= stationsEvery
		return Counters(ctx, session, v.last, stations, now)
	}
	result, err := Poll(ctx, session, now)
	if err != nil {
		return nil, err
	}
	learn(result.Plan, known, session.Profile())
	return &News{Result: result}, nil
}

func nothingKnown() Known {
	return Known{Gear: &constatv1.Gear{}, Counters: &constatv1.GearCounters{}, Plan: &constatv1.GearPlan{}}
}

// lastKnown unpacks what a device said last.
func lastKnown(row query.GearFact) (Known, error) {
	last := nothingKnown()
	for _, part := range []struct {
		content []byte
		into    proto.Message
	}{{row.Content, last.Gear}, {row.Counters, last.Counters}, {row.Plan, last.Plan}} {
		if len(part.content) == 0 {
			continue
		}
		if err := store.UnpackMessage(part.content, part.into); err != nil {
			return last, err
		}
	}
	return last, nil
}

// sinceWhole carries over to a whole poll what was seen since the one before;
// byItself: nobody asked for it.
func sinceWhole(last Known, r *Result, byItself bool, now time.Time) {
	earlier := byPort(last.Counters)
	for _, c := range r.Counters.GetPorts() {
		if was := earlier[c.GetIfIndex()]; was != nil {
			c.SeenChanges = was.GetSeenChanges()
			if c.LastChange != nil && was.LastChange != nil && c.GetLastChange() != was.GetLastChange() {
				c.SeenChanges++
			}
		}
	}
	if before := store.Time(last.Plan.GetTakenAt()); byItself && now.Sub(before) < calmAfter<<last.Plan.GetRestless() {
		r.Plan.Restless = min(last.Plan.GetRestless()+1, maxRestless)
	}
}

func (v *visited) failed(err error) *visited {
	v.News, v.state, v.reason = nil, "timeout", err.Error()
	if errors.Is(err, snmp.ErrRefused) {
		v.state = "authFailed"
	}
	return v
}

// again is when something that took a while is due again: at its pace, so that
// what came together spreads once and then keeps its distance.
func (w *Watch) again(due int64, every, took time.Duration, now time.Time) int64 {
	if took*maxShare > every {
		every = took * maxShare
	}
	if next := store.Time(due).Add(every); due != 0 && next.After(now) && !next.After(now.Add(every)) {
		return store.Millis(next)
	}
	return store.Millis(now.Add(w.spread(every)))
}

// keep stores what a visit brought, unless somebody else has the lease by now,
// and says when the next is due.
func (w *Watch) keep(ctx context.Context, device query.Gear, v *visited) error {
	now := w.now()
	next := query.FinishGearParams{
		ID: device.ID, LeaseOwner: w.owner, Name: device.Name, NameKey: device.NameKey, Vendor: device.Vendor, Model: device.Model,
		Serial: device.Serial, Os: device.Os, Version: device.Version, State: v.state, Reason: word(v.reason, 1000),
		StateSince: device.StateSince, AnsweredAt: device.AnsweredAt, WholeDueAt: device.WholeDueAt, CountersDueAt: device.CountersDueAt,
		RestedAt: store.Millis(now.Add(rest)),
	}
	if v.state != device.State {
		next.StateSince = store.Millis(now)
		w.say(device, v)
	}
	switch {
	case v.News == nil && v.state == "authFailed":
		next.Failures = device.Failures + 1
		next.DueAt = store.Millis(now.Add(w.spread(refusedPause)))
	case v.News == nil:
		next.Failures = device.Failures + 1
		next.DueAt = store.Millis(now.Add(w.spread(min(statusEvery<<min(device.Failures, 8), maxPause))))
	default:
		w.schedule(&next, device, v, now)
	}
	facts, measured, err := w.facts(ctx, device, v, now)
	if err != nil {
		return err
	}
	return w.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		mine, err := q.FinishGear(ctx, next)
		if err != nil || mine == 0 {
			return err
		}
		if facts == nil {
			return q.TouchGearFacts(ctx, device.ID, store.Millis(now))
		}
		if err := q.PutGearFacts(ctx, *facts); err != nil || v.News == nil {
			return err
		}
		if v.replaced != nil {
			if err := v.replaced.keep(ctx, q, device.ID); err != nil {
				return err
			}
		}
		if measured != nil {
			if err := measured.Put(ctx, q); err != nil {
				return err
			}
		}
		if !v.Stations {
			return nil
		}
		return v.tracks.keep(ctx, q, device.ID, v.Gear, now)
	})
}

// schedule says when what is due next of a device that answered.
func (w *Watch) schedule(next *query.FinishGearParams, device query.Gear, v *visited, now time.Time) {
	next.AnsweredAt = store.Millis(now)
	took := v.Elapsed
	if v.kind != status {
		next.CountersDueAt = w.again(device.CountersDueAt, countersEvery, took, now)
	}
	if v.kind == whole {
		next.WholeDueAt = store.Millis(now.Add(w.spread(wholeEvery)))
		id := v.Gear.GetIdentity()
		next.Name, next.Vendor, next.Model = word(id.GetName(), maxWord), word(id.GetVendor(), maxWord), word(id.GetModel(), maxWord)
		next.Serial, next.Os, next.Version = word(id.GetSerial(), maxWord), word(id.GetOs(), maxWord), word(id.GetVersion(), maxWord)
		next.NameKey = strings.ToLower(cmp.Or(next.Name, device.Address))
		took = 0 // the status costs less
	}
	next.DueAt = w.again(device.DueAt, statusEvery, took, now)
	if v.Changed {
		plan := v.last.Plan
		pause := max(minWhole, time.Duration(plan.GetElapsedMs())*time.Millisecond*maxShare) << plan.GetRestless()
		next.WholeDueAt = min(next.WholeDueAt, max(store.Millis(now), plan.GetTakenAt()+pause.Milliseconds()))
	}
	next.DueAt = min(next.DueAt, max(next.WholeDueAt, store.Millis(now)), max(next.CountersDueAt, store.Millis(now)))
	// What other polls can't tell anew still holds.
	if v.kind != whole && device.State == "partial" && next.State == "ok" {
		next.State, next.Reason, next.StateSince = device.State, device.Reason, device.StateSince
	}
}

// say tells the log when a device's state is another one, and only then.
func (w *Watch) say(device query.Gear, v *visited) {
	switch v.state {
	case "ok":
		if device.State != "new" {
			w.log.Info("a device answers again", "device", device.Address)
		}
	default:
		w.log.Warn("a device can't be read", "device", device.Address, "state", v.state, "reason", v.reason)
	}
}

// facts is the row of a device's facts after a visit, and what was measured; nil
// leaves the row as it is.
func (w *Watch) facts(ctx context.Context, device query.Gear, v *visited, now time.Time) (row *query.PutGearFactsParams, measured *store.Measured, err error) {
	row = &query.PutGearFactsParams{
		GearID: device.ID, TakenAt: store.Millis(now), WholeAt: v.before.WholeAt, Content: v.before.Content, Counters: v.before.Counters, Plan: v.before.Plan,
	}
	if v.News == nil {
		if v.before.GearID == "" {
			return nil, nil, nil
		}
		// Of a device that is silent only that is known; what it said stays, with
		// its age.
		row.TakenAt = v.before.TakenAt
		row.Diagnosis, err = store.PackMessage(w.judge(v.mute(), now))
		return row, nil, err
	}
	// After a silence, that is judged anew.
	if v.kind == status && (device.State == v.state || device.State == "partial") && v.same() {
		return nil, nil, nil
	}
	// What is older is the one's before.
	since := store.Time(device.ReplacedAt)
	if v.replaced != nil {
		since = v.replaced.at
	}
	if v.kind != status {
		if measured, err = w.store.Append(ctx, device.ID, now.Truncate(sampleTime), samples(v.Gear)); err != nil {
			return nil, nil, err
		}
		w.metrics.samples.Add(float64(measured.Kept))
		widen(v.Gear, v.last.Gear, measured.Recent, since, now)
		if v.tooSoon() {
			carry(v.Gear, v.last.Gear)
		}
	}
	if v.Stations {
		row.WholeAt = store.Millis(now)
	}
	if v.Hardware {
		v.Plan.LearntAt = 0
	}
	if err := recall(ctx, w.store.Read(), device.ID, v.Gear, since, now); err != nil {
		return nil, nil, err
	}
	for _, part := range []struct {
		content proto.Message
		into    *[]byte
	}{{v.Gear, &row.Content}, {v.Counters, &row.Counters}, {v.Plan, &row.Plan}, {w.judge(v.Gear, now), &row.Diagnosis}} {
		if *part.into, err = store.PackMessage(part.content); err != nil {
			return nil, nil, err
		}
	}
	return row, measured, nil
}

// mute is what is known of a device that says nothing: whether it is a printer, of
// which nobody knows how it is now.
func (v *visited) mute() *constatv1.Gear {
	g := &constatv1.Gear{PollResult: proto.String(v.state), AnswersPing: v.pings}
	if p := v.last.Gear.GetPrinter(); p != nil {
		g.Identity = v.last.Gear.Identity
		g.Printer = &constatv1.Printer{Id: p.Id, Brand: p.Brand, Model: p.Model, Serial: p.Serial, Connection: p.Connection}
	}
	return g
}

// tooSoon tells that counters were read just before these.
func (v *visited) tooSoon() bool {
	now, before := v.Counters, v.last.Counters
	span := now.GetAt().AsTime().Sub(before.GetAt().AsTime())
	return before.GetUptime() != 0 && now.GetSerial() == before.GetSerial() && span >= 0 && span < minSpan && !v.Gear.GetRestarted()
}

// same tells that a poll brought nothing but a later uptime.
func (v *visited) same() bool {
	if v.Changed || v.last.Gear.Identity == nil {
		return false
	}
	before := v.last.Gear.Identity.UptimeSeconds
	defer func() { v.last.Gear.Identity.UptimeSeconds = before }()
	v.last.Gear.Identity.UptimeSeconds = v.Gear.GetIdentity().UptimeSeconds
	return proto.Equal(v.last.Gear, v.Gear) && proto.Equal(v.last.Counters, v.Counters)
}

// judge names what is wrong with a device by its own poll.
func (w *Watch) judge(g *constatv1.Gear, now time.Time) *constatv1.Diagnosis {
	return diagnosis.Judge(w.catalog, diagnosis.Gear(), Snapshot(g, witnesses(g, now), now), now, "en")
}

// word cuts what a device says to what a column holds.
func word(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "")
	}
	return s
}
