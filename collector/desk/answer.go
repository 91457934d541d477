package desk

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"constat/collector/store"
	"constat/collector/store/query"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// Limits of answers. Like an article, one that is too long is refused.
const (
	maxAnswer      = 20 << 10
	maxAnswers     = 1000 // of the team
	maxOwnAnswers  = 200
	filledAnswers  = 30
	maxPlaceholder = 60
)

// AnswerVariables are what an answer may hold in braces, and what each is in a
// ticket; empty where the ticket does not tell.
var AnswerVariables = []string{
	"requester.name", "requester.mail", "ticket.number", "ticket.title", "ticket.site",
	"endpoint.hostname", "cause.title", "assignee.name", "technician.name",
}

// piece is a part of an answer: text as it is, or a variable.
type piece struct {
	text     string
	variable bool
}

// pieces reads an answer. {name} is a variable, {{ a brace; anything else in braces
// is refused with its place, for what is no variable would be sent as it stands.
func pieces(body string) ([]piece, error) {
	var list []piece
	for rest := body; ; {
		before, after, found := strings.Cut(rest, "{")
		list = append(list, piece{text: before})
		if !found {
			return list, nil
		}
		if strings.HasPrefix(after, "{") {
			list, rest = append(list, piece{text: "{"}), after[1:]
			continue
		}
		row, column := placeOf(body, len(body)-len(after)-1)
		name, next, closed := strings.Cut(after, "}")
		switch {
		case !closed || strings.ContainsAny(name, "{\n") || len(name) > maxPlaceholder:
			return nil, problem(ErrInvalid, "line %d, column %d: the brace opens a variable that does not end: write {requester.name}, or {{ for a brace", row, column)
		case !slices.Contains(AnswerVariables, name):
			return nil, problem(ErrInvalid, "line %d, column %d: there is no variable {%s}: it is one of %s", row, column, line(name, maxPlaceholder), strings.Join(AnswerVariables, ", "))
		}
		list, rest = append(list, piece{name, true}), next
	}
}

// placeOf is where in a text a byte stands, as an editor counts.
func placeOf(text string, at int) (row, column int) {
	before := text[:at]
	begin := strings.LastIndexByte(before, '\n') + 1
	return 1 + strings.Count(before, "\n"), 1 + utf8.RuneCountInString(before[begin:])
}

// fill puts values into an answer, each once: what a value holds is not read again.
// A variable without a value stays, and is told.
func fill(body string, values map[string]string) (text string, missing []string, err error) {
	list, err := pieces(body)
	var out strings.Builder
	for _, p := range list {
		switch value := values[p.text]; {
		case !p.variable:
			out.WriteString(p.text)
		case value != "":
			out.WriteString(value)
		default:
			left := "{" + p.text + "}"
			out.WriteString(left)
			if !slices.Contains(missing, left) {
				missing = append(missing, left)
			}
		}
	}
	return out.String(), missing, err
}

// Unfilled is the first variable that still stands in a message; "" for none.
func Unfilled(text string) string {
	for rest := text; ; {
		_, after, found := strings.Cut(rest, "{")
		if !found {
			return ""
		}
		if name, _, closed := strings.Cut(after, "}"); closed && slices.Contains(AnswerVariables, name) {
			return "{" + name + "}"
		}
		rest = after
	}
}

// answerValues are the values of a ticket, for somebody who answers in a language.
func (d *Desk) answerValues(t *constatv1.Ticket, a Actor, language string) map[string]string {
	values := map[string]string{
		"requester.name": t.GetRequester().GetName(), "requester.mail": t.GetRequester().GetMail(),
		"ticket.number": number(int64(t.GetNumber())), "ticket.title": t.GetTitle(), "ticket.site": t.GetSite(),
		"endpoint.hostname": t.GetEndpointName(), "assignee.name": t.GetAssignee(), "technician.name": a.Name,
	}
	if known := d.Catalog().Lookup(t.GetRootCause()); known != nil {
		values["cause.title"] = line(known.Title.About(language, t.GetComponent()), maxTitle)
	}
	for name, value := range values {
		values[name] = line(value, maxTitle)
	}
	return values
}

// mayUse tells whether an answer is there for somebody: the team's at their sites,
// and their own.
func (a Actor) mayUse(row query.Answer) bool {
	if row.OwnerID != "" {
		return row.OwnerID == a.ID
	}
	return row.Site == "" || a.sees(row.Site)
}

// Answers lists the answers of the team and the actor's own, by title.
func (d *Desk) Answers(ctx context.Context, a Actor, words string) ([]*deskv1.Answer, error) {
	if err := a.require("use answers", staff...); err != nil {
		return nil, err
	}
	rows, err := d.answersWith(ctx, a, words)
	if err != nil {
		return nil, err
	}
	var list []*deskv1.Answer
	for _, row := range rows {
		one, err := answerMessage(a, row)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	slices.SortFunc(list, func(x, y *deskv1.Answer) int {
		return cmp.Or(strings.Compare(strings.ToLower(x.GetTexts()[0].GetTitle()), strings.ToLower(y.GetTexts()[0].GetTitle())), strings.Compare(x.GetId(), y.GetId()))
	})
	return list, nil
}

// answersWith are the rows that somebody may use and that hold all words, or their
// beginnings.
func (d *Desk) answersWith(ctx context.Context, a Actor, words string) ([]query.Answer, error) {
	rows, err := d.store.Read().ListAnswers(ctx, a.ID)
	return slices.DeleteFunc(rows, func(row query.Answer) bool { return !a.mayUse(row) || !holds(row.Words, words) }), err
}

// holds tells whether folded words hold all that somebody looks for, or what begins
// with it.
func holds(folded, words string) bool {
	return !slices.ContainsFunc(strings.Fields(store.Words(maxTitle, line(words, maxTitle))), func(word string) bool { return !strings.Contains(folded, word) })
}

func answerMessage(a Actor, row query.Answer) (*deskv1.Answer, error) {
	one := &deskv1.Answer{}
	if err := store.UnpackMessage(row.Content, one); err != nil {
		return nil, err
	}
	one.Id, one.Site, one.Queue, one.Version = row.ID, row.Site, row.Queue, row.Version
	one.Author, one.UpdatedAt = row.Author, timestamp(row.UpdatedAt)
	if row.OwnerID != "" {
		one.Owner = a.Name
	}
	return one, nil
}

// Answer gives one answer.
func (d *Desk) Answer(ctx context.Context, a Actor, id string) (*deskv1.Answer, error) {
	if err := a.require("use answers", staff...); err != nil {
		return nil, err
	}
	row, err := usableAnswer(ctx, d.store.Read(), a, id)
	if err != nil {
		return nil, err
	}
	return answerMessage(a, row)
}

func usableAnswer(ctx context.Context, q *query.Queries, a Actor, id string) (query.Answer, error) {
	row, err := q.GetAnswer(ctx, line(id, 64))
	if errors.Is(err, sql.ErrNoRows) || err == nil && !a.mayUse(row) {
		return row, problem(ErrNotFound, "there is no answer %q", line(id, 64))
	}
	return row, err
}

// mayChangeAnswer refuses who may not change an answer: the team's takes a lead, who sees
// the site that it is for.
func (a Actor) mayChangeAnswer(ownerID, site string) error {
	if ownerID != "" {
		return nil // theirs, or they had not found it
	}
	if err := a.require("change the team's answers", leads...); err != nil {
		return err
	}
	return a.mayGovern(site, "an answer for all sites")
}

// SaveAnswer makes an answer, where its version is 0, or the next version of one.
// ErrConflict: somebody else made one since the writer read it.
func (d *Desk) SaveAnswer(ctx context.Context, a Actor, r *deskv1.Answer) (*deskv1.Answer, error) {
	if err := a.require("write answers", staff...); err != nil {
		return nil, err
	}
	one, err := checkAnswer(a, r)
	if err != nil {
		return nil, err
	}
	ownerID := ""
	if one.GetOwner() != "" {
		ownerID = a.ID
	}
	if err := a.mayChangeAnswer(ownerID, one.GetSite()); err != nil {
		return nil, err
	}
	content, err := store.PackMessage(&deskv1.Answer{Texts: one.GetTexts()})
	if err != nil {
		return nil, err
	}
	var parts []string
	for _, t := range one.GetTexts() {
		parts = append(parts, t.GetTitle(), t.GetBody())
	}
	row := query.InsertAnswerParams{
		ID: one.GetId(), OwnerID: ownerID, Site: one.GetSite(), Queue: one.GetQueue(), Version: one.GetVersion() + 1,
		Author: line(a.Name, maxName), UpdatedAt: store.Millis(d.now()), Words: store.Words(store.MaxWords, parts...), Content: content,
	}
	err = d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		if row.Site, err = keepSite(ctx, q, one.GetSite()); err != nil {
			return err
		}
		if one.GetVersion() == 0 {
			return addAnswer(ctx, q, a, row)
		}
		before, err := usableAnswer(ctx, q, a, one.GetId())
		if err != nil {
			return err
		}
		if err := a.mayChangeAnswer(before.OwnerID, before.Site); err != nil {
			return err
		}
		changed, err := q.UpdateAnswer(ctx, query.UpdateAnswerParams{
			OwnerID: row.OwnerID, Site: row.Site, Queue: row.Queue, Version: row.Version, Author: row.Author,
			UpdatedAt: row.UpdatedAt, Words: row.Words, Content: row.Content, ID: row.ID, Seen: one.GetVersion(),
		})
		if err == nil && changed == 0 {
			err = problem(ErrConflict, "%s changed the answer since you read it: look at it, then put your change into it", before.Author)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return d.Answer(ctx, a, one.GetId())
}

// addAnswer keeps a new answer; the same one sent again changes nothing.
func addAnswer(ctx context.Context, q *query.Queries, a Actor, row query.InsertAnswerParams) error {
	n, err := q.CountAnswers(ctx, row.OwnerID)
	if err != nil {
		return err
	}
	if limit := map[bool]int64{true: maxAnswers, false: maxOwnAnswers}[row.OwnerID == ""]; n >= limit {
		return problem(ErrInvalid, "there are %d answers already, as many as there may be: remove what nobody uses", n)
	}
	added, err := q.InsertAnswer(ctx, row)
	if err == nil && added == 0 {
		_, err = usableAnswer(ctx, q, a, row.ID)
	}
	return err
}

// checkAnswer gives a copy of what can be kept of an answer.
func checkAnswer(a Actor, r *deskv1.Answer) (*deskv1.Answer, error) {
	id, err := checkID("an answer", r.GetId())
	if err != nil {
		return nil, err
	}
	site, err := checkSite(r.GetSite())
	if err != nil {
		return nil, err
	}
	one := &deskv1.Answer{Id: id, Site: site, Queue: line(r.GetQueue(), maxSorted), Owner: line(r.GetOwner(), maxName), Version: r.GetVersion()}
	if one.GetOwner() != "" && (one.GetOwner() != a.Name || a.ID == "") {
		return nil, problem(ErrInvalid, "an answer is the team's or your own, not that of %s", one.GetOwner())
	}
	if one.GetVersion() < 0 {
		return nil, problem(ErrInvalid, "version %d of an answer cannot have been read", one.GetVersion())
	}
	if one.Texts, err = checkAnswerTexts(r.GetTexts()); err != nil {
		return nil, err
	}
	return one, nil
}

func checkAnswerTexts(texts []*deskv1.AnswerText) ([]*deskv1.AnswerText, error) {
	var kept []*deskv1.AnswerText
	for _, t := range texts {
		language := strings.ToLower(line(t.GetLanguage(), 35))
		if len(t.GetBody()) > maxAnswer {
			return nil, problem(ErrInvalid, "the text (%s) has %d KB, an answer at most %d: make an article of it", language, len(t.GetBody())>>10, maxAnswer>>10)
		}
		one := &deskv1.AnswerText{
			Language: language, Title: line(t.GetTitle(), maxTitle),
			Body: clean(strings.TrimSpace(strings.ReplaceAll(t.GetBody(), "\r\n", "\n")), maxAnswer),
		}
		if one.GetTitle() == "" && one.GetBody() == "" {
			continue
		}
		switch {
		case language == "":
			return nil, problem(ErrInvalid, "the answer %q names no language", one.GetTitle())
		case one.GetTitle() == "":
			return nil, problem(ErrInvalid, "the answer has a text without a title (%s): it is found by its title", language)
		case one.GetBody() == "":
			return nil, problem(ErrInvalid, "the answer %q says nothing yet (%s)", one.GetTitle(), language)
		case slices.ContainsFunc(kept, func(k *deskv1.AnswerText) bool { return k.GetLanguage() == language }):
			return nil, problem(ErrInvalid, "the answer is there twice in %q", language)
		}
		if _, err := pieces(one.GetBody()); err != nil {
			return nil, problem(ErrInvalid, "the text (%s), %v", language, err)
		}
		kept = append(kept, one)
	}
	if len(kept) == 0 {
		return nil, problem(ErrInvalid, "an answer needs a title and a text in one language at least")
	}
	if len(kept) > maxTranslations {
		return nil, problem(ErrInvalid, "an answer has at most %d languages", maxTranslations)
	}
	slices.SortFunc(kept, func(x, y *deskv1.AnswerText) int { return strings.Compare(x.GetLanguage(), y.GetLanguage()) })
	return kept, nil
}

// DeleteAnswer takes an answer away. What was sent stays.
func (d *Desk) DeleteAnswer(ctx context.Context, a Actor, id string) error {
	if err := a.require("remove answers", staff...); err != nil {
		return err
	}
	return d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		row, err := usableAnswer(ctx, q, a, id)
		if err == nil {
			err = a.mayChangeAnswer(row.OwnerID, row.Site)
		}
		if err == nil {
			_, err = q.DeleteAnswer(ctx, row.ID)
		}
		return err
	})
}

// FillAnswers gives the answers that are meant for a ticket with its values in
// them: those in the requester's language first, then by title.
func (d *Desk) FillAnswers(ctx context.Context, a Actor, r *deskv1.FillAnswersRequest) ([]*deskv1.FilledAnswer, error) {
	if err := a.require("use answers", staff...); err != nil {
		return nil, err
	}
	ctx = For(ctx, a)
	q := d.store.Read()
	holder, err := target(ctx, q, r.GetNumber())
	if err != nil {
		return nil, err
	}
	ticket, err := q.TicketView(ctx, holder)
	if err != nil {
		return nil, err
	}
	rows, err := d.answersWith(ctx, a, r.GetQuery())
	if err != nil {
		return nil, err
	}
	about, values := ticketMessage(ticket), map[string]map[string]string{}
	var list []*deskv1.FilledAnswer
	for _, row := range rows {
		if r.GetId() != "" && row.ID != r.GetId() || row.Site != "" && row.Site != about.GetSite() || row.Queue != "" && row.Queue != about.GetQueue() {
			continue
		}
		one, err := answerMessage(a, row)
		if err != nil {
			return nil, err
		}
		for _, t := range one.GetTexts() {
			language := t.GetLanguage()
			if r.GetLanguage() != "" && language != r.GetLanguage() || r.GetQuery() != "" && !holds(store.Words(store.MaxWords, t.GetTitle(), t.GetBody()), r.GetQuery()) {
				continue // found in another language
			}
			if values[language] == nil {
				values[language] = d.answerValues(about, a, language)
			}
			filled := &deskv1.FilledAnswer{Id: one.GetId(), Language: language, Title: t.GetTitle(), Own: row.OwnerID != ""}
			if filled.Text, filled.Missing, err = fill(t.GetBody(), values[language]); err != nil {
				return nil, err
			}
			list = append(list, filled)
		}
	}
	theirs := func(f *deskv1.FilledAnswer) int {
		if ticket.Ticket.Language != "" && sameTongue(f.GetLanguage(), ticket.Ticket.Language) {
			return 0
		}
		return 1
	}
	slices.SortFunc(list, func(x, y *deskv1.FilledAnswer) int {
		return cmp.Or(theirs(x)-theirs(y), strings.Compare(strings.ToLower(x.GetTitle()), strings.ToLower(y.GetTitle())), strings.Compare(x.GetId(), y.GetId()), strings.Compare(x.GetLanguage(), y.GetLanguage()))
	})
	return list[:min(len(list), filledAnswers)], nil
}

// sameTongue tells whether two tags are of one language, wherever it is spoken.
func sameTongue(x, y string) bool {
	x, _, _ = strings.Cut(strings.ToLower(x), "-")
	y, _, _ = strings.Cut(strings.ToLower(y), "-")
	return x == y
}
