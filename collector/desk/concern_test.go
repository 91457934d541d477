package desk_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"constat/collector/desk"
	"constat/collector/store/query"
	deskv1 "constat/proto/constat/desk/v1"
)

// gear makes a device of the network known.
func (h *house) gear(t testing.TB, name, site string) string {
	t.Helper()
	id := newID()
	err := h.store.Write(t.Context(), func(ctx context.Context, q *query.Queries) error {
		if _, err := q.AddGear(ctx, query.AddGearParams{ID: id, Address: name + ".example.org", Site: site, Credential: "floors", AddedAt: 1}); err != nil {
			return err
		}
		if _, err := q.ClaimGear(ctx, query.ClaimGearParams{Owner: "x", Until: 2, Now: 1, MaxRows: 1}); err != nil {
			return err
		}
		_, err := q.FinishGear(ctx, query.FinishGearParams{ID: id, LeaseOwner: "x", Name: name, NameKey: name, State: "ok", StateSince: 1, AnsweredAt: 1, DueAt: 1 << 60})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// concerned is what a ticket is about beside its machine, in short.
func concerned(r *deskv1.GetTicketResponse) string {
	var all []string
	for _, one := range r.GetConcerned() {
		all = append(all, one.GetKind()+" "+one.GetName())
	}
	return strings.Join(all, ", ")
}

// about are the tickets of a machine's or a device's page.
func (h *house) about(t testing.TB, a desk.Actor, of desk.Subject) string {
	t.Helper()
	tickets, err := h.TicketsAbout(desk.For(t.Context(), a), of, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	var numbers []int32
	for _, one := range tickets {
		numbers = append(numbers, one.GetNumber())
	}
	return fmt.Sprint(numbers)
}

// A ticket keeps its machine, and names others and devices of the network: they are
// counted, found, told of, undone and kept as its other fields are.
func TestTicketNamesMachinesAndGear(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		own, second, third, fourth := h.enroll(t, "pc-1"), h.enroll(t, "pc-2"), h.enroll(t, "pc-3"), h.enroll(t, "pc-4")
		device := h.gear(t, "sw-1", "")
		ticket, err := h.Create(t.Context(), tech, &deskv1.CreateTicketRequest{Draft: draft("No network"), EndpointId: own})
		if err != nil || ticket.GetImpact() != "low" {
			t.Fatal(ticket, err)
		}
		number, deed := ticket.GetNumber(), newID()
		after := h.update(t, tech, &deskv1.UpdateTicketRequest{Number: number, Version: ticket.GetVersion(), AddConcerned: []string{"PC-2", third, "sw-1", "pc-1"}, Deed: deed})
		if after.GetEndpointId() != own || after.GetVersion() != ticket.GetVersion()+1 || after.GetImpact() != "normal" || after.GetSharing() != 3 {
			t.Errorf("it is %v", after)
		}
		got := h.ticket(t, number)
		if concerned(got) != "endpoint pc-2, endpoint pc-3, gear sw-1" {
			t.Errorf("it concerns %s", concerned(got))
		}
		if told := texts(got.GetTimeline()); !strings.Contains(told, "concerned:  → endpoint pc-2;") || !strings.Contains(told, "concerned:  → gear sw-1;") || strings.Contains(told, "pc-1;") {
			t.Errorf("it is told as %s", told)
		}
		// Each of them has it in its history, and a search by their names finds it.
		for _, of := range []desk.Subject{{Endpoint: own}, {Endpoint: second}, {Endpoint: third}, {Gear: device}} {
			if numbers := h.about(t, tech, of); numbers != fmt.Sprintf("[%d]", number) {
				t.Errorf("%v has the tickets %s", of, numbers)
			}
		}
		if history, err := h.History(t.Context(), desk.Subject{Endpoint: second}); err != nil || len(history) != 1 {
			t.Errorf("the history of a named machine: %v (%v)", history, err)
		}
		for _, words := range []string{"pc-3", "sw-1", "network pc-2"} {
			if list, err := h.Tickets(t.Context(), &deskv1.ListTicketsRequest{Query: words}); err != nil || len(list.GetTickets()) != 1 {
				t.Errorf("%q finds %v (%v)", words, list, err)
			}
		}
		// Of a machine that is named and has tickets of its own, all, newest first.
		alone, err := h.Create(t.Context(), tech, &deskv1.CreateTicketRequest{Draft: draft("Dark screen"), EndpointId: second})
		if err != nil {
			t.Fatal(err)
		}
		if numbers := h.about(t, tech, desk.Subject{Endpoint: second}); numbers != fmt.Sprintf("[%d %d]", alone.GetNumber(), number) {
			t.Errorf("it has %s", numbers)
		}
		if list, err := h.Tickets(t.Context(), &deskv1.ListTicketsRequest{EndpointId: second, Query: "network", Active: true}); err != nil || len(list.GetTickets()) != 1 || list.GetTickets()[0].GetNumber() != number {
			t.Errorf("searched among its tickets: %v (%v)", list, err)
		}

		// Another saw an older version; what is not there is refused.
		_, err = h.Update(t.Context(), tech, &deskv1.UpdateTicketRequest{Number: number, Version: ticket.GetVersion(), AddConcerned: []string{"pc-4"}})
		wantKind(t, err, desk.ErrConflict)
		_, err = h.Update(t.Context(), tech, &deskv1.UpdateTicketRequest{Number: number, Version: after.GetVersion(), AddConcerned: []string{"pc-9"}})
		wantKind(t, err, desk.ErrInvalid)
		if again := h.update(t, tech, &deskv1.UpdateTicketRequest{Number: number, AddConcerned: []string{"pc-2", own}}); again.GetVersion() != after.GetVersion() {
			t.Error("what it names already changed it")
		}

		results, err := h.Undo(t.Context(), tech, deed)
		if err != nil || outcomes(results) != fmt.Sprintf("%d done", number) {
			t.Fatalf("undone: %s (%v)", outcomes(results), err)
		}
		if got := h.ticket(t, number); concerned(got) != "" || got.GetTicket().GetImpact() != "low" || h.about(t, tech, desk.Subject{Gear: device}) != "[]" {
			t.Errorf("undone it is %v and concerns %s", got.GetTicket(), concerned(got))
		}

		// Its machine is none that it names beside.
		h.update(t, tech, &deskv1.UpdateTicketRequest{Number: number, AddConcerned: []string{"pc-2", "sw-1"}})
		h.update(t, tech, &deskv1.UpdateTicketRequest{Number: number, Endpoint: &second})
		if got := h.ticket(t, number); concerned(got) != "gear sw-1" || got.GetTicket().GetEndpointId() != second {
			t.Errorf("about another machine it concerns %s", concerned(got))
		}
		h.update(t, tech, &deskv1.UpdateTicketRequest{Number: number, Endpoint: &own, AddConcerned: []string{"pc-2"}, RemoveConcerned: []string{"sw-1"}})

		// Merged, both machines are concerned; split off, what was named goes along.
		other, err := h.Create(t.Context(), tech, &deskv1.CreateTicketRequest{Draft: draft("Also here"), EndpointId: third})
		if err != nil {
			t.Fatal(err)
		}
		other = h.update(t, tech, &deskv1.UpdateTicketRequest{Number: other.GetNumber(), AddConcerned: []string{"pc-4"}})
		merged := h.merge(t, other, h.ticket(t, number).GetTicket())
		if got := h.ticket(t, number); concerned(got) != "endpoint pc-2, endpoint pc-3, endpoint pc-4" || merged.GetSharing() != 4 {
			t.Errorf("merged it concerns %s, %d machines", concerned(got), merged.GetSharing())
		}
		note := h.note(t, number, "note", "and the printer", 0)
		part, err := h.Split(t.Context(), tech, &deskv1.SplitTicketRequest{Number: number, Version: h.ticket(t, number).GetTicket().GetVersion(), Id: newID(), Entries: []string{note.GetId()}})
		if err != nil || part.GetSharing() != 4 || concerned(h.ticket(t, part.GetNumber())) != "endpoint pc-2, endpoint pc-3, endpoint pc-4" {
			t.Errorf("split off: %v (%v)", part, err)
		}

		// An erased machine drops out of them, with a word and without its name.
		stays, err := h.EraseEndpoint(t.Context(), h.user(t, "Root", "administrator"), fourth, "pc-4")
		if err != nil || stays < 2 {
			t.Fatal(stays, err)
		}
		for _, one := range []int32{number, part.GetNumber()} {
			got := h.ticket(t, one)
			if told := texts(got.GetTimeline()); concerned(got) != "endpoint pc-2, endpoint pc-3" || strings.Contains(told, "pc-4") || !strings.Contains(told, "erased: → ;") && !strings.Contains(told, "erased:  → ;") {
				t.Errorf("without it ticket %d concerns %s and tells %s", one, concerned(got), told)
			}
		}
		if list, err := h.Tickets(t.Context(), &deskv1.ListTicketsRequest{Query: "pc-4"}); err != nil || len(list.GetTickets()) != 0 {
			t.Errorf("its name finds %v (%v)", list, err)
		}
	})
}

// Tickets with a root cause count the machines that others name, each once.
func TestNamedMachinesShareACause(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var numbers []int32
		for _, name := range []string{"pc-1", "pc-2"} {
			found, asked := diskFull(), draft("It is slow")
			asked.DiagnosisId = found.GetId()
			numbers = append(numbers, h.ingest(t, h.enroll(t, name), diagnosisReport(found), ticketReport(asked))[1].GetTicketNumber())
		}
		for _, name := range []string{"pc-3", "pc-4"} {
			h.enroll(t, name)
		}
		h.update(t, tech, &deskv1.UpdateTicketRequest{Number: numbers[0], AddConcerned: []string{"pc-2", "pc-3"}})
		after := h.update(t, tech, &deskv1.UpdateTicketRequest{Number: numbers[1], AddConcerned: []string{"pc-3", "pc-4"}})
		if after.GetSharing() != 4 || after.GetImpact() != "normal" {
			t.Errorf("%d machines share it, impact %s: %s", after.GetSharing(), after.GetImpact(), after.GetPriorityReason())
		}
	})
}

// Of a machine that they may not see, people learn nothing by a ticket that names it.
func TestNamedMachinesOfOtherSites(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		lead := desk.Actor{ID: "9", Name: "Boss", Role: "lead"}
		lyon := desk.Actor{ID: "8", Name: "Léa", Role: "technician", Sites: []string{"Lyon"}}
		paris := desk.Actor{ID: "7", Name: "Zoé", Role: "technician", Sites: []string{"Paris"}}
		machines := map[string]string{}
		for _, site := range []string{"Lyon", "Paris"} {
			machines[site] = h.enroll(t, "pc-"+site)
			if _, err := h.SetEndpointSite(t.Context(), lead, machines[site], site); err != nil {
				t.Fatal(err)
			}
		}
		device := h.gear(t, "router", "Paris")
		ticket, err := h.Create(t.Context(), lead, &deskv1.CreateTicketRequest{Draft: draft("The line is down"), EndpointId: machines["Lyon"]})
		if err != nil {
			t.Fatal(err)
		}
		_, err = h.Update(t.Context(), lyon, &deskv1.UpdateTicketRequest{Number: ticket.GetNumber(), Version: ticket.GetVersion(), AddConcerned: []string{"pc-Paris"}})
		wantKind(t, err, desk.ErrInvalid)
		h.update(t, lead, &deskv1.UpdateTicketRequest{Number: ticket.GetNumber(), AddConcerned: []string{"pc-Paris", device}})
		seen, err := h.Ticket(desk.For(t.Context(), lyon), ticket.GetNumber())
		if err != nil || concerned(seen) != "" {
			t.Errorf("she sees %s (%v)", concerned(seen), err)
		}
		if told := texts(seen.GetTimeline()); strings.Contains(told, "pc-Paris") || strings.Contains(told, "router") || strings.Count(told, "concerned") != 2 {
			t.Errorf("she is told %s", told)
		}
		// The ticket is of Lyon: at the machine in Paris, who sees only that does not see it.
		if got := h.about(t, paris, desk.Subject{Endpoint: machines["Paris"]}); got != "[]" {
			t.Errorf("in Paris there is %s", got)
		}
		if got := h.about(t, lead, desk.Subject{Endpoint: machines["Paris"]}); got != fmt.Sprintf("[%d]", ticket.GetNumber()) {
			t.Errorf("the lead has %s", got)
		}
		asker, err := h.Ticket(desk.For(t.Context(), desk.Actor{ID: ticket.GetRequester().GetId(), Name: "alice", Role: "requester"}), ticket.GetNumber())
		if err != nil || len(asker.GetConcerned()) != 0 || strings.Contains(texts(asker.GetTimeline()), "concerned") {
			t.Errorf("who asked sees %v (%v)", asker, err)
		}
	})
}
