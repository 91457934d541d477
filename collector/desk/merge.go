package desk

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"constat/collector/store/query"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// Merge makes one ticket part of another, for good: two people told of the same,
// or one told it twice. The number of the ticket that ends leads to the other
// from then on, its timeline stands in the other's, and diagnoses that were
// asked for go there. ErrConflict when another version of the ending ticket is
// in place than the actor saw; ErrInvalid when one of the two is closed or
// merged, or both are the same.
func (d *Desk) Merge(ctx context.Context, a Actor, r *deskv1.MergeTicketRequest) (*constatv1.Ticket, error) {
	if err := a.require("merge tickets", staff...); err != nil {
		return nil, err
	}
	if r.GetNumber() == r.GetInto() {
		return nil, problem(ErrInvalid, "ticket %d cannot be merged into itself: give the number of another", r.GetNumber())
	}
	ctx = For(ctx, a)
	var ticket *constatv1.Ticket
	err := d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		// Its links move, and whoever touches links takes this before tickets.
		if _, err := q.NextNumber(ctx, "link"); err != nil {
			return err
		}
		from, into, err := lockPair(ctx, q, r.GetNumber(), r.GetInto())
		if err != nil {
			return err
		}
		if err := errors.Join(d.settle(ctx, q, &from), d.settle(ctx, q, &into)); err != nil {
			return err
		}
		for _, t := range []query.Ticket{from, into} {
			switch t.Status {
			case "merged":
				return problem(ErrInvalid, "ticket %d was merged into %d already: give that number instead", t.Number, t.MergedInto)
			case "closed":
				return problem(ErrInvalid, "ticket %d is closed: open it again before merging", t.Number)
			}
		}
		if from.Version != r.GetVersion() {
			return problem(ErrConflict, "ticket %d was changed since you read it: look at it again, then merge it", from.Number)
		}
		if err := d.merge(ctx, q, a, from, into); err != nil {
			return err
		}
		ticket, err = view(ctx, q, into.Number)
		return err
	})
	if err != nil {
		return nil, err
	}
	d.hint(ticketSubject(r.GetNumber()), ticketSubject(r.GetInto()))
	return ticket, nil
}

// lockPair locks two tickets, the lower number first, so that two merges of the
// same two wait for each other and never in a ring.
func lockPair(ctx context.Context, q *query.Queries, a, b int32) (ta, tb query.Ticket, err error) {
	locked := map[int32]query.Ticket{}
	for _, number := range []int32{min(a, b), max(a, b)} {
		locked[number], err = lock(ctx, q, number)
		if err == nil && locked[number].MergedInto != 0 {
			_, err = target(ctx, q, number)
		}
		if err != nil {
			return ta, tb, err
		}
	}
	return locked[a], locked[b], nil
}

// merge moves what stands in a ticket to another; both are locked.
func (d *Desk) merge(ctx context.Context, q *query.Queries, a Actor, from, into query.Ticket) error {
	now := d.now()
	if _, err := q.MoveEntries(ctx, into.Number, into.Entries, from.Number); err != nil {
		return err
	}
	if err := q.CountEntries(ctx, from.Entries, into.Number); err != nil {
		return err
	}
	if err := q.CountMinutes(ctx, into.Number); err != nil {
		return err
	}
	if err := q.CountMinutes(ctx, from.Number); err != nil {
		return err
	}
	if err := q.MoveAttachments(ctx, into.Number, from.Number); err != nil {
		return err
	}
	if err := q.MoveReplyDrafts(ctx, into.Number, from.Number); err != nil {
		return err
	}
	if err := moveLinks(ctx, q, from, into); err != nil {
		return err
	}
	if err := q.CopySubjects(ctx, into.Number, from.Number); err != nil {
		return err
	}
	if err := moveChecks(ctx, q, from.Number, into.Number); err != nil {
		return err
	}
	ended := from
	ended.Status, ended.MergedInto = "merged", into.Number
	if err := d.saveTicket(ctx, q, ended, now); err != nil {
		return err
	}
	if err := q.RedirectMerged(ctx, into.Number, from.Number); err != nil {
		return err
	}
	grown := into
	// Who followed the one follows the other, and what was said of it holds.
	grown.Tags = strings.Join(joined(list(into.Tags), list(from.Tags)), "\n")
	grown.Followers = strings.Join(joined(list(into.Followers), list(from.Followers)), "\n")
	grown.Major = max(into.Major, from.Major)
	if into.EndpointID == "" || into.EndpointID == from.EndpointID && into.DiagnosedAt < from.DiagnosedAt {
		// A machine that the other ticket did not know, or the newer diagnosis.
		grown.EndpointID = from.EndpointID
		grown.DiagnosedAt, grown.RootCause, grown.Certainty = from.DiagnosedAt, from.RootCause, from.Certainty
		grown.Component, grown.Brand = from.Component, from.Brand
		if grown.UrgencySet == 0 {
			grown.Urgency = from.Urgency
		}
		if err := d.prioritise(ctx, q, &grown, now); err != nil {
			return err
		}
	}
	// Two machines with one matter: what the other ticket was about, this one names.
	named := joined(list(into.Concerned), list(from.Concerned))
	if from.EndpointID != "" {
		named = joined(named, []string{aboutEndpoint + " " + from.EndpointID})
	}
	more, err := setConcerned(ctx, q, &grown, named[:min(len(named), maxConcerned)])
	if err == nil && more {
		err = d.prioritise(ctx, q, &grown, now)
	}
	if err != nil {
		return err
	}
	if err := d.saveTicket(ctx, q, grown, now); err != nil {
		return err
	}
	changes := append(differences(into, grown), &constatv1.FieldChange{
		Field: "merged", After: fmt.Sprintf("#%d %s", from.Number, from.Title),
	})
	err = writeEntry(ctx, q, into.Number, now, &constatv1.TicketEntry{
		Id: newID(), Kind: "change", Actor: a.Name, ActorRole: entryRole(a), Changes: changes,
	})
	if err != nil {
		return err
	}
	known, err := q.TicketWords(ctx, from.Number)
	if err != nil {
		return err
	}
	return addWords(ctx, q, grown, known)
}
