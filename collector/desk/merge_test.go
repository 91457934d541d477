package desk_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

func (h *house) create(t testing.TB, text string) *constatv1.Ticket {
	t.Helper()
	ticket, err := h.Create(t.Context(), tech, &deskv1.CreateTicketRequest{Draft: draft(text)})
	if err != nil {
		t.Fatal(err)
	}
	return ticket
}

func (h *house) merge(t testing.TB, from, into *constatv1.Ticket) *constatv1.Ticket {
	t.Helper()
	merged, err := h.Merge(t.Context(), tech, &deskv1.MergeTicketRequest{Number: from.Number, Version: from.Version, Into: into.Number})
	if err != nil {
		t.Fatal(err)
	}
	return merged
}

// texts is a timeline in short.
func texts(timeline []*constatv1.TicketEntry) string {
	var all []string
	for _, entry := range timeline {
		text := entry.Kind + " " + entry.Text
		for _, change := range entry.Changes {
			text += change.Field + ": " + change.Before + " → " + change.After + ";"
		}
		all = append(all, strings.TrimSpace(text))
	}
	return strings.Join(all, " | ")
}

func TestMerge(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		into, from := h.create(t, "It beeps"), h.create(t, "It still beeps")
		got := h.merge(t, from, into)
		if got.Number != into.Number || got.Version != into.Version+1 {
			t.Errorf("merged: %v", got)
		}
		old := h.ticket(t, from.Number)
		if old.Ticket.Number != into.Number {
			t.Errorf("the old number leads to %d", old.Ticket.Number)
		}
		if got, want := texts(old.Timeline), "message It beeps | message It still beeps | change merged:  → #2 It still beeps;"; got != want {
			t.Errorf("the timeline is %q, want %q", got, want)
		}
		// What comes by the old number stands in the new one, once.
		for range 2 {
			entry := &deskv1.AddEntryRequest{Number: from.Number, Id: from.Id, Kind: "note", Text: "again"}
			if _, err := h.AddEntry(t.Context(), tech, entry); err != nil {
				t.Error(err)
			}
		}
		if _, err := h.AddEntry(t.Context(), tech, &deskv1.AddEntryRequest{Number: from.Number, Id: newID(), Kind: "note", Text: "later"}); err != nil {
			t.Error(err)
		}
		if timeline := h.ticket(t, into.Number).Timeline; len(timeline) != 4 || timeline[3].Text != "later" {
			t.Errorf("by the old number: %q", texts(timeline))
		}
		// It is found by its words and its number, and is not worked on any more.
		for _, search := range []struct {
			request *deskv1.ListTicketsRequest
			want    int
		}{
			{&deskv1.ListTicketsRequest{Query: "still"}, 2},
			{&deskv1.ListTicketsRequest{Active: true}, 1},
			{&deskv1.ListTicketsRequest{Status: "merged"}, 1},
			{&deskv1.ListTicketsRequest{Query: "#2"}, 1},
		} {
			list, err := h.Tickets(t.Context(), search.request)
			if err != nil || len(list.Tickets) != search.want {
				t.Errorf("%v finds %v (%v)", search.request, list, err)
			}
		}
		// A second merge takes the first one along in one step.
		last := h.create(t, "The beep")
		h.merge(t, h.ticket(t, into.Number).Ticket, last)
		if got := h.ticket(t, from.Number).Ticket; got.Number != last.Number {
			t.Errorf("after two merges the first number leads to %d", got.Number)
		}
	})
}

func TestMergeRefuses(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		a, b, closed, gone := h.create(t, "a"), h.create(t, "b"), h.create(t, "closed"), h.create(t, "gone")
		h.merge(t, gone, a)
		a = h.ticket(t, a.Number).Ticket
		closed, err := h.Update(t.Context(), tech, &deskv1.UpdateTicketRequest{Number: closed.Number, Version: closed.Version, Status: proto.String("closed")})
		if err != nil {
			t.Fatal(err)
		}
		alice := desk.Actor{Name: "alice", Role: "requester"}
		for _, bad := range []struct {
			actor               desk.Actor
			from, version, into int32
			kind                error
			says                string
		}{
			{tech, a.Number, a.Version, a.Number, desk.ErrInvalid, "into itself"},
			{tech, gone.Number, gone.Version + 1, b.Number, desk.ErrInvalid, "was merged into 1 already"},
			{tech, b.Number, b.Version, gone.Number, desk.ErrInvalid, "was merged into 1 already"},
			{tech, closed.Number, closed.Version, b.Number, desk.ErrInvalid, "is closed: open it again"},
			{tech, b.Number, b.Version, closed.Number, desk.ErrInvalid, "is closed: open it again"},
			{tech, b.Number, b.Version + 1, a.Number, desk.ErrConflict, "look at it again"},
			{tech, b.Number, b.Version, 99, desk.ErrNotFound, "no ticket 99"},
			{tech, 99, 1, b.Number, desk.ErrNotFound, "no ticket 99"},
			{alice, b.Number, b.Version, a.Number, desk.ErrForbidden, "may not merge"},
		} {
			_, err := h.Merge(t.Context(), bad.actor, &deskv1.MergeTicketRequest{Number: bad.from, Version: bad.version, Into: bad.into})
			wantKind(t, err, bad.kind)
			if err != nil && !strings.Contains(err.Error(), bad.says) {
				t.Errorf("%d into %d: %q does not say %q", bad.from, bad.into, err, bad.says)
			}
		}
	})
}

// A ticket by phone gets the machine of the agent's ticket that is merged into
// it, its cause, and the diagnosis that is still under way.
func TestMergeBringsTheMachine(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		pc := h.enroll(t, "pc-1")
		found, later := diskFull(), diskFull()
		d := draft("slow")
		d.DiagnosisId = found.Id
		h.ingest(t, pc, diagnosisReport(found), ticketReport(d))
		byAgent, byPhone := h.ticket(t, 1).Ticket, h.create(t, "He says it is slow")
		command, err := h.Diagnose(t.Context(), tech, &deskv1.DiagnoseRequest{Ticket: byAgent.Number, Procedure: "slow"})
		if err != nil {
			t.Fatal(err)
		}
		got := h.merge(t, byAgent, byPhone)
		if got.EndpointId != pc || got.RootCause != "tests-disk-full" || got.Urgency != "high" {
			t.Errorf("merged: %v", got)
		}
		later.CommandId = command
		h.ingest(t, pc, diagnosisReport(later))
		if got := h.ticket(t, byPhone.Number); len(got.Timeline) != 5 || got.Timeline[4].Diagnosis.GetId() != later.Id {
			t.Errorf("the timeline is %q", texts(got.Timeline))
		}
		// The agent that sends its ticket again hears the number it knows.
		if receipt := h.ingest(t, pc, ticketReport(d))[0]; receipt.TicketNumber != byAgent.Number || receipt.Status != "stored" {
			t.Errorf("the ticket sent again: %v", receipt)
		}
	})
}

// However tickets are merged into each other at once, while others write in
// them, each text stays, and all numbers lead to one that goes on.
func TestMergeAtOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const tickets = 6
		for i := range tickets {
			h.create(t, string(rune('a'+i)))
		}
		var all sync.WaitGroup
		for i := range int32(tickets * tickets) {
			from, into := i/tickets+1, i%tickets+1
			all.Go(func() {
				_, err := h.AddEntry(t.Context(), tech, &deskv1.AddEntryRequest{Number: from, Id: newID(), Kind: "note", Text: "note"})
				if err != nil {
					t.Error(err)
				}
			})
			all.Go(func() {
				seen, err := h.Ticket(t.Context(), from)
				if err == nil {
					_, err = h.Merge(t.Context(), tech, &deskv1.MergeTicketRequest{Number: from, Version: seen.Ticket.Version, Into: into})
				}
				if err != nil && !errors.Is(err, desk.ErrInvalid) && !errors.Is(err, desk.ErrConflict) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		ends := map[int32]*deskv1.GetTicketResponse{}
		for number := range int32(tickets) {
			got := h.ticket(t, number+1)
			ends[got.Ticket.Number] = got
		}
		texts, merges := 0, 0
		for _, end := range ends {
			if end.Ticket.Status == "merged" {
				t.Errorf("a number leads to ticket %d, which was merged", end.Ticket.Number)
			}
			for _, entry := range end.Timeline {
				switch {
				case entry.Text != "":
					texts++
				case len(entry.Changes) > 0 && entry.Changes[len(entry.Changes)-1].Field == "merged":
					merges++
				}
			}
		}
		if texts != tickets+tickets*tickets || merges != tickets-len(ends) {
			t.Errorf("%d texts and %d merges in %d tickets, want %d and %d", texts, merges, len(ends), tickets+tickets*tickets, tickets-len(ends))
		}
	})
}

// Who watches a ticket that is merged watches on where it went.
func TestWatchMerged(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		from, into := h.create(t, "a"), h.create(t, "b")
		ctx, stop := context.WithCancel(within(t))
		changed := make(chan struct{}, 10)
		ended := make(chan error, 1)
		go func() { ended <- h.Watch(ctx, from.Number, func() { changed <- struct{}{} }) }()
		// The first change may come before Watch looked: repeat until it is seen.
		h.noteUntil(t, from.Number, changed)
		h.merge(t, h.ticket(t, from.Number).Ticket, into)
		<-changed
		h.noteUntil(t, into.Number, changed)
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// noteUntil writes a note now and then until one is seen.
func (h *house) noteUntil(t *testing.T, number int32, changed <-chan struct{}) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for ctx := within(t); ; {
		if _, err := h.AddEntry(ctx, tech, &deskv1.AddEntryRequest{Number: number, Id: newID(), Kind: "note", Text: "x"}); err != nil {
			t.Fatal(err)
		}
		select {
		case <-changed:
			return
		case <-ctx.Done():
			t.Fatal("nobody saw a change")
		case <-tick.C:
		}
	}
}
