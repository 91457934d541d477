package uplink

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"
	"time"

	constatv1 "constat/proto/constat/v1"
)

func replyReport(n int) *constatv1.Report {
	return &constatv1.Report{Content: &constatv1.Report_Reply{Reply: &constatv1.TicketReply{Id: testID(n), TicketId: testID(1), Text: "still nothing"}}}
}

// A reply waits like a ticket, also for a ticket that the collector does not have
// yet; what went is read afterwards, also after a restart.
func TestRepliesWaitAndWhatWentIsTold(t *testing.T) {
	c := startCollector(t)
	later := true
	c.script(func() {
		c.answer = func(reports []*constatv1.Report) (receipts []*constatv1.Receipt, _ error) {
			for _, r := range reports {
				_, id := identify(r)
				status := statusStored
				if r.GetReply() != nil && later {
					status, later = "later", false
				}
				receipts = append(receipts, &constatv1.Receipt{Id: id, Status: status, TicketNumber: 7})
			}
			return receipts, nil
		}
	})
	l := c.open()
	if _, err := l.Tickets(t.Context(), "anna", "fr"); !errors.Is(err, ErrNotConnected) {
		t.Errorf("asked without a connection: %v", err)
	}
	for _, r := range []*constatv1.Report{diagnosisReport(3), replyReport(2), ticketReport(1, "")} {
		if err := l.Spool().Put(r); err != nil {
			t.Fatal(err)
		}
	}
	if said, _, err := l.Spool().Said(); err != nil || len(said) != 2 || said[0].GetReply() == nil || said[1].GetTicket() == nil {
		t.Errorf("%v wait, %v", said, err)
	}
	answered := make(chan struct{}, 1)
	c.run(l, Handlers{Answered: func() {
		select {
		case answered <- struct{}{}:
		default:
		}
	}})
	within(t, answered, "the word that the collector is there")
	first := within(t, c.uploaded, "the first upload")
	if first[0].GetTicket() == nil || first[1].GetReply() == nil || first[2].GetDiagnosis() == nil {
		t.Errorf("in another order: %v", first)
	}
	if said, _, err := l.Spool().Said(); err != nil || len(said) != 1 || said[0].GetReply().GetText() != "still nothing" {
		// The receipts may not have been read yet.
		for err == nil && len(said) != 1 {
			said, _, err = l.Spool().Said()
		}
		if err != nil || said[0].GetReply() == nil {
			t.Errorf("after the ticket went, %v wait, %v", said, err)
		}
	}
	kinds := func(l *Link) (all string) {
		for _, s := range l.Trace() {
			all += s.Kind + " "
		}
		return all
	}
	again, err := Open(filepath.Dir(l.trace.path))
	for err == nil && kinds(again) == "" {
		again, err = Open(filepath.Dir(l.trace.path)) // it is written after the receipts
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := kinds(again); got != "diagnosis ticket " {
		t.Errorf("what went: %q", got)
	}
}

// What is told of what was sent names topics, and quotes nothing of it.
func TestTraceQuotesNothing(t *testing.T) {
	const secret = "canary7c1f"
	person := &constatv1.Person{Id: secret, Name: secret}
	for _, r := range []*constatv1.Report{
		{Content: &constatv1.Report_Snapshot{Snapshot: &constatv1.SnapshotReport{Payloads: []*constatv1.Payload{{Group: "network", Content: []byte(secret)}}}}},
		{Content: &constatv1.Report_Diagnosis{Diagnosis: &constatv1.Diagnosis{Procedure: "printing", NextStep: secret, RootCauses: []*constatv1.RootCause{{Title: secret, Component: secret}}}}},
		{Content: &constatv1.Report_Ticket{Ticket: &constatv1.TicketDraft{Text: secret, Requester: person, Pictures: [][]byte{[]byte(secret)}}}},
		{Content: &constatv1.Report_Reply{Reply: &constatv1.TicketReply{Text: secret, Requester: person}}},
		{Content: &constatv1.Report_Remedy{Remedy: &constatv1.RemedyResult{Verb: "resume-queue", Component: secret, Action: secret, Reason: secret}}},
		{Content: &constatv1.Report_Run{Run: &constatv1.ProcedureRun{Procedure: "printing", Steps: []*constatv1.ProcedureRun_StepTaken{{Answer: secret}}}}},
	} {
		text, err := json.Marshal(sentOf(r, &constatv1.Receipt{TicketNumber: 7}, time.Now()))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte(secret)) || !bytes.Contains(text, []byte("about")) {
			t.Errorf("it is told %s", text)
		}
	}
}
