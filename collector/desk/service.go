package desk

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"constat/collector/desk/calendar"
	"constat/collector/store"
	"constat/collector/store/query"
	"constat/internal/config"
	constatv1 "constat/proto/constat/v1"
)

const (
	// serviceSetting is where the text of the service levels is kept.
	serviceSetting = "desk.service"
	maxService     = 16 << 10
	// warnPercent is how much of the time is over when the warning comes.
	warnPercent = 80
	// escalatePercent is how much of it when those above learn that it is missed.
	escalatePercent = 200
	// tellAtOnce is how many tickets one round of the clock looks at, and
	// recountAtOnce how many a change of the promises changes in one step.
	tellAtOnce    = 200
	recountAtOnce = 25
)

// serviceLevels are the promises of a desk. Working time is counted by its
// calendar.
type serviceLevels struct {
	Zone  string `yaml:"zone"`
	Hours string `yaml:"hours"`
	// WarnPercent of a promise's time over: its assignee is warned.
	WarnPercent int `yaml:"warnPercent"`
	// EscalatePercent of it over: those who can help are told.
	EscalatePercent int `yaml:"escalatePercent"`
	// Tell says who learns of a stage.
	Tell map[string][]string `yaml:"tell"`
	// ReturnAfter is how long, in working time, somebody may leave a new ticket
	// untouched that they were given by rule, and UnassignedAfter how long nobody
	// may have it before those who lead are told; empty: for ever.
	ReturnAfter     string `yaml:"returnAfter"`
	UnassignedAfter string `yaml:"unassignedAfter"`
	// VIP are the requesters, by account or mail, whose tickets are one step more
	// urgent, and Deadlines the times in which a matter is; never critical.
	VIP []string `yaml:"vip"`
	// UrgentWords in what a requester writes make it one step more urgent, too.
	UrgentWords []string   `yaml:"urgentWords"`
	Deadlines   []deadline `yaml:"deadlines"`
	// CloseAfter is how many days after the last word a solved ticket is closed, and
	// how many a closed one is opened again by its requester's answer, which makes a
	// new ticket later; 0: it stays solved, and any answer opens it. CloseAfterIn are
	// those of queues, and ReopenedTo who has it then: assignee, or queue for nobody.
	CloseAfter   int            `yaml:"closeAfter"`
	CloseAfterIn map[string]int `yaml:"closeAfterIn"`
	ReopenedTo   string         `yaml:"reopenedTo"`
	// Of each priority.
	Urgent promised `yaml:"urgent"`
	High   promised `yaml:"high"`
	Normal promised `yaml:"normal"`
	Low    promised `yaml:"low"`

	calendar *calendar.Calendar
	by       map[string]promises

	returnAfter, unassignedAfter time.Duration
}

// promised are the promises of one priority as they are written.
type promised struct {
	FirstResponse string `yaml:"firstResponse"`
	NextResponse  string `yaml:"nextResponse"`
	Solution      string `yaml:"solution"`
}

// promises are those of one priority; 0 promises nothing.
type promises struct{ first, next, solution time.Duration }

// parseServiceLevels reads the text of an administrator; an empty one promises
// nothing.
func parseServiceLevels(text string) (*serviceLevels, error) {
	l := &serviceLevels{WarnPercent: warnPercent, EscalatePercent: escalatePercent, CloseAfter: closeAfter, ReopenedTo: toAssignee, UrgentWords: urgentWords}
	if len(text) > maxService {
		return nil, problem(ErrInvalid, "the service levels are longer than %d bytes", maxService)
	}
	if err := config.Parse([]byte(text), l); err != nil {
		return nil, problem(ErrInvalid, "the service levels: %v", err)
	}
	var err error
	if l.calendar, err = calendar.Parse(l.Zone, l.Hours); err != nil {
		return nil, problem(ErrInvalid, "the service levels: hours: %v", err)
	}
	if l.WarnPercent < 1 || l.WarnPercent > 100 {
		return nil, problem(ErrInvalid, "the service levels: warnPercent is %d, and must be 1 to 100", l.WarnPercent)
	}
	if l.EscalatePercent <= 100 || l.EscalatePercent > 1000 {
		return nil, problem(ErrInvalid, "the service levels: escalatePercent is %d, and must be 101 to 1000", l.EscalatePercent)
	}
	if err := l.readTurns(); err != nil {
		return nil, err
	}
	if err := l.checkRaises(); err != nil {
		return nil, err
	}
	if err := l.checkClosing(); err != nil {
		return nil, err
	}
	l.by = map[string]promises{}
	for _, one := range []struct {
		priority string
		written  promised
	}{{"urgent", l.Urgent}, {"high", l.High}, {"normal", l.Normal}, {"low", l.Low}} {
		var p promises
		for _, field := range []struct {
			name, text string
			into       *time.Duration
		}{{clockFirst, one.written.FirstResponse, &p.first}, {clockNext, one.written.NextResponse, &p.next}, {clockSolution, one.written.Solution, &p.solution}} {
			if field.text == "" {
				continue
			}
			d, err := time.ParseDuration(field.text)
			if err != nil || d < time.Minute || d > 365*24*time.Hour {
				return nil, problem(ErrInvalid, "the service levels: %s: %s: %q is not a working time: write it as 30m or 8h, up to 8760h", one.priority, field.name, field.text)
			}
			*field.into = d
		}
		l.by[one.priority] = p
	}
	return l, nil
}

// levels reads the service levels in place. They seldom change, and are parsed
// once.
func (d *Desk) levels(ctx context.Context, q *query.Queries) (*serviceLevels, error) {
	kept, err := q.Setting(ctx, serviceSetting)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	text := string(kept)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.service == nil || d.serviceText != text {
		l, err := parseServiceLevels(text)
		if err != nil { // it was checked when it was put
			return nil, fmt.Errorf("what is kept as service levels cannot be read: %w", err)
		}
		d.service, d.serviceText = l, text
	}
	return d.service, nil
}

// Clocks of a ticket.
const (
	clockFirst    = "firstResponse"
	clockNext     = "nextResponse"
	clockSolution = "solution"
)

// Stages of a promise, in their order.
const (
	stageWarned    = "warned"
	stageMissed    = "missed"
	stageEscalated = "escalated"
)

// clock is one promise that runs.
type clock struct {
	name string
	due  time.Time
	// stages are when which word is due.
	stages []stage
}

type stage struct {
	name string
	at   time.Time
}

// finished are the states in which nothing is waited for.
func finished(status string) bool {
	return slices.Contains([]string{"solved", "closed", "merged"}, status)
}

// frozen are the states in which the solution waits for somebody else than us.
func frozen(status string) bool { return status == "pending" || finished(status) }

// run is a promise under way: since when, of how much time, and the working time
// that it waited.
type run struct {
	name             string
	from             time.Time
	promised, waited time.Duration
}

// after is when so much of the promise's time is over.
func (l *serviceLevels) after(r run, percent int) time.Time {
	return l.calendar.Add(r.from, r.promised/100*time.Duration(percent)+r.waited)
}

// running are the promises under way for a ticket as it is.
func (l *serviceLevels) running(t *query.Ticket) (list []run) {
	p := l.by[t.Priority]
	add := func(name string, from int64, promised, waited time.Duration) {
		if promised != 0 && from != 0 {
			list = append(list, run{name, store.Time(from), promised, waited})
		}
	}
	if finished(t.Status) || t.HeldAt != 0 {
		return nil
	}
	if t.FirstResponseAt == 0 {
		add(clockFirst, t.CreatedAt, p.first, time.Duration(t.HeldMs)*time.Millisecond)
	} else {
		add(clockNext, t.AskedAt, p.next, time.Duration(t.AskedHeldMs)*time.Millisecond)
	}
	if !frozen(t.Status) {
		add(clockSolution, t.CreatedAt, p.solution, time.Duration(t.FrozenMs)*time.Millisecond)
	}
	return list
}

// clocks are the promises that run for a ticket as it is, with their stages.
func (l *serviceLevels) clocks(t *query.Ticket) []clock {
	var list []clock
	for _, r := range l.running(t) {
		c := clock{name: r.name, due: l.calendar.Add(r.from, r.promised+r.waited)}
		if c.due.IsZero() {
			continue
		}
		for _, s := range []struct {
			name    string
			percent int
		}{{stageWarned, l.WarnPercent}, {stageMissed, 100}, {stageEscalated, l.EscalatePercent}} {
			if at := l.after(r, s.percent); !at.IsZero() {
				c.stages = append(c.stages, stage{s.name, at})
			}
		}
		list = append(list, c)
	}
	return list
}

// wind sets a ticket's clocks by what is promised: what is due when, and when the
// next word about it is. Every change of a ticket goes through it.
func (l *serviceLevels) wind(t *query.Ticket, now time.Time) {
	l.hold(t, now)
	stopped := frozen(t.Status) || t.HeldAt != 0
	switch {
	case stopped && t.FrozenAt == 0:
		t.FrozenAt = store.Millis(now)
	case !stopped && t.FrozenAt != 0:
		t.FrozenMs += l.calendar.Between(store.Time(t.FrozenAt), now).Milliseconds()
		t.FrozenAt = 0
	}
	t.FirstDueAt, t.NextDueAt, t.SolutionDueAt, t.DueAt = 0, 0, 0, 0
	running := l.clocks(t)
	if waits := t.ClockAt != 0 && t.ClockAt <= store.Millis(now); !waits || len(running) == 0 {
		t.ClockAt = 0
	} // else it is still to be told, and then the clock goes on
	if !frozen(t.Status) {
		t.DueAt = t.WantedAt // what people agreed on counts like a promise
	}
	if t.HeldAt != 0 && !finished(t.Status) {
		t.ClockAt = t.HeldUntil // when they run again
	}
	for _, c := range running {
		if at := store.Millis(c.due); t.DueAt == 0 || at < t.DueAt {
			t.DueAt = at
		}
		switch c.name {
		case clockFirst:
			t.FirstDueAt = store.Millis(c.due)
		case clockNext:
			t.NextDueAt = store.Millis(c.due)
		case clockSolution:
			t.SolutionDueAt = store.Millis(c.due)
		}
		for _, s := range c.stages {
			if at := store.Millis(s.at); s.at.After(now) && (t.ClockAt == 0 || at < t.ClockAt) {
				t.ClockAt = at
			}
		}
	}
}

// hold begins and ends the time in which no promise of a ticket runs, by what it is
// held until. What it was held is counted to that moment, however late it is noticed.
func (l *serviceLevels) hold(t *query.Ticket, now time.Time) {
	if t.HeldUntil > store.Millis(now) {
		if t.HeldAt == 0 {
			t.HeldAt = store.Millis(now)
		}
		return
	}
	if t.HeldAt == 0 {
		return
	}
	end := now
	if t.HeldUntil != 0 {
		end = store.Time(t.HeldUntil)
	}
	since := func(from int64) int64 { return max(0, l.calendar.Between(store.Time(from), end).Milliseconds()) }
	t.HeldMs += since(t.HeldAt)
	if t.AskedAt != 0 {
		t.AskedHeldMs += since(max(t.HeldAt, t.AskedAt))
	}
	if t.FrozenAt != 0 && !frozen(t.Status) { // it stood still for this alone
		t.FrozenMs += since(t.FrozenAt)
		t.FrozenAt = 0
	}
	t.HeldAt, t.HeldUntil = 0, 0
}

// settle ends a hold of a locked ticket that is over but was not noticed yet. It goes
// before any change: of one that stands still from now on nobody could tell later that
// it ran in between.
func (d *Desk) settle(ctx context.Context, q *query.Queries, t *query.Ticket) error {
	if t.HeldAt == 0 {
		return nil
	}
	l, err := d.levels(ctx, q)
	if err != nil {
		return err
	}
	l.hold(t, d.now())
	return nil
}

// tellClocks writes the words that are due about a ticket's promises, each once,
// and sets the clock to the next.
func (d *Desk) tellClocks(ctx context.Context, q *query.Queries, number int32) (told bool, err error) {
	now := d.now()
	t, err := q.LockTicket(ctx, number)
	if err != nil || t.ClockAt == 0 || t.ClockAt > store.Millis(now) {
		return false, err // somebody else was faster
	}
	l, err := d.levels(ctx, q)
	if err != nil {
		return false, err
	}
	l.hold(&t, now)
	for _, c := range l.clocks(&t) {
		for _, s := range slices.Backward(c.stages) {
			if s.at.After(now) {
				continue
			}
			// Only the last: a collector that was off tells no old news.
			name := fmt.Sprintf("%s %s %d", c.name, s.name, store.Millis(c.due))
			id := uuid.NewSHA1(uuid.MustParse(t.ID), []byte(name)).String()
			if _, err := q.Entry(ctx, number, id); errors.Is(err, sql.ErrNoRows) {
				told = true
				err := writeEntry(ctx, q, number, now, &constatv1.TicketEntry{
					Id: id, Kind: "sla", Actor: System.Name, ActorRole: "system",
					Service: &constatv1.ServiceEvent{Clock: c.name, Stage: s.name, DueAt: timestamp(store.Millis(c.due))},
				})
				if err == nil {
					err = d.tellClock(ctx, q, t, c, s.name, id)
				}
				if err != nil {
					return false, err
				}
			} else if err != nil {
				return false, err
			}
			break
		}
	}
	t.ClockAt = 0
	return told, d.saveTicket(ctx, q, t, now)
}

// watchClocks tells what is due by now, on any number of collectors at once.
func (d *Desk) watchClocks(ctx context.Context) error {
	for {
		due, err := d.store.Read().TicketsToTell(ctx, store.Millis(d.now()), tellAtOnce)
		if err != nil || len(due) == 0 {
			return err
		}
		for _, number := range due {
			var told bool
			err := d.store.Write(ctx, func(ctx context.Context, q *query.Queries) (err error) {
				told, err = d.tellClocks(ctx, q, number)
				return err
			})
			if err != nil {
				return err
			}
			if told {
				d.hint(ticketSubject(number))
			}
		}
		if len(due) < tellAtOnce {
			return nil
		}
	}
}

// ServiceLevels is the text of what is promised; empty: nothing.
func (d *Desk) ServiceLevels(ctx context.Context) (string, error) {
	if err := staffOnly(ctx, "look at what is promised"); err != nil {
		return "", err
	}
	kept, err := d.store.Setting(ctx, serviceSetting)
	if errors.Is(err, store.ErrNoSetting) {
		return "", nil
	}
	return string(kept), err
}

// SetServiceLevels promises what the text says, from now on and for the tickets
// under way, and tells how many of these have other promises now.
func (d *Desk) SetServiceLevels(ctx context.Context, a Actor, text string) (changed int, err error) {
	if err := a.require("change what is promised", "administrator", "system"); err != nil {
		return 0, err
	}
	if err := a.requireEverywhere("what is promised"); err != nil {
		return 0, err
	}
	text = clean(strings.TrimRight(text, " \n\r\t"), maxService+1)
	if _, err := parseServiceLevels(text); err != nil {
		return 0, err
	}
	if err := d.store.PutSetting(ctx, serviceSetting, []byte(text)); err != nil {
		return 0, err
	}
	for after := int32(0); ; {
		numbers, err := d.store.Read().UnfinishedAfter(ctx, after, recountAtOnce)
		if err != nil || len(numbers) == 0 {
			return changed, err
		}
		after = numbers[len(numbers)-1]
		var some int
		err = d.store.Write(ctx, func(ctx context.Context, q *query.Queries) (err error) {
			some, err = d.recount(ctx, q, numbers)
			return err
		})
		if err != nil {
			return changed, err
		}
		changed += some
		slog.Debug("promises counted anew", "upTo", after)
	}
}

// recount winds the clocks of tickets anew and tells how many stand otherwise.
func (d *Desk) recount(ctx context.Context, q *query.Queries, numbers []int32) (changed int, err error) {
	l, err := d.levels(ctx, q)
	if err != nil {
		return 0, err
	}
	for _, number := range numbers {
		before, err := q.LockTicket(ctx, number)
		if err != nil {
			return 0, err
		}
		after := before
		if l.wind(&after, d.now()); after == before {
			continue
		}
		if err := d.saveTicket(ctx, q, after, d.now()); err != nil {
			return 0, err
		}
		changed++
	}
	return changed, nil
}
