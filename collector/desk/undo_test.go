package desk_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
)

// outcomes are results in short.
func outcomes(results []*deskv1.TicketResult) string {
	var all []string
	for _, r := range results {
		all = append(all, fmt.Sprintf("%d %s", r.Number, r.Outcome))
	}
	return strings.Join(all, ", ")
}

func TestManyAtOnceAndUndo(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var seen []*deskv1.SeenTicket
		for i := range 4 {
			ticket := h.create(t, fmt.Sprint(i))
			seen = append(seen, &deskv1.SeenTicket{Number: ticket.Number, Version: ticket.Version})
		}
		seen = append(seen, &deskv1.SeenTicket{Number: 99, Version: 1})
		h.update(t, tech, &deskv1.UpdateTicketRequest{Number: 2, AddTags: []string{"other"}})
		h.merge(t, h.ticket(t, 4).Ticket, h.ticket(t, 2).Ticket)
		before := h.ticket(t, 1).Ticket
		deed := newID()
		change := &deskv1.UpdateTicketRequest{
			Status: proto.String("solved"), Assignee: proto.String(tech.Name), AddTags: []string{"wave"}, Urgency: proto.String("critical"),
		}
		results, err := h.ChangeTickets(t.Context(), tech, &deskv1.ChangeTicketsRequest{Tickets: seen, Change: change, Deed: deed})
		if err != nil || outcomes(results) != "1 done, 2 conflict, 3 done, 4 refused, 99 refused" {
			t.Fatalf("%s (%v)", outcomes(results), err)
		}
		if got := h.ticket(t, 1).Ticket; got.Status != "solved" || got.Assignee != tech.Name || !slices.Equal(got.Tags, []string{"wave"}) || got.Urgency != "critical" || got.Priority == before.Priority {
			t.Errorf("changed: %v", got)
		}
		if results, err = h.ChangeTickets(t.Context(), tech, &deskv1.ChangeTicketsRequest{
			Tickets: []*deskv1.SeenTicket{{Number: 1, Version: h.ticket(t, 1).Ticket.Version}}, Change: change, Deed: newID(),
		}); err != nil || outcomes(results) != "1 unchanged" {
			t.Errorf("again: %s (%v)", outcomes(results), err)
		}
		// Somebody changes one of them; what they changed is theirs.
		h.update(t, tech, &deskv1.UpdateTicketRequest{Number: 3, Status: proto.String("open")})
		h.note(t, 1, "note", "a note changes nothing of it", 0)
		_, err = h.Undo(t.Context(), desk.Actor{ID: "2", Name: "Marc", Role: "technician"}, deed)
		wantKind(t, err, desk.ErrNotFound)
		results, err = h.Undo(t.Context(), tech, deed)
		if err != nil || outcomes(results) != "1 done, 3 conflict" {
			t.Errorf("undone: %s (%v)", outcomes(results), err)
		}
		after := h.ticket(t, 1).Ticket
		after.Version, after.UpdatedAt = before.Version, before.UpdatedAt
		if !proto.Equal(before, after) {
			t.Errorf("undoing made %v of %v", after, before)
		}
		if results, err := h.Undo(t.Context(), tech, deed); err == nil && strings.Contains(outcomes(results), "done") {
			t.Errorf("undone twice: %s", outcomes(results))
		}
		// Later it can't be.
		deed = newID()
		h.update(t, tech, &deskv1.UpdateTicketRequest{Number: 1, Status: proto.String("open"), Deed: deed})
		if can, err := h.Undoable(t.Context(), tech, deed); err != nil || !can {
			t.Errorf("it cannot be undone (%v)", err)
		}
		h.SetClock(time.Now().Add(16 * time.Minute))
		_, err = h.Undo(t.Context(), tech, deed)
		wantKind(t, err, desk.ErrNotFound)
		_, err = h.ChangeTickets(t.Context(), tech, &deskv1.ChangeTicketsRequest{Tickets: make([]*deskv1.SeenTicket, 201)})
		wantKind(t, err, desk.ErrInvalid)
	})
}

func TestViews(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		marc, boss := h.user(t, "Marc", "technician"), h.user(t, "Ines", "lead")
		own, shared := newID(), newID()
		for _, v := range []*deskv1.View{
			{Id: own, Name: "Mine", Query: "status=open&q=caf%C3%A9&before=17"}, {Id: shared, Name: "first"}, {Id: shared, Name: "  Second\nfloor ", Shared: true, Query: "q=floor"},
		} {
			if _, err := h.PutView(t.Context(), marc, v); err != nil {
				t.Fatal(err)
			}
		}
		names := func(a desk.Actor) string {
			views, err := h.Views(t.Context(), a)
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, v := range views {
				if v.GetOwn() != (v.GetOwner() == a.Name) {
					t.Errorf("to %s, own is %v of the view by %s", a.Name, v.GetOwn(), v.GetOwner())
				}
				all = append(all, fmt.Sprintf("%s by %s: %s", v.GetName(), v.GetOwner(), v.GetQuery()))
			}
			return strings.Join(all, "; ")
		}
		if got, want := names(marc), "Mine by Marc: q=caf%C3%A9&status=open; Second floor by Marc: q=floor"; got != want {
			t.Errorf("Marc sees %q, want %q", got, want)
		}
		if got, want := names(tech), "Second floor by Marc: q=floor"; got != want {
			t.Errorf("another sees %q, want %q", got, want)
		}
		for _, bad := range []*deskv1.View{{Id: "x", Name: "a"}, {Id: newID(), Name: " "}, {Id: newID(), Name: "a", Query: "%zz"}, {Id: newID(), Name: "a", Query: strings.Repeat("a", 2001)}} {
			_, err := h.PutView(t.Context(), marc, bad)
			wantKind(t, err, desk.ErrInvalid)
		}
		_, err := h.PutView(t.Context(), boss, &deskv1.View{Id: shared, Name: "not hers"})
		wantKind(t, err, desk.ErrNotFound)
		_, err = h.PutView(t.Context(), desk.Actor{ID: "x", Role: "requester"}, &deskv1.View{Id: newID(), Name: "a"})
		wantKind(t, err, desk.ErrForbidden)
		wantKind(t, h.DeleteView(t.Context(), tech, shared), desk.ErrNotFound)
		wantKind(t, h.DeleteView(t.Context(), boss, own), desk.ErrNotFound)
		if err := h.DeleteView(t.Context(), boss, shared); err != nil {
			t.Error(err)
		}
		if err := h.DeleteView(t.Context(), marc, own); err != nil || names(marc) != "" {
			t.Errorf("left: %q (%v)", names(marc), err)
		}
	})
}

// What a view asks for is what the list gives, in each order, with and without words.
func TestOrders(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for i, urgency := range []string{"low", "critical", "normal", "critical"} {
			h.SetClock(time.Date(2026, 3, 3, 10, i, 0, 0, time.UTC))
			ticket, err := h.Create(t.Context(), desk.System, &deskv1.CreateTicketRequest{Draft: draft("the printer")})
			if err != nil {
				t.Fatal(err)
			}
			h.update(t, lead, &deskv1.UpdateTicketRequest{Number: ticket.GetNumber(), Urgency: &urgency})
		}
		h.SetClock(time.Date(2026, 3, 3, 11, 0, 0, 0, time.UTC))
		h.update(t, tech, &deskv1.UpdateTicketRequest{Number: 2, AddTags: []string{"seen"}})
		h.update(t, tech, &deskv1.UpdateTicketRequest{Number: 4, Status: proto.String("solved")})
		for _, test := range []struct{ query, want string }{
			{"", "[3 2 1]"}, {"status=any", "[4 3 2 1]"}, {"sort=newest", "[3 2 1]"}, {"sort=oldest", "[1 2 3]"}, {"sort=nonsense", "[3 2 1]"},
			{"sort=updated", "[2 3 1]"}, {"sort=updated&status=any", "[4 2 3 1]"}, {"sort=updated&status=new", "[2 3 1]"}, {"sort=priority", "[2 3 1]"},
			{"sort=priority&status=any&assignee=-", "[2 3 1 4]"}, {"sort=oldest&status=any", "[1 2 3 4]"},
			{"sort=best&q=printer", "[3 2 1]"}, {"sort=best&q=printer&status=any", "[4 3 2 1]"},
		} {
			for _, words := range []string{"", "&q=printer"} {
				form, err := url.ParseQuery(test.query + words)
				if err != nil {
					t.Fatal(err)
				}
				list, err := h.Tickets(t.Context(), desk.Asked(form))
				if err != nil {
					t.Fatal(err)
				}
				var got []int32
				for _, one := range list.GetTickets() {
					got = append(got, one.GetNumber())
				}
				if fmt.Sprint(got) != test.want {
					t.Errorf("%q gives %v, want %s", form.Encode(), got, test.want)
				}
			}
		}
		_, err := h.Tickets(t.Context(), &deskv1.ListTicketsRequest{Order: "sideways"})
		wantKind(t, err, desk.ErrInvalid)
		if got := desk.AskedColumns(url.Values{"columns": {"site,x", "machine"}}); !slices.Equal(got, []string{"machine", "site"}) {
			t.Errorf("columns are %q", got)
		}
	})
}
