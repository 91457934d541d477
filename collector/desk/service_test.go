package desk_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
)

const levels = `
zone: Europe/Paris
hours: |
  mon-fri 09:00-17:00
  closed 12-25
warnPercent: 75
high: {firstResponse: 1h, nextResponse: 2h, solution: 8h}
normal: {firstResponse: 4h, solution: 40h}
`

// told are the words about promises in a ticket's timeline.
func told(ticket *deskv1.GetTicketResponse) string {
	var words []string
	for _, entry := range ticket.GetTimeline() {
		if e := entry.GetService(); e != nil {
			words = append(words, e.GetClock()+" "+e.GetStage())
		}
	}
	return strings.Join(words, ", ")
}

// TestPromisesKept follows a ticket through its life: which clock runs when, what
// is told, and what waiting for the requester costs.
func TestPromisesKept(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		paris, err := time.LoadLocation("Europe/Paris")
		if err != nil {
			t.Fatal(err)
		}
		now := time.Date(2026, 3, 3, 10, 0, 0, 0, paris) // a Tuesday
		h.SetClock(now)
		if _, err := h.SetServiceLevels(t.Context(), desk.System, levels); err != nil {
			t.Fatal(err)
		}
		ticket, err := h.Create(t.Context(), desk.System, &deskv1.CreateTicketRequest{Draft: draft("It does nothing")})
		if err != nil {
			t.Fatal(err)
		}
		number := ticket.GetNumber()
		// due says what the ticket promises, as hours of the days of that March.
		due := func(want string) {
			t.Helper()
			got := h.ticket(t, number).GetTicket()
			var parts []string
			for _, at := range []interface{ AsTime() time.Time }{got.GetFirstResponseDueAt(), got.GetNextResponseDueAt(), got.GetSolutionDueAt()} {
				if moment := at.AsTime(); moment.Unix() == 0 {
					parts = append(parts, "-")
				} else {
					parts = append(parts, moment.In(paris).Format("2 15:04"))
				}
			}
			if strings.Join(parts, ", ") != want {
				t.Errorf("at %s due %v, want %s", now.Format("2 15:04"), parts, want)
			}
		}
		at := func(day, hour, minute int, want string) {
			t.Helper()
			now = time.Date(2026, 3, day, hour, minute, 0, 0, paris)
			h.SetClock(now)
			// Two collectors at once tell it once.
			var both sync.WaitGroup
			for range 2 {
				both.Go(func() {
					if err := h.WatchClocks(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			both.Wait()
			if got := told(h.ticket(t, number)); got != want {
				t.Errorf("by %s told %q, want %q", now.Format("2 15:04"), got, want)
			}
		}
		change := func(r *deskv1.UpdateTicketRequest) {
			t.Helper()
			r.Number, r.Version = number, h.ticket(t, number).GetTicket().GetVersion()
			if _, err := h.Update(t.Context(), tech, r); err != nil {
				t.Fatal(err)
			}
		}
		say := func(a desk.Actor) {
			t.Helper()
			if _, err := h.AddEntry(t.Context(), a, &deskv1.AddEntryRequest{Number: number, Id: newID(), Kind: "message", Text: "well"}); err != nil {
				t.Fatal(err)
			}
		}

		due("3 14:00, -, 10 10:00")
		change(&deskv1.UpdateTicketRequest{Urgency: proto.String("critical")})
		due("3 11:00, -, 4 10:00") // low impact, critical urgency: high
		at(3, 10, 44, "")
		at(3, 10, 45, "firstResponse warned")
		at(3, 10, 50, "firstResponse warned")
		at(3, 11, 0, "firstResponse warned, firstResponse missed")
		say(tech)
		due("-, -, 4 10:00")
		now = time.Date(2026, 3, 3, 16, 0, 0, 0, paris)
		h.SetClock(now)
		asker := desk.Actor{ID: h.ticket(t, number).GetTicket().GetRequester().GetId(), Name: "alice", Role: "requester"}
		say(asker)
		due("-, 4 10:00, 4 10:00")
		// More words, an hour later, make nobody wait anew.
		now = now.Add(time.Hour)
		h.SetClock(now)
		say(asker)
		due("-, 4 10:00, 4 10:00")
		say(tech)
		change(&deskv1.UpdateTicketRequest{Status: proto.String("pending")})
		due("-, -, -")
		if list, err := h.Tickets(t.Context(), &deskv1.ListTicketsRequest{Due: true}); err != nil || len(list.GetTickets()) != 0 {
			t.Errorf("due while it waits for the requester: %v (%v)", list, err)
		}
		// A night and a morning hour later it goes on: the night cost nothing.
		now = time.Date(2026, 3, 4, 10, 0, 0, 0, paris)
		h.SetClock(now)
		change(&deskv1.UpdateTicketRequest{Status: proto.String("open")})
		due("-, -, 4 11:00")
		if list, err := h.Tickets(t.Context(), &deskv1.ListTicketsRequest{Due: true}); err != nil || len(list.GetTickets()) != 1 {
			t.Errorf("due: %v (%v)", list, err)
		}
		const first = "firstResponse warned, firstResponse missed"
		at(4, 11, 0, first+", solution missed") // the collector slept through the warning
		at(5, 11, 0, first+", solution missed, solution escalated")
		change(&deskv1.UpdateTicketRequest{Status: proto.String("solved")})
		due("-, -, -")
		at(9, 12, 0, first+", solution missed, solution escalated")

		// What is promised changes for tickets under way, and may be nothing.
		again, err := h.Create(t.Context(), desk.System, &deskv1.CreateTicketRequest{Draft: draft("And this")})
		if err != nil {
			t.Fatal(err)
		}
		number = again.GetNumber()
		due("9 16:00, -, 16 12:00")
		if changed, err := h.SetServiceLevels(t.Context(), desk.System, strings.Replace(levels, "normal: {firstResponse: 4h", "normal: {firstResponse: 2h", 1)); err != nil || changed != 1 {
			t.Errorf("%d changed (%v)", changed, err)
		}
		due("9 14:00, -, 16 12:00")
		if _, err := h.SetServiceLevels(t.Context(), desk.System, ""); err != nil {
			t.Fatal(err)
		}
		due("-, -, -")
	})
}

func TestServiceLevelsRefuse(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		if _, err := h.SetServiceLevels(t.Context(), desk.System, levels); err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct{ text, want string }{
			{"normal: {answer: 1h}", "unknown field"},
			{"normal: {solution: soon}", `normal: solution: "soon" is not a working time`},
			{"normal: {solution: -1h}", "is not a working time"},
			{"warnPercent: 0", "must be 1 to 100"},
			{"zone: Mars/Base", "is not a time zone"},
			{"hours: someday 9-17", "hours: line 1"},
			{strings.Repeat("# long\n", 5000), "longer than"},
			{"[", "service levels"},
		} {
			_, err := h.SetServiceLevels(t.Context(), desk.System, test.text)
			if wantKind(t, err, desk.ErrInvalid); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%.40q: %v, want %q", test.text, err, test.want)
			}
		}
		for _, a := range []desk.Actor{tech, lead} {
			_, err := h.SetServiceLevels(t.Context(), a, "")
			wantKind(t, err, desk.ErrForbidden)
		}
		if kept, err := h.ServiceLevels(t.Context()); err != nil || kept != strings.TrimRight(levels, "\n") {
			t.Errorf("kept %q (%v)", kept, err)
		}
	})
}
