package desk_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"constat/collector/account"
	"constat/collector/desk"
	"constat/collector/store/query"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// A site has one name, however its letters are typed; two that were kept apart
// before stay apart, and nothing of one is given to the other unasked.
func TestSitesHaveOneName(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		lead := desk.Actor{ID: "9", Name: "Boss", Role: "lead"}
		machine := h.enroll(t, "evry-pc")
		for _, typed := range []string{"Évry", "évry", "ÉVRY"} {
			e, err := h.SetEndpointSite(t.Context(), lead, machine, typed)
			if err != nil || e.GetSite() != "Évry" {
				t.Fatalf("typed %s it is of %q (%v)", typed, e.GetSite(), err)
			}
		}
		ticket, err := h.Create(t.Context(), tech, &deskv1.CreateTicketRequest{Draft: draft("x"), EndpointId: machine})
		if err != nil || ticket.GetSite() != "Évry" {
			t.Fatalf("the ticket is of %q (%v)", ticket.GetSite(), err)
		}
		accounts := account.New(h.store)
		user, err := accounts.Create(t.Context(), "zoé", "", "technician", "", "éVRY", "Évry", "nancy")
		if err != nil || !slices.Equal(user.Sites, []string{"Évry", "nancy"}) {
			t.Fatalf("limited to %q (%v)", user.Sites, err)
		}
		zoe := desk.Actor{ID: user.ID, Name: user.Name, Role: user.Role, Sites: user.Sites}
		if _, err := h.Ticket(desk.For(t.Context(), zoe), ticket.GetNumber()); err != nil {
			t.Errorf("she does not see it: %v", err)
		}
		ticket, err = h.Update(t.Context(), tech, &deskv1.UpdateTicketRequest{Number: ticket.GetNumber(), Version: ticket.GetVersion(), Site: proto.String("NANCY")})
		if err != nil || ticket.GetSite() != "nancy" {
			t.Errorf("typed NANCY it is of %q (%v)", ticket.GetSite(), err)
		}
		if got, err := h.Sites(desk.For(t.Context(), zoe)); err != nil || !slices.Equal(got, []string{"Évry", "nancy"}) {
			t.Errorf("she knows %q (%v)", got, err)
		}

		// As they were before there was one name: kept apart, until somebody decides.
		err = h.store.Write(t.Context(), func(ctx context.Context, q *query.Queries) error {
			_, err := q.AddSite(ctx, "Lyon", "Lyon")
			if err == nil {
				_, err = q.AddSite(ctx, "lyon", "lyon")
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, exact := range []string{"Lyon", "lyon"} {
			if e, err := h.SetEndpointSite(t.Context(), lead, machine, exact); err != nil || e.GetSite() != exact {
				t.Errorf("%s became %q (%v)", exact, e.GetSite(), err)
			}
		}
		_, err = h.SetEndpointSite(t.Context(), lead, machine, "LYON")
		wantKind(t, err, desk.ErrInvalid)
		if _, err := accounts.Create(t.Context(), "max", "", "technician", "", "LYON"); !errors.Is(err, account.ErrInvalid) {
			t.Errorf("somebody is limited to one of the two: %v", err)
		}
	})
}

// A webhook of some sites is told of their tickets and of nothing else, and what
// somebody was told of a ticket that went elsewhere is not shown to them any more.
func TestNoticesRespectSites(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		user, err := account.New(h.store).Create(t.Context(), "zoé", "", "technician", "", "Paris")
		if err != nil {
			t.Fatal(err)
		}
		zoe := desk.Actor{ID: user.ID, Name: user.Name, Role: user.Role, Sites: user.Sites}
		err = h.store.Write(t.Context(), func(ctx context.Context, q *query.Queries) error {
			for name, sites := range map[string]string{"all": "", "paris": "Paris\nNice"} {
				if err := q.PutWebhook(ctx, query.PutWebhookParams{Name: name, Url: "https://example.org", Secret: []byte{}, Sites: sites}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		lead := desk.Actor{ID: "9", Name: "Boss", Role: "lead"}
		var paris *constatv1.Ticket
		for _, site := range []string{"Lyon", "Paris"} {
			machine := h.enroll(t, site)
			if _, err := h.SetEndpointSite(t.Context(), lead, machine, site); err != nil {
				t.Fatal(err)
			}
			ticket, err := h.Create(t.Context(), lead, &deskv1.CreateTicketRequest{Draft: draft("secret of " + site), EndpointId: machine})
			if err != nil {
				t.Fatal(err)
			}
			to := map[string]string{"Lyon": tech.Name, "Paris": "zoé"}[site]
			ticket, err = h.Update(t.Context(), lead, &deskv1.UpdateTicketRequest{Number: ticket.GetNumber(), Version: ticket.GetVersion(), Assignee: &to})
			if err != nil {
				t.Fatal(err)
			}
			if site == "Paris" {
				paris = ticket
			}
		}
		told := map[string]int{}
		err = h.store.Write(t.Context(), func(ctx context.Context, q *query.Queries) error {
			rows, err := q.ClaimOutbox(ctx, query.ClaimOutboxParams{Owner: "tests", Until: 1 << 60, Now: 1 << 59, MaxRows: 100})
			for _, row := range rows {
				told[row.Recipient]++
				if row.Recipient == "paris" && !strings.Contains(string(row.Content), "Paris") {
					t.Errorf("the webhook of Paris is told %s", row.Content)
				}
			}
			return err
		})
		if err != nil || told["paris"] == 0 || told["all"] != 2*told["paris"] {
			t.Errorf("webhooks were told %v (%v)", told, err)
		}
		list, err := h.Notices(t.Context(), zoe)
		if err != nil || len(list.GetNotices()) != 1 || !strings.Contains(list.GetNotices()[0].GetTitle(), "Paris") {
			t.Fatalf("she was told %v (%v)", list, err)
		}
		// Elsewhere now: she knows that there was something, and no more.
		if _, err := h.Update(t.Context(), lead, &deskv1.UpdateTicketRequest{Number: paris.GetNumber(), Version: paris.GetVersion(), Site: proto.String("Lyon"), Assignee: proto.String("")}); err != nil {
			t.Fatal(err)
		}
		list, err = h.Notices(t.Context(), zoe)
		if err != nil || len(list.GetNotices()) != 1 || list.GetNotices()[0].GetTitle() != "" {
			t.Fatalf("she is told %v (%v)", list, err)
		}
	})
}
