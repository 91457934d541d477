package desk_test

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

func replyReport(r *constatv1.TicketReply) *constatv1.Report {
	return &constatv1.Report{Content: &constatv1.Report_Reply{Reply: r}}
}

func reply(ticket, account, text string) *constatv1.TicketReply {
	return &constatv1.TicketReply{
		Id: newID(), TicketId: ticket, Requester: &constatv1.Person{Name: account}, Text: text, WrittenAt: timestamppb.Now(),
	}
}

func (h *house) writes(t *testing.T, endpoint, account string, pictures ...[]byte) (*constatv1.TicketDraft, int32) {
	t.Helper()
	d := draft("Nothing comes out")
	d.Requester = &constatv1.Person{Id: "1000", Name: account}
	d.Pictures = pictures
	return d, h.ingest(t, endpoint, ticketReport(d))[0].GetTicketNumber()
}

func (h *house) read(t *testing.T, endpoint, account string) *constatv1.ListPersonTicketsResponse {
	t.Helper()
	answer, err := h.PersonTickets(t.Context(), endpoint, account, "fr")
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// A person reads their own tickets of their own machine, and of those the messages
// only; what they write back is in the ticket once, however often it comes.
func TestAPersonAtAMachineReadsAndAnswers(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		if _, err := h.SetServiceLevels(t.Context(), desk.System, levels); err != nil {
			t.Fatal(err)
		}
		mine, other := h.enroll(t, "pc-1"), h.enroll(t, "pc-2")
		d, number := h.writes(t, mine, "Alice")
		h.writes(t, mine, "bob")
		h.writes(t, other, "alice")

		if new := h.read(t, mine, "alice").GetTickets(); len(new) != 1 || new[0].GetTicket().GetDueAt() == nil {
			t.Errorf("nothing is promised: %v", new)
		}

		heard := make(chan struct{}, 8)
		ctx, cancel := context.WithCancel(within(t))
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = h.Answered(ctx, mine, func() error { heard <- struct{}{}; return nil })
		}()
		for _, kind := range []string{"note", "message"} {
			if _, err := h.AddEntry(t.Context(), tech, &deskv1.AddEntryRequest{Number: number, Id: newID(), Kind: kind, Text: "a " + kind}); err != nil {
				t.Fatal(err)
			}
		}
		// The hint may go out before anybody listens: then the next one is heard.
		for told := false; !told; {
			if _, err := h.AddEntry(t.Context(), tech, &deskv1.AddEntryRequest{Number: number, Id: newID(), Kind: "message", Text: "Is it on?"}); err != nil {
				t.Fatal(err)
			}
			select {
			case <-heard:
				told = true
			case <-time.After(50 * time.Millisecond):
			}
		}
		cancel()
		<-ended

		got := h.read(t, mine, "alice").GetTickets()
		if len(got) != 1 || got[0].GetTicket().GetNumber() != number || got[0].GetTicket().GetId() != d.Id || got[0].GetTicket().GetStatus() != "open" {
			t.Fatalf("alice reads %v", got)
		}
		first, second := got[0].GetMessages()[0], got[0].GetMessages()[1]
		if first.GetText() != "Nothing comes out" || first.GetActorRole() != "requester" || second.GetText() != "a message" || second.GetActor() != tech.Name || second.GetActorRole() != "technician" {
			t.Errorf("she reads %v", got[0].GetMessages())
		}
		for _, m := range got[0].GetMessages() {
			if m.GetText() == "a note" {
				t.Error("she reads what technicians tell each other")
			}
		}
		if theirs := h.read(t, mine, "mallory").GetTickets(); len(theirs) != 0 {
			t.Errorf("somebody else reads %v", theirs)
		}
		if elsewhere := h.read(t, h.enroll(t, "pc-3"), "alice").GetTickets(); len(elsewhere) != 0 {
			t.Errorf("on another machine she reads %v", elsewhere)
		}

		solved, err := h.Update(t.Context(), tech, &deskv1.UpdateTicketRequest{Number: number, Version: h.ticket(t, number).GetTicket().GetVersion(), Status: proto.String("solved")})
		if err != nil {
			t.Fatal(err)
		}
		if solved.GetStatus() != "solved" {
			t.Fatal(solved)
		}
		said := reply(d.Id, "alice", "Yes, and still nothing")
		for range 2 {
			if r := h.ingest(t, mine, replyReport(said))[0]; r.GetStatus() != "stored" || r.GetTicketNumber() != number || r.GetId() != said.Id {
				t.Fatalf("the reply: %v", r)
			}
		}
		ticket := h.ticket(t, number)
		if ticket.GetTicket().GetStatus() != "open" {
			t.Errorf("what is not solved stays %s", ticket.GetTicket().GetStatus())
		}
		if n := len(slices.Collect(func(yield func(*constatv1.TicketEntry) bool) {
			for _, e := range ticket.GetTimeline() {
				if e.GetText() == said.GetText() && e.GetActorRole() == "requester" && !yield(e) {
					return
				}
			}
		})); n != 1 {
			t.Errorf("the reply is there %d times", n)
		}

		old := reply(newID(), "alice", "x")
		old.WrittenAt = timestamppb.New(time.Now().Add(-48 * time.Hour))
		for name, c := range map[string]struct {
			endpoint string
			reply    *constatv1.TicketReply
			status   string
		}{
			"another person's":      {mine, reply(d.Id, "bob", "x"), "refused"},
			"nobody's":              {mine, reply(d.Id, "mallory", "x"), "refused"},
			"of another machine":    {other, reply(d.Id, "alice", "x"), "refused"},
			"empty":                 {mine, reply(d.Id, "alice", " \n"), "refused"},
			"to what is on its way": {mine, reply(newID(), "alice", "x"), "later"},
			"to what never was":     {mine, old, "refused"},
		} {
			if r := h.ingest(t, c.endpoint, replyReport(c.reply))[0]; r.GetStatus() != c.status {
				t.Errorf("%s: %v, want %s", name, r, c.status)
			}
		}
	})
}

// Pictures come with a ticket, and what is none is left out.
func TestPicturesOfATicket(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var picture bytes.Buffer
		if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 40, 30))); err != nil {
			t.Fatal(err)
		}
		endpoint := h.enroll(t, "pc-1")
		_, number := h.writes(t, endpoint, "alice",
			picture.Bytes(), []byte("<html><script>"))
		files := h.ticket(t, number).GetTimeline()[0].GetFiles()
		if len(files) != 1 || files[0].GetName() != "picture-1.png" || files[0].GetType() != "image/png" || !files[0].GetShown() {
			t.Errorf("the ticket has %v", files)
		}
		if seen := h.read(t, endpoint, "alice").GetTickets()[0].GetMessages()[0].GetFiles(); len(seen) != 1 || seen[0].GetName() != "picture-1.png" {
			t.Errorf("she reads of %v", seen)
		}
	})
}

// What several at a place can't use is told before somebody asks.
func TestKnownTroubles(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		here := h.enroll(t, "pc-0")
		for _, name := range []string{"pc-1", "pc-2", "pc-3"} {
			if known := h.read(t, here, "alice").GetKnown(); len(known) != 0 {
				t.Errorf("before the third machine %v is known", known)
			}
			endpoint := h.enroll(t, name)
			for fault, component := range map[string]string{"printer-offline": "Floor 2", "tests-disk-full": "/"} {
				found := diskFull()
				found.RootCauses[0].Fault, found.RootCauses[0].Component = fault, component
				d := draft("x")
				d.DiagnosisId = found.Id
				h.ingest(t, endpoint, diagnosisReport(found), ticketReport(d))
			}
		}
		known := h.read(t, here, "alice").GetKnown()
		if len(known) != 1 || known[0].GetFault() != "printer-offline" || known[0].GetSubject() != "Floor 2" || known[0].GetAt() == nil {
			t.Errorf("known is %v", known)
		}
	})
}
