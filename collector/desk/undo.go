package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"constat/collector/store"
	"constat/collector/store/query"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

const (
	// maxAtOnce is how many tickets are changed in one go.
	maxAtOnce = 200
	// undoFor is how long a change can be undone.
	undoFor = 15 * time.Minute
)

// restorable are the columns that undoing puts back.
var restorable = []struct {
	name string
	of   func(query.Ticket) string
	put  func(*query.Ticket, string)
}{
	{"status", func(t query.Ticket) string { return t.Status }, func(t *query.Ticket, s string) { t.Status = s }},
	{"firstSolvedAt", func(t query.Ticket) string { return number(t.FirstSolvedAt) }, func(t *query.Ticket, s string) { t.FirstSolvedAt = numberOf(s) }},
	{"lastSolvedAt", func(t query.Ticket) string { return number(t.LastSolvedAt) }, func(t *query.Ticket, s string) { t.LastSolvedAt = numberOf(s) }},
	{"assignee", func(t query.Ticket) string { return t.Assignee }, func(t *query.Ticket, s string) { t.Assignee = s }},
	{"assignedBy", func(t query.Ticket) string { return t.AssignedBy }, func(t *query.Ticket, s string) { t.AssignedBy = s }},
	{"assignmentReason", func(t query.Ticket) string { return t.AssignmentReason }, func(t *query.Ticket, s string) { t.AssignmentReason = s }},
	{"tags", func(t query.Ticket) string { return t.Tags }, func(t *query.Ticket, s string) { t.Tags = s }},
	{"impact", func(t query.Ticket) string { return t.Impact }, func(t *query.Ticket, s string) { t.Impact = s }},
	{"impactSet", func(t query.Ticket) string { return number(int64(t.ImpactSet)) }, func(t *query.Ticket, s string) { t.ImpactSet = int32(numberOf(s)) }},
	{"urgency", func(t query.Ticket) string { return t.Urgency }, func(t *query.Ticket, s string) { t.Urgency = s }},
	{"concerned", func(t query.Ticket) string { return t.Concerned }, func(t *query.Ticket, s string) { t.Concerned = s }},
	{"urgencySet", func(t query.Ticket) string { return number(int64(t.UrgencySet)) }, func(t *query.Ticket, s string) { t.UrgencySet = int32(numberOf(s)) }},
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// numberOf reads what number wrote.
func numberOf(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

// ChangeTickets makes the same change to several tickets, each for itself: one
// that somebody changed meanwhile stays as it is, and the others are changed. It
// gives a result for each, in the order of the request.
func (d *Desk) ChangeTickets(ctx context.Context, a Actor, r *deskv1.ChangeTicketsRequest) ([]*deskv1.TicketResult, error) {
	if err := a.require("change tickets", staff...); err != nil {
		return nil, err
	}
	if len(r.GetTickets()) > maxAtOnce {
		return nil, problem(ErrInvalid, "%d tickets are too many at once: choose %d at most", len(r.GetTickets()), maxAtOnce)
	}
	var results []*deskv1.TicketResult
	for _, t := range r.GetTickets() {
		change := &deskv1.UpdateTicketRequest{}
		if r.GetChange() != nil {
			change = proto.CloneOf(r.GetChange())
		}
		change.Number, change.Version, change.Deed = t.GetNumber(), t.GetVersion(), r.GetDeed()
		after, err := d.Update(ctx, a, change)
		result, err := resultOf(t.GetNumber(), err)
		if err != nil {
			return nil, err
		}
		if after.GetVersion() == t.GetVersion() && result.Outcome == "done" {
			result.Outcome = "unchanged"
		}
		results = append(results, result)
	}
	return results, nil
}

// resultOf tells what became of one of several tickets. An error that is not the
// ticket's own comes back.
func resultOf(number int32, err error) (*deskv1.TicketResult, error) {
	result := &deskv1.TicketResult{Number: number, Outcome: "done"}
	switch {
	case err == nil:
		return result, nil
	case errors.Is(err, ErrConflict):
		result.Outcome = "conflict"
	case errors.Is(err, ErrInvalid), errors.Is(err, ErrNotFound), errors.Is(err, ErrForbidden):
		result.Outcome = "refused"
	default:
		return nil, err
	}
	result.Problem = err.Error()
	return result, nil
}

// noteDeed keeps what a change did to a ticket, so that it can be undone.
func (d *Desk) noteDeed(ctx context.Context, q *query.Queries, a Actor, deed string, before, after query.Ticket) error {
	if deed == "" {
		return nil
	}
	deed, err := checkID("the change", deed)
	if err != nil {
		return err
	}
	did := &constatv1.TicketEntry{}
	for _, column := range restorable {
		if old, now := column.of(before), column.of(after); old != now {
			did.Changes = append(did.Changes, &constatv1.FieldChange{Field: column.name, Before: old, After: now})
		}
	}
	if len(did.Changes) == 0 {
		return nil
	}
	content, err := store.PackMessage(did)
	if err != nil {
		return err
	}
	if err := q.ForgetDeeds(ctx, store.Millis(d.now().Add(-undoFor))); err != nil {
		return err
	}
	return q.AddDeed(ctx, query.AddDeedParams{Deed: deed, Number: after.Number, UserID: a.ID, At: store.Millis(d.now()), Content: content})
}

// Undoable tells whether a change of the actor's can still be undone.
func (d *Desk) Undoable(ctx context.Context, a Actor, deed string) (bool, error) {
	rows, err := d.deeds(ctx, a, deed)
	return len(rows) > 0, err
}

func (d *Desk) deeds(ctx context.Context, a Actor, deed string) ([]query.Deed, error) {
	return d.store.Read().Deeds(ctx, line(deed, 64), a.ID, store.Millis(d.now().Add(-undoFor)))
}

// Undo takes a change of the actor's back, on every ticket on which what it
// changed still stands; on the others nothing happens, and the result says so.
// ErrNotFound when there is no such change, or none any more.
func (d *Desk) Undo(ctx context.Context, a Actor, deed string) ([]*deskv1.TicketResult, error) {
	if err := a.require("change tickets", staff...); err != nil {
		return nil, err
	}
	rows, err := d.deeds(ctx, a, deed)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, problem(ErrNotFound, "this can't be undone any more: a change can be for %d minutes, once", int(undoFor.Minutes()))
	}
	var results []*deskv1.TicketResult
	for _, row := range rows {
		err := d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error { return d.undo(ctx, q, a, row) })
		result, err := resultOf(row.Number, err)
		if err != nil {
			return nil, err
		}
		results = append(results, result)
		d.hint(ticketSubject(row.Number))
	}
	return results, nil
}

// undo takes back what a deed did to one ticket.
func (d *Desk) undo(ctx context.Context, q *query.Queries, a Actor, deed query.Deed) error {
	before, err := lock(For(ctx, a), q, deed.Number)
	if err != nil {
		return err
	}
	if err := d.settle(ctx, q, &before); err != nil {
		return err
	}
	if taken, err := q.TakeDeed(ctx, deed.Deed, deed.Number); err != nil || taken == 0 {
		return errors.Join(err, problem(ErrConflict, "the change of ticket %d was undone already", deed.Number))
	}
	did := &constatv1.TicketEntry{}
	if err := store.UnpackMessage(deed.Content, did); err != nil {
		return fmt.Errorf("deed %s of ticket %d: %w", deed.Deed, deed.Number, err)
	}
	after := before
	for _, change := range did.GetChanges() {
		for _, column := range restorable {
			if column.name != change.GetField() {
				continue
			}
			if column.of(before) != change.GetAfter() {
				return problem(ErrConflict, "ticket %d was changed since: change it by hand", deed.Number)
			}
			column.put(&after, change.GetBefore())
		}
	}
	if before.MergedInto != 0 {
		return problem(ErrConflict, "ticket %d was merged into %d since", deed.Number, before.MergedInto)
	}
	named := list(after.Concerned)
	after.Concerned = before.Concerned
	if _, err := setConcerned(ctx, q, &after, named); err != nil {
		return err
	}
	if slices.ContainsFunc(did.GetChanges(), func(c *constatv1.FieldChange) bool {
		return slices.Contains([]string{"impact", "urgency", "impactSet", "urgencySet", "concerned"}, c.GetField())
	}) {
		if err := d.prioritise(ctx, q, &after, d.now()); err != nil {
			return err
		}
	}
	_, err = d.keep(ctx, q, a, before, after)
	return err
}
