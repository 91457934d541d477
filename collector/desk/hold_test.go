package desk

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"constat/collector/store"
	"constat/collector/store/query"
)

// TestHoldsLoseNoTime: whatever pauses a ticket, however often, over each other and
// noticed however late, the working time that counts against its promises is that in
// which nothing paused it; none is lost and none counted twice.
func TestHoldsLoseNoTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{"", "zone: Europe/Paris\nhours: mon-fri 09:00-17:00\n", "zone: America/New_York\nhours: |\n  mon-sat 22:00-24:00\n  sun 00:00-06:00\n"}).Draw(t, "hours")
		l, err := parseServiceLevels(text + "normal: {firstResponse: 3h, nextResponse: 2h, solution: 20h}")
		if err != nil {
			t.Fatal(err)
		}
		// Around the night in which Paris puts its clocks forward.
		now := time.Date(2026, 3, 27, 13, 0, 0, 0, time.UTC)
		ticket := query.Ticket{Priority: "normal", Status: "new", CreatedAt: store.Millis(now)}
		l.wind(&ticket, now)
		var first, next, solution time.Duration // that count
		held := time.Time{}                     // until when
		asked := false
		// pass counts what passes until a time, as it is before what happens then.
		pass := func(until time.Time) {
			for now.Before(until) {
				to := until
				if now.Before(held) && held.Before(until) {
					to = held
				}
				if worked := l.calendar.Between(now, to); !now.Before(held) {
					first += worked
					if asked {
						next += worked
					}
					if !frozen(ticket.Status) {
						solution += worked
					}
				}
				now = to
			}
		}
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			pass(now.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "minutes")) * time.Minute))
			l.hold(&ticket, now)
			switch what := rapid.SampledFrom([]string{"look", "status", "status", "hold", "hold", "end", "ask", "answer"}).Draw(t, "what"); what {
			case "status":
				ticket.Status = rapid.SampledFrom([]string{"new", "open", "pending", "solved", "closed"}).Draw(t, "status")
			case "hold":
				held = now.Add(time.Duration(rapid.IntRange(1, 900).Draw(t, "held")) * time.Minute)
				ticket.HeldUntil = store.Millis(held)
			case "end":
				if now.Before(held) {
					held = now
					ticket.HeldUntil = 0
				}
			case "ask":
				if !asked {
					asked, next = true, 0
					ticket.AskedAt, ticket.AskedHeldMs = store.Millis(now), 0
				}
			case "answer":
				asked = false
				ticket.AskedAt, ticket.AskedHeldMs = 0, 0
				if ticket.FirstResponseAt == 0 {
					ticket.FirstResponseAt = store.Millis(now)
				}
			}
			l.wind(&ticket, now)
			if again := ticket; true {
				if l.wind(&again, now); again != ticket {
					t.Fatalf("to look twice changes it: %+v, then %+v", ticket, again)
				}
			}
			check := func(name string, due int64, promised, counted time.Duration) {
				at := store.Time(due)
				left := l.calendar.Between(now, at)
				if at.Before(now) {
					left = -l.calendar.Between(at, now)
				}
				if left != promised-counted {
					t.Fatalf("%s: %s are left at %s until %s, want %s", name, left, now, at, promised-counted)
				}
			}
			if ticket.HeldAt != 0 || finished(ticket.Status) {
				if ticket.FirstDueAt+ticket.NextDueAt+ticket.SolutionDueAt != 0 {
					t.Fatalf("a clock runs: %+v", ticket)
				}
				continue
			}
			if ticket.FirstResponseAt == 0 {
				check("first response", ticket.FirstDueAt, 3*time.Hour, first)
			} else if asked {
				check("next response", ticket.NextDueAt, 2*time.Hour, next)
			}
			if !frozen(ticket.Status) {
				check("solution", ticket.SolutionDueAt, 20*time.Hour, solution)
			} else if ticket.SolutionDueAt != 0 {
				t.Fatalf("the clock of the solution runs: %+v", ticket)
			}
		}
	})
}
