package desk_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
)

// TestSimilar: what helped before is found by fault and device, not by words.
func TestSimilar(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		opened := func(machine, text, component string) int32 {
			t.Helper()
			d := diskFull()
			d.RootCauses[0].Component = component
			asked := draft(text)
			asked.DiagnosisId = d.GetId()
			return h.ingest(t, machine, diagnosisReport(d), ticketReport(asked))[1].GetTicketNumber()
		}
		solve := func(number int32, how string) {
			t.Helper()
			_, err := h.Update(t.Context(), tech, &deskv1.UpdateTicketRequest{
				Number: number, Version: h.ticket(t, number).GetTicket().GetVersion(), Status: proto.String("solved"), Resolution: proto.String(how),
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		a, b := h.enroll(t, "pc-a"), h.enroll(t, "pc-b")
		other, device, same, silent := opened(b, "one thing", "/"), opened(b, "another", "/home"), opened(a, "a third", "/var"), opened(b, "a fourth", "/")
		healthy := h.ingest(t, a, ticketReport(draft("one thing")))[0].GetTicketNumber()
		mine := opened(a, "one thing", "/home")
		for _, n := range []int32{other, device, same, healthy} {
			solve(n, fmt.Sprintf("emptied the bin %d", n))
		}
		solve(silent, "")

		got, err := h.Similar(t.Context(), mine)
		if err != nil {
			t.Fatal(err)
		}
		var numbers []int32
		for _, s := range got {
			numbers = append(numbers, s.GetTicket().GetNumber())
		}
		if want := []int32{same, device, other}; fmt.Sprint(numbers) != fmt.Sprint(want) {
			t.Fatalf("alike are %v, want %v", numbers, want)
		}
		if got[0].GetTicket().GetResolution() != fmt.Sprintf("emptied the bin %d", same) || !got[0].GetSameEndpoint() || got[0].GetSameComponent() {
			t.Errorf("the first: %v", got[0])
		}
		if got, err := h.Similar(t.Context(), healthy); err != nil || len(got) != 0 {
			t.Errorf("without a root cause: %v (%v)", got, err)
		}
		_, err = h.Similar(t.Context(), 999)
		wantKind(t, err, desk.ErrNotFound)

		// What helped is found by its words, and stands in the timeline.
		if list, err := h.Tickets(t.Context(), &deskv1.ListTicketsRequest{Query: "emptied"}); err != nil || len(list.GetTickets()) != 4 {
			t.Errorf("found %v (%v)", list, err)
		}
		who := h.ticket(t, mine).GetTicket().GetRequester()
		if list, err := h.Tickets(t.Context(), &deskv1.ListTicketsRequest{RequesterId: who.GetId()}); err != nil || len(list.GetTickets()) != 6 {
			t.Errorf("%s asked %v (%v)", who.GetName(), list, err)
		}
		if found, err := h.Person(t.Context(), who.GetId()); err != nil || found.GetMail() != "alice@example.org" {
			t.Errorf("found %v (%v)", found, err)
		}
		_, err = h.Person(t.Context(), "nobody")
		wantKind(t, err, desk.ErrNotFound)
	})
}
