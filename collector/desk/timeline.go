package desk

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"constat/collector/store"
	"constat/collector/store/query"
	constatv1 "constat/proto/constat/v1"
)

// writeEntry adds a line to a ticket's timeline; one with an id that is there
// already changes nothing.
func writeEntry(ctx context.Context, q *query.Queries, number int32, now time.Time, e *constatv1.TicketEntry) error {
	if _, err := q.Entry(ctx, number, e.GetId()); !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	content, err := store.PackMessage(&constatv1.TicketEntry{Diagnosis: e.GetDiagnosis(), Changes: e.GetChanges(), Assignment: e.GetAssignment(), Service: e.GetService(), Mentions: e.GetMentions(), Remedy: e.GetRemedy()})
	if err != nil {
		return err
	}
	position, err := q.CountEntry(ctx, number, store.Millis(now))
	if err != nil {
		return err
	}
	err = q.AddEntry(ctx, query.AddEntryParams{
		Number: number, ID: e.GetId(), Position: position, At: store.Millis(now), Kind: e.GetKind(),
		Actor: e.GetActor(), ActorRole: e.GetActorRole(), Text: e.GetText(), Content: content, Minutes: e.GetMinutes(),
	})
	if err != nil || e.GetMinutes() == 0 {
		return err
	}
	return q.CountMinutes(ctx, number)
}

func entryMessage(row query.TicketEntry) (*constatv1.TicketEntry, error) {
	entry := &constatv1.TicketEntry{}
	if err := store.UnpackMessage(row.Content, entry); err != nil {
		return nil, fmt.Errorf("entry %s of ticket %d: %w", row.ID, row.Number, err)
	}
	entry.Id, entry.At, entry.Kind = row.ID, timestamp(row.At), row.Kind
	entry.Actor, entry.ActorRole, entry.Text, entry.Minutes = row.Actor, row.ActorRole, row.Text, row.Minutes
	return entry, nil
}

// diagnosisEntry is the line of a diagnosis. It has the diagnosis's id, so that
// one that arrives on two ways stands there once.
func diagnosisEntry(found *constatv1.Diagnosis) *constatv1.TicketEntry {
	return &constatv1.TicketEntry{
		Id: found.GetId(), Kind: "diagnosis", Actor: System.Name, ActorRole: "agent", Diagnosis: found,
	}
}

// attach puts a diagnosis that came later into a ticket's timeline, and what it
// concludes into its fields. It gives the number of the ticket, which may be one
// that the given ticket was merged into; 0 when it stood there before.
func (d *Desk) attach(ctx context.Context, q *query.Queries, ticket int32, endpoint string, found *constatv1.Diagnosis) (int32, error) {
	t, err := lockTarget(ctx, q, ticket)
	if err != nil {
		return 0, err
	}
	number := t.Number
	if _, err := q.Entry(ctx, number, found.GetId()); !errors.Is(err, sql.ErrNoRows) {
		return 0, err
	}
	now, had := d.now(), t.Assignee
	if t.EndpointID != endpoint { // it was about that machine when that was asked
		return number, writeEntry(ctx, q, number, now, diagnosisEntry(found))
	}
	d.conclude(&t, found, now)
	if err := d.prioritise(ctx, q, &t, now); err != nil {
		return 0, err
	}
	text, err := textOf(ctx, q, t)
	if err != nil {
		return 0, err
	}
	decided, err := d.assign(ctx, q, &t, matterOf(&t, firstCause(found), text))
	if err != nil {
		return 0, err
	}
	grouped, err := d.group(ctx, q, &t)
	if err != nil {
		return 0, err
	}
	if err := d.saveTicket(ctx, q, t, now); err != nil {
		return 0, err
	}
	if err := writeEntry(ctx, q, number, now, diagnosisEntry(found)); err != nil {
		return 0, err
	}
	if err := d.noteSubjects(ctx, q, t, found); err != nil {
		return 0, err
	}
	if err := d.tellGroup(ctx, q, t, grouped); err != nil {
		return 0, err
	}
	if err := writeAssignment(ctx, q, number, now, decided); err != nil {
		return 0, err
	}
	if err := d.tellRaises(ctx, q, t); err != nil {
		return 0, err
	}
	if err := d.handed(ctx, q, System, had, false, t); err != nil {
		return 0, err
	}
	return number, addWords(ctx, q, t)
}

// fields are those of a ticket whose changes the timeline tells.
var fields = []struct {
	name string
	of   func(query.Ticket) string
}{
	{"status", func(t query.Ticket) string { return t.Status }},
	{"assignee", func(t query.Ticket) string { return t.Assignee }},
	{"title", func(t query.Ticket) string { return t.Title }},
	{"impact", func(t query.Ticket) string { return t.Impact }},
	{"urgency", func(t query.Ticket) string { return t.Urgency }},
	{"resolution", func(t query.Ticket) string { return t.Resolution }},
	{"priority", func(t query.Ticket) string { return t.Priority }},
	{"category", func(t query.Ticket) string { return t.Category }},
	{"queue", func(t query.Ticket) string { return t.Queue }},
	{"type", func(t query.Ticket) string { return t.Type }},
	{"major", func(t query.Ticket) string { return yes(t.Major) }},
	{"tags", func(t query.Ticket) string { return strings.Join(list(t.Tags), ", ") }},
	{"followers", func(t query.Ticket) string { return strings.Join(list(t.Followers), ", ") }},
	{"wanted", func(t query.Ticket) string { return rfc3339(t.WantedAt) }},
	{"site", func(t query.Ticket) string { return t.Site }},
}

// differences are the fields that a change made different.
func differences(before, after query.Ticket) []*constatv1.FieldChange {
	var changes []*constatv1.FieldChange
	for _, field := range fields {
		if old, now := field.of(before), field.of(after); old != now {
			changes = append(changes, &constatv1.FieldChange{Field: field.name, Before: old, After: now})
		}
	}
	return append(changes, concernedChanges(before.Concerned, after.Concerned)...)
}
