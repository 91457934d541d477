package main

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/agent/local"
	constatv1 "constat/proto/constat/v1"
)

// What waits here stands with what the collector said, each person's own, once.
func TestWaitingTicketsAreListed(t *testing.T) {
	anna, bob := local.User{ID: "1000", Name: "anna"}, local.User{ID: "1001", Name: "bob"}
	by := func(u local.User) *constatv1.Person { return &constatv1.Person{Id: u.ID, Name: u.Name} }
	waiting := []*constatv1.Report{
		{Content: &constatv1.Report_Ticket{Ticket: &constatv1.TicketDraft{Id: "t2", Complaint: "printing", Text: "No paper", Requester: by(anna)}}},
		{Content: &constatv1.Report_Ticket{Ticket: &constatv1.TicketDraft{Id: "t1", Complaint: "printing", Text: "sent meanwhile", Requester: by(anna)}}},
		{Content: &constatv1.Report_Ticket{Ticket: &constatv1.TicketDraft{Id: "t3", Complaint: "other", Text: "bob’s", Requester: by(bob)}}},
		{Content: &constatv1.Report_Reply{Reply: &constatv1.TicketReply{Id: "r1", TicketId: "t1", Text: "Yes", Requester: by(anna)}}},
		{Content: &constatv1.Report_Reply{Reply: &constatv1.TicketReply{Id: "r2", TicketId: "t2", Text: "and no ink", Requester: by(anna)}}},
		{Content: &constatv1.Report_Reply{Reply: &constatv1.TicketReply{Id: "r3", TicketId: "t1", Text: "bob’s", Requester: by(bob)}}},
	}
	got := addSaid([]*constatv1.PersonTicket{{Ticket: &constatv1.Ticket{Id: "t1", Number: 1}, Messages: []*constatv1.TicketEntry{{Id: "t1"}}}}, "waiting", waiting, anna, "fr")
	if len(got) != 2 || got[0].GetTicket().GetId() != "t2" || got[0].GetTicket().GetNumber() != 0 || got[0].GetMessages()[0].GetKind() != "waiting" || got[0].GetTicket().GetTitle() == "" {
		t.Fatalf("%v", got)
	}
	if m := got[0].GetMessages(); len(m) != 2 || m[1].GetText() != "and no ink" || m[1].GetKind() != "waiting" {
		t.Errorf("the one that waits has %v", m)
	}
	if m := got[1].GetMessages(); len(m) != 2 || m[1].GetText() != "Yes" || m[1].GetKind() != "waiting" {
		t.Errorf("the one that is known has %v", m)
	}
}

// A person is told of an answer, a request and a finding once, also over a restart.
func TestPeopleAreToldOnce(t *testing.T) {
	anna := local.User{ID: "1000", Name: "anna"}
	dir := t.TempDir()
	start := func() *counter {
		c := &counter{observer: &observer{dir: dir}}
		c.people.open(dir)
		return c
	}
	c := start()
	if state, notices := c.stands(anna, "en"); state != "fine" || len(notices) != 0 {
		t.Errorf("at first: %s %v", state, notices)
	}
	at := time.Now()
	said := &constatv1.ListPersonTicketsResponse{Tickets: []*constatv1.PersonTicket{{Ticket: &constatv1.Ticket{Id: "t1", Number: 7, Title: "No paper"}, Messages: []*constatv1.TicketEntry{
		{Id: "m1", ActorRole: "requester", Text: "my own", At: timestamppb.New(at)}, {Id: "m2", Actor: "Ada", ActorRole: "technician", Text: "Is it on?\nReally?", At: timestamppb.New(at)},
	}}}}
	c.people.of(anna).answer = said
	c.found = []*constatv1.Finding{
		{At: timestamppb.New(at), Event: "daily", Fault: "hw-battery-worn", Component: "BAT1", Title: "as it was found", Certainty: "probable", Procedure: "power"},
		{At: timestamppb.New(at), Event: "daily", Fault: "made-up", Title: "The disk will fail", Certainty: "probable", Procedure: "full"},
		{At: timestamppb.New(at), Event: "linkFlaps", Fault: "other-made-up", Title: "felt already", Certainty: "confirmed", Procedure: "internet"},
	}
	state, notices := c.stands(anna, "fr")
	if state != "answered" || len(notices) != 3 || notices[0].GetText() != "Is it on?" || !strings.Contains(notices[0].GetTitle(), "Ada vous a répondu") || notices[0].GetView() != "tickets" ||
		notices[1].GetText() != "The disk will fail" || notices[1].GetView() != "full" || !strings.Contains(notices[2].GetText(), "La batterie BAT1") {
		t.Errorf("%s %v", state, notices)
	}
	end := c.people.works(anna)
	if state, notices := c.stands(anna, "fr"); state != "working" || len(notices) != 0 {
		t.Errorf("while it is looked into: %s %v", state, notices)
	}
	end()
	again := start()
	again.people.of(anna).answer, again.found = said, c.found
	if state, notices := again.stands(anna, "en"); state != "answered" || len(notices) != 0 {
		t.Errorf("after a restart: %s %v", state, notices)
	}
	// What others have too is told before anybody writes a ticket of it, once.
	again.people.of(anna).answer = &constatv1.ListPersonTicketsResponse{Tickets: said.GetTickets(), Known: []*constatv1.Finding{
		{Fault: "printer-unreachable-off", Subject: "Floor 2", At: timestamppb.New(at)}, {Fault: "nobody-knows", At: timestamppb.New(at)}}}
	if _, notices := again.stands(anna, "fr"); len(notices) != 1 || notices[0].GetTitle() != "Déjà signalé" || !strings.Contains(notices[0].GetText(), "Floor 2") ||
		!strings.HasSuffix(notices[0].GetText(), ". Vos techniciens y travaillent ; inutile de le signaler.") {
		t.Errorf("of what is known: %v", notices)
	}
	if _, notices := again.stands(anna, "fr"); len(notices) != 0 {
		t.Errorf("and once more: %v", notices)
	}
	again.people.of(anna).Read = latest(said)
	if state, _ := again.stands(anna, "en"); state != "found" {
		t.Errorf("when it was read: %s", state)
	}
}
