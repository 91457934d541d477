package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	_ "github.com/jackc/pgx/v5/stdlib"

	"constat/collector/store"
	"constat/collector/store/query"
	"constat/collector/store/storetest"
	"constat/internal/lab"
)

// addTicket adds a ticket that is found by texts.
func addTicket(t testing.TB, s *store.Store, number int32, status string, texts ...string) {
	t.Helper()
	err := s.Write(t.Context(), func(ctx context.Context, q *query.Queries) error {
		if _, err := q.AddTicket(ctx, query.AddTicketParams{Number: number, ID: fmt.Sprint(number), Status: status}); err != nil {
			return err
		}
		return q.PutTicketWords(ctx, number, store.Words(store.MaxWords, texts...))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// find gives the numbers that a filter finds.
func find(t testing.TB, s *store.Store, f store.TicketFilter) string {
	t.Helper()
	if f.Limit == 0 {
		f.Limit = 50
	}
	rows, err := s.Tickets(t.Context(), f)
	if err != nil {
		t.Errorf("%.200q: %v", f.Query, err)
	}
	var numbers []int32
	for _, row := range rows {
		numbers = append(numbers, row.Ticket.Number)
	}
	return fmt.Sprint(numbers)
}

// Both engines find the same, and no text makes either fail.
func TestSearch(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		for i, text := range []string{
			"L’imprimante réseau ne répond plus", "net-dns-unreachable compta-07 4XK2PL3S", "Cœur de réseau: Straße 12, café",
			"MAC 00:00:5E:00:53:07 und 192.0.2.53", "OR AND NOT NEAR* \"quoted\" 'single' a:b <-> | & !", "日本語 プリンター 😀 עברית",
			"dns elsewhere, net too, unreachable as well", "Paul’s café",
		} {
			addTicket(t, s, int32(i+1), "open", text)
		}
		for wanted, want := range map[string]string{
			"réseau": "[3 1]", "RESEAU": "[3 1]", "l'imprimante": "[1]", "imprimante d'": "[1]", "imprim repond": "[1]",
			"coeur": "[3]", "cœur": "[3]", "strasse": "[3]", "café": "[8 3]", "paul": "[8]",
			"net-dns": "[2]", "net dns": "[7 2]", "net-dns-unreachable": "[2]", "compta-0": "[2]", "07": "[4 2]",
			"4xk2pl3s": "[2]", "4xk2": "[2]", "pl3s": "[2]", "pl3": "[2]", "3s": "[]",
			"00-00-5e-00-53-07": "[4]", "00:00:5e": "[4]", "192.0.2.5": "[4]", "192.0.3": "[]",
			"or": "[5]", "not": "[5]", "NEAR": "[5]", "near(or": "[]", "a:b": "[5]", `"quoted"`: "[5]", `"quoted" AND`: "[5]", `'single`: "[5]",
			"日本": "[6]", "プリ": "[6]", "עברית": "[6]", "words: réseau": "[]", "rowid:1": "[]", "-réseau": "[3 1]",
			"😀": "[8 7 6 5 4 3 2 1]", "": "[8 7 6 5 4 3 2 1]", `"`: "[8 7 6 5 4 3 2 1]", "* ^ ( { \\ \x00": "[8 7 6 5 4 3 2 1]",
			strings.Repeat("réseau ", 2000): "[3 1]", strings.Repeat("x", 10<<10): "[]", strings.Repeat("\"' OR (", 2000): "[5]",
			"\xff\xfe réseau": "[3 1]", "a\x00b": "[5]", "'or'": "[5]",
		} {
			if got := find(t, s, store.TicketFilter{Query: wanted}); got != want {
				t.Errorf("%.60q finds %s, want %s", wanted, got, want)
			}
		}
		if got := find(t, s, store.TicketFilter{Query: "réseau", Before: 3}); got != "[1]" {
			t.Errorf("before 3: %s", got)
		}
		if got := find(t, s, store.TicketFilter{Query: "réseau", Status: "closed"}); got != "[]" {
			t.Errorf("closed: %s", got)
		}
		// What a ticket is found by follows its words, and goes with them.
		err := s.Write(t.Context(), func(ctx context.Context, q *query.Queries) error {
			return q.PutTicketWords(ctx, 1, store.Words(store.MaxWords, "scanner"))
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := find(t, s, store.TicketFilter{Query: "imprimante"}) + find(t, s, store.TicketFilter{Query: "scanner"}); got != "[][1]" {
			t.Errorf("after the change: %s", got)
		}
	})
}

// A name or number that stands in a ticket as it was typed comes before longer ones,
// and the best fit before the newest where that is asked for; both engines agree.
func TestSearchOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		for i, text := range []string{
			"pc-12 says nothing", "printer-queue-paused pc-7", "The disk of pc-1 is full", "serial 5CG1234", "printer-queue-paused-twice",
			"pc-12 again", "serial 5CG12345678", "I wrote about a full page of text, and somewhere far behind it stand the words that say that the disk of my machine is full",
			"full of joy, a disk", "diskette fuller",
		} {
			addTicket(t, s, int32(i+1), "open", text)
		}
		for _, search := range []struct {
			filter store.TicketFilter
			want   string
		}{
			{store.TicketFilter{Query: "pc-1"}, "[3 6 1]"},
			{store.TicketFilter{Query: "pc-1", Limit: 2}, "[3 6]"},
			{store.TicketFilter{Query: "pc-1", Limit: 2, Before: 6}, "[1]"},
			{store.TicketFilter{Query: "PC-12"}, "[6 1]"},
			{store.TicketFilter{Query: "printer-queue-paused"}, "[2 5]"},
			{store.TicketFilter{Query: "printer-queue"}, "[5 2]"},
			{store.TicketFilter{Query: "5cg1234"}, "[4 7]"},
			{store.TicketFilter{Query: "pc-1", Status: "closed"}, "[]"},
			{store.TicketFilter{Query: "disk full"}, "[10 9 8 3]"},
			{store.TicketFilter{Query: "disk full", Best: true}, "[9 3 8 10]"},
			{store.TicketFilter{Query: "disk full", Best: true, Limit: 2}, "[9 3]"},
			{store.TicketFilter{Query: "nowhere", Best: true}, "[]"},
			{store.TicketFilter{Query: "", Best: true, Limit: 2}, "[10 9]"},
			{store.TicketFilter{Query: "paused", Best: true}, "[5 2]"},
		} {
			if got := find(t, s, search.filter); got != search.want {
				t.Errorf("%+v finds %s, want %s", search.filter, got, search.want)
			}
		}
	})
}

// A word that all tickets hold and one that a single old ticket holds are found
// with the newest first, page after page, of all tickets and of somebody's; where they
// are looked at one by one, and behind these.
func TestSearchPages(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		const all = 4500
		err := s.Write(t.Context(), func(ctx context.Context, q *query.Queries) error {
			for n := int32(1); n <= all; n++ {
				who := []string{"", "lea"}[n%2]
				if _, err := q.AddTicket(ctx, query.AddTicketParams{Number: n, ID: fmt.Sprint(n), Status: "closed", Assignee: who}); err != nil {
					return err
				}
				if err := q.PutTicketWords(ctx, n, fmt.Sprintf("common every%d rare%d", n%1000, n)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		searches := []struct {
			filter store.TicketFilter
			want   string
		}{
			{store.TicketFilter{Query: "common", Limit: 3}, "[4500 4499 4498]"},
			{store.TicketFilter{Query: "common", Limit: 3, Before: 4498}, "[4497 4496 4495]"},
			{store.TicketFilter{Query: "every77", Limit: 3}, "[4077 3077 2077]"}, // as typed, before every770 to every779
			{store.TicketFilter{Query: "every7 common rare78"}, "[789 788 787 786 785 784 783 782 781 780 78]"},
			{store.TicketFilter{Query: "rare12", Limit: 2, Before: 1200}, "[129 128]"},
			{store.TicketFilter{Query: "common", Status: "open"}, "[]"},
			{store.TicketFilter{Query: "common", Assignee: "lea", Limit: 3}, "[4499 4497 4495]"},
			{store.TicketFilter{Query: "common", Assignee: "lea", Limit: 2, Before: 4497}, "[4495 4493]"},
			{store.TicketFilter{Query: "common rare129", Assignee: "lea"}, "[1299 1297 1295 1293 1291 129]"},
			{store.TicketFilter{Query: "common rare12", Assignee: "lea", Order: store.Oldest, Limit: 3}, "[121 123 125]"},
			{store.TicketFilter{Query: "common", Assignee: "nobody"}, "[]"},
			{store.TicketFilter{Query: "common", Due: true}, "[]"},
		}
		for range 2 {
			for _, search := range searches {
				if got := find(t, s, search.filter); got != search.want {
					t.Errorf("%+v finds %s, want %s", search.filter, got, search.want)
				}
			}
			store.Walk(t, 2)
		}
		// The index follows a ticket that is given to somebody else, whatever they are called.
		const odd = `o'h\ara & :* !`
		for _, n := range []int32{1, 3, 5, 6} {
			s.Give(t, n, odd)
		}
		for _, search := range []struct {
			filter store.TicketFilter
			want   string
		}{
			{store.TicketFilter{Query: "common", Assignee: odd}, "[6 5 3 1]"},
			{store.TicketFilter{Query: "common", Assignee: odd, Limit: 1, Before: 5}, "[3]"},
			{store.TicketFilter{Query: "common rare5", Assignee: odd}, "[5]"},
			{store.TicketFilter{Query: "common rare7", Assignee: "lea", Before: 70}, "[7]"},
			{store.TicketFilter{Query: "common rare5", Assignee: "lea", Before: 50}, "[]"},
			{store.TicketFilter{Query: "=lea"}, "[]"},
		} {
			if got := find(t, s, search.filter); got != search.want {
				t.Errorf("%+v finds %s, want %s", search.filter, got, search.want)
			}
		}
	})
}

// Words of words are the same words: what is kept can be added to again and again.
func FuzzWords(f *testing.F) {
	f.Add("L’imprimante réseau 4XK2PL3S net-dns-unreachable", "x")
	f.Add("ﬁ Ǆ İ ß\xff\x00", "İstanbul")
	f.Fuzz(func(t *testing.T, a, b string) {
		words := store.Words(store.MaxWords, a, b)
		if again := store.Words(store.MaxWords, words); again != words {
			t.Errorf("%q becomes %q", words, again)
		}
		if !utf8.ValidString(words) || strings.Contains(words, "  ") || strings.ContainsAny(words, "'\"\\\x00") {
			t.Errorf("words %q", words)
		}
		if short := store.Words(10, a, b); len(short) > 10 {
			t.Errorf("%d bytes", len(short))
		}
	})
}

// A database from before the index is found in as one from after it.
func TestSearchOfOldData(t *testing.T) {
	for engine, address := range map[string]func() (driver, source, url string){
		"sqlite": func() (string, string, string) {
			file := filepath.Join(t.TempDir(), "old.db")
			return "sqlite", "file:" + (&url.URL{Path: file}).EscapedPath(), "sqlite:" + file
		},
		"postgresql": func() (string, string, string) { u := lab.Postgres(t); return "pgx", u, u },
	} {
		t.Run(engine, func(t *testing.T) {
			driver, source, address := address()
			db, err := sql.Open(driver, source)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if err := store.MigrateTo(t.Context(), db, driver, 10); err != nil {
				t.Fatal(err)
			}
			for n := range 1200 {
				if _, err := db.ExecContext(t.Context(), "INSERT INTO ticket_words (number, words) VALUES ($1, $2)", n, fmt.Sprintf("l'imprimante net-dns-unreachable 0%d", n)); err != nil {
					t.Fatal(err)
				}
			}
			if err := store.MigrateTo(t.Context(), db, driver, 0); err != nil {
				t.Fatal(err)
			}
			db.Close()
			s, err := store.Open(t.Context(), address)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			err = s.Write(t.Context(), func(ctx context.Context, q *query.Queries) error {
				_, err := q.AddTicket(ctx, query.AddTicketParams{Number: 1150, ID: "x", Status: "open"})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := find(t, s, store.TicketFilter{Query: "imprimante net-dns dns 01150"}); got != "[1150]" {
				t.Errorf("found %s", got)
			}
		})
	}
}
