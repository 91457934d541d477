package desk_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/desk"
	"constat/collector/store"
	"constat/collector/store/query"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// byItself is a diagnosis that a machine made because of an event.
func byItself(procedure, domain string) *constatv1.Diagnosis {
	d := diskFull()
	d.Id, d.Procedure, d.Trigger, d.Event, d.EventSubject = newID(), procedure, "event", "printJobFailed", "Accounting"
	d.StartedAt = timestamppb.Now()
	d.RootCauses[0].Domain = domain
	return d
}

func (h *house) found(t *testing.T, endpoint string, d *constatv1.Diagnosis) {
	t.Helper()
	for _, r := range h.ingest(t, endpoint, &constatv1.Report{Content: &constatv1.Report_Diagnosis{Diagnosis: d}}) {
		if r.GetStatus() != "stored" {
			t.Fatalf("the diagnosis was %s: %s", r.GetStatus(), r.GetReason())
		}
	}
}

func (h *house) asks(t *testing.T, endpoint, complaint, channel string) *constatv1.Ticket {
	t.Helper()
	ticket, err := h.Create(t.Context(), tech, &deskv1.CreateTicketRequest{EndpointId: endpoint, Draft: &constatv1.TicketDraft{
		Id: newID(), Complaint: complaint, Text: "It does nothing.", Requester: &constatv1.Person{Name: "Claire"}, Channel: channel,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return ticket
}

func diagnosesIn(ticket *deskv1.GetTicketResponse) (ids []string) {
	for _, entry := range ticket.GetTimeline() {
		if d := entry.GetDiagnosis(); d != nil {
			ids = append(ids, d.GetId())
		}
	}
	return ids
}

// What a machine found by itself goes to the ticket it is about, or waits for it.
func TestUnaskedDiagnosisFindsItsTicket(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		pc := h.enroll(t, "compta-07")
		other := h.asks(t, pc, "software", "tray")
		printing := h.asks(t, pc, "printing", "tray")
		d := byItself("printing", "printer")
		h.found(t, pc, d)
		if got := diagnosesIn(h.ticket(t, printing.GetNumber())); len(got) != 1 || got[0] != d.GetId() {
			t.Errorf("the ticket about printing has %v", got)
		}
		if got := diagnosesIn(h.ticket(t, other.GetNumber())); len(got) != 0 {
			t.Errorf("the ticket about a program has %v", got)
		}
		if got := h.ticket(t, printing.GetNumber()).GetTicket().GetRootCause(); got != d.GetRootCauses()[0].GetFault() {
			t.Errorf("the ticket's root cause is %q", got)
		}

		// Without one it waits, and the ticket that comes has it at once.
		laptop := h.enroll(t, "port-112")
		kept := byItself("printing", "printer")
		h.found(t, laptop, kept)
		if got := diagnosesIn(h.ticket(t, h.asks(t, laptop, "internet", "tray").GetNumber())); len(got) != 0 {
			t.Errorf("a ticket about the Internet has %v", got)
		}
		for _, complaint := range []string{"printing", "other"} {
			if got := diagnosesIn(h.ticket(t, h.asks(t, laptop, complaint, "tray").GetNumber())); len(got) != 1 || got[0] != kept.GetId() {
				t.Errorf("a ticket about %s has %v", complaint, got)
			}
		}
		// One that a person asked for is theirs, and a healthy one says nothing.
		asked, healthy := byItself("printing", "printer"), byItself("printing", "printer")
		asked.Trigger, healthy.Verdict, healthy.RootCauses = "user", "healthy", nil
		third := h.enroll(t, "port-113")
		h.found(t, third, asked)
		h.found(t, third, healthy)
		if got := diagnosesIn(h.ticket(t, h.asks(t, third, "printing", "tray").GetNumber())); len(got) != 0 {
			t.Errorf("a ticket has what belongs to another: %v", got)
		}
	})
}

// pending are the diagnoses that a machine is asked for.
func (h *house) pending(t *testing.T, endpoint string) (asked []*constatv1.Command) {
	t.Helper()
	rows, err := h.store.Read().PendingCommands(t.Context(), endpoint, store.Millis(time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		c := &constatv1.Command{}
		if err := store.UnpackMessage(row.Content, c); err != nil {
			t.Fatal(err)
		}
		asked = append(asked, c)
	}
	return asked
}

// A ticket that comes by telephone or mail has its machine asked at once; one that
// was written at the machine has not, nor one that has its answer.
func TestNewTicketAsksItsMachine(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		pc := h.enroll(t, "compta-07")
		h.asks(t, pc, "printing", "tray")
		if got := h.pending(t, pc); len(got) != 0 {
			t.Errorf("a ticket written at the machine asks it: %v", got)
		}
		ticket := h.asks(t, pc, "printing", "phone")
		got := h.pending(t, pc)
		if len(got) != 1 || got[0].GetDiagnose().GetProcedure() != "printing" || got[0].GetDiagnose().GetTicket() != ticket.GetNumber() || got[0].GetRequestedBy() != desk.System.Name {
			t.Fatalf("asked for %v", got)
		}
		laptop := h.enroll(t, "port-112")
		h.found(t, laptop, byItself("printing", "printer"))
		h.asks(t, laptop, "printing", "phone")
		if got := h.pending(t, laptop); len(got) != 0 {
			t.Errorf("a machine that said it already is asked: %v", got)
		}
	})
}

// When several machines of a subnet have the same trouble, some of the others are
// asked, once; a trouble of one machine's own asks nobody.
func TestTroubleOfSeveralAsksTheirNeighbours(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var all []string
		for _, name := range []string{"a", "b", "c", "d"} {
			id := h.enroll(t, name)
			err := h.store.Write(t.Context(), func(ctx context.Context, q *query.Queries) error {
				now := time.Now()
				_, err := q.SeeEndpoint(ctx, id, store.Millis(now), store.Millis(now.Add(time.Hour)))
				return errors.Join(err, q.PutPlace(ctx, query.PutPlaceParams{EndpointID: id, Subnet: "192.0.2.0/24", SeenAt: store.Millis(now)}))
			})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, id)
		}
		silent := func() *constatv1.Diagnosis {
			d := byItself("internet", "network")
			d.RootCauses[0].Fault = "net-upstream-outage"
			return d
		}
		h.found(t, all[0], silent())
		for _, id := range all {
			if got := h.pending(t, id); len(got) != 0 {
				t.Fatalf("one machine's trouble asks others: %v", got)
			}
		}
		h.found(t, all[1], silent())
		h.found(t, all[1], silent())
		for i, id := range all {
			got := h.pending(t, id)
			if want := i >= 2; want != (len(got) == 1) {
				t.Fatalf("machine %d was asked %d times", i, len(got))
			}
		}
		// What they answer goes to a ticket that is open there, or waits for one.
		open := h.asks(t, all[2], "internet", "tray")
		for _, id := range all[2:] {
			answer := silent()
			answer.Trigger, answer.Event, answer.CommandId = "command", "", h.pending(t, id)[0].GetId()
			h.found(t, id, answer)
		}
		if got := diagnosesIn(h.ticket(t, open.GetNumber())); len(got) != 1 {
			t.Errorf("at the open ticket of a machine that was asked for its neighbours' sake: %v", got)
		}
		if got := diagnosesIn(h.ticket(t, h.asks(t, all[3], "internet", "tray").GetNumber())); len(got) != 1 {
			t.Errorf("at a later ticket of a machine that was asked for its neighbours' sake: %v", got)
		}
	})
}
