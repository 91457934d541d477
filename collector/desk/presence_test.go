package desk_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"constat/collector/bus"
	"constat/collector/desk"
	"constat/collector/store/storetest"
	"constat/internal/fault"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// Colleagues on one ticket see each other, on whichever collector they are; those
// who may not see it are neither shown nor told.
func TestLook(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ticket, err := h.Create(t.Context(), tech, &deskv1.CreateTicketRequest{Draft: draft("paper jam")})
		if err != nil {
			t.Fatal(err)
		}
		number := ticket.GetNumber()
		marc := desk.Actor{ID: "2", Name: "Marc", Role: "technician"}
		told := make(chan []desk.Onlooker, 100)
		look := func(a desk.Actor, told chan []desk.Onlooker) (leave func()) {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() {
				done <- h.Look(ctx, a, number, func(o []desk.Onlooker) {
					if told != nil {
						told <- o
					}
				})
			}()
			return func() { cancel(); <-done }
		}
		await := func(want ...desk.Onlooker) {
			t.Helper()
			for ctx := within(t); ; {
				select {
				case got := <-told:
					if slices.Equal(got, want) {
						return
					}
				case <-ctx.Done():
					t.Fatalf("nobody said %v", want)
				}
			}
		}
		defer look(tech, told)()
		one, two := look(marc, nil), look(marc, nil)
		await(desk.Onlooker{Name: "Marc"})
		if err := h.Types(t.Context(), marc, number, true); err != nil {
			t.Fatal(err)
		}
		await(desk.Onlooker{Name: "Marc", Typing: true})
		if err := h.Types(t.Context(), marc, number, false); err != nil {
			t.Fatal(err)
		}
		await(desk.Onlooker{Name: "Marc"})
		// A tab of two that closes leaves the person there: the next thing told is
		// that somebody else came.
		one()
		leave := look(desk.Actor{ID: "3", Name: "Zoé", Role: "lead"}, nil)
		await(desk.Onlooker{Name: "Marc"}, desk.Onlooker{Name: "Zoé"})
		two()
		await(desk.Onlooker{Name: "Zoé"})
		leave()
		await()

		for _, stranger := range []desk.Actor{
			{ID: "4", Name: "Lyon", Role: "technician", Sites: []string{"Lyon"}}, {ID: "5", Name: "alice", Role: "requester"},
		} {
			if err := h.Look(t.Context(), stranger, number, func([]desk.Onlooker) { t.Error("a stranger is told who looks") }); err == nil {
				t.Errorf("%s looks at it", stranger.Name)
			}
			if err := h.Types(t.Context(), stranger, number, true); err == nil {
				t.Errorf("%s types in it", stranger.Name)
			}
		}
	})
}

// Two collectors, one ticket.
func TestLookFromAnotherCollector(t *testing.T) {
	s := storetest.SQLite(t)
	h := open(t, s)
	ticket, err := h.Create(t.Context(), tech, &deskv1.CreateTicketRequest{Draft: draft("paper jam")})
	if err != nil {
		t.Fatal(err)
	}
	catalog, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	hints, err := bus.Embedded(t.Context(), bus.Cluster{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hints.Close)
	here, there := desk.New(s, hints, catalog), desk.New(s, hints, catalog)
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	met := make(chan struct{}, 2)
	for name, d := range map[string]*desk.Desk{"Léa": here, "Marc": there} {
		go d.Look(ctx, desk.Actor{ID: name, Name: name, Role: "technician"}, ticket.GetNumber(), func([]desk.Onlooker) { met <- struct{}{} })
	}
	for range 2 {
		select {
		case <-met:
		case <-ctx.Done():
			t.Fatal("they do not see each other")
		}
	}
}

// Who says nothing more is forgotten, and the page is told when to look again.
func TestOnlookersFade(t *testing.T) {
	now := time.Unix(1e9, 0)
	c := desk.NewCrowd()
	c.Heard("asks", "tab", "2", "Marc", now)
	c.Heard("types", "", "2", "Marc", now)
	c.Heard("looks", "own", "1", "Léa", now)
	others, until := c.Others("1", now)
	if !slices.Equal(others, []desk.Onlooker{{Name: "Marc", Typing: true}}) {
		t.Fatalf("at first: %v", others)
	}
	others, later := c.Others("1", until)
	if !slices.Equal(others, []desk.Onlooker{{Name: "Marc"}}) || !later.After(until) {
		t.Fatalf("a moment later: %v", others)
	}
	if others, until = c.Others("1", later); len(others) != 0 || !until.IsZero() {
		t.Fatalf("after a silence: %v, until %s", others, until)
	}
}

// A reply that is not sent is kept for its writer alone, goes where the ticket
// goes, and ends when it is sent.
func TestDrafts(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		create := func() int32 {
			ticket, err := h.Create(t.Context(), tech, &deskv1.CreateTicketRequest{Draft: draft("paper jam")})
			if err != nil {
				t.Fatal(err)
			}
			return ticket.GetNumber()
		}
		number, other := create(), create()
		marc := desk.Actor{ID: "2", Name: "Marc", Role: "technician"}
		begun := desk.Draft{Entry: newID(), Kind: "message", Text: "Half a sentence\x00 …", Minutes: "0:15", Seen: "x"}
		if err := h.KeepDraft(t.Context(), tech, number, begun); err != nil {
			t.Fatal(err)
		}
		read := func(a desk.Actor, number int32) desk.Draft {
			t.Helper()
			d, err := h.Draft(t.Context(), a, number)
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		if got := read(tech, number); got.Entry != begun.Entry || got.Text != "Half a sentence …" || got.Minutes != "0:15" || got.At.IsZero() {
			t.Errorf("kept: %+v", got)
		}
		if got := read(marc, number); !got.Empty() {
			t.Errorf("somebody else reads %+v", got)
		}
		if _, err := h.Merge(t.Context(), tech, &deskv1.MergeTicketRequest{Number: number, Version: h.ticket(t, number).GetTicket().GetVersion(), Into: other}); err != nil {
			t.Fatal(err)
		}
		if got := read(tech, number); got.Text == "" || read(tech, other).Text == "" {
			t.Error("the merge lost what was begun")
		}
		// Another entry of theirs does not end it, its own does, and nothing brings it
		// back.
		for _, id := range []string{newID(), begun.Entry} {
			if read(tech, other).Text == "" {
				t.Error("a draft ended with another's entry")
			}
			if _, err := h.AddEntry(t.Context(), tech, &deskv1.AddEntryRequest{Number: other, Id: id, Kind: "message", Text: "sent"}); err != nil {
				t.Fatal(err)
			}
		}
		if err := h.KeepDraft(t.Context(), tech, other, begun); err != nil {
			t.Fatal(err)
		}
		if got := read(tech, other); !got.Empty() {
			t.Errorf("what was sent is begun still: %+v", got)
		}
		for _, stranger := range []desk.Actor{{ID: "3", Role: "technician", Sites: []string{"Lyon"}}, {ID: "4", Role: "requester"}} {
			if err := h.KeepDraft(t.Context(), stranger, other, begun); err == nil {
				t.Errorf("%+v began a reply", stranger)
			}
		}
	})
}

// A message of somebody who did not read the newest of others is refused whole.
func TestAnswerMeanwhile(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ticket, err := h.Create(t.Context(), tech, &deskv1.CreateTicketRequest{Draft: draft("paper jam")})
		if err != nil {
			t.Fatal(err)
		}
		number := ticket.GetNumber()
		marc := desk.Actor{ID: "2", Name: "Marc", Role: "technician"}
		seen, _, err := h.LastMessage(t.Context(), tech, number)
		if err != nil {
			t.Fatal(err)
		}
		write := func(a desk.Actor, kind string, seen *string) (*constatv1.TicketEntry, error) {
			return h.AddEntry(t.Context(), a, &deskv1.AddEntryRequest{Number: number, Id: newID(), Kind: kind, Text: "from " + a.Name, SeenMessage: seen})
		}
		for range 2 { // one's own messages are none to wait for
			if _, err := write(tech, "message", &seen); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := write(marc, "message", nil); err != nil {
			t.Fatal(err)
		}
		_, err = write(tech, "message", &seen)
		wantKind(t, err, desk.ErrConflict)
		if _, err := write(tech, "note", &seen); err != nil {
			t.Errorf("a note was refused: %v", err)
		}
		newest, by, err := h.LastMessage(t.Context(), tech, number)
		if err != nil || by != "Marc" {
			t.Fatalf("the newest is by %q (%v)", by, err)
		}
		if _, err := write(tech, "message", &newest); err != nil {
			t.Error(err)
		}
	})
}
