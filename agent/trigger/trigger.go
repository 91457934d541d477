// Package trigger decides when the agent looks for a cause although nobody asked:
// a print job that fails, a link that flaps, a gateway that falls silent, a
// program that crashes twice.
//
// It has no clock and does no I/O: what was seen in a minute goes in, what is to
// be looked into comes out. Each occasion comes once, however long it lasts, and
// what merely looks like one (a machine that slept, was docked, restarted, or
// joined a VPN) gives none. What the looks cost is bounded by an hour, a day, the
// battery and the organisation's quiet hours; nobody is told of a look that found
// nothing.
package trigger

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"
)

// Events, as Diagnosis.event of the schema has them.
const (
	PrintJobFailed = "printJobFailed"
	LinkLost       = "linkLost"
	LinkFlaps      = "linkFlaps"
	GatewaySilent  = "gatewaySilent"
	DNSSilent      = "dnsSilent"
	ProgramCrashes = "programCrashes"
	ServiceLoops   = "serviceLoops"
	DeviceRefused  = "deviceRefused"
	Resumed        = "resumed"
	Daily          = "daily"
)

// procedures says which procedure looks into an event.
var procedures = map[string]string{
	PrintJobFailed: "printing",
	LinkLost:       "internet",
	LinkFlaps:      "internet",
	GatewaySilent:  "internet",
	DNSSilent:      "internet",
	ProgramCrashes: "software",
	ServiceLoops:   "software",
	DeviceRefused:  "peripheral",
	Resumed:        "internet",
	Daily:          "full",
}

// Reasons for which a look waits, as GetStatusResponse.Held.reason of the schema
// has them.
const (
	PerHour    = "perHour"
	PerDay     = "perDay"
	QuietHours = "quietHours"
	LowBattery = "lowBattery"
	OnBattery  = "onBattery"
	Metered    = "metered"
	Busy       = "busy"
	// off is no waiting: the organisation wants none of it.
	off = "off"
)

// Reasons lists them, sorted.
func Reasons() []string {
	return []string{Busy, LowBattery, Metered, OnBattery, PerDay, PerHour, QuietHours}
}

// Events lists what can set a diagnosis off, sorted.
func Events() []string { return slices.Sorted(maps.Keys(procedures)) }

// Occasion is something to be looked into now.
type Occasion struct {
	// Event is one of the constants, Subject the link, queue, program, service or
	// device it is about; it may be empty.
	Event, Subject string
	// Procedure is the built-in procedure that looks into it.
	Procedure string
	// At is when it was noticed.
	At time.Time
}

// Held is something that happened and is not looked into yet, for a reason.
type Held struct{ Event, Subject, Reason string }

// Minute is what was seen within a minute.
type Minute struct {
	At time.Time
	// Settled is false for a minute in which the machine woke up, started, or had
	// its clock set: what it shows then is its own doing.
	Settled bool
	// Gateways says by link whether the gateway answered an echo request. A
	// gateway that never answers any is not in it.
	Gateways map[string]bool
	// DNS is whether the resolver answered; nil: it was not asked.
	DNS *bool
	// CarrierLosses counts by link how often the carrier went, ever.
	CarrierLosses map[string]int
	// Routed is whether some link has a default route; nil: unknown.
	Routed *bool
	// FailedQueues are print queues with jobs that can't go on.
	FailedQueues []string
	// Loops are services that were restarted again and again within ten minutes.
	// Both lists are nil in a minute in which nobody looked.
	Loops []string
	// Crashes are the crashes of programs that are on record; nil in a minute in
	// which nobody looked.
	Crashes []Crash
	// Refused are devices that are plugged in and can't be used.
	Refused []string
	// OnBattery and Charge, in percent, are of a machine with a battery; nil:
	// unknown.
	OnBattery *bool
	Charge    *int
	// Metered: what goes over the network is paid for.
	Metered bool
	// Idle: nobody would notice that the machine does something.
	Idle bool
}

// Crash is one crash of a program.
type Crash struct {
	Program string
	At      time.Time
}

// Limits of what is looked into, and how long things may last before they count.
const (
	// perHour and perDay bound the looks that nobody asked for.
	perHour = 4
	perDay  = 12
	// again is how long the same event of the same subject stays quiet after it
	// was over and came back.
	again = 6 * time.Hour
	// silentFor is how many minutes in a row something must be silent.
	silentFor = 2
	// flapsWithin and flapsLeast: so many losses of the carrier, in so many
	// minutes of their own, within so long.
	flapsWithin = 10 * time.Minute
	flapsLeast  = 3
	// lostFor is how long a machine is without any way out before that counts.
	lostFor = 3 * time.Minute
	// jobsFor is how many minutes a queue is given to help itself.
	jobsFor = 2
	// crashesWithin is how long a crash is remembered for a second one, and
	// sameCrash how far apart two times of one crash may be: records reckon it
	// anew each time they are read.
	crashesWithin = 24 * time.Hour
	sameCrash     = 30 * time.Second
	// disturbedFor is how long after a sleep, a start, a dock or another way out
	// the network's trouble is its own doing.
	disturbedFor = 2 * time.Minute
	// lowCharge is a battery, in percent, that is left alone.
	lowCharge = 20
	// The daily look lies between these hours of the machine's clock.
	dailyFrom, dailyUntil = 10, 16
)

// Policy is what the organisation says of the looks.
type Policy struct {
	// Off are events that set nothing off.
	Off []string
	// PerDay is at most so many looks; 0: the default.
	PerDay int
	// From and Until are quiet hours in minutes of the machine's day; both 0:
	// none.
	From, Until int
}

// ParseQuiet reads quiet hours, "22:00-06:00", into minutes of the day.
func ParseQuiet(text string) (from, until int, err error) {
	if text == "" {
		return 0, 0, nil
	}
	a, b, found := strings.Cut(text, "-")
	begin, err1 := time.Parse("15:04", strings.TrimSpace(a))
	end, err2 := time.Parse("15:04", strings.TrimSpace(b))
	if !found || cmp.Or(err1, err2) != nil {
		return 0, 0, fmt.Errorf("the quiet hours %q are not like \"22:00-06:00\"", text)
	}
	return begin.Hour()*60 + begin.Minute(), end.Hour()*60 + end.Minute(), nil
}

// quiet tells whether t lies in the quiet hours.
func (p Policy) quiet(t time.Time) bool {
	minute := t.Hour()*60 + t.Minute()
	if p.From <= p.Until {
		return minute >= p.From && minute < p.Until
	}
	return minute >= p.From || minute < p.Until
}

// Watch remembers what was seen. The zero value is ready; it is not safe for
// concurrent use.
type Watch struct {
	// Policy may be changed between two minutes.
	Policy Policy
	// Machine spreads the daily looks of many machines over the hours.
	Machine string

	// disturbed is when the network's trouble was last the machine's own doing.
	disturbed time.Time
	ways      []string
	answered  map[string]bool
	silent    map[string]int
	resolved  bool
	unheard   int
	losses    map[string]int
	flaps     map[string][]time.Time
	// lostAt is when a link last lost its carrier.
	lostAt map[string]time.Time
	// routeless is since when there is no way out; woken that the machine was
	// asleep and its network was not seen since.
	routeless    time.Time
	hadRoute     bool
	woken        bool
	wokenAt      time.Time
	onBattery    *bool
	undocked     time.Time
	failing      map[string]int
	crashes      map[string][]time.Time
	knowsCrashes bool
	refused      []string
	knowsRefused bool
	daily        time.Time

	// open are occasions that last, and past is when each was last taken up.
	open map[string]bool
	past map[string]time.Time
	// looks are those of the last day.
	looks []time.Time
	// changed: one of these three did since they were last told.
	changed bool
	// held is what waits in this minute.
	held []Held
}

// Memory is what outlives a restart of the agent or of its machine: what is known
// already is no news after it, and what was spent stays spent.
type Memory struct {
	Open  []string             `json:"open,omitempty"`
	Past  map[string]time.Time `json:"past,omitempty"`
	Looks []time.Time          `json:"looks,omitempty"`
}

// Recall begins where another watch ended. What it remembers of a time that is
// still to come is forgotten: the clock was set since.
func (w *Watch) Recall(m Memory, now time.Time) {
	w.begin(now)
	for _, key := range m.Open {
		w.open[key] = true
	}
	maps.Copy(w.past, m.Past)
	maps.DeleteFunc(w.past, func(_ string, at time.Time) bool { return at.After(now) })
	w.looks = slices.DeleteFunc(slices.Clone(m.Looks), now.Before)
	w.changed = false
}

// Memory is what is to be remembered, and whether it is another than last time.
func (w *Watch) Memory() (m Memory, changed bool) {
	changed, w.changed = w.changed, false
	return Memory{slices.Sorted(maps.Keys(w.open)), maps.Clone(w.past), slices.Clone(w.looks)}, changed
}

// begin makes the watch's tables, once.
func (w *Watch) begin(now time.Time) {
	if w.open != nil {
		return
	}
	w.answered, w.silent, w.losses = map[string]bool{}, map[string]int{}, map[string]int{}
	w.flaps, w.failing, w.crashes = map[string][]time.Time{}, map[string]int{}, map[string][]time.Time{}
	w.open, w.past, w.lostAt = map[string]bool{}, map[string]time.Time{}, map[string]time.Time{}
	// A machine that has just started settles by itself.
	w.disturbed = now
	w.daily = now
}

// Next takes what was seen in a minute and gives what is to be looked into now.
func (w *Watch) Next(m Minute) []Occasion {
	w.begin(m.At)
	w.forget(m.At)
	now := map[string]bool{} // what holds in this minute
	w.held = nil
	w.network(m, now)
	w.printing(m, now)
	w.programs(m, now)
	w.devices(m, now)
	w.day(m, now)

	var due []Occasion
	for _, key := range slices.Sorted(maps.Keys(now)) {
		event, subject, _ := strings.Cut(key, " ")
		if w.open[key] {
			continue
		}
		last, taken := w.past[key]
		known := taken && m.At.Sub(last) < again
		if reason := w.waits(event, m); reason != "" {
			if !known {
				w.hold(event, subject, reason)
			}
			continue
		}
		// A flood of subjects is one trouble: each event is taken up once a minute.
		w.open[key], w.changed = true, true
		if event == Resumed {
			w.oneTrouble(m, now)
		}
		if slices.ContainsFunc(due, func(o Occasion) bool { return o.Procedure == procedures[event] }) {
			continue
		}
		if known {
			continue
		}
		w.past[key] = m.At
		w.looks = append(w.looks, m.At)
		due = append(due, Occasion{Event: event, Subject: subject, Procedure: procedures[event], At: m.At})
	}
	for key := range w.open {
		if !now[key] && w.over(key, m) {
			delete(w.open, key)
			w.changed = true
		}
	}
	return due
}

// forget drops what is long past. What is of a time that is still to come was just
// now: the clock was set back since.
func (w *Watch) forget(now time.Time) {
	maps.DeleteFunc(w.past, func(_ string, at time.Time) bool { return now.Sub(at) > 2*24*time.Hour })
	w.looks = slices.DeleteFunc(w.looks, func(at time.Time) bool { return now.Sub(at) >= 24*time.Hour })
	for _, times := range []map[string]time.Time{w.past, w.lostAt} {
		for key, at := range times {
			times[key] = earlier(at, now)
		}
	}
	lists := []([]time.Time){w.looks}
	for _, all := range w.flaps {
		lists = append(lists, all)
	}
	for _, all := range lists {
		for i, at := range all {
			all[i] = earlier(at, now)
		}
	}
	w.routeless = earlier(w.routeless, now)
	if w.daily.Sub(now) > 24*time.Hour { // within a day it was this day's
		w.daily = now
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// over tells whether something that does not hold in this minute is known to be
// over, and was not merely not looked at.
func (w *Watch) over(key string, m Minute) bool {
	event, subject, _ := strings.Cut(key, " ")
	switch event {
	case PrintJobFailed: // after a restart it counts anew how long
		return m.FailedQueues != nil && !slices.Contains(m.FailedQueues, subject)
	case ServiceLoops:
		return m.Loops != nil
	case ProgramCrashes:
		return w.knowsCrashes
	case DeviceRefused:
		return w.knowsRefused
	case DNSSilent:
		return m.DNS != nil
	case GatewaySilent:
		return m.Settled
	}
	return true
}

// Held is what happened and waits, as of the last minute, by event and subject.
func (w *Watch) Held() []Held {
	slices.SortFunc(w.held, func(a, b Held) int {
		return cmp.Or(cmp.Compare(a.Event, b.Event), cmp.Compare(a.Subject, b.Subject))
	})
	return w.held
}

// hold notes that something waits, unless nobody wants it.
func (w *Watch) hold(event, subject, reason string) {
	if reason != off {
		w.held = append(w.held, Held{event, subject, reason})
	}
}

// waits says why a look for this event may not begin in this minute; empty: it may.
func (w *Watch) waits(event string, m Minute) string {
	lately := 0
	for _, at := range w.looks {
		if m.At.Sub(at) < time.Hour {
			lately++
		}
	}
	onBattery := m.OnBattery != nil && *m.OnBattery
	for _, limit := range []struct {
		reason string
		holds  bool
	}{
		{off, slices.Contains(w.Policy.Off, event)},
		{QuietHours, w.Policy.quiet(m.At)},
		{LowBattery, onBattery && m.Charge != nil && *m.Charge < lowCharge},
		{OnBattery, onBattery && event == Daily},
		{Metered, m.Metered && event == Daily},
		{PerDay, len(w.looks) >= cmp.Or(w.Policy.PerDay, perDay)},
		{PerHour, lately >= perHour},
		{Busy, !m.Idle && event == Daily},
	} {
		if limit.holds {
			return limit.reason
		}
	}
	return ""
}

// network follows links, gateways and the resolver.
func (w *Watch) network(m Minute, now map[string]bool) {
	if !m.Settled {
		w.disturbed = m.At
		w.woken, w.wokenAt = true, m.At
		clear(w.silent)
		w.unheard = 0
	}
	// Another way out (a VPN, another network, a dock with its own adapter) makes
	// what answered before unreachable for a while, or for good.
	if ways := slices.Sorted(maps.Keys(m.Gateways)); m.Settled && !slices.Equal(ways, w.ways) {
		if w.ways != nil {
			w.disturbed = m.At
		}
		w.ways = ways
	}
	// From mains to battery in the minute in which a link goes: it was undocked, or
	// carried away.
	if m.OnBattery != nil {
		if w.onBattery != nil && *m.OnBattery && !*w.onBattery {
			w.undocked = m.At
		}
		w.onBattery = m.OnBattery
	}
	calm := m.Settled && m.At.Sub(w.disturbed) >= disturbedFor
	w.follow(m)
	// Behind a cable that is out, or a gateway that is silent, nobody answers.
	cut := !w.routeless.IsZero()
	deaf := cut
	for link, answers := range m.Gateways {
		deaf = deaf || !answers && w.answered[link]
	}

	if m.DNS != nil {
		switch {
		case *m.DNS:
			w.resolved, w.unheard = true, 0
		case deaf:
			w.unheard = 0
		case w.resolved && calm:
			if w.unheard++; w.unheard >= silentFor {
				now[DNSSilent] = true
			}
		}
	}
	for link, count := range m.CarrierLosses {
		before, known := w.losses[link]
		w.losses[link] = count
		if known && count > before {
			w.lostAt[link] = m.At
			if m.Settled {
				w.flaps[link] = append(w.flaps[link], m.At)
			}
		}
		w.flaps[link] = slices.DeleteFunc(w.flaps[link], func(at time.Time) bool { return m.At.Sub(at) >= flapsWithin })
		if len(w.flaps[link]) >= flapsLeast {
			now[LinkFlaps+" "+link] = true
		}
	}
	for link := range w.losses {
		if _, there := m.CarrierLosses[link]; !there { // its adapter was taken away, counter and all
			delete(w.losses, link)
			delete(w.flaps, link)
			delete(w.lostAt, link)
			w.disturbed = m.At
		}
	}
	for link, answers := range m.Gateways {
		switch {
		case answers:
			w.answered[link], w.silent[link] = true, 0
		case cut, m.At.Sub(w.lostAt[link]) < disturbedFor: // its link explains it
			w.silent[link] = 0
		case w.answered[link] && calm:
			if w.silent[link]++; w.silent[link] >= silentFor {
				now[GatewaySilent+" "+link] = true
			}
		case w.answered[link] && w.open[GatewaySilent+" "+link]:
			now[GatewaySilent+" "+link] = true // it lasts
		}
	}
	w.wayOut(m, now)
	w.afterSleep(m, now)
}

// afterSleep looks once at what answers when the machine slept or started.
func (w *Watch) afterSleep(m Minute, now map[string]bool) {
	if w.woken && m.Settled && m.At.Sub(w.wokenAt) >= disturbedFor {
		// A network that is there and does not answer after a sleep; none at all is
		// another place.
		w.woken = false
		dead := len(m.Gateways) > 0
		for _, answers := range m.Gateways {
			dead = dead && !answers
		}
		if dead || m.DNS != nil && !*m.DNS {
			now[Resumed] = true
		}
	}
}

// oneTrouble takes what is silent after a sleep for what is being looked into.
func (w *Watch) oneTrouble(m Minute, now map[string]bool) {
	for link, answers := range m.Gateways {
		if key := GatewaySilent + " " + link; !answers {
			w.open[key], now[key], w.silent[link] = true, true, silentFor
		}
	}
	if m.DNS != nil && !*m.DNS {
		w.open[DNSSilent], now[DNSSilent], w.unheard = true, true, silentFor
	}
}

// follow notes since when the machine has no way out at all.
func (w *Watch) follow(m Minute) {
	switch {
	case m.Routed == nil:
	case *m.Routed:
		w.hadRoute, w.routeless = true, time.Time{}
	case w.hadRoute && w.routeless.IsZero():
		w.routeless = m.At
	}
}

// wayOut tells when that is no more the machine's own doing.
func (w *Watch) wayOut(m Minute, now map[string]bool) {
	if w.routeless.IsZero() {
		return
	}
	carried := !w.undocked.IsZero() && w.undocked.Sub(w.routeless).Abs() <= 2*disturbedFor
	slept := !w.wokenAt.IsZero() && w.wokenAt.Sub(w.routeless).Abs() <= disturbedFor
	if m.Settled && !carried && !slept && m.At.Sub(w.routeless) >= lostFor {
		now[LinkLost] = true
	}
}

// printing follows queues whose jobs can't go on.
func (w *Watch) printing(m Minute, now map[string]bool) {
	if m.FailedQueues == nil {
		return
	}
	for queue := range w.failing {
		if !slices.Contains(m.FailedQueues, queue) {
			delete(w.failing, queue)
		}
	}
	for _, queue := range m.FailedQueues {
		if w.failing[queue]++; w.failing[queue] >= jobsFor {
			now[PrintJobFailed+" "+queue] = true
		}
	}
}

// programs follows crashes and services that loop.
func (w *Watch) programs(m Minute, now map[string]bool) {
	w.crashed(m, now)
	for _, service := range m.Loops {
		now[ServiceLoops+" "+service] = true
	}
}

// crashed follows crashes. What is on record when the agent starts, or after a
// sleep, is no news: the kernel's clock rests in a sleep, and its records from
// before look later than they were.
func (w *Watch) crashed(m Minute, now map[string]bool) {
	news := w.knowsCrashes && m.Settled
	if m.Crashes != nil && !news {
		clear(w.crashes)
	}
	fresh := map[string]bool{}
	for _, crash := range m.Crashes {
		known := w.crashes[crash.Program]
		if !slices.ContainsFunc(known, func(at time.Time) bool { return at.Sub(crash.At).Abs() < sameCrash }) {
			w.crashes[crash.Program] = append(known, crash.At)
			fresh[crash.Program] = news
		}
	}
	for program, all := range w.crashes {
		all = slices.DeleteFunc(all, func(at time.Time) bool { return m.At.Sub(at) >= crashesWithin })
		key := ProgramCrashes + " " + program
		switch w.crashes[program] = all; {
		case len(all) == 0:
			delete(w.crashes, program)
		case len(all) < 2:
		case fresh[program], w.open[key]:
			now[key] = true
		}
	}
	w.knowsCrashes = w.knowsCrashes || m.Crashes != nil
}

// devices follows what is plugged in and can't be used. What was so when the
// agent started is no news.
func (w *Watch) devices(m Minute, now map[string]bool) {
	if m.Refused != nil {
		if !w.knowsRefused {
			w.knowsRefused = true
			for _, device := range m.Refused {
				w.open[DeviceRefused+" "+device] = true
			}
		}
		w.refused = m.Refused
	}
	for _, device := range w.refused {
		now[DeviceRefused+" "+device] = true
	}
}

// day looks at the whole machine once a day, each machine at its own time.
func (w *Watch) day(m Minute, now map[string]bool) {
	at := m.At
	midnight := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, at.Location())
	h := fnv.New32a()
	h.Write([]byte(w.Machine))
	span := uint32((dailyUntil - dailyFrom) * 60)
	due := midnight.Add(dailyFrom*time.Hour + time.Duration(h.Sum32()%span)*time.Minute)
	if at.Before(due) || !w.daily.Before(due) || at.Hour() >= dailyUntil {
		return
	}
	if reason := w.waits(Daily, m); reason != "" {
		w.hold(Daily, "", reason)
		return
	}
	w.daily = at
	now[Daily] = true
}
