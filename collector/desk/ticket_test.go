package desk_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

func TestTicketFromAgent(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		pc := h.enroll(t, "pc-1")
		found := diskFull()
		d := draft("Nothing prints\nsince this morning")
		d.DiagnosisId = found.Id
		receipts := h.ingest(t, pc, diagnosisReport(found), ticketReport(d))
		got := h.ticket(t, receipts[1].TicketNumber)
		want := map[string][2]string{
			"title":      {got.Ticket.Title, "The disk is full"},
			"status":     {got.Ticket.Status, "new"},
			"requester":  {got.Ticket.Requester.Name, "alice"},
			"mail":       {got.Ticket.Requester.Mail, "alice@example.org"},
			"channel":    {got.Ticket.Channel, "agent"},
			"category":   {got.Ticket.Category, "printing"},
			"root cause": {got.Ticket.RootCause + "/" + got.Ticket.Certainty, "tests-disk-full/confirmed"},
			"urgency":    {got.Ticket.Urgency, "high"},
			"impact":     {got.Ticket.Impact, "low"},
			"priority":   {got.Ticket.Priority, "normal"},
			"endpoint":   {got.Ticket.EndpointName, "pc-1"},
			"reason":     {got.Ticket.PriorityReason, "impact low (one machine), urgency high (as the fault says)"},
			"first line": {got.Timeline[0].Text, d.Text},
			"first kind": {got.Timeline[0].Kind, "message"},
			"second":     {got.Timeline[1].Kind + " " + got.Timeline[1].Diagnosis.GetId(), "diagnosis " + found.Id},
		}
		for what, pair := range want {
			if pair[0] != pair[1] {
				t.Errorf("%s is %q, want %q", what, pair[0], pair[1])
			}
		}
		if got.Ticket.Number != 1 || len(got.Timeline) != 2 {
			t.Errorf("number %d with %d lines", got.Ticket.Number, len(got.Timeline))
		}
	})
}

// The diagnosis of a ticket may come later, once or twice, and belongs to it then.
func TestDiagnosisComesLater(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		pc := h.enroll(t, "pc-1")
		found := diskFull()
		d := draft("Help")
		d.DiagnosisId = found.Id
		number := h.ingest(t, pc, ticketReport(d))[0].TicketNumber
		if got := h.ticket(t, number); got.Ticket.RootCause != "" || len(got.Timeline) != 1 {
			t.Fatalf("before: %v", got)
		}
		other := h.enroll(t, "pc-2")
		h.ingest(t, other, diagnosisReport(found)) // another's, of the same id
		if got := h.ticket(t, number); len(got.Timeline) != 1 {
			t.Fatalf("another endpoint's diagnosis was attached: %v", got)
		}
		for range 2 {
			h.ingest(t, pc, diagnosisReport(found))
		}
		got := h.ticket(t, number)
		if got.Ticket.RootCause != "tests-disk-full" || got.Ticket.Title != "The disk is full" || len(got.Timeline) != 2 {
			t.Errorf("after: %v", got)
		}
	})
}

func TestSameTicketFromManyAtOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		pc := h.enroll(t, "pc-1")
		same := draft("Help")
		var all sync.WaitGroup
		var mu sync.Mutex
		numbers := map[int32]int{}
		for range 20 {
			all.Go(func() {
				receipts, err := h.Ingest(t.Context(), pc, []*constatv1.Report{ticketReport(same), ticketReport(draft("Another"))})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				numbers[receipts[0].TicketNumber]++
				numbers[receipts[1].TicketNumber]++
			})
		}
		all.Wait()
		list, err := h.Tickets(t.Context(), &deskv1.ListTicketsRequest{Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Tickets) != 21 || len(numbers) != 21 {
			t.Errorf("%d tickets with %d numbers, want 21 of both", len(list.Tickets), len(numbers))
		}
		for _, ticket := range list.Tickets {
			want := 1
			if ticket.Id == same.Id {
				want = 20
			}
			if numbers[ticket.Number] != want {
				t.Errorf("ticket %d was acknowledged %d times, want %d", ticket.Number, numbers[ticket.Number], want)
			}
		}
	})
}

// The same without an endpoint's lock: through the API, on several collectors.
func TestCreateAtOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		same := draft("Help")
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if _, err := h.Create(t.Context(), tech, &deskv1.CreateTicketRequest{Draft: proto.CloneOf(same)}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		list, err := h.Tickets(t.Context(), &deskv1.ListTicketsRequest{})
		if err != nil || len(list.Tickets) != 1 {
			t.Errorf("%d tickets (%v), want one", len(list.GetTickets()), err)
		}
	})
}

// Of those who change the version they all saw, one does, and the others are
// told.
func TestNobodyOverwrites(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ticket, err := h.Create(t.Context(), tech, &deskv1.CreateTicketRequest{Draft: draft("Help")})
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		var mu sync.Mutex
		var kept string
		for _, title := range strings.Split("abcdefghij", "") {
			all.Go(func() {
				_, err := h.Update(t.Context(), tech, &deskv1.UpdateTicketRequest{Number: ticket.Number, Version: ticket.Version, Title: &title})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					kept += title
					return
				}
				wantKind(t, err, desk.ErrConflict)
			})
		}
		all.Wait()
		got := h.ticket(t, ticket.Number)
		if len(kept) != 1 || got.Ticket.Title != kept || got.Ticket.Version != ticket.Version+1 || len(got.Timeline) != 2 {
			t.Errorf("%q were told they changed it; it is now %v", kept, got)
		}
	})
}

func TestUpdate(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ticket, err := h.Create(t.Context(), tech, &deskv1.CreateTicketRequest{Draft: draft("Help")})
		if err != nil {
			t.Fatal(err)
		}
		ticket, err = h.Update(t.Context(), tech, &deskv1.UpdateTicketRequest{
			Number: ticket.Number, Version: ticket.Version,
			Status: proto.String("solved"), Assignee: proto.String("léa"), Impact: proto.String("high"), Urgency: proto.String("critical"),
		})
		if err != nil {
			t.Fatal(err)
		}
		if ticket.Priority != "urgent" || ticket.Assignee != "Léa" || ticket.Status != "solved" {
			t.Errorf("after the change: %v", ticket)
		}
		last := h.ticket(t, ticket.Number).Timeline[1]
		if last.Kind != "change" || last.Actor != "Léa" || len(last.Changes) != 5 {
			t.Errorf("the timeline says %v", last)
		}
		same, err := h.Update(t.Context(), tech, &deskv1.UpdateTicketRequest{Number: ticket.Number, Version: ticket.Version, Status: proto.String("solved")})
		if err != nil || same.Version != ticket.Version {
			t.Errorf("changing nothing gave version %d (%v), want %d", same.GetVersion(), err, ticket.Version)
		}

		at := func(r *deskv1.UpdateTicketRequest) *deskv1.UpdateTicketRequest {
			r.Number, r.Version = ticket.Number, ticket.Version
			return r
		}
		for _, bad := range []struct {
			actor   desk.Actor
			request *deskv1.UpdateTicketRequest
			kind    error
		}{
			{tech, at(&deskv1.UpdateTicketRequest{Status: proto.String("merged")}), desk.ErrInvalid},
			{tech, at(&deskv1.UpdateTicketRequest{Assignee: proto.String("nobody\x00")}), desk.ErrInvalid},
			{tech, at(&deskv1.UpdateTicketRequest{Title: proto.String(" \n")}), desk.ErrInvalid},
			{tech, at(&deskv1.UpdateTicketRequest{Impact: proto.String("critical")}), desk.ErrInvalid},
			{tech, at(&deskv1.UpdateTicketRequest{Urgency: proto.String("urgent")}), desk.ErrInvalid},
			{tech, &deskv1.UpdateTicketRequest{Number: 99}, desk.ErrNotFound},
			{desk.Actor{Name: "alice", Role: "requester"}, at(&deskv1.UpdateTicketRequest{}), desk.ErrForbidden},
			{desk.Actor{}, at(&deskv1.UpdateTicketRequest{}), desk.ErrForbidden},
		} {
			_, err := h.Update(t.Context(), bad.actor, bad.request)
			wantKind(t, err, bad.kind)
		}
	})
}

func TestAddEntry(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ticket, err := h.Create(t.Context(), tech, &deskv1.CreateTicketRequest{Draft: draft("Help")})
		if err != nil {
			t.Fatal(err)
		}
		message := &deskv1.AddEntryRequest{Number: ticket.Number, Id: newID(), Kind: "message", Text: "Is it on?\x00"}
		for range 2 {
			entry, err := h.AddEntry(t.Context(), tech, message)
			if err != nil || entry.Text != "Is it on?" || entry.Id != message.Id {
				t.Fatalf("added %v (%v)", entry, err)
			}
		}
		got := h.ticket(t, ticket.Number)
		if got.Ticket.Status != "open" || len(got.Timeline) != 3 {
			t.Errorf("after the first answer: %v", got)
		}
		if _, err := h.Update(t.Context(), tech, &deskv1.UpdateTicketRequest{Number: ticket.Number, Version: got.Ticket.Version, Status: proto.String("closed")}); err != nil {
			t.Fatal(err)
		}
		alice := desk.Actor{ID: got.GetTicket().GetRequester().GetId(), Name: "alice", Role: "requester"}
		if _, err := h.AddEntry(t.Context(), alice, &deskv1.AddEntryRequest{Number: ticket.Number, Id: newID(), Kind: "message", Text: "No"}); err != nil {
			t.Fatal(err)
		}
		if got := h.ticket(t, ticket.Number); got.Ticket.Status != "open" {
			t.Errorf("a closed ticket that the requester answers is %s", got.Ticket.Status)
		}
		for kind, r := range map[error]*deskv1.AddEntryRequest{
			desk.ErrNotFound:  {Number: 77, Id: newID(), Kind: "message", Text: "x"},
			desk.ErrForbidden: {Number: ticket.Number, Id: newID(), Kind: "note", Text: "x"},
			desk.ErrInvalid:   {Number: ticket.Number, Id: "7", Kind: "message", Text: "x"},
		} {
			_, err := h.AddEntry(t.Context(), alice, r)
			wantKind(t, err, kind)
		}
	})
}

// Long texts are cut, not refused, and what no database takes is taken out.
func TestTextsSurvive(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		pc := h.enroll(t, "pc\x00-é\n<b>")
		d := draft(strings.Repeat("é", 10<<20) + "\x00")
		d.Complaint = "Can't \x00 print"
		d.Requester = &constatv1.Person{Name: "\u202eevil\x00name 😀 " + strings.Repeat("x", 1000)}
		receipt := h.ingest(t, pc, ticketReport(d))[0]
		if receipt.Status != "stored" {
			t.Fatalf("refused: %v", receipt)
		}
		got := h.ticket(t, receipt.TicketNumber)
		if text := got.Timeline[0].Text; !strings.HasSuffix(text, "too long]") || len(text) > 300_000 {
			t.Errorf("a text of 20 MB became one of %d bytes", len(text))
		}
		if got.Ticket.Category != "other" || got.Ticket.EndpointName != "pc -é <b>" {
			t.Errorf("category %q, endpoint %q", got.Ticket.Category, got.Ticket.EndpointName)
		}
	})
}

// change updates a ticket as it stands.
func (h *house) change(t testing.TB, number int32, r *deskv1.UpdateTicketRequest) *constatv1.Ticket {
	t.Helper()
	r.Number, r.Version = number, h.ticket(t, number).Ticket.Version
	ticket, err := h.Update(t.Context(), tech, r)
	if err != nil {
		t.Fatal(err)
	}
	return ticket
}

func TestFindTickets(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		pc := h.enroll(t, "Compta-7")
		for _, text := range []string{"Le réseau est coupé", "100% CPU_load", "Réunion 3"} {
			h.ingest(t, pc, ticketReport(draft(text)))
		}
		for wanted, want := range map[string][]int32{
			"RESEAU":         {1},
			"réu":            {3},
			"compta":         {3, 2, 1},
			"reseau compta":  {1},
			"reseau reunion": nil,
			"100%":           {2},
			"%":              {3, 2, 1}, // a sign is no word
			"cpu_l":          {2},
			"cpuxl":          nil,
			"#2":             {2},
			"3":              {3},
			"alice":          {3, 2, 1},
			"":               {3, 2, 1},
			"a\x00b":         nil,
		} {
			list, err := h.Tickets(t.Context(), &deskv1.ListTicketsRequest{Query: wanted})
			if err != nil {
				t.Fatal(err)
			}
			var got []int32
			for _, ticket := range list.Tickets {
				got = append(got, ticket.Number)
			}
			if len(got) != len(want) {
				t.Errorf("%q finds %v, want %v", wanted, got, want)
				continue
			}
			for i := range got {
				if got[i] != want[i] {
					t.Errorf("%q finds %v, want %v", wanted, got, want)
				}
			}
		}
		list, err := h.Tickets(t.Context(), &deskv1.ListTicketsRequest{Status: "new", EndpointId: pc, Before: 3, Limit: 1})
		if err != nil || len(list.Tickets) != 1 || list.Tickets[0].Number != 2 {
			t.Errorf("filtered: %v (%v)", list, err)
		}
		_, err = h.Tickets(t.Context(), &deskv1.ListTicketsRequest{Status: "opened"})
		wantKind(t, err, desk.ErrInvalid)
		h.change(t, 1, &deskv1.UpdateTicketRequest{Assignee: &tech.Name})
		h.change(t, 2, &deskv1.UpdateTicketRequest{Status: proto.String("closed")})
		for _, view := range []struct {
			request *deskv1.ListTicketsRequest
			want    string
		}{
			{&deskv1.ListTicketsRequest{Active: true}, "[3 1]"},
			{&deskv1.ListTicketsRequest{Unassigned: true}, "[3 2]"},
			{&deskv1.ListTicketsRequest{Active: true, Unassigned: true}, "[3]"},
			{&deskv1.ListTicketsRequest{Active: true, Assignee: tech.Name}, "[1]"},
		} {
			list, err := h.Tickets(t.Context(), view.request)
			var got []int32
			for _, ticket := range list.GetTickets() {
				got = append(got, ticket.Number)
			}
			if err != nil || fmt.Sprint(got) != view.want {
				t.Errorf("%v gives %v (%v), want %s", view.request, got, err, view.want)
			}
		}
	})
}

// The more machines share a root cause, the higher the impact.
func TestImpactFromEvidence(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var got []string
		for _, name := range strings.Split("a b c d e f g h i j", " ") {
			found := diskFull()
			d := draft("slow")
			d.DiagnosisId = found.Id
			receipts := h.ingest(t, h.enroll(t, name), diagnosisReport(found), ticketReport(d))
			got = append(got, h.ticket(t, receipts[1].TicketNumber).Ticket.Impact)
		}
		if want := "low low normal normal normal normal normal normal normal high"; strings.Join(got, " ") != want {
			t.Errorf("impacts %v, want %s", got, want)
		}
	})
}
