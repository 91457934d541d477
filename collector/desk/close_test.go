package desk_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// A solved ticket is none to be worked on, is closed by itself, and is taken up again
// by its requester's answer for as long; later the answer is a ticket of its own.
func TestSolvedTicketsClose(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
		days := func(n float64) { h.SetClock(start.Add(time.Duration(n * 24 * float64(time.Hour)))) }
		closeSolved := func() {
			t.Helper()
			if err := h.CloseSolved(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		status := func(number int32) string { t.Helper(); return h.ticket(t, number).GetTicket().GetStatus() }
		days(0)
		machine := h.enroll(t, "pc-1")
		ask := func(text, queue string) *constatv1.Ticket {
			t.Helper()
			d := draft(text)
			d.Queue = queue
			one, err := h.Create(t.Context(), tech, &deskv1.CreateTicketRequest{Draft: d, EndpointId: machine})
			if err != nil {
				t.Fatal(err)
			}
			return h.update(t, tech, &deskv1.UpdateTicketRequest{Number: one.GetNumber(), Status: proto.String("solved"), Assignee: proto.String(tech.Name)})
		}
		one, slow := ask("No paper", ""), ask("A second screen", "Purchasing")
		if list, err := h.Tickets(t.Context(), &deskv1.ListTicketsRequest{Active: true}); err != nil || len(list.GetTickets()) != 0 {
			t.Errorf("to be worked on: %v (%v)", list, err)
		}
		if list, err := h.Tickets(t.Context(), &deskv1.ListTicketsRequest{Active: true, Order: "oldest"}); err != nil || len(list.GetTickets()) != 0 {
			t.Errorf("to be worked on, oldest first: %v (%v)", list, err)
		}
		if _, err := h.SetServiceLevels(t.Context(), desk.Actor{Name: "Root", Role: "administrator"}, "closeAfterIn: {Purchasing: 30}\n"); err != nil {
			t.Fatal(err)
		}
		alice := desk.Actor{ID: one.GetRequester().GetId(), Name: "alice", Role: "requester"}
		answer := func(number int32, id, text string) error {
			_, err := h.AddEntry(t.Context(), alice, &deskv1.AddEntryRequest{Number: number, Id: id, Kind: "message", Text: text})
			return err
		}
		days(6)
		closeSolved()
		if got := status(one.GetNumber()); got != "solved" {
			t.Errorf("after six days it is %s", got)
		}
		// A word starts the days anew.
		h.note(t, one.GetNumber(), "message", "Does it print?", 0)
		days(8)
		closeSolved()
		if got := status(one.GetNumber()); got != "solved" {
			t.Errorf("two days after a word it is %s", got)
		}
		if err := answer(one.GetNumber(), newID(), "It does not"); err != nil {
			t.Fatal(err)
		}
		if got := h.ticket(t, one.GetNumber()).GetTicket(); got.GetStatus() != "open" || got.GetAssignee() != tech.Name {
			t.Errorf("answered it is %v", got)
		}
		h.update(t, tech, &deskv1.UpdateTicketRequest{Number: one.GetNumber(), Status: proto.String("solved")})
		days(15.5)
		closeSolved()
		closeSolved()
		got := h.ticket(t, one.GetNumber())
		if told := texts(got.GetTimeline()); got.GetTicket().GetStatus() != "closed" || strings.Count(told, "status: solved → closed") != 1 || status(slow.GetNumber()) != "solved" {
			t.Errorf("then it is %s, the other %s: %s", got.GetTicket().GetStatus(), status(slow.GetNumber()), told)
		}

		// Too late for this one: a new ticket, once, however often it is sent.
		late := newID()
		for range 2 {
			if err := answer(one.GetNumber(), late, "Again no paper"); err != nil {
				t.Fatal(err)
			}
		}
		list, err := h.Tickets(t.Context(), &deskv1.ListTicketsRequest{Active: true})
		if err != nil || len(list.GetTickets()) != 1 || status(one.GetNumber()) != "closed" {
			t.Fatalf("to be worked on: %v (%v), the old one is %s", list, err, status(one.GetNumber()))
		}
		next := h.ticket(t, list.GetTickets()[0].GetNumber())
		if told := texts(next.GetTimeline()); next.GetTicket().GetEndpointId() != machine || next.GetTicket().GetStatus() != "new" || next.GetTicket().GetRequester().GetId() != alice.ID ||
			strings.Count(told, "message Again no paper") != 1 || len(next.GetLinks()) != 1 || next.GetLinks()[0].GetNumber() != one.GetNumber() {
			t.Errorf("the new one is %v, linked to %v, and tells %s", next.GetTicket(), next.GetLinks(), told)
		}
		if !slices.ContainsFunc(h.ticket(t, one.GetNumber()).GetLinks(), func(l *constatv1.TicketLink) bool { return l.GetNumber() == next.GetTicket().GetNumber() }) {
			t.Error("the old one does not point to it")
		}

		// Closed by hand, it can still be taken up for its time; to the queue, when that is said.
		if _, err := h.SetServiceLevels(t.Context(), desk.Actor{Name: "Root", Role: "administrator"}, "closeAfter: 0\nreopenedTo: queue\n"); err != nil {
			t.Fatal(err)
		}
		h.update(t, tech, &deskv1.UpdateTicketRequest{Number: slow.GetNumber(), Status: proto.String("closed")})
		days(300)
		closeSolved()
		if err := answer(slow.GetNumber(), newID(), "Where is it?"); err != nil {
			t.Fatal(err)
		}
		if got := h.ticket(t, slow.GetNumber()).GetTicket(); got.GetStatus() != "open" || got.GetAssignee() != "" {
			t.Errorf("with no end it is %v", got)
		}
		for _, bad := range []string{"closeAfter: -1", "closeAfter: 400", "closeAfterIn: {a: -1}", "reopenedTo: nobody"} {
			_, err := h.SetServiceLevels(t.Context(), desk.Actor{Name: "Root", Role: "administrator"}, bad)
			wantKind(t, err, desk.ErrInvalid)
		}
	})
}

// What a person says at their machine goes the same way.
func TestLateReplyAtTheMachine(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
		h.SetClock(start)
		pc := h.enroll(t, "pc-1")
		asked, number := h.writes(t, pc, "alice")
		h.update(t, tech, &deskv1.UpdateTicketRequest{Number: number, Status: proto.String("closed")})
		h.SetClock(start.Add(9 * 24 * time.Hour))
		reply := &constatv1.TicketReply{Id: newID(), TicketId: asked.GetId(), Requester: asked.GetRequester(), Text: "It is back"}
		var went []int32
		for range 2 {
			receipt := h.ingest(t, pc, &constatv1.Report{Content: &constatv1.Report_Reply{Reply: reply}})[0]
			if receipt.GetStatus() != "stored" {
				t.Fatal(receipt)
			}
			went = append(went, receipt.GetTicketNumber())
		}
		if went[0] == number || went[0] != went[1] {
			t.Fatalf("it went to %v, from ticket %d", went, number)
		}
		if told := texts(h.ticket(t, went[0]).GetTimeline()); strings.Count(told, "message It is back") != 1 {
			t.Errorf("it tells %s", told)
		}
	})
}
