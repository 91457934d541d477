package desk

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"constat/collector/store"
	"constat/collector/store/query"
	"constat/internal/config"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// Limits of forms.
const (
	maxForm       = 32 << 10
	maxForms      = 200
	maxFormFields = 30
	maxChoices    = 50
	maxTasks      = 50
	maxFormAnswer = 4 << 10
)

// Kinds of what a form asks.
const (
	askText   = "text"
	askChoice = "choice"
	askDate   = "date"
)

// What a form can be.
const (
	formActive  = "active"
	formRetired = "retired"
)

// writtenForm is a form as its author writes it. Texts stand by language.
type writtenForm struct {
	Name      map[string]string   `yaml:"name"`
	Help      map[string]string   `yaml:"help"`
	Category  string              `yaml:"category"`
	Queue     string              `yaml:"queue"`
	Urgency   string              `yaml:"urgency"`
	Site      string              `yaml:"site"`
	Fields    []writtenField      `yaml:"fields"`
	Checklist []map[string]string `yaml:"checklist"`
}

type writtenField struct {
	Key      string              `yaml:"key"`
	Kind     string              `yaml:"kind"`
	Required bool                `yaml:"required"`
	Label    map[string]string   `yaml:"label"`
	Choices  []map[string]string `yaml:"choices"`
}

// readForm reads the text of a form.
func readForm(source string) (*deskv1.RequestForm, error) {
	if len(source) > maxForm {
		return nil, problem(ErrInvalid, "the form has %d KB, a form at most %d", len(source)>>10, maxForm>>10)
	}
	w := writtenForm{Category: "other", Urgency: "low"}
	if err := config.Parse([]byte(source), &w); err != nil {
		return nil, problem(ErrInvalid, "the form: %v", err)
	}
	site, err := checkSite(w.Site)
	if err != nil {
		return nil, err
	}
	f := &deskv1.RequestForm{Source: source, Category: line(w.Category, maxSorted), Queue: line(w.Queue, maxSorted), Urgency: w.Urgency, Site: site}
	// Nobody's wish is critical.
	if allowed := slices.DeleteFunc(slices.Clone(urgencies), func(u string) bool { return u == "critical" }); !slices.Contains(allowed, w.Urgency) {
		return nil, problem(ErrInvalid, "the form: there is no urgency %q for a request: it is one of %s", line(w.Urgency, 40), strings.Join(allowed, ", "))
	}
	if f.Name, err = localTexts("name", w.Name, true); err != nil {
		return nil, err
	}
	if f.Help, err = localTexts("help", w.Help, false); err != nil {
		return nil, err
	}
	if len(w.Fields) > maxFormFields || len(w.Checklist) > maxTasks {
		return nil, problem(ErrInvalid, "the form: at most %d fields and %d things to do", maxFormFields, maxTasks)
	}
	for i, field := range w.Fields {
		one, err := readField(fmt.Sprintf("fields[%d]", i+1), field)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(f.Fields, func(other *deskv1.FormField) bool { return other.GetKey() == one.GetKey() }) {
			return nil, problem(ErrInvalid, "the form: there are two fields with the key %q", one.GetKey())
		}
		f.Fields = append(f.Fields, one)
	}
	for i, task := range w.Checklist {
		text, err := localTexts(fmt.Sprintf("checklist[%d]", i+1), task, true)
		if err != nil {
			return nil, err
		}
		f.Checklist = append(f.Checklist, &deskv1.FormTask{Text: text})
	}
	return f, nil
}

func readField(where string, w writtenField) (*deskv1.FormField, error) {
	one := &deskv1.FormField{Key: w.Key, Kind: cmp.Or(w.Kind, askText), Required: w.Required}
	switch {
	case !word.MatchString(w.Key):
		return nil, problem(ErrInvalid, "the form: %s: the key %q is not of the form model or start-day", where, line(w.Key, 40))
	case !slices.Contains([]string{askText, askChoice, askDate}, one.GetKind()):
		return nil, problem(ErrInvalid, "the form: %s: a field is a text, a choice or a date, not %q", where, line(w.Kind, 40))
	case (one.GetKind() == askChoice) != (len(w.Choices) > 0):
		return nil, problem(ErrInvalid, "the form: %s: a choice has choices, and nothing else has", where)
	case len(w.Choices) > maxChoices:
		return nil, problem(ErrInvalid, "the form: %s: at most %d choices", where, maxChoices)
	}
	var err error
	if one.Label, err = localTexts(where+".label", w.Label, true); err != nil {
		return nil, err
	}
	for i, choice := range w.Choices {
		text, err := localTexts(fmt.Sprintf("%s.choices[%d]", where, i+1), choice, true)
		if err != nil {
			return nil, err
		}
		one.Choices = append(one.Choices, &deskv1.FormChoice{Text: text})
	}
	return one, nil
}

// localTexts gives texts by language as messages carry them.
func localTexts(where string, texts map[string]string, needed bool) ([]*deskv1.LocalText, error) {
	var list []*deskv1.LocalText
	for _, language := range slices.Sorted(maps.Keys(texts)) {
		tag, text := strings.ToLower(line(language, 35)), line(texts[language], maxTitle)
		if tag == "" || text == "" {
			return nil, problem(ErrInvalid, "the form: %s: a text is written as {en: …, fr: …}, and none is empty", where)
		}
		list = append(list, &deskv1.LocalText{Language: tag, Text: text})
	}
	if needed && len(list) == 0 {
		return nil, problem(ErrInvalid, "the form: %s is missing: write it as {en: …, fr: …}", where)
	}
	if len(list) > maxTranslations {
		return nil, problem(ErrInvalid, "the form: %s: at most %d languages", where, maxTranslations)
	}
	return list, nil
}

// InLanguage picks what a reader of a language gets: theirs, else English, else the
// first.
func InLanguage(texts []*deskv1.LocalText, language string) string {
	for _, wanted := range []string{language, "en"} {
		for _, t := range texts {
			if sameTongue(t.GetLanguage(), wanted) {
				return t.GetText()
			}
		}
	}
	if len(texts) == 0 {
		return ""
	}
	return texts[0].GetText()
}

func formMessage(row query.RequestForm) (*deskv1.RequestForm, error) {
	kept := &deskv1.RequestForm{}
	if err := store.UnpackMessage(row.Content, kept); err != nil {
		return nil, err
	}
	f, err := readForm(kept.GetSource())
	if err != nil { // it was checked when it was put
		return nil, fmt.Errorf("what is kept as form %s cannot be read: %w", row.ID, err)
	}
	f.Id, f.State, f.Version, f.Author, f.UpdatedAt = row.ID, row.State, row.Version, row.Author, timestamp(row.UpdatedAt)
	return f, nil
}

// mayAsk tells whether somebody may use a form. A requester is at no site that the
// desk could be sure of before they ask, and gets those for all.
func (a Actor) mayAsk(row query.RequestForm) bool { return row.Site == "" || a.sees(row.Site) }

// Forms lists the forms that somebody may use, in the order in which they were made.
func (d *Desk) Forms(ctx context.Context, a Actor, retired bool) ([]*deskv1.RequestForm, error) {
	if err := a.require("ask by a form", everybody...); err != nil {
		return nil, err
	}
	rows, err := d.store.Read().ListForms(ctx)
	if err != nil {
		return nil, err
	}
	var list []*deskv1.RequestForm
	for _, row := range rows {
		if !a.mayAsk(row) || row.State != formActive && !(retired && a.works()) {
			continue
		}
		f, err := formMessage(row)
		if err != nil {
			return nil, err
		}
		list = append(list, f)
	}
	return list, nil
}

// Form gives one form.
func (d *Desk) Form(ctx context.Context, a Actor, id string) (*deskv1.RequestForm, error) {
	return usableForm(ctx, d.store.Read(), a, id)
}

func usableForm(ctx context.Context, q *query.Queries, a Actor, id string) (*deskv1.RequestForm, error) {
	row, err := q.GetForm(ctx, line(id, 64))
	if errors.Is(err, sql.ErrNoRows) || err == nil && !a.mayAsk(row) {
		return nil, problem(ErrNotFound, "there is no form %q", line(id, 64))
	}
	if err != nil {
		return nil, err
	}
	return formMessage(row)
}

// SaveForm makes a form, where its version is 0, or the next version of one.
// ErrConflict: somebody else made one since the writer read it.
func (d *Desk) SaveForm(ctx context.Context, a Actor, r *deskv1.RequestForm) (*deskv1.RequestForm, error) {
	if err := a.require("write forms", leads...); err != nil {
		return nil, err
	}
	id, err := checkID("a form", r.GetId())
	if err != nil {
		return nil, err
	}
	state := cmp.Or(r.GetState(), formActive)
	if state != formActive && state != formRetired {
		return nil, problem(ErrInvalid, "a form is active or retired, not %q", line(state, 40))
	}
	if r.GetVersion() < 0 {
		return nil, problem(ErrInvalid, "version %d of a form cannot have been read", r.GetVersion())
	}
	source := clean(strings.ReplaceAll(r.GetSource(), "\r\n", "\n"), maxForm+1)
	f, err := readForm(source)
	if err != nil {
		return nil, err
	}
	if err := a.mayGovern(f.GetSite(), "a form for all sites"); err != nil {
		return nil, err
	}
	content, err := store.PackMessage(&deskv1.RequestForm{Source: source})
	if err != nil {
		return nil, err
	}
	now := store.Millis(d.now())
	err = d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		if r.GetVersion() == 0 {
			rows, err := q.ListForms(ctx)
			if err == nil && len(rows) >= maxForms {
				err = problem(ErrInvalid, "there are %d forms already, as many as there may be", len(rows))
			}
			if err == nil {
				_, err = q.InsertForm(ctx, query.InsertFormParams{ID: id, State: state, Site: f.GetSite(), Version: 1, Author: line(a.Name, maxName), UpdatedAt: now, Content: content})
			}
			return err
		}
		before, err := usableForm(ctx, q, a, id)
		if err != nil {
			return err
		}
		if err := a.mayGovern(before.GetSite(), "a form for all sites"); err != nil {
			return err
		}
		changed, err := q.UpdateForm(ctx, query.UpdateFormParams{
			State: state, Site: f.GetSite(), Version: r.GetVersion() + 1, Author: line(a.Name, maxName), UpdatedAt: now, Content: content, ID: id, Seen: r.GetVersion(),
		})
		if err == nil && changed == 0 {
			err = problem(ErrConflict, "%s changed the form since you read it: look at it, then put your change into it", before.GetAuthor())
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return d.Form(ctx, a, id)
}

// mayGovern refuses who does not see the site that something is for, or all where it
// is for all.
func (a Actor) mayGovern(site, everywhere string) error {
	if site == "" {
		return a.requireEverywhere(everywhere)
	}
	if !a.sees(site) {
		return problem(ErrNotFound, "there is no site %q", site)
	}
	return nil
}

// fillForm makes of a draft the service request that a form asks for.
func fillForm(ctx context.Context, q *query.Queries, a Actor, draft *constatv1.TicketDraft, r *deskv1.FilledForm) (*deskv1.RequestForm, error) {
	f, err := usableForm(ctx, q, a, r.GetId())
	if err != nil {
		return nil, err
	}
	if f.GetState() != formActive {
		return nil, problem(ErrInvalid, "the form %q is not in use any more", InLanguage(f.GetName(), draft.GetLanguage()))
	}
	if r.GetVersion() != 0 && r.GetVersion() != f.GetVersion() {
		return nil, problem(ErrConflict, "the form was changed since you read it: look at what it asks now")
	}
	answers := map[string]string{}
	for _, answer := range r.GetAnswers() {
		known := slices.ContainsFunc(f.GetFields(), func(field *deskv1.FormField) bool { return field.GetKey() == answer.GetKey() })
		if _, twice := answers[answer.GetKey()]; !known || twice {
			return nil, problem(ErrInvalid, "the form does not ask %q, or once only", line(answer.GetKey(), 40))
		}
		answers[answer.GetKey()] = strings.TrimSpace(answer.GetValue())
	}
	var said strings.Builder
	for _, field := range f.GetFields() {
		label := InLanguage(field.GetLabel(), draft.GetLanguage())
		value, err := readAnswer(field, label, draft.GetLanguage(), answers[field.GetKey()])
		if err != nil {
			return nil, err
		}
		if value != "" {
			fmt.Fprintf(&said, "%s: %s\n", label, value)
		}
	}
	if text := strings.TrimSpace(draft.GetText()); text != "" {
		said.WriteString("\n" + text)
	}
	draft.Text = clean(strings.TrimSpace(said.String()), MaxText)
	draft.Title, draft.Complaint = InLanguage(f.GetName(), draft.GetLanguage()), f.GetCategory()
	draft.Queue, draft.Type = cmp.Or(f.GetQueue(), draft.GetQueue()), "request"
	return f, nil
}

// readAnswer gives what somebody answered as the ticket tells it.
func readAnswer(field *deskv1.FormField, label, language, value string) (string, error) {
	if value == "" {
		if field.GetRequired() {
			return "", problem(ErrInvalid, "%s: this has to be answered", label)
		}
		return "", nil
	}
	switch field.GetKind() {
	case askChoice:
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > len(field.GetChoices()) {
			return "", problem(ErrInvalid, "%s: %q is none of the choices, which are numbered 1 to %d", label, line(value, 40), len(field.GetChoices()))
		}
		return InLanguage(field.GetChoices()[n-1].GetText(), language), nil
	case askDate:
		if day, err := time.Parse(time.DateOnly, value); err != nil || day.Year() < 2000 || day.Year() > 2200 {
			return "", problem(ErrInvalid, "%s: %q is not a day: write it as 2031-12-31", label, line(value, 40))
		}
		return value, nil
	}
	if len(value) > maxFormAnswer {
		return "", problem(ErrInvalid, "%s: the answer has %d KB, and at most %d are read", label, len(value)>>10, maxFormAnswer>>10)
	}
	return clean(value, maxFormAnswer), nil
}

// finishForm gives the new ticket of a form what its draft could not carry: the
// form's urgency, and what has to be done.
func (d *Desk) finishForm(ctx context.Context, q *query.Queries, t query.Ticket, f *deskv1.RequestForm, language string) error {
	t.Urgency, t.UrgencySet = f.GetUrgency(), 1
	if err := d.prioritise(ctx, q, &t, d.now()); err != nil {
		return err
	}
	if err := d.saveTicket(ctx, q, t, d.now()); err != nil {
		return err
	}
	for i, task := range f.GetChecklist() {
		if err := q.AddCheck(ctx, t.Number, int32(i+1), InLanguage(task.GetText(), language)); err != nil {
			return err
		}
	}
	return nil
}

// checklist is what has to be done for a ticket.
func checklist(ctx context.Context, q *query.Queries, number int32) ([]*deskv1.ChecklistItem, error) {
	rows, err := q.Checks(ctx, number)
	var list []*deskv1.ChecklistItem
	for _, row := range rows {
		list = append(list, &deskv1.ChecklistItem{Position: row.Position, Text: row.Text, DoneAt: timestamp(row.DoneAt), DoneBy: row.DoneBy})
	}
	return list, err
}

// CheckItem says that something on a ticket's list is done, or not yet; the timeline
// tells who said so.
func (d *Desk) CheckItem(ctx context.Context, a Actor, r *deskv1.CheckItemRequest) ([]*deskv1.ChecklistItem, error) {
	if err := a.require("tick off what is done", staff...); err != nil {
		return nil, err
	}
	ctx = For(ctx, a)
	var all []*deskv1.ChecklistItem
	var changed int32
	err := d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		t, err := lockTarget(ctx, q, r.GetNumber())
		if err != nil {
			return err
		}
		if all, err = checklist(ctx, q, t.Number); err != nil {
			return err
		}
		at := slices.IndexFunc(all, func(item *deskv1.ChecklistItem) bool { return item.GetPosition() == r.GetPosition() })
		if at < 0 {
			return problem(ErrNotFound, "the list of ticket %d has no point %d", t.Number, r.GetPosition())
		}
		if (all[at].GetDoneAt() != nil) == r.GetDone() {
			return nil
		}
		doneAt, doneBy, change := store.Millis(d.now()), line(a.Name, maxName), &constatv1.FieldChange{Field: "checked", After: all[at].GetText()}
		if !r.GetDone() {
			doneAt, doneBy, change = 0, "", &constatv1.FieldChange{Field: "unchecked", After: all[at].GetText()}
		}
		changed = t.Number
		if _, err := q.SetCheck(ctx, query.SetCheckParams{DoneAt: doneAt, DoneBy: doneBy, Number: t.Number, Position: r.GetPosition()}); err != nil {
			return err
		}
		err = writeEntry(ctx, q, t.Number, d.now(), &constatv1.TicketEntry{Id: newID(), Kind: "change", Actor: a.Name, ActorRole: entryRole(a), Changes: []*constatv1.FieldChange{change}})
		if err == nil {
			err = touched(ctx, q, a, t.Number)
		}
		if err == nil {
			all, err = checklist(ctx, q, t.Number)
		}
		return err
	})
	if err == nil && changed != 0 {
		d.hint(ticketSubject(changed))
	}
	return all, err
}

// moveChecks puts what had to be done for a ticket behind what has to be for another.
func moveChecks(ctx context.Context, q *query.Queries, from, into int32) error {
	there, err := q.Checks(ctx, into)
	if err != nil {
		return err
	}
	behind := int32(0)
	for _, row := range there {
		behind = max(behind, row.Position)
	}
	return q.MoveChecks(ctx, into, behind, from)
}
