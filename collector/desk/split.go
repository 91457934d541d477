package desk

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"constat/collector/store/query"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// isInvalid tells a refusal from what is broken.
func isInvalid(err error) bool { return errors.Is(err, ErrInvalid) }

// numbered is a ticket as timelines name it.
func numbered(t query.Ticket) string { return fmt.Sprintf("#%d %s", t.Number, t.Title) }

// Split makes some messages and notes of a ticket one of their own, with their
// files and the time they took: somebody asked for two things at once. The new
// ticket is of the same requester and machine and goes the way of every ticket;
// each of the two points to the other. ErrConflict when another version is in
// place than the actor saw.
func (d *Desk) Split(ctx context.Context, a Actor, r *deskv1.SplitTicketRequest) (*constatv1.Ticket, error) {
	if err := a.require("split tickets", staff...); err != nil {
		return nil, err
	}
	ctx = For(ctx, a)
	id, err := checkID("the new ticket", r.GetId())
	if err != nil {
		return nil, err
	}
	var ticket *constatv1.Ticket
	err = d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		if done, err := q.TicketByID(ctx, id); !errors.Is(err, sql.ErrNoRows) {
			if err == nil {
				ticket, err = view(ctx, q, done.Number)
			}
			return err
		}
		from, err := lock(ctx, q, r.GetNumber())
		if err == nil && from.MergedInto != 0 {
			_, err = target(ctx, q, from.Number)
		}
		switch {
		case err != nil:
			return err
		case from.MergedInto != 0:
			return problem(ErrInvalid, "ticket %d was merged into %d: split that one", from.Number, from.MergedInto)
		case from.Version != r.GetVersion():
			return problem(ErrConflict, "ticket %d was changed since you read it: look at it again, then split it", from.Number)
		}
		moved, err := splitOff(ctx, q, from, r.GetEntries())
		if err != nil {
			return err
		}
		number, err := d.split(ctx, q, a, from, id, line(r.GetTitle(), maxTitle), moved)
		if err != nil {
			return err
		}
		ticket, err = view(ctx, q, number)
		return err
	})
	if err != nil {
		return nil, err
	}
	d.hint(ticketSubject(r.GetNumber()), ticketSubject(ticket.GetNumber()))
	return ticket, nil
}

// splitOff gives the entries that were chosen, in their order.
func splitOff(ctx context.Context, q *query.Queries, from query.Ticket, ids []string) ([]query.TicketEntry, error) {
	rows, err := q.Entries(ctx, from.Number)
	if err != nil {
		return nil, err
	}
	said := func(e query.TicketEntry) bool { return e.Kind == "message" || e.Kind == "note" }
	var moved []query.TicketEntry
	stays := false
	for _, row := range rows {
		switch chosen := slices.Contains(ids, row.ID); {
		case chosen && !said(row):
			return nil, problem(ErrInvalid, "only messages and notes can go into another ticket, not a %s", row.Kind)
		case chosen:
			moved = append(moved, row)
		case said(row):
			stays = true
		}
	}
	for _, id := range ids {
		if !slices.ContainsFunc(moved, func(e query.TicketEntry) bool { return e.ID == id }) {
			return nil, problem(ErrInvalid, "there is no entry %q in ticket %d", line(id, 64), from.Number)
		}
	}
	if len(moved) == 0 {
		return nil, problem(ErrInvalid, "choose the messages that become a ticket of their own")
	}
	if !stays {
		return nil, problem(ErrInvalid, "nothing would be left in ticket %d: leave at least one message or note there", from.Number)
	}
	return moved, nil
}

// split opens the new ticket and moves the entries there; from is locked.
func (d *Desk) split(ctx context.Context, q *query.Queries, a Actor, from query.Ticket, id, title string, moved []query.TicketEntry) (int32, error) {
	now := d.now()
	t, _, err := d.open(ctx, q, a, &constatv1.TicketDraft{
		Id: id, Complaint: from.Category, Text: moved[0].Text, Title: cmp.Or(title, firstLine(moved[0].Text), from.Title),
		Requester: &constatv1.Person{Id: from.RequesterID}, Language: from.Language, Channel: from.Channel,
		Type: from.Type, Queue: from.Queue,
	}, from.EndpointID, false)
	if err != nil {
		return 0, err
	}
	if _, err := setConcerned(ctx, q, &t, list(from.Concerned)); err != nil {
		return 0, err
	}
	if t.Concerned != "" {
		if err := d.prioritise(ctx, q, &t, now); err != nil {
			return 0, err
		}
	}
	for _, e := range moved {
		position, err := q.CountEntry(ctx, t.Number, t.UpdatedAt)
		if err != nil {
			return 0, err
		}
		_, err = q.MoveEntry(ctx, query.MoveEntryParams{IntoNumber: t.Number, Position: position, FromNumber: from.Number, ID: e.ID})
		if err != nil {
			return 0, err
		}
		if err := addWords(ctx, q, t, e.Text); err != nil {
			return 0, err
		}
		if e.Kind == "message" && e.ActorRole == "technician" && t.FirstResponseAt == 0 {
			t.FirstResponseAt = e.At
		}
	}
	if err := q.MoveAttachments(ctx, t.Number, from.Number); err != nil {
		return 0, err
	}
	for _, number := range []int32{from.Number, t.Number} {
		if err := q.CountMinutes(ctx, number); err != nil {
			return 0, err
		}
	}
	// The old one is another than its readers saw, too.
	if err := d.saveTicket(ctx, q, from, now); err != nil {
		return 0, err
	}
	if err := d.saveTicket(ctx, q, t, now); err != nil {
		return 0, err
	}
	err = q.PutLink(ctx, query.PutLinkParams{Number: t.Number, Other: from.Number, Kind: "split", At: t.CreatedAt, Actor: line(a.Name, maxName)})
	if err != nil {
		return 0, err
	}
	for _, end := range []struct {
		number int32
		field  string
		far    query.Ticket
	}{{from.Number, "splitInto", t}, {t.Number, "splitFrom", from}} {
		err := writeEntry(ctx, q, end.number, now, &constatv1.TicketEntry{
			Id: newID(), Kind: "change", Actor: a.Name, ActorRole: entryRole(a),
			Changes: []*constatv1.FieldChange{{Field: end.field, After: numbered(end.far)}},
		})
		if err != nil {
			return 0, err
		}
	}
	return t.Number, nil
}
