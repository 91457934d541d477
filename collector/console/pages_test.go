package console

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// BenchmarkPages is how long the server takes for a page over loopback on SQLite,
// with 10,000 tickets of 100 machines, half of them closed, each with its
// diagnosis.
func BenchmarkPages(b *testing.B) {
	const machines, each = 100, 100
	with := newBench(b)
	for m := range machines {
		endpoint, _ := with.machineAsks(fmt.Sprintf("compta-%03d", m), "Claire", "printing", "printing", printerDiagnosis)
		for half := range 2 { // an upload has up to 100 reports, here two for each ticket
			var reports []*constatv1.Report
			for i := range each / 2 {
				d := dnsDiagnosis(newID(), "", time.Now())
				reports = append(reports, diagnosisReport(d), &constatv1.Report{Content: &constatv1.Report_Ticket{Ticket: &constatv1.TicketDraft{
					Id: newID(), Complaint: "internet", Text: fmt.Sprintf("No internet since this morning, rare%d-%d-%d", m, half, i),
					Requester: &constatv1.Person{Name: fmt.Sprintf("user%d", i)}, DiagnosisId: d.GetId(), Language: "en", Channel: "tray",
				}}})
			}
			for _, receipt := range with.upload(endpoint, reports...) {
				if number := receipt.GetTicketNumber(); number != 0 && half == 0 {
					with.close(number)
				}
			}
		}
	}
	w := with.as("lea")
	for _, page := range []struct{ name, path string }{
		{"queue", "/tickets"},
		{"mine (none)", "/tickets?assignee=lea"},
		{"common word", "/tickets?q=internet"},
		{"rare word", "/tickets?q=rare3-1-7"},
		{"no such word", "/tickets?status=any&q=nothing"},
		{"ticket", "/tickets/5000"},
		{"machine", "/endpoints/compta-050"},
		{"machines", "/endpoints"},
	} {
		b.Run(page.name, func(b *testing.B) {
			for b.Loop() {
				if p := w.get(page.path); p.status != http.StatusOK {
					b.Fatalf("%s: status %d", page.path, p.status)
				}
			}
		})
	}
}

// close closes a ticket as it was opened.
func (b *bench) close(number int32) {
	b.Helper()
	ticket, err := b.desk.Ticket(b.Context(), number)
	if err != nil {
		b.Fatal(err)
	}
	_, err = b.desk.Update(b.Context(), desk.System, &deskv1.UpdateTicketRequest{
		Number: number, Version: ticket.GetTicket().GetVersion(), Status: proto.String("closed"),
	})
	if err != nil {
		b.Fatal(err)
	}
}
