package desk

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"constat/collector/desk/calendar"
	"constat/collector/store"
	"constat/collector/store/query"
)

// openAt is the desk's hours told by looking at the wall, a minute at a time.
func openAt(c *calendar.Calendar, t time.Time) bool {
	t = t.In(c.Zone)
	if c.Closed[t.Format(time.DateOnly)] || c.Closed[t.Format("01-02")] {
		return false
	}
	minute, any := t.Hour()*60+t.Minute(), false
	for _, day := range c.Week {
		any = any || len(day) > 0
	}
	for _, o := range c.Week[t.Weekday()] {
		if o.From <= minute && minute < o.Until {
			return true
		}
	}
	return !any
}

// TestPromiseByTheWall: whatever a ticket waits for and whatever the clocks do
// meanwhile, its solution is due when as many minutes have passed as were
// promised, counting those that the wall shows as open and in which the ticket did
// not wait for its requester; and the words about it come in their order.
func TestPromiseByTheWall(t *testing.T) {
	// No hours begin or end at a time that the wall shows twice in one night: which
	// of the two is meant, nobody can tell.
	weeks := []string{
		"mon-fri 08:30-12:00 13:00-17:30\nclosed 12-25 2026-03-30 2026-10-26", "", "mon-sun 00:45-03:10", "sat-sun 00:00-24:00\nmon 10-12", "mon-sun 22:00-24:00 00:00-06:00\nclosed 2026-03-29",
	}
	zones := []string{"UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Auckland", "America/Santiago"}
	rapid.Check(t, func(t *rapid.T) {
		c, err := calendar.Parse(rapid.SampledFrom(zones).Draw(t, "zone"), rapid.SampledFrom(weeks).Draw(t, "week"))
		if err != nil {
			t.Fatal(err)
		}
		promised := time.Duration(rapid.IntRange(1, 600).Draw(t, "promised")) * time.Minute
		l := &serviceLevels{WarnPercent: 80, EscalatePercent: 200, calendar: c, by: map[string]promises{"normal": {solution: promised}}}
		// Near a turn of the clock, or anywhere.
		turn := rapid.SampledFrom([]time.Time{
			time.Date(2026, 3, 8, 7, 0, 0, 0, time.UTC), time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC), time.Date(2026, 4, 4, 15, 0, 0, 0, time.UTC),
			time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC), time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC), time.Date(2026, 12, 24, 12, 0, 0, 0, time.UTC),
		}).Draw(t, "turn")
		created := turn.Add(time.Duration(rapid.IntRange(-2000, 2000).Draw(t, "created")) * time.Minute)
		now := created
		ticket := query.Ticket{Priority: "normal", Status: "open", CreatedAt: store.Millis(created), FirstResponseAt: store.Millis(created)}
		l.wind(&ticket, now)
		type span struct{ from, until time.Time }
		var waits []span
		for range rapid.IntRange(0, 3).Draw(t, "waits") {
			now = now.Add(time.Duration(rapid.IntRange(0, 300).Draw(t, "work")) * time.Minute)
			from := now
			ticket.Status = "pending"
			l.wind(&ticket, now)
			if ticket.SolutionDueAt != 0 {
				t.Fatal("the solution is due while it waits for the requester")
			}
			now = now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "wait")) * time.Minute)
			waits = append(waits, span{from, now})
			ticket.Status = "open"
			l.wind(&ticket, now)
		}
		left := promised
		at := created
		for ; left > 0; at = at.Add(time.Minute) {
			waiting := false
			for _, w := range waits {
				waiting = waiting || !at.Before(w.from) && at.Before(w.until)
			}
			if !waiting && openAt(c, at) {
				left -= time.Minute
			}
		}
		due := store.Time(ticket.SolutionDueAt)
		// A promise that was over before a wait began is over by the working time of
		// that wait later; nobody is served by telling it otherwise.
		if over := len(waits) > 0 && at.Before(waits[len(waits)-1].until); !over && !due.Equal(at) {
			t.Fatalf("due %s, by the wall %s (%s of %s, waits %v)", due.In(c.Zone), at.In(c.Zone), promised, c.Zone, waits)
		}
		for _, clock := range l.clocks(&ticket) {
			for i := 1; i < len(clock.stages); i++ {
				if clock.stages[i].at.Before(clock.stages[i-1].at) {
					t.Fatalf("%s at %s comes before %s at %s", clock.stages[i].name, clock.stages[i].at, clock.stages[i-1].name, clock.stages[i-1].at)
				}
			}
			if !clock.stages[1].at.Equal(clock.due) {
				t.Fatalf("missed at %s, due %s", clock.stages[1].at, clock.due)
			}
		}
	})
}
