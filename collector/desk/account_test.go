package desk_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"constat/collector/account"
	"constat/collector/desk"
	"constat/collector/store/query"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// comes opens a ticket of a requester.
func (h *house) comes(t testing.TB, text string) *constatv1.Ticket {
	t.Helper()
	ticket, err := h.Create(t.Context(), desk.System, &deskv1.CreateTicketRequest{Draft: draft(text)})
	if err != nil {
		t.Fatal(err)
	}
	return ticket
}

// Who is removed is let in no more, and what they had goes to others: what they began
// with, what waits, what was given by hand, and what comes back to them later.
func TestRemovedAssignee(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		now := time.Date(2026, 3, 3, 10, 0, 0, 0, time.UTC)
		h.SetClock(now)
		accounts := account.New(h.store)
		root, boss := h.user(t, "Root", "administrator"), h.user(t, "Boss", "lead")
		if _, err := h.SetServiceLevels(t.Context(), desk.System, "normal: {solution: 100m}\nescalatePercent: 150"); err != nil {
			t.Fatal(err)
		}
		noe := desk.Actor{Name: "Noé", Role: "technician"}
		h.join(t, &deskv1.Technician{Name: "Noé", Skills: knows("brand", "Cisco")})
		known, err := accounts.Named(t.Context(), "Noé")
		if err != nil {
			t.Fatal(err)
		}
		noe.ID = known.ID
		token, err := accounts.NewToken(t.Context(), known.ID, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		link, err := accounts.OneTimeLink(t.Context(), "Noé", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if err := accounts.SetPassword(t.Context(), known.ID, "correct horse"); err != nil {
			t.Fatal(err)
		}
		before, err := accounts.Named(t.Context(), "Noé")
		if err != nil {
			t.Fatal(err)
		}

		fresh, begun, waits, byHand, solved := h.comes(t, "a"), h.comes(t, "b"), h.comes(t, "c"), h.comes(t, "d"), h.comes(t, "e")
		for _, one := range []*constatv1.Ticket{fresh, begun, waits, byHand, solved} {
			if one.GetAssignee() != "Noé" {
				t.Fatalf("%d went to %q", one.GetNumber(), one.GetAssignee())
			}
		}
		if _, err := h.AddEntry(t.Context(), noe, &deskv1.AddEntryRequest{Number: begun.GetNumber(), Id: newID(), Kind: "message", Text: "looking"}); err != nil {
			t.Fatal(err)
		}
		h.update(t, noe, &deskv1.UpdateTicketRequest{Number: waits.GetNumber(), Status: proto.String("pending")})
		h.update(t, boss, &deskv1.UpdateTicketRequest{Number: byHand.GetNumber(), Assignee: proto.String("")})
		h.update(t, boss, &deskv1.UpdateTicketRequest{Number: byHand.GetNumber(), Assignee: proto.String("Noé")})
		deed := newID()
		h.update(t, noe, &deskv1.UpdateTicketRequest{Number: solved.GetNumber(), Status: proto.String("solved")})
		given := h.comes(t, "f")
		h.update(t, boss, &deskv1.UpdateTicketRequest{Number: given.GetNumber(), Assignee: proto.String("Boss"), Deed: deed})
		h.join(t, &deskv1.Technician{Name: "Tom"})

		returned, err := h.RemoveAccount(t.Context(), root, "NOÉ")
		if err != nil || returned != 4 {
			t.Fatalf("%d tickets went to others (%v), want 4", returned, err)
		}
		for _, one := range []*constatv1.Ticket{fresh, begun, waits, byHand} {
			found := h.ticket(t, one.GetNumber())
			var story []string
			for _, entry := range found.GetTimeline() {
				for _, c := range entry.GetChanges() {
					if c.GetField() == "left" {
						story = append(story, entry.GetActor()+" "+c.GetBefore())
					}
				}
			}
			if found.GetTicket().GetAssignee() != "Tom" || fmt.Sprint(story) != "[constat Noé]" || lastAssignment(found).GetAssignee() != "Tom" {
				t.Errorf("%q is with %q: %q", one.GetTitle(), found.GetTicket().GetAssignee(), story)
			}
		}
		if got := h.ticket(t, waits.GetNumber()).GetTicket().GetStatus(); got != "pending" {
			t.Errorf("what waits is %s now", got)
		}

		// They are let in no more, by whatever way.
		_, err = accounts.TokenUser(t.Context(), token)
		wantKind(t, err, account.ErrToken)
		_, err = accounts.RedeemLink(t.Context(), link)
		wantKind(t, err, account.ErrLink)
		_, err = accounts.Authenticate(t.Context(), "Noé", "correct horse")
		wantKind(t, err, account.ErrBadCredentials)
		_, err = accounts.User(t.Context(), known.ID)
		wantKind(t, err, account.ErrNotFound)
		_, err = accounts.Create(t.Context(), "noé", "", "technician", "")
		wantKind(t, err, account.ErrExists)
		if err == nil || !strings.Contains(err.Error(), "removed") {
			t.Errorf("another of that name: %v", err)
		}

		// Nothing is given to them, and nobody can name them.
		_, err = h.Update(t.Context(), boss, &deskv1.UpdateTicketRequest{Number: fresh.GetNumber(), Version: h.ticket(t, fresh.GetNumber()).GetTicket().GetVersion(), Assignee: proto.String("Noé")})
		wantKind(t, err, desk.ErrInvalid)
		_, err = h.Update(t.Context(), boss, &deskv1.UpdateTicketRequest{Number: fresh.GetNumber(), Version: h.ticket(t, fresh.GetNumber()).GetTicket().GetVersion(), AddFollowers: []string{"Noé"}})
		wantKind(t, err, desk.ErrInvalid)
		noted, err := h.AddEntry(t.Context(), boss, &deskv1.AddEntryRequest{Number: fresh.GetNumber(), Id: newID(), Kind: "note", Text: "@Noé had begun"})
		if err != nil || len(noted.GetMentions()) != 0 {
			t.Errorf("a note names %q (%v)", noted.GetMentions(), err)
		}
		team, err := h.Technicians(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range team {
			if one.GetName() == "Noé" {
				t.Error("the team still has her")
			}
		}
		_, err = h.PreviewTechnician(t.Context(), boss, &deskv1.PreviewTechnicianRequest{Technician: &deskv1.Technician{Name: "Noé"}})
		wantKind(t, err, desk.ErrInvalid)
		tried, err := h.PreviewTechnician(t.Context(), boss, &deskv1.PreviewTechnicianRequest{Technician: &deskv1.Technician{Name: "Tom", TakesTickets: true}})
		if err != nil || tried.GetTickets() != 6 || len(tried.GetLoads()) != 1 {
			t.Errorf("the dry run gives %v (%v)", tried, err)
		}

		// History keeps the name: lists by it, decisions of the past.
		list, err := h.Tickets(t.Context(), &deskv1.ListTicketsRequest{Assignee: "Noé"})
		if err != nil || len(list.GetTickets()) != 1 || list.GetTickets()[0].GetNumber() != solved.GetNumber() {
			t.Errorf("hers are %v (%v)", list.GetTickets(), err)
		}
		if got := lastAssignment(h.ticket(t, solved.GetNumber())).GetAssignee(); got != "Noé" {
			t.Errorf("the decision of then names %q", got)
		}

		// What comes back to her goes on at once: a reply of its requester, an undo.
		alice := desk.Actor{ID: h.ticket(t, solved.GetNumber()).GetTicket().GetRequester().GetId(), Name: "alice", Role: "requester"}
		if _, err := h.AddEntry(t.Context(), alice, &deskv1.AddEntryRequest{Number: solved.GetNumber(), Id: newID(), Kind: "message", Text: "again"}); err != nil {
			t.Fatal(err)
		}
		if got := h.ticket(t, solved.GetNumber()).GetTicket(); got.GetAssignee() != "Tom" || got.GetStatus() != "open" {
			t.Errorf("opened again it is %s and with %q", got.GetStatus(), got.GetAssignee())
		}
		if _, err := h.Undo(t.Context(), boss, deed); err != nil {
			t.Fatal(err)
		}
		if got := h.ticket(t, given.GetNumber()).GetTicket().GetAssignee(); got != "Tom" {
			t.Errorf("undone it is with %q", got)
		}
		into := h.ticket(t, begun.GetNumber()).GetTicket()
		merged, err := h.Merge(t.Context(), boss, &deskv1.MergeTicketRequest{Number: into.GetNumber(), Version: into.GetVersion(), Into: waits.GetNumber()})
		if err != nil || merged.GetAssignee() != "Tom" {
			t.Errorf("merged it is with %q (%v)", merged.GetAssignee(), err)
		}

		// Of its promises the new one is told, and of none she.
		h.SetClock(now.Add(151 * time.Minute))
		if err := h.WatchClocks(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := h.news(t, desk.Actor{ID: h.named(t, "Tom")}); !strings.Contains(got, "escalated #") {
			t.Errorf("Tom was told %q", got)
		}
		if got := h.news(t, noe); strings.Contains(got, "escalated") || strings.Contains(got, "mention") {
			t.Errorf("she was told %q", got)
		}

		// Back, they need a new password, and no session of before is one.
		if _, err := h.RestoreAccount(t.Context(), root, "noé"); err != nil {
			t.Fatal(err)
		}
		_, err = accounts.Authenticate(t.Context(), "Noé", "correct horse")
		wantKind(t, err, account.ErrBadCredentials)
		after, err := accounts.Named(t.Context(), "Noé")
		if err != nil || after.Credential == before.Credential {
			t.Errorf("a session of before goes on (%v)", err)
		}
		if link, err = accounts.OneTimeLink(t.Context(), "Noé", time.Hour); err != nil {
			t.Fatal(err)
		}
		if _, err := accounts.RedeemLink(t.Context(), link); err != nil {
			t.Error(err)
		}
		_, err = h.RestoreAccount(t.Context(), root, "noé")
		wantKind(t, err, desk.ErrInvalid)
		_, err = h.RestoreAccount(t.Context(), root, "nobody")
		wantKind(t, err, desk.ErrNotFound)
	})
}

// named is the id of a user.
func (h *house) named(t testing.TB, name string) string {
	t.Helper()
	u, err := account.New(h.store).Named(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return u.ID
}

// Somebody governs at any time, also when two remove each other; and nobody who does
// not govern removes anybody.
func TestLastAdministrator(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		a, b := h.user(t, "Ada", "administrator"), h.user(t, "Bea", "administrator")
		limited := desk.Actor{ID: "x", Name: "Lyon", Role: "administrator", Sites: []string{"Lyon"}}
		if _, err := account.New(h.store).Create(t.Context(), "Lyon", "", "administrator", "", "Lyon"); err != nil {
			t.Fatal(err)
		}
		for _, who := range []desk.Actor{lead, tech, limited} {
			_, err := h.RemoveAccount(t.Context(), who, "Ada")
			wantKind(t, err, desk.ErrForbidden)
			_, err = h.RestoreAccount(t.Context(), who, "Ada")
			wantKind(t, err, desk.ErrForbidden)
			_, err = h.Accounts(t.Context(), who)
			wantKind(t, err, desk.ErrForbidden)
		}
		_, err := h.RemoveAccount(t.Context(), a, "Ada")
		wantKind(t, err, desk.ErrInvalid)
		_, err = h.RemoveAccount(t.Context(), a, "nobody")
		wantKind(t, err, desk.ErrNotFound)
		var both sync.WaitGroup
		errs := make([]error, 2)
		both.Go(func() { _, errs[0] = h.RemoveAccount(t.Context(), a, "Bea") })
		both.Go(func() { _, errs[1] = h.RemoveAccount(t.Context(), b, "Ada") })
		both.Wait()
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Errorf("of two who remove each other: %v and %v", errs[0], errs[1])
		}
		all, err := h.Accounts(t.Context(), desk.System)
		if err != nil || len(all) != 4 || all[3].GetRemovedAt() == nil || all[2].GetRemovedAt() != nil {
			t.Errorf("the accounts are %v (%v)", all, err)
		}
	})
}

// Who is limited to sites keeps no ticket that they do not see any more; one who governs
// all of them stays; and nobody limits others who may not.
func TestLimitedAssignee(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		root := h.user(t, "Root", "administrator")
		h.join(t, &deskv1.Technician{Name: "Noé"})
		pc, anywhere := h.enroll(t, "pc-1"), h.comes(t, "b").GetNumber()
		if _, err := h.SetEndpointSite(t.Context(), root, pc, "Lyon"); err != nil {
			t.Fatal(err)
		}
		there := h.troubled(t, pc, "")
		h.join(t, &deskv1.Technician{Name: "Tom"})
		limited, returned, err := h.LimitAccount(t.Context(), root, "noé", " lyon ", "Lyon", "Nice")
		if err != nil || returned != 1 || fmt.Sprint(limited.GetSites()) != "[Lyon Nice]" || limited.GetName() != "Noé" {
			t.Fatalf("%v, %d went to others (%v)", limited, returned, err)
		}
		if a, b := h.ticket(t, there), h.ticket(t, anywhere); a.GetTicket().GetAssignee() != "Noé" || b.GetTicket().GetAssignee() != "Tom" {
			t.Errorf("they are with %q and %q", a.GetTicket().GetAssignee(), b.GetTicket().GetAssignee())
		} else if change := b.GetTimeline()[len(b.GetTimeline())-2].GetChanges(); len(change) != 1 || change[0].GetField() != "unseen" || change[0].GetBefore() != "Noé" {
			t.Errorf("the timeline says %v", b.GetTimeline())
		}
		if all, returned, err := h.LimitAccount(t.Context(), root, "Noé"); err != nil || returned != 0 || len(all.GetSites()) != 0 {
			t.Errorf("back to all: %v, %d (%v)", all, returned, err)
		}
		for _, who := range []desk.Actor{lead, tech, {ID: "x", Name: "Lyon", Role: "administrator", Sites: []string{"Lyon"}}} {
			_, _, err := h.LimitAccount(t.Context(), who, "Noé", "Lyon")
			wantKind(t, err, desk.ErrForbidden)
		}
		if _, err := account.New(h.store).Create(t.Context(), "Yann", "", "requester", ""); err != nil {
			t.Fatal(err)
		}
		for name, sites := range map[string][]string{"Root": {"Lyon"}, "Yann": {"Lyon"}, "Noé": {"\x00"}} {
			_, _, err := h.LimitAccount(t.Context(), root, name, sites...)
			wantKind(t, err, desk.ErrInvalid)
		}
		_, _, err = h.LimitAccount(t.Context(), root, "nobody", "Lyon")
		wantKind(t, err, desk.ErrNotFound)
	})
}

// A collector that stopped half-way left tickets with somebody who is gone: the next
// look gives them on, once for all collectors.
func TestGoneIsMended(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.join(t, &deskv1.Technician{Name: "Noé"})
		ticket := h.comes(t, "a")
		h.join(t, &deskv1.Technician{Name: "Tom"})
		err := h.store.Write(t.Context(), func(ctx context.Context, q *query.Queries) error {
			return q.RemoveUser(ctx, h.named(t, "Noé"), 1, "-")
		})
		if err != nil {
			t.Fatal(err)
		}
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				if err := h.ReturnOfGone(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		found, left := h.ticket(t, ticket.GetNumber()), 0
		for _, entry := range found.GetTimeline() {
			for _, c := range entry.GetChanges() {
				if c.GetField() == "left" {
					left++
				}
			}
		}
		if found.GetTicket().GetAssignee() != "Tom" || left != 1 {
			t.Errorf("it is with %q, after %d changes", found.GetTicket().GetAssignee(), left)
		}
	})
}
