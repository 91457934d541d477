package plausible_test

import (
	"io"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"constat/collector/bus"
	"constat/collector/desk"
	"constat/collector/desk/plausible"
	"constat/collector/store"
	"constat/collector/store/storetest"
	"constat/internal/fault"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// then is a day on which the tests' desks end.
var then = time.Date(2026, 11, 18, 15, 0, 0, 0, time.UTC)

var small = plausible.Size{Tickets: 3000, Machines: 200, Technicians: 12}

func fill(t testing.TB, s *store.Store, seed uint64, size plausible.Size) *fault.Catalog {
	t.Helper()
	catalog, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	if err := plausible.Fill(t.Context(), s, catalog, seed, then, size); err != nil {
		t.Fatal(err)
	}
	return catalog
}

func contents(t testing.TB, s *store.Store) map[string]store.TableContents {
	t.Helper()
	c, err := s.Backup(t.Context(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return c.Tables
}

// The same seed is the same desk on both engines, and another one another.
func TestSameSeedSameDesk(t *testing.T) {
	first := storetest.SQLite(t)
	fill(t, first, 1, small)
	want := contents(t, first)
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		catalog := fill(t, s, 1, small)
		if got := contents(t, s); !maps.Equal(got, want) {
			for name, table := range want {
				if got[name] != table {
					t.Errorf("%s: %+v, want %+v", name, got[name], table)
				}
			}
		}
		if err := plausible.Fill(t.Context(), s, catalog, 1, then, small); err == nil || !strings.Contains(err.Error(), "empty") {
			t.Errorf("filling it again: %v", err)
		}
	})
	other := storetest.SQLite(t)
	fill(t, other, 2, small)
	if got := contents(t, other); got["tickets"] == want["tickets"] || got["tickets"].Rows != want["tickets"].Rows {
		t.Error("another seed gives the same tickets, or another number of them")
	}
}

// What is made holds together as the desk keeps it: it is read by the desk, goes on
// behind the last number, and its shares are those of an organisation.
func TestPlausible(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		catalog := fill(t, s, 7, small)
		hints, err := bus.Embedded(t.Context(), bus.Cluster{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(hints.Close)
		d := desk.New(s, hints, catalog)
		count := map[string]int{}
		fr, known := 0, 0
		for n := int32(1); n <= int32(small.Tickets); n += 7 {
			found, err := d.Ticket(t.Context(), n)
			if err != nil {
				t.Fatalf("ticket %d: %v", n, err)
			}
			ticket := found.GetTicket()
			count[ticket.GetStatus()]++
			known++
			if ticket.GetRootCause() != "" {
				count["diagnosed"]++
				if catalog.Lookup(ticket.GetRootCause()) == nil {
					t.Errorf("ticket %d has the fault %q, which is not in the catalog", n, ticket.GetRootCause())
				}
			}
			if len(found.GetTimeline()) == 0 || found.GetTimeline()[0].GetText() == "" {
				t.Errorf("ticket %d begins with no words", n)
			}
			if strings.ContainsAny(found.GetTimeline()[0].GetText(), "éèàùçÉ") {
				fr++
			}
			if ticket.GetRequester().GetMail() == "" || !strings.HasSuffix(ticket.GetRequester().GetMail(), ".example") {
				t.Errorf("ticket %d is of %v", n, ticket.GetRequester())
			}
		}
		for word, percent := range map[string][2]int{"closed": {80, 99}, "diagnosed": {35, 75}} {
			if share := 100 * count[word] / known; share < percent[0] || share > percent[1] {
				t.Errorf("%d %% are %s, not %d to %d", share, word, percent[0], percent[1])
			}
		}
		if share := 100 * fr / known; share < 30 {
			t.Errorf("%d %% are French", share)
		}
		list, err := d.Tickets(t.Context(), &deskv1.ListTicketsRequest{Active: true, Limit: 200})
		if err != nil || len(list.GetTickets()) == 0 {
			t.Errorf("nothing is to be done: %v", err)
		}
		machines, err := s.Endpoints(t.Context(), store.EndpointFilter{Limit: 5})
		if err != nil || len(machines) == 0 {
			t.Fatalf("there are no machines: %v", err)
		}
		for _, x := range machines {
			found, err := d.Endpoint(t.Context(), x.ID)
			if facts := found.GetSnapshot(); err != nil || facts.GetHost().GetHostname() != x.Hostname || len(facts.GetSpace().GetFilesystems()) == 0 {
				t.Errorf("%s told nothing: %v (%v)", x.Hostname, facts, err)
			}
		}
		walks, err := d.Procedures(t.Context(), desk.System)
		if err != nil {
			t.Fatal(err)
		}
		walked := map[string]int{}
		for _, u := range walks {
			for _, r := range u.GetRates() {
				if r.GetHelped() > r.GetSolved() || r.GetTickets() > r.GetRuns() || r.GetAsked() < r.GetRuns() {
					t.Errorf("%s: %v", u.GetProcedure().GetId(), r)
				}
				walked[u.GetProcedure().GetId()]++
			}
		}
		if walked["printing"] != 2 {
			t.Errorf("the versions of procedures that were walked: %v", walked)
		}
		ticket, err := d.Create(t.Context(), desk.System, &deskv1.CreateTicketRequest{Draft: newDraft("Plus rien ne marche")})
		if err != nil || ticket.GetNumber() != int32(small.Tickets)+1 {
			t.Errorf("the next ticket is %v (%v)", ticket, err)
		}
	})
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

func newDraft(text string) *constatv1.TicketDraft {
	return &constatv1.TicketDraft{Id: newID(), Complaint: "other", Text: text, Requester: &constatv1.Person{Name: "somebody"}, Language: "fr", Channel: "console"}
}
