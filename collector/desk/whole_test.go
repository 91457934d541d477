package desk_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

func (h *house) update(t testing.TB, a desk.Actor, r *deskv1.UpdateTicketRequest) *constatv1.Ticket {
	t.Helper()
	if r.Version == 0 {
		r.Version = h.ticket(t, r.Number).Ticket.Version
	}
	updated, err := h.Update(t.Context(), a, r)
	if err != nil {
		t.Fatal(err)
	}
	return updated
}

func (h *house) note(t testing.TB, number int32, kind, text string, minutes int32) *constatv1.TicketEntry {
	t.Helper()
	entry, err := h.AddEntry(t.Context(), tech, &deskv1.AddEntryRequest{Number: number, Id: newID(), Kind: kind, Text: text, Minutes: minutes})
	if err != nil {
		t.Fatal(err)
	}
	return entry
}

func TestSorting(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.user(t, "Zoé", "technician")
		ticket := h.create(t, "A second screen, please")
		if ticket.Type != "incident" || ticket.Category != "printing" || ticket.Major {
			t.Errorf("at first: %v", ticket)
		}
		friday := time.Date(2030, 5, 3, 21, 59, 59, 0, time.UTC)
		got := h.update(t, tech, &deskv1.UpdateTicketRequest{
			Number: ticket.Number, Category: proto.String("Équipement"), Queue: proto.String("Purchasing"), Type: proto.String("request"),
			WantedBy: timestamppb.New(friday), AddTags: []string{"Screen", " desk 4, left ", "screen"}, AddFollowers: []string{"zoé"},
		})
		if got.Type != "request" || got.Category != "Équipement" || got.Queue != "Purchasing" || !got.WantedBy.AsTime().Equal(friday) ||
			!slices.Equal(got.Tags, []string{"desk 4 left", "screen"}) || !slices.Equal(got.Followers, []string{"Zoé"}) {
			t.Errorf("then: %v", got)
		}
		if !got.DueAt.AsTime().Equal(friday) {
			t.Errorf("what is wanted by a day is due at %v", got.DueAt.AsTime())
		}
		wantText := "change category: printing → Équipement;queue:  → Purchasing;type: incident → request;tags:  → " + strings.Join(got.Tags, ", ") +
			";followers:  → Zoé;wanted:  → 2030-05-03T21:59:59Z;"
		if got := texts(h.ticket(t, ticket.Number).Timeline); !strings.HasSuffix(got, wantText) {
			t.Errorf("the timeline is %q", got)
		}
		for _, query := range []string{"screen", "equipement"} {
			if list, err := h.Tickets(t.Context(), &deskv1.ListTicketsRequest{Query: query}); err != nil || len(list.Tickets) != 1 {
				t.Errorf("%s finds %v (%v)", query, list, err)
			}
		}
		// Solved, nothing is due; without a day, neither.
		if got = h.update(t, tech, &deskv1.UpdateTicketRequest{Number: ticket.Number, Status: proto.String("solved")}); got.DueAt != nil {
			t.Errorf("solved and due at %v", got.DueAt.AsTime())
		}
		got = h.update(t, tech, &deskv1.UpdateTicketRequest{
			Number: ticket.Number, Status: proto.String("open"), WantedBy: &timestamppb.Timestamp{}, RemoveTags: []string{"SCREEN"}, RemoveFollowers: []string{"zoé", "who left"},
		})
		if got.WantedBy != nil || got.DueAt != nil || len(got.Tags) != 1 || len(got.Followers) != 0 {
			t.Errorf("taken away: %v", got)
		}
		// What says nothing new is no change.
		version := got.Version
		if got = h.update(t, tech, &deskv1.UpdateTicketRequest{Number: ticket.Number, AddTags: got.Tags, RemoveTags: []string{"none"}, Major: proto.Bool(false)}); got.Version != version {
			t.Errorf("nothing changed, and the version is %d after %d", got.Version, version)
		}
		for _, bad := range []struct {
			actor desk.Actor
			r     *deskv1.UpdateTicketRequest
			kind  error
			says  string
		}{
			{tech, &deskv1.UpdateTicketRequest{Category: proto.String(" ")}, desk.ErrInvalid, "needs a category"},
			{tech, &deskv1.UpdateTicketRequest{Type: proto.String("wish")}, desk.ErrInvalid, "incident, request"},
			{tech, &deskv1.UpdateTicketRequest{Major: proto.Bool(true)}, desk.ErrForbidden, "major"},
			{tech, &deskv1.UpdateTicketRequest{AddTags: []string{strings.Repeat("x", 41)}}, desk.ErrInvalid, "too long"},
			{tech, &deskv1.UpdateTicketRequest{AddTags: strings.Split(strings.Repeat("a b c d e f g h i j k l m n o p q r s t u v", 1), " ")}, desk.ErrInvalid, "20 tags"},
			{tech, &deskv1.UpdateTicketRequest{AddFollowers: []string{"nobody"}}, desk.ErrInvalid, "nobody here is called"},
			{tech, &deskv1.UpdateTicketRequest{WantedBy: timestamppb.New(time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC))}, desk.ErrInvalid, "1999"},
		} {
			bad.r.Number, bad.r.Version = ticket.Number, version
			_, err := h.Update(t.Context(), bad.actor, bad.r)
			if !errors.Is(err, bad.kind) || !strings.Contains(err.Error(), bad.says) {
				t.Errorf("%v: %v, want %q", bad.r, err, bad.says)
			}
		}
		if got = h.update(t, lead, &deskv1.UpdateTicketRequest{Number: ticket.Number, Major: proto.Bool(true)}); !got.Major {
			t.Error("a lead cannot say that it is major")
		}
	})
}

// A technician's draft sorts its ticket; what an agent sends does not.
func TestDraftsSort(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		sorted := draft("For the newcomer of Monday.")
		sorted.Title, sorted.Type, sorted.Queue, sorted.Tags, sorted.Complaint = "A laptop", "request", "Purchasing", []string{"New", "new"}, "Équipement"
		ticket, err := h.Create(t.Context(), tech, &deskv1.CreateTicketRequest{Draft: sorted})
		if err != nil || ticket.Title != "A laptop" || ticket.Type != "request" || ticket.Queue != "Purchasing" || !slices.Equal(ticket.Tags, []string{"new"}) || ticket.Category != "Équipement" {
			t.Errorf("sorted: %v (%v)", ticket, err)
		}
		endpoint := h.enroll(t, "pc1")
		sorted = proto.CloneOf(sorted)
		sorted.Id = newID()
		receipt := h.ingest(t, endpoint, ticketReport(sorted))[0]
		if got := h.ticket(t, receipt.TicketNumber).Ticket; got.Title == "A laptop" || got.Type != "incident" || got.Queue != "" || len(got.Tags) != 0 || got.Category != "other" {
			t.Errorf("an agent sorted its ticket: %v", got)
		}
	})
}

func TestLinks(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		a, b, c := h.create(t, "a"), h.create(t, "b"), h.create(t, "c")
		link := func(number int32, kind string, other int32) error {
			_, err := h.Link(t.Context(), tech, &deskv1.LinkTicketsRequest{Number: number, Kind: kind, Other: other})
			return err
		}
		show := func(number int32) string {
			var all []string
			for _, l := range h.ticket(t, number).Links {
				all = append(all, fmt.Sprintf("%s #%d %s", l.Kind, l.Number, l.Title))
			}
			return strings.Join(all, ", ")
		}
		for _, step := range []struct {
			number int32
			kind   string
			other  int32
			says   string
		}{
			{a.Number, "parent", b.Number, ""},
			{a.Number, "parent", b.Number, ""}, // again: nothing new
			{b.Number, "child", a.Number, ""},  // the same from the other end
			{c.Number, "child", b.Number, ""},
			{a.Number, "child", c.Number, "close a ring"},
			{c.Number, "parent", a.Number, "close a ring"},
			{a.Number, "parent", c.Number, "has a parent already, ticket 2"},
			{a.Number, "related", b.Number, "have a link already (parent)"},
			{a.Number, "related", a.Number, "itself"},
			{a.Number, "uncle", b.Number, "it is one of"},
			{a.Number, "splitInto", b.Number, "it is one of"},
			{a.Number, "related", 99, "no ticket 99"},
			{c.Number, "related", a.Number, ""},
		} {
			err := link(step.number, step.kind, step.other)
			if step.says == "" && err != nil || step.says != "" && (err == nil || !strings.Contains(err.Error(), step.says)) {
				t.Errorf("%d %s %d: %v, want %q", step.number, step.kind, step.other, err, step.says)
			}
		}
		for number, want := range map[int32]string{
			a.Number: "parent #2 b, related #3 c", b.Number: "child #1 a, parent #3 c", c.Number: "related #1 a, child #2 b",
		} {
			if got := show(number); got != want {
				t.Errorf("ticket %d has %q, want %q", number, got, want)
			}
		}
		if got, want := texts(h.ticket(t, b.Number).Timeline), "message b | change link:  → child #1 a; | change link:  → parent #3 c;"; got != want {
			t.Errorf("the timeline is %q, want %q", got, want)
		}
		if err := link(b.Number, "none", a.Number); err != nil || show(a.Number) != "related #3 c" {
			t.Errorf("taken away: %q (%v)", show(a.Number), err)
		}
		_, err := h.Link(t.Context(), desk.Actor{Name: "alice", Role: "requester"}, &deskv1.LinkTicketsRequest{Number: a.Number, Kind: "related", Other: b.Number})
		wantKind(t, err, desk.ErrForbidden)
		// A merge takes links along; the old number can be linked, too.
		d := h.create(t, "d")
		h.merge(t, h.ticket(t, c.Number).Ticket, d)
		if got, want := show(d.Number), "related #1 a, child #2 b"; got != want {
			t.Errorf("after the merge %q, want %q", got, want)
		}
		if err := link(c.Number, "related", h.create(t, "e").Number); err != nil || show(d.Number) != "related #1 a, child #2 b, related #5 e" {
			t.Errorf("by the old number: %q (%v)", show(d.Number), err)
		}
	})
}

// Whatever is linked and merged at random, also at once, nobody stands above
// themselves, nobody has two parents, and both ends tell the same.
func TestLinksMakeNoRings(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const tickets = 8
		for i := range tickets {
			h.create(t, fmt.Sprint(i))
		}
		var all sync.WaitGroup
		for worker := range 4 {
			random := rand.New(rand.NewPCG(7, uint64(worker)))
			all.Go(func() {
				for range 25 {
					one, other := 1+random.Int32N(tickets), 1+random.Int32N(tickets)
					kind := []string{"parent", "child", "duplicate", "duplicateOf", "none"}[random.IntN(5)]
					_, err := h.Link(t.Context(), tech, &deskv1.LinkTicketsRequest{Number: one, Kind: kind, Other: other})
					if err == nil && random.IntN(12) == 0 {
						found, ferr := h.Ticket(t.Context(), one)
						if ferr != nil {
							t.Error(ferr)
							return
						}
						_, err = h.Merge(t.Context(), tech, &deskv1.MergeTicketRequest{Number: one, Version: found.Ticket.Version, Into: other})
					}
					if err != nil && !errors.Is(err, desk.ErrInvalid) && !errors.Is(err, desk.ErrConflict) {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		other := map[string]string{"parent": "child", "child": "parent", "duplicate": "duplicateOf", "duplicateOf": "duplicate", "related": "related"}
		for _, kind := range []string{"parent", "duplicateOf"} {
			for n := int32(1); n <= tickets; n++ {
				at, steps := n, 0
				for ; steps <= tickets; steps++ {
					found := h.ticket(t, at)
					var up []int32
					for _, l := range found.Links {
						if l.Kind == kind {
							up = append(up, l.Number)
						}
						if l.Status == "merged" {
							t.Errorf("ticket %d is linked to %d, which was merged", at, l.Number)
						}
						back := h.ticket(t, l.Number).Links
						if !slices.ContainsFunc(back, func(b *constatv1.TicketLink) bool { return b.Number == found.Ticket.Number && b.Kind == other[l.Kind] }) {
							t.Errorf("ticket %d has %s %d, and that one tells %v", at, l.Kind, l.Number, back)
						}
					}
					if len(up) > 1 {
						t.Errorf("ticket %d has %d of %s", at, len(up), kind)
					}
					if len(up) == 0 {
						break
					}
					at = up[0]
				}
				if steps > tickets {
					t.Errorf("there is a ring of %s above ticket %d", kind, n)
				}
			}
		}
	})
}

func TestSplit(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		from := h.create(t, "The printer is dead")
		screen := h.note(t, from.Number, "message", "And the screen flickers", 5)
		about := h.note(t, from.Number, "note", "Looked at the screen", 15)
		h.note(t, from.Number, "note", "Looked at the printer", 30)
		from = h.ticket(t, from.Number).Ticket
		r := &deskv1.SplitTicketRequest{Number: from.Number, Version: from.Version, Id: newID(), Entries: []string{about.Id, screen.Id}}
		split, err := h.Split(t.Context(), tech, r)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := h.Split(t.Context(), tech, r); err != nil || again.Number != split.Number {
			t.Errorf("splitting twice made %v (%v)", again, err)
		}
		if split.Title != "And the screen flickers" || split.Requester.GetName() != "alice" || split.Minutes != 20 || split.FirstResponseAt == nil {
			t.Errorf("the new one: %v", split)
		}
		if got, want := texts(h.ticket(t, split.Number).Timeline), "message And the screen flickers | note Looked at the screen | change splitFrom:  → #1 The printer is dead;"; got != want {
			t.Errorf("its timeline is %q, want %q", got, want)
		}
		old := h.ticket(t, from.Number)
		if got := texts(old.Timeline); !strings.HasSuffix(got, "| note Looked at the printer | change splitInto:  → #2 And the screen flickers;") || strings.Contains(got, "Looked at the screen") {
			t.Errorf("the old timeline is %q", got)
		}
		if old.Ticket.Minutes != 30 || len(old.Links) != 1 || old.Links[0].Kind != "splitInto" || h.ticket(t, split.Number).Links[0].Kind != "splitFrom" {
			t.Errorf("the old one: %v %v", old.Ticket, old.Links)
		}
		if list, err := h.Tickets(t.Context(), &deskv1.ListTicketsRequest{Query: "flickers"}); err != nil || list.Tickets[0].Number != split.Number {
			t.Errorf("found: %v (%v)", list, err)
		}
		first := old.Timeline[0].Id
		var change string
		for _, e := range old.Timeline {
			if e.Kind == "change" {
				change = e.Id
			}
		}
		last := old.Timeline[len(old.Timeline)-2].Id
		for _, bad := range []struct {
			version int32
			entries []string
			kind    error
			says    string
		}{
			{from.Version, []string{first}, desk.ErrConflict, "look at it again"},
			{old.Ticket.Version, nil, desk.ErrInvalid, "choose"},
			{old.Ticket.Version, []string{first, last}, desk.ErrInvalid, "nothing would be left"},
			{old.Ticket.Version, []string{change}, desk.ErrInvalid, "only messages and notes"},
			{old.Ticket.Version, []string{screen.Id}, desk.ErrInvalid, "there is no entry"},
		} {
			_, err := h.Split(t.Context(), tech, &deskv1.SplitTicketRequest{Number: from.Number, Version: bad.version, Id: newID(), Entries: bad.entries})
			if !errors.Is(err, bad.kind) || !strings.Contains(err.Error(), bad.says) {
				t.Errorf("%v: %v, want %q", bad, err, bad.says)
			}
		}
	})
}

// However tickets are split and merged at random, also at once, no entry and no
// minute is lost or doubled, and each ticket's time is the sum of its entries'.
func TestNothingIsLostBySplitting(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		all := map[string]int32{}
		for i := range 3 {
			ticket := h.create(t, fmt.Sprint(i))
			for j := range 6 {
				minutes := int32(1 + 7*i + j)
				all[h.note(t, ticket.Number, "note", fmt.Sprint(i, j), minutes).Id] = minutes
			}
		}
		var group sync.WaitGroup
		for worker := range 4 {
			random := rand.New(rand.NewPCG(11, uint64(worker)))
			group.Go(func() {
				for range 8 {
					found, err := h.Ticket(t.Context(), 1+random.Int32N(3))
					if err != nil {
						t.Error(err)
						return
					}
					if random.IntN(3) == 0 {
						_, err = h.Merge(t.Context(), tech, &deskv1.MergeTicketRequest{Number: found.Ticket.Number, Version: found.Ticket.Version, Into: 1 + random.Int32N(3)})
					} else {
						var chosen []string
						for _, e := range found.Timeline {
							if e.Kind == "note" && random.IntN(2) == 0 {
								chosen = append(chosen, e.Id)
							}
						}
						_, err = h.Split(t.Context(), tech, &deskv1.SplitTicketRequest{Number: found.Ticket.Number, Version: found.Ticket.Version, Id: newID(), Entries: chosen})
					}
					if err != nil && !errors.Is(err, desk.ErrInvalid) && !errors.Is(err, desk.ErrConflict) {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		list, err := h.Tickets(t.Context(), &deskv1.ListTicketsRequest{Limit: 200})
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]int32{}
		for _, one := range list.Tickets {
			if one.Status == "merged" {
				continue
			}
			var sum int32
			for _, e := range h.ticket(t, one.Number).Timeline {
				if sum += e.Minutes; e.Kind == "note" {
					if _, twice := seen[e.Id]; twice {
						t.Errorf("note %q stands twice", e.Text)
					}
					seen[e.Id] = e.Minutes
				}
			}
			if one.Minutes != sum {
				t.Errorf("ticket %d has %d minutes, and its entries %d", one.Number, one.Minutes, sum)
			}
		}
		if len(list.Tickets) < 5 {
			t.Errorf("only %d tickets: hardly anything was split", len(list.Tickets))
		}
		for id, minutes := range all {
			if seen[id] != minutes {
				t.Errorf("a note of %d minutes has %d now", minutes, seen[id])
			}
		}
	})
}

func TestMentions(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		people := map[string]desk.Actor{}
		for _, name := range []string{"anne", "Anne Marie", "\u200fמיה", "🦊 Fox"} {
			people[name] = h.user(t, name, "technician")
		}
		ticket := h.create(t, "Look, @anne")
		note := h.note(t, ticket.Number, "note", "@ANNE marie, see x@anne.example; @🦊 fox! @nobody @\u200fמיה @Léa", 0)
		want := []string{"Anne Marie", "\u200fמיה", "🦊 Fox"}
		slices.Sort(want)
		if !slices.Equal(note.Mentions, want) {
			t.Errorf("named: %q", note.Mentions)
		}
		// A message is for the requester: it names nobody, and followers learn of it.
		h.note(t, ticket.Number, "message", "I ask @anne", 0)
		got := h.ticket(t, ticket.Number)
		if !slices.Equal(got.Ticket.Followers, want) {
			t.Errorf("followers: %q", got.Ticket.Followers)
		}
		for name, who := range people {
			told := fmt.Sprintf("mention #1 Léa: %s\nmessage #1 Léa: I ask @anne", note.Text)
			if name == "anne" {
				told = ""
			}
			if got := h.news(t, who); got != told {
				t.Errorf("%s was told %q, want %q", name, got, told)
			}
		}
	})
}

func picture(w, h int) []byte {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, color.NRGBA{uint8(x), uint8(y), 128, 255})
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, m); err != nil {
		panic(err)
	}
	return out.Bytes()
}

func TestFiles(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ticket, other := h.create(t, "It looks odd"), h.create(t, "Another")
		wide := picture(1000, 40)
		add := func(number int32, files ...*deskv1.NewFile) (*constatv1.TicketEntry, error) {
			return h.AddEntry(t.Context(), tech, &deskv1.AddEntryRequest{Number: number, Id: newID(), Kind: "note", Files: files})
		}
		entry, err := add(ticket.Number,
			&deskv1.NewFile{Name: `C:\fakepath\odd "screen".png`, Content: wide},
			&deskv1.NewFile{Name: "../../etc/passwd", Content: []byte("<script>alert(1)</script>")},
			&deskv1.NewFile{Name: "", Content: nil},
			&deskv1.NewFile{Name: "bill\u202egpj.exe\x00\n", Content: []byte("MZ")},
			&deskv1.NewFile{Name: strings.Repeat("é", 200) + ".pdf", Content: wide},
		)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range entry.Files {
			names = append(names, f.Name)
		}
		if got, want := names[:4], []string{"odd _screen_.png", "passwd", "file", "billgpj.exe"}; !slices.Equal(got, want) || !strings.HasSuffix(names[4], "é….pdf") || len(names[4]) > 120 {
			t.Errorf("the names are %q", names)
		}
		if f := entry.Files[0]; !f.Shown || f.Type != "image/png" || f.Size != int32(len(wide)) || entry.Files[1].Shown {
			t.Errorf("the files: %v", entry.Files)
		}
		for i, want := range [][]byte{wide, []byte("<script>alert(1)</script>"), {}} {
			got, err := h.File(t.Context(), ticket.Number, entry.Files[i].Id)
			if err != nil || !bytes.Equal(got.Content, want) {
				t.Errorf("file %d came back as %v (%v)", i, got, err)
			}
		}
		small, err := h.Thumbnail(t.Context(), ticket.Number, entry.Files[0].Id)
		size, _, derr := image.DecodeConfig(bytes.NewReader(small))
		if err != nil || derr != nil || size.Width != 320 || size.Height != 12 {
			t.Errorf("the small picture: %v %v %v", size, err, derr)
		}
		_, err = h.Thumbnail(t.Context(), ticket.Number, entry.Files[1].Id)
		wantKind(t, err, desk.ErrNotFound)
		_, err = h.File(t.Context(), other.Number, entry.Files[0].Id)
		wantKind(t, err, desk.ErrNotFound)
		for _, id := range []string{"", "x", newID(), "' OR 1=1"} {
			_, err = h.File(t.Context(), ticket.Number, id)
			wantKind(t, err, desk.ErrNotFound)
		}
		// Files go with a merge, and with a split.
		h.merge(t, h.ticket(t, ticket.Number).Ticket, other)
		if _, err := h.File(t.Context(), ticket.Number, entry.Files[0].Id); err != nil {
			t.Errorf("by the old number: %v", err)
		}
		now := h.ticket(t, other.Number).Ticket
		split, err := h.Split(t.Context(), tech, &deskv1.SplitTicketRequest{Number: now.Number, Version: now.Version, Id: newID(), Entries: []string{entry.Id}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.File(t.Context(), split.Number, entry.Files[0].Id); err != nil {
			t.Errorf("after the split: %v", err)
		}
		_, err = h.File(t.Context(), now.Number, entry.Files[0].Id)
		wantKind(t, err, desk.ErrNotFound)
		for _, bad := range []struct {
			files []*deskv1.NewFile
			says  string
		}{
			{[]*deskv1.NewFile{{Name: "a", Content: make([]byte, desk.MaxFile+1)}}, "10 MiB"},
			{[]*deskv1.NewFile{{Content: make([]byte, desk.MaxFile)}, {Content: make([]byte, desk.MaxFile)}, {Content: make([]byte, desk.MaxFile)}}, "25 MiB"},
			{make([]*deskv1.NewFile, desk.MaxFiles+1), "send 10"},
		} {
			if _, err := add(other.Number, bad.files...); !errors.Is(err, desk.ErrInvalid) || !strings.Contains(err.Error(), bad.says) {
				t.Errorf("%v, want %q", err, bad.says)
			}
		}
	})
}

func TestTimeSpent(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ticket := h.create(t, "x")
		// Time alone answers nobody.
		h.note(t, ticket.Number, "message", "", 20)
		if got := h.ticket(t, ticket.Number).Ticket; got.Minutes != 20 || got.Status != "new" || got.FirstResponseAt != nil {
			t.Errorf("after 20 minutes: %v", got)
		}
		for _, bad := range []struct {
			a       desk.Actor
			minutes int32
			kind    error
		}{{tech, -1, desk.ErrInvalid}, {tech, 10081, desk.ErrInvalid}, {desk.Actor{Name: "alice", Role: "requester"}, 5, desk.ErrForbidden}} {
			_, err := h.AddEntry(t.Context(), bad.a, &deskv1.AddEntryRequest{Number: ticket.Number, Id: newID(), Kind: "message", Text: "x", Minutes: bad.minutes})
			wantKind(t, err, bad.kind)
		}
	})
}
