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
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/store"
	"constat/collector/store/query"
	"constat/internal/diagnosis"
	"constat/internal/snmp"
	constatv1 "constat/proto/constat/v1"
)

const (
	// wholeEvery is how often all is read: forwarding tables forget a machine
	// after five minutes, and counters are compared over as long.
	wholeEvery  = 5 * time.Minute
	statusEvery = time.Minute
	// maxPoll bounds one poll, of the slowest device too; a lease outlives it.
	maxPoll = 4 * time.Minute
	lease   = 5 * time.Minute
	// Silent devices are asked less and less often, those that refuse us seldom
	// at once: wrong passwords lock users.
	maxPause     = 15 * time.Minute
	refusedPause = time.Hour
	// atOnce bounds how many devices one collector asks at the same time.
	atOnce = 32
	// lookEvery is how often a collector looks for what is due.
	lookEvery = 2 * time.Second
	// forgetAfter is how long the last known port of a station is kept.
	forgetAfter = 90 * 24 * time.Hour
	maxWord     = 255
)

func jitter(d time.Duration) time.Duration { return d + rand.N(d/10+1) }

// Run polls what is due until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	free := make(chan struct{}, atOnce)
	var polls sync.WaitGroup
	defer polls.Wait()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	troubled := false
	for {
		due, err := w.claim(ctx, atOnce-len(free))
		if ctx.Err() != nil {
			return
		}
		if err != nil && !troubled {
			w.log.Error("gear is not polled", "error", err)
		}
		troubled = err != nil
		for _, device := range due {
			free <- struct{}{}
			polls.Go(func() {
				defer func() { <-free }()
				w.visit(ctx, device)
			})
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
	if err != nil && ctx.Err() == nil { // ours, not the device's: it is due again when the lease ends
		w.log.Error("what a device said was not kept", "device", device.Address, "error", err)
	}
}

// visited is what a visit brought.
type visited struct {
	gear     *constatv1.Gear
	counters *constatv1.GearCounters // of a whole poll
	before   query.GearFact
	changed  bool
	tracks   *tracks // of a whole poll
	// state and reason are how it went.
	state, reason string
}

// ask reads what is due of a device. That it does not answer is no error, but a
// state.
func (w *Watch) ask(ctx context.Context, device query.Gear) (*visited, error) {
	v := &visited{state: "ok"}
	var err error
	if v.before, err = w.store.Read().GearFacts(ctx, device.ID); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	last := &constatv1.Gear{}
	if len(v.before.Content) > 0 {
		if err := store.UnpackMessage(v.before.Content, last); err != nil {
			return nil, err
		}
	}
	now := w.now()
	ctx, cancel := context.WithTimeout(ctx, maxPoll)
	defer cancel()
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
	if len(v.before.Content) > 0 && device.WholeDueAt > store.Millis(now) {
		v.gear, v.changed, err = Status(ctx, session, last, now)
		if err != nil {
			return v.failed(err), nil
		}
		return v, nil
	}
	result, err := Poll(ctx, session, now)
	if err != nil {
		return v.failed(err), nil
	}
	v.gear, v.counters = result.Gear, result.Counters
	if result.Partial != nil {
		v.state, v.reason = "partial", result.Partial.Error()
	}
	before := &constatv1.GearCounters{}
	if len(v.before.Counters) > 0 {
		if err := store.UnpackMessage(v.before.Counters, before); err != nil {
			return nil, err
		}
		Compare(v.gear, v.counters, before)
	}
	if v.tracks, err = w.track(ctx, device.ID, v.gear, now); err != nil {
		return nil, err
	}
	sinceLast(v.gear, last, now)
	return v, nil
}

func (v *visited) failed(err error) *visited {
	v.gear, v.state, v.reason = nil, "timeout", err.Error()
	if errors.Is(err, snmp.ErrRefused) {
		v.state = "authFailed"
	}
	return v
}

// keep stores what a visit brought, unless somebody else has the lease by now,
// and says when the next is due.
func (w *Watch) keep(ctx context.Context, device query.Gear, v *visited) error {
	now := w.now()
	next := query.FinishGearParams{
		ID: device.ID, LeaseOwner: w.owner, Name: device.Name, NameKey: device.NameKey, Vendor: device.Vendor, Model: device.Model,
		Serial: device.Serial, Os: device.Os, Version: device.Version, State: v.state, Reason: word(v.reason, 1000),
		StateSince: device.StateSince, AnsweredAt: device.AnsweredAt, WholeDueAt: device.WholeDueAt,
	}
	if v.state != device.State {
		next.StateSince = store.Millis(now)
		w.say(device, v)
	}
	switch {
	case v.gear == nil && v.state == "authFailed":
		next.Failures = device.Failures + 1
		next.DueAt = store.Millis(now.Add(w.spread(refusedPause)))
	case v.gear == nil:
		next.Failures = device.Failures + 1
		next.DueAt = store.Millis(now.Add(w.spread(min(statusEvery<<min(device.Failures, 8), maxPause))))
	default:
		next.AnsweredAt = store.Millis(now)
		next.DueAt = store.Millis(now.Add(w.spread(statusEvery)))
		if v.counters != nil {
			next.WholeDueAt = store.Millis(now.Add(w.spread(wholeEvery)))
			id := v.gear.GetIdentity()
			next.Name, next.Vendor, next.Model = word(id.GetName(), maxWord), word(id.GetVendor(), maxWord), word(id.GetModel(), maxWord)
			next.Serial, next.Os, next.Version = word(id.GetSerial(), maxWord), word(id.GetOs(), maxWord), word(id.GetVersion(), maxWord)
			next.NameKey = strings.ToLower(cmp.Or(next.Name, device.Address))
		} else if v.changed {
			next.WholeDueAt, next.DueAt = 0, 0
		}
		// What a status poll can't tell anew still holds.
		if v.counters == nil && device.State == "partial" {
			next.State, next.Reason, next.StateSince = device.State, device.Reason, device.StateSince
		}
	}
	facts, err := w.facts(device, v, now)
	if err != nil {
		return err
	}
	return w.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		mine, err := q.FinishGear(ctx, next)
		if err != nil || mine == 0 || facts == nil {
			return err
		}
		if err := q.PutGearFacts(ctx, *facts); err != nil || v.counters == nil {
			return err
		}
		return v.tracks.keep(ctx, q, device.ID, v.gear, now)
	})
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

// facts is the row of a device's facts after a visit; nil leaves it as it is.
func (w *Watch) facts(device query.Gear, v *visited, now time.Time) (*query.PutGearFactsParams, error) {
	row := query.PutGearFactsParams{
		GearID: device.ID, TakenAt: store.Millis(now), WholeAt: v.before.WholeAt, Content: v.before.Content, Counters: v.before.Counters, Plan: v.before.Plan,
	}
	seen := v.gear
	switch {
	case seen == nil && v.before.GearID == "":
		return nil, nil
	case seen == nil:
		// Of a device that is silent only that is known; what it said stays, with
		// its age.
		row.TakenAt = v.before.TakenAt
		seen = &constatv1.Gear{PollResult: proto.String(v.state)}
	}
	var err error
	if v.gear != nil {
		if row.Content, err = store.PackMessage(v.gear); err != nil {
			return nil, err
		}
	}
	if v.counters != nil {
		row.WholeAt = store.Millis(now)
		if row.Counters, err = store.PackMessage(v.counters); err != nil {
			return nil, err
		}
	}
	if row.Counters == nil {
		row.Counters = []byte{}
	}
	if row.Plan == nil {
		row.Plan = []byte{}
	}
	row.Diagnosis, err = store.PackMessage(w.judge(seen, now))
	return &row, err
}

// judge names what is wrong with a device by its own poll.
func (w *Watch) judge(g *constatv1.Gear, now time.Time) *constatv1.Diagnosis {
	s := &constatv1.Snapshot{Gear: g, Manifest: &constatv1.Manifest{TakenAt: timestamppb.New(now), Groups: []*constatv1.GroupEntry{
		{Group: "gear", Observation: &constatv1.Observation{Status: "observed", Source: "snmp", At: timestamppb.New(now)}},
	}}}
	return diagnosis.Judge(w.catalog, diagnosis.Gear(), s, now, "en")
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
