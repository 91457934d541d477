package console

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// give gives a ticket to somebody, as a colleague does.
func (b *bench) give(number int32, name string) {
	b.Helper()
	ticket, err := b.desk.Ticket(b.Context(), number)
	if err != nil {
		b.Fatal(err)
	}
	lead, err := b.accounts.Named(b.Context(), "marc")
	if err != nil {
		b.Fatal(err)
	}
	_, err = b.desk.Update(b.Context(), (&visit{user: lead}).actor(), &deskv1.UpdateTicketRequest{
		Number: number, Version: ticket.GetTicket().GetVersion(), Assignee: proto.String(name),
	})
	if err != nil {
		b.Fatal(err)
	}
}

// ask opens a ticket without a machine, that nobody has.
func (b *bench) ask(text string) int32 {
	b.Helper()
	for _, name := range []string{"lea", "marc"} {
		_, err := b.desk.SetTechnician(b.Context(), desk.System, &deskv1.SetTechnicianRequest{Technician: &deskv1.Technician{Name: name}})
		if err != nil {
			b.Fatal(err)
		}
	}
	ticket, err := b.desk.Create(b.Context(), desk.System, &deskv1.CreateTicketRequest{Draft: &constatv1.TicketDraft{
		Id: newID(), Text: text, Language: "en", Channel: "phone", Requester: &constatv1.Person{Name: "Yann"},
	}})
	if err != nil {
		b.Fatal(err)
	}
	return ticket.GetNumber()
}

func TestNotices(t *testing.T) {
	b := newBench(t)
	lea, marc := b.as("lea"), b.as("marc")
	lea.wants(lea.get("/notices"), http.StatusOK, "Nothing yet")
	number := b.ask("<b>Smoke</b> in the server room")
	ticket := fmt.Sprintf("/tickets/%d", number)
	const one = `number">1<span class="hidden-label"> not read`

	// The bell rings on a page that is open, and where it is opened.
	rung := false
	lea.stream("/events", func() { b.give(number, "lea") }, func(name, data string) bool {
		rung = name == "bell" && strings.Contains(data, one)
		return rung
	})
	if !rung {
		t.Error("the bell did not ring")
	}
	lea.wants(lea.get("/tickets"), http.StatusOK, one)
	lea.wants(lea.get("/notices"), http.StatusOK, one, "Given to you", "&lt;b&gt;Smoke", "marc", "Mark all as read")
	marc.wants(marc.get("/notices"), http.StatusOK, "Nothing yet")
	// Looking at the ticket is reading.
	if p := lea.get(ticket); strings.Contains(p.body, one) {
		t.Error("the notice is unread on its ticket's page")
	}
	marc.post(ticket, marc.form(ticket).with("text", "I am on my way", "kind", "note")...)
	lea.wants(lea.get("/notices"), http.StatusOK, one, "New message", "I am on my way")
	if p := lea.post("/notices"); strings.Contains(p.body, one) || strings.Contains(p.body, "Mark all") {
		t.Error("not all is read")
	}
}

func TestNoticeRulePage(t *testing.T) {
	b := newBench(t)
	lea := b.as("lea")
	lea.wants(lea.get("/notices/rule"), http.StatusOK, `value="lea@example.org"`, `value="assigned" checked`)
	lea.wants(lea.post("/notices/rule", "mail", "lea", "kind", "assigned"), http.StatusUnprocessableEntity, "is not a mail address", `value="lea"`)
	lea.wants(lea.post("/notices/rule", "mail", "l@example.org", "from", "18:30", "until", "08:00", "zone", "Europe/Paris", "weekend", "on", "kind", "assigned"),
		http.StatusOK, "Saved", `value="l@example.org"`, `value="18:30"`, `value="assigned" checked`, `value="message">`, `name="weekend" checked`)
}
