package desk_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// brokenNames is a ticket whose latest diagnosis has remedies.
func (h *house) brokenNames(t *testing.T, pc string) int32 {
	t.Helper()
	asked, found := draft("The Internet is gone"), diskFull()
	asked.DiagnosisId = found.Id
	found.RootCauses[0].Fault, found.RootCauses[0].Component = "net-dns-unreachable", "192.0.2.53, 192.0.2.54"
	found.RootCauses[0].Remedies = []string{"flush-dns", "renew-dhcp"}
	return h.ingest(t, pc, diagnosisReport(found), ticketReport(asked))[1].GetTicketNumber()
}

func remedyReport(r *constatv1.RemedyResult) *constatv1.Report {
	return &constatv1.Report{Content: &constatv1.Report_Remedy{Remedy: r}}
}

// remedies are the remedies in a ticket's timeline, in order.
func (h *house) remedies(t *testing.T, number int32) (all []*constatv1.RemedyResult) {
	t.Helper()
	for _, e := range h.ticket(t, number).GetTimeline() {
		if e.GetKind() == "remedy" {
			all = append(all, e.GetRemedy())
		}
	}
	return all
}

// A technician asks, the agent puts it before its user, and what came of it
// stands in the ticket, once.
func TestRemedyIsAskedForAndToldOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		pc := h.enroll(t, "pc-1")
		number := h.brokenNames(t, pc)
		commands, hangUp := h.connect(t, pc)
		answer, err := h.RequestRemedy(t.Context(), tech, &deskv1.RequestRemedyRequest{Ticket: number, Verb: "flush-dns"})
		if err != nil {
			t.Fatal(err)
		}
		command := <-commands
		if r := command.GetRemedy(); command.GetId() != answer.GetCommandId() || r.GetVerb() != "flush-dns" || r.GetFault() != "net-dns-unreachable" || r.GetComponent() != "192.0.2.53" || r.GetTicket() != number || command.GetRequestedBy() != tech.Name {
			t.Errorf("the agent is asked %v", command)
		}
		if err := h.Finish(t.Context(), pc, &constatv1.CommandResult{CommandId: command.GetId(), Status: "done"}); err != nil {
			t.Fatal(err)
		}
		result := &constatv1.RemedyResult{
			Id: command.GetId(), Verb: "flush-dns", Fault: "net-dns-unreachable", Ticket: number, Outcome: "fixed", ConsentedBy: "anna", At: timestamppb.Now(),
			Proof: &constatv1.RemedyText{En: "Names are answered in 12 ms; before: no name is answered.", Fr: "Les noms sont trouvés en 12 ms ; avant : aucun nom n’est trouvé."},
		}
		for range 2 {
			if got := h.ingest(t, pc, remedyReport(result))[0]; got.GetStatus() != "stored" {
				t.Fatal(got)
			}
		}
		all := h.remedies(t, number)
		if len(all) != 2 || all[0].GetOutcome() != "" || all[1].GetOutcome() != "fixed" || !strings.Contains(all[1].GetProof().GetFr(), "12 ms") {
			t.Errorf("the timeline has %v", all)
		}
		_ = hangUp()
	})
}

// What a person at a machine did on their own belongs to no ticket, and stands with
// the machine, beside what a technician asked for.
func TestRemediesOfAMachine(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		pc, other := h.enroll(t, "pc-1"), h.enroll(t, "pc-2")
		own := &constatv1.RemedyResult{
			Id: "0197d1a0-0000-7000-8000-000000000001", Verb: "repair-package", Component: "editor", Outcome: "failed", RequestedBy: "anna", ConsentedBy: "anna",
			At: timestamppb.Now(), Reason: "apt-get: failed", Told: &constatv1.RemedyText{En: "It could not be installed.", Fr: "Installation impossible."},
		}
		asked := &constatv1.RemedyResult{Id: "0197d1a0-0000-7000-8000-000000000002", Verb: "flush-dns", Outcome: "fixed", Ticket: h.brokenNames(t, pc)}
		for _, r := range []*constatv1.RemedyResult{own, asked, own} {
			if got := h.ingest(t, pc, remedyReport(r))[0]; got.GetStatus() != "stored" {
				t.Fatal(got)
			}
		}
		if got := h.ingest(t, other, remedyReport(&constatv1.RemedyResult{Id: asked.Id, Verb: "flush-dns", Outcome: "fixed", Ticket: asked.Ticket}))[0]; got.GetStatus() != "refused" {
			t.Errorf("another machine's word is %s", got.GetStatus())
		}
		found, err := h.Endpoint(t.Context(), pc)
		if err != nil {
			t.Fatal(err)
		}
		all := found.GetRemedies()
		if len(all) != 2 || all[1].GetOutcome() != "failed" || all[1].GetTold().GetFr() != own.GetTold().GetFr() || all[0].GetTicket() != asked.Ticket {
			t.Errorf("the machine's remedies: %v", all)
		}
		if found, err := h.Endpoint(t.Context(), other); err != nil || len(found.GetRemedies()) != 0 {
			t.Errorf("the other's remedies: %v, %v", found.GetRemedies(), err)
		}
	})
}

// What an endpoint can't have been asked is not written into a ticket, and what
// nobody took is told there.
func TestRemediesThatAreRefused(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		pc, other := h.enroll(t, "pc-1"), h.enroll(t, "pc-2")
		number := h.brokenNames(t, pc)
		for _, r := range []*deskv1.RequestRemedyRequest{
			{Ticket: number, Verb: "set-clock"}, {Ticket: number, Verb: "rm -rf"}, {Ticket: number, Verb: "flush-dns", Fault: "os-disk-full"},
		} {
			if _, err := h.RequestRemedy(t.Context(), tech, r); !errors.Is(err, desk.ErrInvalid) {
				t.Errorf("%v: %v", r, err)
			}
		}
		const id = "0197d1a0-0000-7000-8000-000000000001"
		for _, bad := range []*constatv1.RemedyResult{
			{Id: id, Verb: "flush-dns", Outcome: "splendid", Ticket: number}, {Id: "x", Verb: "flush-dns", Outcome: "fixed", Ticket: number},
			{Id: id, Verb: "flush-dns", Outcome: "fixed", Ticket: 4711}, {Id: id, Verb: "flush-dns", Outcome: "fixed", Reason: strings.Repeat("x", 1<<20)},
		} {
			if got := h.ingest(t, pc, remedyReport(bad))[0]; got.GetStatus() != "refused" {
				t.Errorf("%v is %s", bad, got.GetStatus())
			}
		}
		if got := h.ingest(t, other, remedyReport(&constatv1.RemedyResult{Id: id, Verb: "flush-dns", Outcome: "fixed", Ticket: number}))[0]; got.GetStatus() != "refused" {
			t.Errorf("another endpoint's word is %s", got.GetStatus())
		}
		if got := h.remedies(t, number); len(got) != 0 {
			t.Errorf("the timeline has %v", got)
		}
		answer, err := h.RequestRemedy(t.Context(), tech, &deskv1.RequestRemedyRequest{Ticket: number, Verb: "renew-dhcp"})
		if err != nil {
			t.Fatal(err)
		}
		h.SetClock(time.Now().Add(2 * time.Hour))
		if _, err := h.follow(t, answer.GetCommandId()); !errors.Is(err, desk.ErrUnfinished) {
			t.Fatal(err)
		}
		if got := h.remedies(t, number); len(got) != 2 || got[1].GetOutcome() != "expired" {
			t.Errorf("the timeline has %v", got)
		}
	})
}
