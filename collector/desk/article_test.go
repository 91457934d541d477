package desk_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/desk"
	"constat/collector/store/storetest"
	deskv1 "constat/proto/constat/desk/v1"
)

// jam is an article in two languages.
func jam() *deskv1.Article {
	return &deskv1.Article{
		Id: newID(), State: "published", Audience: "team", Owner: "Ada", Text: &deskv1.ArticleText{
			Translations: []*deskv1.ArticleTranslation{
				{Language: "fr", Title: "Débloquer l’imprimante du deuxième", Body: "1. Ouvrir le bac 2.\n2. Tirer la feuille."},
				{Language: "en", Title: "Free the printer on the second floor", Body: "1. Open tray 2.\n2. Pull the sheet."},
			},
			Faults: []string{"printer-paper-jam"},
		},
	}
}

func (h *house) save(t *testing.T, a desk.Actor, one *deskv1.Article) *deskv1.Article {
	t.Helper()
	saved, err := h.SaveArticle(t.Context(), a, one)
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

func TestArticle(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		one := h.save(t, tech, jam())
		if one.GetVersion() != 1 || one.GetAuthor() != tech.Name || one.GetText().GetTranslations()[0].GetLanguage() != "en" {
			t.Fatalf("saved %v", one)
		}
		// Sent twice, made once.
		again := jam()
		again.Id = one.GetId()
		if twice := h.save(t, tech, again); twice.GetVersion() != 1 {
			t.Errorf("sending the form again made version %d", twice.GetVersion())
		}
		found := func(a desk.Actor, r *deskv1.ListArticlesRequest) int {
			t.Helper()
			list, err := h.Articles(t.Context(), a, r)
			if err != nil {
				t.Fatal(err)
			}
			for _, one := range list {
				if one.GetText().GetTranslations()[0].GetBody() != "" {
					t.Error("a list carries texts")
				}
			}
			return len(list)
		}
		for query, want := range map[string]int{
			"": 1, "debloquer": 1, "DEUXIÈME imprimante": 1, "sheet": 1, "printer-paper-jam": 1, "second nowhere": 0, "%": 1, "100%": 0, `\`: 1, "'": 1,
		} {
			if got := found(tech, &deskv1.ListArticlesRequest{Query: query}); got != want {
				t.Errorf("%q finds %d, not %d", query, got, want)
			}
		}
		if found(tech, &deskv1.ListArticlesRequest{Fault: "printer-paper-jam"}) != 1 || found(tech, &deskv1.ListArticlesRequest{Fault: "os-disk-full"}) != 0 {
			t.Error("not found by its fault")
		}

		// Readers.
		if err := h.RateArticle(t.Context(), tech, &deskv1.RateArticleRequest{Id: one.GetId(), Version: 1, Unclear: "Which tray is 2?"}); err != nil {
			t.Fatal(err)
		}
		if err := h.RateArticle(t.Context(), tech, &deskv1.RateArticleRequest{Id: one.GetId(), Version: 1, Helped: true}); err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			reader := desk.Actor{ID: newID(), Name: strings.Repeat("r", i+1), Role: "technician"}
			if err := h.RateArticle(t.Context(), reader, &deskv1.RateArticleRequest{Id: one.GetId(), Version: 1, Unclear: "<b>which tray?</b>"}); err != nil {
				t.Fatal(err)
			}
		}
		read, err := h.Article(t.Context(), tech, &deskv1.GetArticleRequest{Id: one.GetId()})
		if err != nil {
			t.Fatal(err)
		}
		if got := read.GetArticle(); got.GetVoices() != 6 || got.GetHelped() != 1 || got.GetAttention() != "unhelpful" || len(read.GetRatings()) != 6 {
			t.Errorf("after six readers: %v", got)
		}

		// A new version starts anew, and the old one can be read and taken back.
		changed := read.GetArticle()
		changed.Note, changed.Text.Faults = "says which tray", nil
		changed.ReviewAt = timestamppb.New(time.Now().Add(-time.Hour))
		changed.Text.Translations[0].Body = "1. Open the lower tray."
		second := h.save(t, lead, changed)
		if second.GetVersion() != 2 || second.GetVoices() != 0 || second.GetAttention() != "overdue" || second.GetNote() != "says which tray" {
			t.Errorf("the second version: %v", second)
		}
		if found(tech, &deskv1.ListArticlesRequest{Fault: "printer-paper-jam"}) != 0 {
			t.Error("still found by a fault that it is about no more")
		}
		old, err := h.Article(t.Context(), tech, &deskv1.GetArticleRequest{Id: one.GetId(), Version: 1})
		if err != nil || !strings.Contains(old.GetArticle().GetText().GetTranslations()[0].GetBody(), "tray 2") || len(old.GetVersions()) != 2 {
			t.Errorf("the first version: %v, %v", old, err)
		}

		// Two who change the same version.
		var saved, lost atomic.Int32
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				mine := jam()
				mine.Id, mine.Version = one.GetId(), 2
				switch _, err := h.SaveArticle(t.Context(), tech, mine); {
				case err == nil:
					saved.Add(1)
				case errors.Is(err, desk.ErrConflict):
					lost.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		group.Wait()
		if saved.Load() != 1 || lost.Load() != 3 {
			t.Errorf("%d of four were saved, %d told of the other", saved.Load(), lost.Load())
		}
	})
}

// Who may read and write what.
func TestArticleRights(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		requester := desk.Actor{ID: "9", Name: "Claire", Role: "requester"}
		inside := h.save(t, tech, jam())
		public := jam()
		public.Audience = "everybody"
		if _, err := h.SaveArticle(t.Context(), tech, public); !errors.Is(err, desk.ErrForbidden) {
			t.Errorf("a technician publishes for everybody: %v", err)
		}
		public = h.save(t, lead, public)
		if _, err := h.SaveArticle(t.Context(), requester, jam()); !errors.Is(err, desk.ErrForbidden) {
			t.Errorf("a requester writes: %v", err)
		}
		public.State = "draft"
		if _, err := h.SaveArticle(t.Context(), tech, public); !errors.Is(err, desk.ErrForbidden) {
			t.Errorf("a technician takes back what everybody reads: %v", err)
		}
		list, err := h.Articles(t.Context(), requester, &deskv1.ListArticlesRequest{})
		if err != nil || len(list) != 1 || list[0].GetId() != public.GetId() {
			t.Errorf("a requester sees %v, %v", list, err)
		}
		if _, err := h.Article(t.Context(), requester, &deskv1.GetArticleRequest{Id: inside.GetId()}); !errors.Is(err, desk.ErrNotFound) {
			t.Errorf("a requester reads the team's: %v", err)
		}
		if err := h.RateArticle(t.Context(), requester, &deskv1.RateArticleRequest{Id: inside.GetId(), Version: 1}); !errors.Is(err, desk.ErrNotFound) {
			t.Errorf("a requester rates the team's: %v", err)
		}
		one, err := h.Article(t.Context(), requester, &deskv1.GetArticleRequest{Id: public.GetId()})
		if err != nil || len(one.GetRatings()) != 0 || len(one.GetVersions()) != 0 {
			t.Errorf("a requester reads %v, %v", one, err)
		}
	})
}

func TestArticleRefuses(t *testing.T) {
	h := open(t, storetest.SQLite(t))
	for name, spoil := range map[string]func(*deskv1.Article){
		"not a UUIDv7":          func(a *deskv1.Article) { a.Id = "1" },
		"not \"shown\"":         func(a *deskv1.Article) { a.State = "shown" },
		"team or for everybody": func(a *deskv1.Article) { a.Audience = "" },
		"one language at least": func(a *deskv1.Article) { a.Text = nil },
		"without a title":       func(a *deskv1.Article) { a.Text.Translations[0].Title = "\x00 \n" },
		"says nothing yet":      func(a *deskv1.Article) { a.Text.Translations[0].Body = "  " },
		"names no language":     func(a *deskv1.Article) { a.Text.Translations[0].Language = "" },
		"twice":                 func(a *deskv1.Article) { a.Text.Translations[0].Language = "EN" },
		"at most 100":           func(a *deskv1.Article) { a.Text.Translations[0].Body = strings.Repeat("é", 6<<20) },
		"no fault \"my-fault\"": func(a *deskv1.Article) { a.Text.Faults = []string{"my-fault"} },
		"twenty years":          func(a *deskv1.Article) { a.ReviewAt = timestamppb.New(time.Now().AddDate(90, 0, 0)) },
	} {
		one := jam()
		spoil(one)
		if _, err := h.SaveArticle(t.Context(), tech, one); !errors.Is(err, desk.ErrInvalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := h.SaveArticle(t.Context(), tech, &deskv1.Article{Id: newID(), State: "draft", Audience: "team", Version: 4, Text: jam().GetText()}); !errors.Is(err, desk.ErrNotFound) {
		t.Errorf("the fifth version of nothing: %v", err)
	}
}
