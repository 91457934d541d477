package desk_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/account"
	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

var lead = desk.Actor{ID: "2", Name: "Ines", Role: "lead"}

// join adds somebody to the team who gets tickets by themselves.
func (h *house) join(t testing.TB, one *deskv1.Technician) {
	t.Helper()
	if _, err := account.New(h.store).Create(t.Context(), one.GetName(), "", "technician", ""); err != nil {
		t.Fatal(err)
	}
	one.TakesTickets = true
	if _, err := h.SetTechnician(t.Context(), lead, &deskv1.SetTechnicianRequest{Technician: one}); err != nil {
		t.Fatal(err)
	}
}

func knows(pairs ...string) []*constatv1.Skill {
	var list []*constatv1.Skill
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, &constatv1.Skill{Kind: pairs[i], Value: pairs[i+1], Level: 2})
	}
	return list
}

// about is a diagnosis that names a brand of a domain.
func about(domain, brand string) *constatv1.Diagnosis {
	d := diskFull()
	d.RootCauses[0].Domain, d.RootCauses[0].Brand = domain, brand
	return d
}

// lastAssignment is the newest decision in a timeline; nil: none.
func lastAssignment(ticket *deskv1.GetTicketResponse) *constatv1.Assignment {
	for _, entry := range slices.Backward(ticket.GetTimeline()) {
		if entry.GetKind() == "assignment" {
			return entry.GetAssignment()
		}
	}
	return nil
}

// TestTheExpertGetsIt: by what the diagnosis names, whenever that comes, and not
// against a hand.
func TestTheExpertGetsIt(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.join(t, &deskv1.Technician{Name: "Ada", Skills: knows("brand", "Cisco", "domain", "cisco")})
		h.join(t, &deskv1.Technician{Name: "Bob", Skills: knows("domain", "printer", "brand", "HP")})
		pc := h.enroll(t, "pc-1")

		waiting := draft("It does nothing")
		found := about("cisco", "Cisco")
		waiting.DiagnosisId = found.GetId()
		number := h.ingest(t, pc, ticketReport(waiting))[0].GetTicketNumber()
		got := h.ticket(t, number)
		if got.GetTicket().GetAssignee() != "Bob" || lastAssignment(got).GetMatter().GetSource() != "category" {
			t.Fatalf("a complaint about printing went to %q by %v", got.GetTicket().GetAssignee(), lastAssignment(got).GetMatter())
		}
		h.ingest(t, pc, diagnosisReport(found))
		got = h.ticket(t, number)
		decided := lastAssignment(got)
		if got.GetTicket().GetAssignee() != "Ada" || decided.GetMatter().GetSource() != "diagnosis" {
			t.Fatalf("the switch's ticket went to %q by %v", got.GetTicket().GetAssignee(), decided.GetMatter())
		}
		if got.GetTicket().GetAssignmentReason() != "Cisco 2, cisco 2; 0 open" {
			t.Errorf("because %q", got.GetTicket().GetAssignmentReason())
		}
		why := map[string]string{}
		for _, c := range decided.GetCandidates() {
			why[c.GetName()] = c.GetVerdict()
		}
		if why["Ada"] != "chosen" || why["Bob"] != "knowsLess" || why[tech.Name] != "takesNone" {
			t.Errorf("the others: %v", why)
		}

		// A hand is stronger than the rule, also when news comes.
		again := about("printer", "HP")
		second := draft("And that")
		second.DiagnosisId = again.GetId()
		number = h.ingest(t, pc, ticketReport(second))[0].GetTicketNumber()
		name := "Ada"
		if _, err := h.Update(t.Context(), tech, &deskv1.UpdateTicketRequest{Number: number, Version: h.ticket(t, number).GetTicket().GetVersion(), Assignee: &name}); err != nil {
			t.Fatal(err)
		}
		h.ingest(t, pc, diagnosisReport(again))
		if got := h.ticket(t, number).GetTicket(); got.GetAssignee() != "Ada" || got.GetAssignmentReason() != "chosen by hand" {
			t.Errorf("given to Ada by hand, it is with %q: %q", got.GetAssignee(), got.GetAssignmentReason())
		}
	})
}

// TestOneEach: tickets that come at the same moment are shared out evenly, and
// nobody gets more than their cap.
func TestOneEach(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for i := range 3 {
			h.join(t, &deskv1.Technician{Name: fmt.Sprintf("t%d", i), Cap: 4})
		}
		var all sync.WaitGroup
		for i := range 14 {
			all.Go(func() {
				if _, err := h.Create(t.Context(), desk.System, &deskv1.CreateTicketRequest{Draft: draft(fmt.Sprint("ticket ", i))}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		team, err := h.Technicians(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range team {
			if want := map[bool]int32{true: 4}[one.GetTakesTickets()]; one.GetOpen() != want {
				t.Errorf("%s has %d, want %d", one.GetName(), one.GetOpen(), want)
			}
		}
		left, err := h.Tickets(t.Context(), &deskv1.ListTicketsRequest{Unassigned: true})
		if err != nil || len(left.GetTickets()) != 2 {
			t.Fatalf("%d tickets left over (%v), want 2", len(left.GetTickets()), err)
		}
		if got, want := left.GetTickets()[0].GetAssignmentReason(), "nobody yet: t0 has 4 of 4, t1 has 4 of 4, t2 has 4 of 4"; got != want {
			t.Errorf("left over because %q, want %q", got, want)
		}
	})
}

// TestAway: who is away gets nothing, and what they had stays theirs.
func TestAway(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.join(t, &deskv1.Technician{Name: "Ada", Skills: knows("domain", "printer"), Absences: []*deskv1.Absence{{
			From: timestamppb.New(time.Now().Add(-time.Hour)), Until: timestamppb.New(time.Now().Add(time.Hour)), Reason: "training",
		}}})
		h.join(t, &deskv1.Technician{Name: "Bob"})
		got, err := h.Create(t.Context(), desk.System, &deskv1.CreateTicketRequest{Draft: draft("jam")})
		if err != nil || got.GetAssignee() != "Bob" {
			t.Errorf("it went to %q (%v)", got.GetAssignee(), err)
		}
		team, err := h.Technicians(t.Context())
		if err != nil || len(team) != 3 || team[0].GetName() != "Ada" || team[0].GetAbsences()[0].GetReason() != "training" {
			t.Errorf("the team: %v (%v)", team, err)
		}
	})
}

// TestPreviewTechnician: a change is tried on what was, and changes nothing.
func TestPreviewTechnician(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.join(t, &deskv1.Technician{Name: "Ada"})
		h.join(t, &deskv1.Technician{Name: "Bob"})
		for range 4 {
			if _, err := h.Create(t.Context(), desk.System, &deskv1.CreateTicketRequest{Draft: draft("jam")}); err != nil {
				t.Fatal(err)
			}
		}
		change := &deskv1.PreviewTechnicianRequest{Technician: &deskv1.Technician{Name: "bob", TakesTickets: true, Skills: knows("domain", "printer")}}
		_, err := h.PreviewTechnician(t.Context(), tech, change)
		wantKind(t, err, desk.ErrForbidden)
		got, err := h.PreviewTechnician(t.Context(), lead, change)
		if err != nil || got.GetTickets() != 4 {
			t.Fatalf("%v (%v)", got, err)
		}
		loads := map[string][2]int32{}
		for _, l := range got.GetLoads() {
			loads[l.GetName()] = [2]int32{l.GetBefore(), l.GetAfter()}
		}
		if loads["Ada"] != [2]int32{2, 0} || loads["Bob"] != [2]int32{2, 4} || len(got.GetMoved()) != 2 {
			t.Errorf("loads %v, moved %v", loads, got.GetMoved())
		}
		if team, err := h.Technicians(t.Context()); err != nil || len(team[1].GetSkills()) != 0 {
			t.Errorf("the preview changed the team: %v (%v)", team, err)
		}
	})
}

func TestSetTechnicianRefuses(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		now := timestamppb.Now()
		for _, test := range []struct {
			name string
			one  *deskv1.Technician
		}{
			{"nobody of that name", &deskv1.Technician{Name: "Nobody"}},
			{"no name", &deskv1.Technician{}},
			{"kind", &deskv1.Technician{Name: tech.Name, Skills: knows("colour", "red")}},
			{"no value", &deskv1.Technician{Name: tech.Name, Skills: knows("brand", " ")}},
			{"domain", &deskv1.Technician{Name: tech.Name, Skills: knows("domain", "cooking")}},
			{"level", &deskv1.Technician{Name: tech.Name, Skills: []*constatv1.Skill{{Kind: "brand", Value: "HP", Level: 4}}}},
			{"cap", &deskv1.Technician{Name: tech.Name, Cap: -1}},
			{"absence without end", &deskv1.Technician{Name: tech.Name, Absences: []*deskv1.Absence{{From: now}}}},
			{"absence backwards", &deskv1.Technician{Name: tech.Name, Absences: []*deskv1.Absence{{From: now, Until: now}}}},
		} {
			_, err := h.SetTechnician(t.Context(), lead, &deskv1.SetTechnicianRequest{Technician: test.one})
			if wantKind(t, err, desk.ErrInvalid); err == nil {
				t.Errorf("%s was taken", test.name)
			}
		}
		_, err := h.SetTechnician(t.Context(), tech, &deskv1.SetTechnicianRequest{Technician: &deskv1.Technician{Name: tech.Name}})
		wantKind(t, err, desk.ErrForbidden)
	})
}
