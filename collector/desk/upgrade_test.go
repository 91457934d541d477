package desk_test

import (
	"database/sql"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	"constat/collector/account"
	"constat/collector/desk"
	"constat/collector/store"
	"constat/internal/lab"
	deskv1 "constat/proto/constat/desk/v1"
)

// unpacked is a file of testdata.
func unpacked(t *testing.T, name string) []byte {
	t.Helper()
	packed, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	reader, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	content, err := reader.DecodeAll(packed, nil)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// old puts a database as an older collector left it into an engine, and gives its
// address. The program of commit 3438a89, with schema 22, filled a SQLite with 40 tickets
// of its made-up desk and seed 7, wrote two more by hand, and restored its backup of
// that into a PostgreSQL; then the file was copied, and the other dumped by pg_dump
// --inserts. A release adds its own two files beside these.
var old = map[string]func(t *testing.T) string{
	"sqlite": func(t *testing.T) string {
		file := filepath.Join(t.TempDir(), "constat.db")
		if err := os.WriteFile(file, unpacked(t, "schema-22.db.zst"), 0o600); err != nil {
			t.Fatal(err)
		}
		return "sqlite:" + file
	},
	"postgresql": func(t *testing.T) string {
		url := lab.Postgres(t)
		db, err := sql.Open("pgx", url)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.ExecContext(t.Context(), string(unpacked(t, "schema-22.sql.zst"))); err != nil {
			t.Fatal(err)
		}
		return url
	},
}

// What an older collector kept is there after the update, the same on both engines, and
// is worked on.
func TestUpgrade(t *testing.T) {
	var first map[string]store.TableContents
	for _, engine := range []string{"sqlite", "postgresql"} {
		t.Run(engine, func(t *testing.T) {
			s, err := store.Open(t.Context(), old[engine](t))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			kept, err := s.Backup(t.Context(), io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = kept.Tables
			} else if !maps.Equal(first, kept.Tables) {
				for name, table := range first {
					if kept.Tables[name] != table {
						t.Errorf("%s is %+v, and %+v on SQLite", name, kept.Tables[name], table)
					}
				}
			}
			for name, rows := range map[string]int64{"tickets": 42, "endpoints": 6, "users": 4} {
				if got := kept.Tables[name].Rows; int64(got) != rows {
					t.Errorf("%d rows of %s, want %d", got, name, rows)
				}
			}

			if _, err := account.New(s).Authenticate(t.Context(), "léa martin", "correct horse"); err != nil {
				t.Errorf("who could sign in: %v", err)
			}
			h := open(t, s)
			found, err := h.Tickets(desk.For(t.Context(), desk.System), &deskv1.ListTicketsRequest{Query: "XK-4711"})
			if err != nil || len(found.GetTickets()) != 1 {
				t.Fatalf("a serial number finds %v (%v)", found, err)
			}
			one := h.ticket(t, found.GetTickets()[0].GetNumber())
			if got := one.GetTicket(); got.GetStatus() != "solved" || got.GetResolution() != "Du papier, bac 2." || got.GetMinutes() != 5 || got.GetRequester().GetMail() != "zoe@corp.example" || strings.Join(got.GetTags(), ",") != "étage 2" {
				t.Errorf("the ticket is %v", got)
			}
			var said, files []string
			for _, entry := range one.GetTimeline() {
				if entry.GetKind() == "message" {
					said = append(said, entry.GetText())
				}
				for _, f := range entry.GetFiles() {
					files = append(files, f.GetName())
				}
			}
			if all := strings.Join(said, "|"); !strings.Contains(all, "2e étage ne sort rien 🖨") || !strings.Contains(all, "Est-elle allumée ?") || strings.Join(files, "|") != "panneau.txt" {
				t.Errorf("it holds %q with %q", said, files)
			}
			// The number of the one that was merged leads there still.
			if merged := h.ticket(t, one.GetTicket().GetNumber()+1); merged.GetTicket().GetNumber() != one.GetTicket().GetNumber() {
				t.Errorf("the merged one leads to %v", merged.GetTicket())
			}
			// Everything is read, and goes on.
			for number := int32(1); number <= 42; number++ {
				h.ticket(t, number)
			}
			fresh := h.comes(t, "after the update")
			if fresh.GetNumber() != 43 {
				t.Errorf("the next ticket is %d", fresh.GetNumber())
			}
			h.update(t, tech, &deskv1.UpdateTicketRequest{Number: fresh.GetNumber(), Status: proto.String("solved")})
		})
	}
}
