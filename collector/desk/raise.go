package desk

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"constat/collector/store"
	"constat/collector/store/query"
	constatv1 "constat/proto/constat/v1"
)

// deadline is a time in which a matter is more urgent than otherwise: the closing
// of the books, the exams.
type deadline struct {
	// Name is what the timeline says.
	Name string `yaml:"name"`
	// From and Until are days, both included: of a year (2026-12-15), or of every
	// month (25).
	From  string `yaml:"from"`
	Until string `yaml:"until"`
	// Categories and Words of the title, of which one must fit where there are any.
	Categories []string `yaml:"categories"`
	Words      []string `yaml:"words"`
}

// maxRules bounds how many people and deadlines are named, and maxWord the bytes
// of a title that are looked at.
const (
	maxRules = 500
	maxWord  = 4000
)

// urgentWords are what people write whose work stands still, where nobody set others.
// "Urgent" is not among them: that would be choosing it oneself.
var urgentWords = []string{
	"can't work", "cannot work", "can not work", "unable to work", "work has stopped", "everything is down", "production is down",
	"peux plus travailler", "peut plus travailler", "pouvons plus travailler", "peuvent plus travailler", "personne ne peut travailler",
	"impossible de travailler", "empêche de travailler", "tout est bloqué", "à l'arrêt",
}

// says tells whether a sentence of a text holds a word, or several in a row, whatever
// their accents and capitals.
func says(text, words string) bool {
	words = store.Words(maxWord, words)
	return words != "" && slices.ContainsFunc(strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(".!?\n", r) }), func(sentence string) bool {
		return strings.Contains(" "+store.Words(maxWord, sentence)+" ", " "+words+" ")
	})
}

// day reads a day as it is written: a date, or a day of the month.
func day(text string) (at time.Time, ofMonth int, ok bool) {
	if at, err := time.Parse(time.DateOnly, text); err == nil {
		return at, 0, true
	}
	at, err := time.Parse("2", text)
	return time.Time{}, at.Day(), err == nil
}

// checkRaises checks who and what makes a ticket more urgent.
func (l *serviceLevels) checkRaises() error {
	if len(l.VIP) > maxRules || len(l.Deadlines) > maxRules || len(l.UrgentWords) > maxRules {
		return problem(ErrInvalid, "the service levels: more than %d people, deadlines or words", maxRules)
	}
	for _, d := range l.Deadlines {
		name := line(d.Name, maxName)
		from, fromDay, okFrom := day(d.From)
		until, untilDay, okUntil := day(d.Until)
		switch {
		case name == "":
			return problem(ErrInvalid, "the service levels: a deadline needs a name, which its tickets tell")
		case !okFrom || !okUntil || (fromDay == 0) != (untilDay == 0):
			return problem(ErrInvalid, "the service levels: deadline %s: from and until are two days, as 2026-12-15, or as 25 of every month", name)
		case fromDay == 0 && until.Before(from):
			return problem(ErrInvalid, "the service levels: deadline %s ends before it begins", name)
		}
	}
	return nil
}

// holds tells whether a moment is in a deadline's days; of a month, they may go
// over its end.
func (d *deadline) holds(t time.Time, zone *time.Location) bool {
	if zone == nil {
		zone = time.UTC
	}
	t = t.In(zone)
	from, fromDay, _ := day(d.From)
	until, untilDay, _ := day(d.Until)
	switch {
	case fromDay == 0:
		today := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
		return !today.Before(from) && !today.After(until)
	case fromDay <= untilDay:
		return fromDay <= t.Day() && t.Day() <= untilDay
	}
	return t.Day() >= fromDay || t.Day() <= untilDay
}

// fits tells whether a ticket is of what a deadline is about.
func (d *deadline) fits(t *query.Ticket) bool {
	category := len(d.Categories) == 0 || slices.Contains(d.Categories, t.Category)
	word := len(d.Words) == 0
	title := " " + store.Words(maxWord, t.Title) + " "
	for _, w := range d.Words {
		folded := store.Words(maxWord, w)
		word = word || folded != "" && strings.Contains(title, " "+folded+" ")
	}
	return category && word
}

// raise is why a ticket is more urgent than its fault.
type raise struct {
	// by is words, vip or deadline.
	by, name string
}

// raises are the reasons for which a ticket is more urgent, in the order in which
// they are told.
func (l *serviceLevels) raises(t *query.Ticket, text string, requester query.Person, now time.Time) []raise {
	var reasons []raise
	text = t.Title + "\n" + text[:min(len(text), maxWord)]
	for _, words := range l.UrgentWords {
		if says(text, words) {
			reasons = append(reasons, raise{"words", line(words, maxName)})
			break
		}
	}
	for _, who := range l.VIP {
		if who = strings.ToLower(strings.TrimSpace(who)); who != "" && (who == requester.Account || who == strings.ToLower(requester.Mail)) {
			reasons = append(reasons, raise{"vip", requester.Name})
			break
		}
	}
	for _, d := range l.Deadlines {
		if d.holds(now, l.calendar.Zone) && d.fits(t) {
			reasons = append(reasons, raise{"deadline", line(d.Name, maxName)})
		}
	}
	return reasons
}

// raised is an urgency one higher, but never critical: that only a fault is, or
// who knows it.
func raised(urgency string) string {
	i := slices.Index(urgencies, urgency)
	if i < 0 || i+1 >= slices.Index(urgencies, "critical") {
		return urgency
	}
	return urgencies[i+1]
}

// raiseUrgency makes a ticket more urgent for whom it is and what comes. Many
// reasons raise it as one does.
func (d *Desk) raiseUrgency(ctx context.Context, q *query.Queries, t *query.Ticket, text string, now time.Time) (why string, err error) {
	reasons, err := d.raisesOf(ctx, q, t, text, now)
	if err != nil || len(reasons) == 0 {
		return "", err
	}
	if f := d.catalog.Lookup(t.RootCause); f != nil && slices.Contains(urgencies, f.Urgency) {
		t.Urgency = f.Urgency // not raised a second time
	}
	t.Urgency = raised(t.Urgency)
	for _, r := range reasons {
		why += ", raised: " + r.by + " " + r.name
	}
	return why, nil
}

// raisesOf are those of a ticket by what its requester wrote first.
func (d *Desk) raisesOf(ctx context.Context, q *query.Queries, t *query.Ticket, text string, now time.Time) ([]raise, error) {
	l, err := d.levels(ctx, q)
	if err != nil || t.UrgencySet == 1 {
		return nil, err
	}
	var requester query.Person
	if t.RequesterID != "" && len(l.VIP) > 0 {
		if requester, err = q.PersonByID(ctx, t.RequesterID); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, err
		}
	}
	return l.raises(t, text, requester, now), nil
}

// tellRaises writes why a ticket is more urgent into its timeline, each reason once.
func (d *Desk) tellRaises(ctx context.Context, q *query.Queries, t query.Ticket) error {
	now := d.now()
	text, err := textOf(ctx, q, t)
	if err != nil {
		return err
	}
	reasons, err := d.raisesOf(ctx, q, &t, text, now)
	if err != nil {
		return err
	}
	for _, r := range reasons {
		err := writeEntry(ctx, q, t.Number, now, &constatv1.TicketEntry{
			Id: eventID(t.ID, "raised", r.by, r.name), Kind: "change", Actor: System.Name, ActorRole: "system",
			Changes: []*constatv1.FieldChange{{Field: "raised." + r.by, After: r.name}},
		})
		if err != nil {
			return err
		}
	}
	return nil
}
