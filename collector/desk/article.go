package desk

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"constat/collector/store"
	"constat/collector/store/query"
	deskv1 "constat/proto/constat/desk/v1"
)

// Limits of an article. Unlike a ticket it is refused when it is too long: its
// writer sits in front of it.
const (
	maxBody         = 100 << 10
	maxTranslations = 10
	maxArticleFault = 50
	maxArticles     = 200
	// fewVoices is how many readers say nothing yet about an article.
	fewVoices = 5
)

// Who may read a published article.
const (
	teamOnly  = "team"
	forAnyone = "everybody"
)

// What an article can be.
const (
	articleDraft     = "draft"
	articlePublished = "published"
	articleRetired   = "retired"
)

// Articles lists what the team wrote down, without the texts. Who is not of the
// team gets what is published for everybody.
func (d *Desk) Articles(ctx context.Context, a Actor, r *deskv1.ListArticlesRequest) ([]*deskv1.Article, error) {
	q := d.store.Read()
	var rows []query.ListArticlesRow
	var wanted []string
	var err error
	if r.GetFault() != "" {
		var about []query.ArticlesOfFaultRow
		about, err = q.ArticlesOfFault(ctx, r.GetFault())
		for _, row := range about {
			rows = append(rows, query.ListArticlesRow(row))
		}
	} else {
		// The database looks for the longest word, which the fewest have.
		wanted = strings.Fields(store.Words(maxTitle, r.GetQuery()))
		pattern := ""
		if len(wanted) > 0 {
			pattern = containing(slices.MaxFunc(wanted, func(a, b string) int { return len(a) - len(b) }))
		}
		rows, err = q.ListArticles(ctx, query.ListArticlesParams{State: r.GetState(), AnyState: flag(r.GetState() == ""), Pattern: pattern, MaxRows: maxArticles})
	}
	if err != nil {
		return nil, err
	}
	voices, err := voicesOf(ctx, q)
	if err != nil {
		return nil, err
	}
	var list []*deskv1.Article
	for _, row := range rows {
		has := func(word string) bool { return strings.Contains(row.Article.Words, word) }
		if !mayRead(a, row.Article) || slices.ContainsFunc(wanted, func(word string) bool { return !has(word) }) {
			continue
		}
		one, err := d.article(row.Article, row.ArticleVersion, voices)
		if err != nil {
			return nil, err
		}
		for _, t := range one.GetText().GetTranslations() {
			t.Body = ""
		}
		list = append(list, one)
	}
	return list, nil
}

// mayRead tells whether somebody may read an article at all.
func mayRead(a Actor, row query.Article) bool {
	return slices.Contains(staff, a.Role) || row.State == articlePublished && row.Audience == forAnyone
}

// Article gives an article, in its newest version or an older one, with what
// became of it.
func (d *Desk) Article(ctx context.Context, a Actor, r *deskv1.GetArticleRequest) (*deskv1.GetArticleResponse, error) {
	q := d.store.Read()
	row, err := q.GetArticle(ctx, r.GetId())
	if errors.Is(err, sql.ErrNoRows) || err == nil && !mayRead(a, row) {
		return nil, problem(ErrNotFound, "there is no article %q", line(r.GetId(), 64))
	}
	if err != nil {
		return nil, err
	}
	wanted := row.Version
	if r.GetVersion() != 0 && slices.Contains(staff, a.Role) {
		wanted = r.GetVersion()
	}
	version, err := q.GetArticleVersion(ctx, row.ID, wanted)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, problem(ErrNotFound, "the article has no version %d: its newest is %d", r.GetVersion(), row.Version)
	}
	if err != nil {
		return nil, err
	}
	voices, err := voicesOf(ctx, q)
	if err != nil {
		return nil, err
	}
	found := &deskv1.GetArticleResponse{}
	if found.Article, err = d.article(row, version, voices); err != nil {
		return nil, err
	}
	if !slices.Contains(staff, a.Role) {
		return found, nil
	}
	versions, err := q.ListArticleVersions(ctx, row.ID)
	if err != nil {
		return nil, err
	}
	for _, v := range versions {
		count := voices[voiceOf{row.ID, v.Version}]
		found.Versions = append(found.Versions, &deskv1.Article{
			Id: row.ID, Version: v.Version, Author: v.Author, Note: v.Note, Ticket: v.Ticket, UpdatedAt: timestamp(v.At),
			Voices: int32(count.Voices), Helped: int32(count.Helped),
		})
	}
	ratings, err := q.ListArticleRatings(ctx, row.ID)
	if err != nil {
		return nil, err
	}
	for _, rating := range ratings {
		found.Ratings = append(found.Ratings, &deskv1.ArticleRating{
			Version: rating.Version, Reader: rating.Reader, At: timestamp(rating.At), Helped: rating.Helped != 0, Unclear: rating.Unclear,
		})
	}
	return found, nil
}

// voiceOf names a version of an article.
type voiceOf struct {
	article string
	version int32
}

// voicesOf counts what readers said, by version.
func voicesOf(ctx context.Context, q *query.Queries) (map[voiceOf]query.CountArticleRatingsRow, error) {
	rows, err := q.CountArticleRatings(ctx)
	if err != nil {
		return nil, err
	}
	counts := map[voiceOf]query.CountArticleRatingsRow{}
	for _, row := range rows {
		counts[voiceOf{row.ArticleID, row.Version}] = row
	}
	return counts, nil
}

// article puts together what the tables say of one.
func (d *Desk) article(row query.Article, version query.ArticleVersion, voices map[voiceOf]query.CountArticleRatingsRow) (*deskv1.Article, error) {
	text := &deskv1.ArticleText{}
	if err := store.UnpackMessage(version.Content, text); err != nil {
		return nil, err
	}
	count := voices[voiceOf{row.ID, version.Version}]
	one := &deskv1.Article{
		Id: row.ID, State: row.State, Audience: row.Audience, Owner: row.Owner, ReviewAt: timestamp(row.ReviewAt), Version: version.Version,
		Text: text, CreatedAt: timestamp(row.CreatedAt), UpdatedAt: timestamp(version.At), Voices: int32(count.Voices), Helped: int32(count.Helped),
		Author: version.Author, Note: version.Note, Ticket: version.Ticket,
	}
	switch {
	case row.State == articleRetired:
	case one.GetVoices() >= fewVoices && 2*one.GetHelped() < one.GetVoices():
		one.Attention = "unhelpful"
	case row.ReviewAt != 0 && !store.Time(row.ReviewAt).After(d.now()):
		one.Attention = "overdue"
	}
	return one, nil
}

// SaveArticle makes an article, where its version is 0, or the next version of
// one. ErrConflict: somebody else made one since the writer read it. What
// everybody may read is published by a lead.
func (d *Desk) SaveArticle(ctx context.Context, a Actor, r *deskv1.Article) (*deskv1.Article, error) {
	if err := a.require("write articles", staff...); err != nil {
		return nil, err
	}
	one, err := d.checkArticle(r)
	if err != nil {
		return nil, err
	}
	if one.GetState() == articlePublished && one.GetAudience() == forAnyone {
		if err := a.require("publish for everybody", leads...); err != nil {
			return nil, err
		}
	}
	content, err := store.PackMessage(one.GetText())
	if err != nil {
		return nil, err
	}
	now := store.Millis(d.now())
	var reviewAt int64
	if one.GetReviewAt() != nil {
		reviewAt = store.Millis(one.GetReviewAt().AsTime())
	}
	parts := slices.Clone(one.GetText().GetFaults())
	for _, t := range one.GetText().GetTranslations() {
		parts = append(parts, t.GetTitle(), t.GetBody())
	}
	found := store.Words(store.MaxWords, parts...)
	err = d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		next := one.GetVersion() + 1
		if one.GetVersion() == 0 {
			err := q.InsertArticle(ctx, query.InsertArticleParams{
				ID: one.GetId(), State: one.GetState(), Audience: one.GetAudience(), Owner: one.GetOwner(), ReviewAt: reviewAt,
				Version: next, Words: found, CreatedAt: now, UpdatedAt: now,
			})
			if err != nil {
				return err
			}
			if _, err := q.GetArticleVersion(ctx, one.GetId(), next); err == nil {
				return nil // the same article, made once more: a form that was sent twice
			} else if !errors.Is(err, sql.ErrNoRows) {
				return err
			}
		} else {
			before, err := q.GetArticle(ctx, one.GetId())
			if errors.Is(err, sql.ErrNoRows) {
				return problem(ErrNotFound, "there is no article %q", line(one.GetId(), 64))
			}
			if err != nil {
				return err
			}
			// Who may not publish for everybody may not rewrite what is.
			if before.State == articlePublished && before.Audience == forAnyone {
				if err := a.require("change what everybody reads", leads...); err != nil {
					return err
				}
			}
			changed, err := q.UpdateArticle(ctx, query.UpdateArticleParams{
				State: one.GetState(), Audience: one.GetAudience(), Owner: one.GetOwner(), ReviewAt: reviewAt,
				Version: next, Words: found, UpdatedAt: now, ID: one.GetId(), Seen: one.GetVersion(),
			})
			if err != nil {
				return err
			}
			if changed == 0 {
				return problem(ErrConflict, "somebody made version %d of the article since you read version %d: look at it, then put your change into it", before.Version, one.GetVersion())
			}
		}
		err := q.InsertArticleVersion(ctx, query.InsertArticleVersionParams{
			ArticleID: one.GetId(), Version: next, At: now, Author: line(a.Name, maxName), Note: one.GetNote(), Ticket: one.GetTicket(), Content: content,
		})
		if err != nil {
			return err
		}
		if err := q.DeleteArticleFaults(ctx, one.GetId()); err != nil {
			return err
		}
		for _, fault := range one.GetText().GetFaults() {
			if err := q.PutArticleFault(ctx, fault, one.GetId()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	saved, err := d.Article(ctx, a, &deskv1.GetArticleRequest{Id: one.GetId()})
	return saved.GetArticle(), err
}

// checkArticle gives a copy of what can be kept of an article.
func (d *Desk) checkArticle(r *deskv1.Article) (*deskv1.Article, error) {
	id, err := checkID("an article", r.GetId())
	if err != nil {
		return nil, err
	}
	one := &deskv1.Article{
		Id: id, State: r.GetState(), Audience: r.GetAudience(), Owner: line(r.GetOwner(), maxName), ReviewAt: r.GetReviewAt(),
		Version: r.GetVersion(), Note: line(r.GetNote(), maxTitle), Ticket: max(0, r.GetTicket()), Text: &deskv1.ArticleText{},
	}
	if one.GetVersion() < 0 {
		return nil, problem(ErrInvalid, "version %d of an article cannot have been read", one.GetVersion())
	}
	if !slices.Contains([]string{articleDraft, articlePublished, articleRetired}, one.GetState()) {
		return nil, problem(ErrInvalid, "an article is a draft, published or retired, not %q", line(one.GetState(), 64))
	}
	if one.GetAudience() != teamOnly && one.GetAudience() != forAnyone {
		return nil, problem(ErrInvalid, "an article is for the team or for everybody, not for %q", line(one.GetAudience(), 64))
	}
	if t := one.GetReviewAt(); t != nil && (!t.IsValid() || t.AsTime().Year() < 2000 || t.AsTime().After(d.now().Add(20*365*24*time.Hour))) {
		return nil, problem(ErrInvalid, "the day of the next review is not within the next twenty years")
	}
	for _, t := range r.GetText().GetTranslations() {
		kept := &deskv1.ArticleTranslation{
			Language: strings.ToLower(line(t.GetLanguage(), 35)), Title: line(t.GetTitle(), maxTitle), Body: strings.TrimSpace(strings.ReplaceAll(t.GetBody(), "\r\n", "\n")),
		}
		if kept.GetTitle() == "" && kept.GetBody() == "" {
			continue
		}
		switch {
		case kept.GetLanguage() == "":
			return nil, problem(ErrInvalid, "the article %q names no language", kept.GetTitle())
		case kept.GetTitle() == "":
			return nil, problem(ErrInvalid, "the article has a text without a title (%s)", kept.GetLanguage())
		case kept.GetBody() == "":
			return nil, problem(ErrInvalid, "the article %q says nothing yet (%s): write what to do", kept.GetTitle(), kept.GetLanguage())
		case len(kept.GetBody()) > maxBody:
			return nil, problem(ErrInvalid, "the text (%s) has %d KB, an article at most %d: split it into several", kept.GetLanguage(), len(kept.GetBody())>>10, maxBody>>10)
		}
		kept.Body = clean(kept.GetBody(), maxBody)
		one.Text.Translations = append(one.Text.Translations, kept)
	}
	translations := one.GetText().GetTranslations()
	if len(translations) == 0 {
		return nil, problem(ErrInvalid, "an article needs a title and a text in one language at least")
	}
	slices.SortFunc(translations, func(a, b *deskv1.ArticleTranslation) int { return strings.Compare(a.GetLanguage(), b.GetLanguage()) })
	for i, t := range translations {
		if i > 0 && translations[i-1].GetLanguage() == t.GetLanguage() {
			return nil, problem(ErrInvalid, "the article is there twice in %q", t.GetLanguage())
		}
	}
	faults := slices.Clone(r.GetText().GetFaults())
	slices.Sort(faults)
	for _, id := range slices.Compact(faults) {
		if id = strings.TrimSpace(id); id == "" {
			continue
		}
		if d.Catalog().Lookup(id) == nil {
			return nil, problem(ErrInvalid, "there is no fault %q: the list of faults has the ids", line(id, 64))
		}
		one.Text.Faults = append(one.Text.Faults, id)
	}
	if len(translations) > maxTranslations || len(one.GetText().GetFaults()) > maxArticleFault {
		return nil, problem(ErrInvalid, "an article has at most %d languages and %d faults", maxTranslations, maxArticleFault)
	}
	return one, nil
}

// RateArticle keeps what a reader thought of the version they read.
func (d *Desk) RateArticle(ctx context.Context, a Actor, r *deskv1.RateArticleRequest) error {
	if a.ID == "" {
		return problem(ErrForbidden, "only somebody who is signed in can say whether an article helped")
	}
	found, err := d.Article(ctx, a, &deskv1.GetArticleRequest{Id: r.GetId()})
	if err != nil {
		return err
	}
	if r.GetVersion() < 1 || r.GetVersion() > found.GetArticle().GetVersion() {
		return problem(ErrInvalid, "the article has no version %d", r.GetVersion())
	}
	one, title := found.GetArticle(), ""
	for _, t := range one.GetText().GetTranslations() {
		title = cmp.Or(title, t.GetTitle())
	}
	return d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		err := q.PutArticleRating(ctx, query.PutArticleRatingParams{
			ArticleID: one.GetId(), Version: r.GetVersion(), Reader: line(a.Name, maxName), At: store.Millis(d.now()),
			Helped: flag(r.GetHelped()), Unclear: clean(strings.TrimSpace(r.GetUnclear()), maxResolution),
		})
		if err != nil {
			return err
		}
		return d.tellUnclear(ctx, q, a, unclear{"/articles/" + one.GetId(), title, one.GetOwner(), r.GetVersion(), r.GetUnclear()})
	})
}

// unclear is what somebody did not understand in something that is written.
type unclear struct {
	address, title, owner string
	version               int32
	said                  string
}

// tellUnclear tells who owns what is written of what was unclear in it, else those who
// lead: a version once of each reader.
func (d *Desk) tellUnclear(ctx context.Context, q *query.Queries, a Actor, u unclear) error {
	if strings.TrimSpace(u.said) == "" {
		return nil
	}
	h := happening{
		kind: ToldUnclear, id: eventID(aboutWriting, u.address, fmt.Sprint(u.version), a.Name), actor: a,
		ticket: query.Ticket{Title: u.title}, text: u.address + " " + u.said,
	}
	switch owner, err := userNamed(ctx, q, u.owner); {
	case err == nil:
		h.to = []string{owner.Name}
	case errors.Is(err, ErrInvalid): // a team, or somebody who is gone
		h.leads = true
	default:
		return err
	}
	return d.tell(ctx, q, h)
}

// aboutWriting is what the ids of such notices are made of.
const aboutWriting = "5c1c6a0e-2f0b-4c57-8a55-9f6c0d1b7e21"

// ArticleFrom is a draft of an article made of a solved ticket: the fault it was
// and what helped, for somebody to make good sentences of.
func (d *Desk) ArticleFrom(ctx context.Context, number int32, language string) (*deskv1.Article, error) {
	found, err := d.Ticket(ctx, number)
	if err != nil {
		return nil, err
	}
	ticket := found.GetTicket()
	one := &deskv1.Article{Id: newID(), State: articleDraft, Audience: teamOnly, Ticket: ticket.GetNumber(), Text: &deskv1.ArticleText{}}
	translation := &deskv1.ArticleTranslation{Language: language, Title: ticket.GetTitle(), Body: ticket.GetResolution()}
	if f := d.Catalog().Lookup(ticket.GetRootCause()); f != nil {
		one.Text.Faults = []string{f.ID}
		translation.Title = f.Title.In(language)
	}
	one.Text.Translations = []*deskv1.ArticleTranslation{translation}
	return one, nil
}
