package desk_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// takes lets somebody get tickets by themselves.
func (h *house) takes(t testing.TB, a desk.Actor) {
	t.Helper()
	_, err := h.SetTechnician(t.Context(), desk.System, &deskv1.SetTechnicianRequest{Technician: &deskv1.Technician{Name: a.Name, TakesTickets: true}})
	if err != nil {
		t.Fatal(err)
	}
}

// TestUntouchedGoesBack: a ticket that its assignee leaves alone goes to another,
// in working time, once for all collectors, and in the end to nobody, of which
// those who lead learn. What somebody touched, or was given by hand, stays.
func TestUntouchedGoesBack(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		paris, err := time.LoadLocation("Europe/Paris")
		if err != nil {
			t.Fatal(err)
		}
		at := func(day, hour, minute int) {
			t.Helper()
			h.SetClock(time.Date(2026, 3, day, hour, minute, 0, 0, paris))
			var both sync.WaitGroup
			for range 2 {
				both.Go(func() {
					if err := h.WatchTurns(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			both.Wait()
		}
		at(6, 16, 0) // a Friday
		ana, ben, boss := h.user(t, "Ana", "technician"), h.user(t, "Ben", "technician"), h.user(t, "Boss", "lead")
		_, err = h.SetServiceLevels(t.Context(), desk.System, "zone: Europe/Paris\nhours: mon-fri 09:00-17:00\nreturnAfter: 30m\nunassignedAfter: 2h\n")
		if err != nil {
			t.Fatal(err)
		}
		h.takes(t, ana)
		h.takes(t, ben)
		open := func() *constatv1.Ticket {
			t.Helper()
			ticket, err := h.Create(t.Context(), desk.System, &deskv1.CreateTicketRequest{Draft: draft("x")})
			if err != nil {
				t.Fatal(err)
			}
			return ticket
		}
		at(6, 16, 45)
		left, noted, given := open(), open(), open()
		first := left.GetAssignee()
		other := map[string]string{"Ana": "Ben", "Ben": "Ana"}[first]
		_, err = h.AddEntry(t.Context(), desk.Actor{Name: noted.GetAssignee(), Role: "technician"}, &deskv1.AddEntryRequest{Number: noted.GetNumber(), Id: newID(), Kind: "note", Text: "looking"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = h.Update(t.Context(), boss, &deskv1.UpdateTicketRequest{Number: given.GetNumber(), Version: given.GetVersion(), Assignee: proto.String(map[string]string{"Ana": "Ben", "Ben": "Ana"}[given.GetAssignee()])})
		if err != nil {
			t.Fatal(err)
		}
		has := func(number int32, want string) {
			t.Helper()
			if got := h.ticket(t, number).GetTicket().GetAssignee(); got != want {
				t.Errorf("%q has ticket %d, want %q", got, number, want)
			}
		}
		at(9, 9, 14) // 29 minutes of working time later
		has(left.GetNumber(), first)
		at(9, 9, 15)
		has(left.GetNumber(), other)
		has(noted.GetNumber(), noted.GetAssignee())
		at(9, 9, 44)
		has(left.GetNumber(), other)
		at(9, 9, 45)
		has(left.GetNumber(), "")
		at(9, 11, 44)
		if got := h.news(t, boss); strings.Contains(got, "unassigned") {
			t.Errorf("too early: %s", got)
		}
		at(9, 11, 45)
		at(9, 12, 45)
		var story []string
		for _, entry := range h.ticket(t, left.GetNumber()).GetTimeline() {
			for _, c := range entry.GetChanges() {
				story = append(story, c.GetField()+" "+c.GetBefore()+" "+c.GetAfter())
			}
			if a := entry.GetAssignment(); a != nil {
				story = append(story, "to "+a.GetAssignee())
				for _, c := range a.GetCandidates() {
					if c.GetVerdict() == "letLie" {
						story = append(story, "not "+c.GetName())
					}
				}
			}
		}
		slices.Sort(story[5:])
		want := []string{"to " + first, "returned " + first + " 30m0s", "to " + other, "not " + first, "returned " + other + " 30m0s", "not Ana", "not Ben", "to "}
		if !slices.Equal(story, want) {
			t.Errorf("the timeline tells %q, want %q", story, want)
		}
		news := fmt.Sprintf("returned #%[1]d constat: %[2]s\nunassigned #%[1]d constat: ", left.GetNumber(), other)
		if got := h.news(t, boss); got != news {
			t.Errorf("the lead was told %q, want %q", got, news)
		}
		has(given.GetNumber(), map[string]string{"Ana": "Ben", "Ben": "Ana"}[given.GetAssignee()])
	})
}

// TestWhoIsTold: an administrator says who learns of which stage, and when the
// last one comes; those at risk stand in a list of their own.
func TestWhoIsTold(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		now := time.Date(2026, 3, 3, 10, 0, 0, 0, time.UTC)
		h.SetClock(now)
		root, boss := h.user(t, "Root", "administrator"), h.user(t, "Boss", "lead")
		_, err := h.SetServiceLevels(t.Context(), desk.System, "normal: {solution: 100m}\nescalatePercent: 150\ntell: {warned: [leads], missed: [], escalated: [administrators]}")
		if err != nil {
			t.Fatal(err)
		}
		ticket, err := h.Create(t.Context(), desk.System, &deskv1.CreateTicketRequest{Draft: draft("x")})
		if err != nil {
			t.Fatal(err)
		}
		risk := func(minutes, want int) {
			t.Helper()
			h.SetClock(now.Add(time.Duration(minutes) * time.Minute))
			if err := h.WatchClocks(t.Context()); err != nil {
				t.Fatal(err)
			}
			found, err := h.Tickets(t.Context(), &deskv1.ListTicketsRequest{Due: true, AtRisk: true})
			if err != nil || len(found.GetTickets()) != want {
				t.Errorf("after %d minutes %d are at risk, want %d (%v)", minutes, len(found.GetTickets()), want, err)
			}
		}
		risk(79, 0)
		risk(80, 1)
		risk(100, 1)
		risk(149, 1)
		if got := h.news(t, root); got != "" {
			t.Errorf("the administrator was told %q", got)
		}
		risk(150, 1)
		if got, want := h.news(t, boss), fmt.Sprintf("warned #%d constat: solution", ticket.GetNumber()); got != want {
			t.Errorf("the lead was told %q, want %q", got, want)
		}
		if got, want := h.news(t, root), fmt.Sprintf("escalated #%d constat: solution", ticket.GetNumber()); got != want {
			t.Errorf("the administrator was told %q, want %q", got, want)
		}
		ticket = h.ticket(t, ticket.GetNumber()).GetTicket()
		_, err = h.Update(t.Context(), tech, &deskv1.UpdateTicketRequest{Number: ticket.GetNumber(), Version: ticket.GetVersion(), Status: proto.String("pending")})
		if err != nil {
			t.Fatal(err)
		}
		risk(151, 0)
		for _, test := range []struct{ text, want string }{
			{"tell: {late: [leads]}", "there is no stage"}, {"tell: {missed: [everybody]}", `there is no "everybody"`},
			{"escalatePercent: 100", "must be 101 to 1000"}, {"returnAfter: soon", "is not a working time"}, {"unassignedAfter: 1s", "is not a working time"},
		} {
			_, err := h.SetServiceLevels(t.Context(), desk.System, test.text)
			if wantKind(t, err, desk.ErrInvalid); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%q: %v, want %q", test.text, err, test.want)
			}
		}
	})
}
