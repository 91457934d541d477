package desk

import (
	"context"
	"slices"

	"constat/collector/store"
	"constat/collector/store/query"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// ways are how links are called from either end: the column's kind, and whether
// the row belongs to the ticket one looks from.
var ways = map[string]struct {
	kind string
	own  bool
}{
	"parent": {"parent", true}, "child": {"parent", false},
	"duplicateOf": {"duplicate", true}, "duplicate": {"duplicate", false},
	"related": {"related", true}, "splitFrom": {"split", true}, "splitInto": {"split", false},
}

// linkable are those that people say; a split says its own.
var linkable = []string{"parent", "child", "duplicate", "duplicateOf", "related", "none"}

// backwards is how a link is called at its other end.
var backwards = map[string]string{
	"parent": "child", "child": "parent", "duplicate": "duplicateOf", "duplicateOf": "duplicate", "related": "related",
}

// maxLinks is how many links a ticket has at most, and maxRise how many parents
// stand above one another.
const (
	maxLinks = 500
	maxRise  = 100
)

// Link says how two tickets belong together, or with `none` that they do not any
// more, and gives all links of the first. Both timelines tell it. Numbers that
// were merged lead on. ErrInvalid when it would make a ring, or when a ticket has
// such a link already.
func (d *Desk) Link(ctx context.Context, a Actor, r *deskv1.LinkTicketsRequest) (links []*constatv1.TicketLink, err error) {
	if err := a.require("link tickets", staff...); err != nil {
		return nil, err
	}
	ctx = For(ctx, a)
	if !slices.Contains(linkable, r.GetKind()) {
		return nil, problem(ErrInvalid, "tickets cannot be linked as %q: it is one of parent, child, duplicate, duplicateOf, related, none", line(r.GetKind(), maxSorted))
	}
	var one, other query.Ticket
	err = d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		if _, err := q.NextNumber(ctx, "link"); err != nil {
			return err
		}
		number, err := target(ctx, q, r.GetNumber())
		if err != nil {
			return err
		}
		far, err := target(ctx, q, r.GetOther())
		if err != nil {
			return err
		}
		if number == far {
			return problem(ErrInvalid, "ticket %d cannot be linked to itself: give the number of another", number)
		}
		if one, other, err = lockPair(ctx, q, number, far); err != nil {
			return err
		}
		if one.MergedInto != 0 || other.MergedInto != 0 {
			return problem(ErrConflict, "one of the two tickets was merged at the same time: look again")
		}
		if r.GetKind() == "none" {
			err = d.unlink(ctx, q, a, one, other)
		} else {
			err = d.link(ctx, q, a, one, r.GetKind(), other)
		}
		if err != nil {
			return err
		}
		links, err = linksOf(ctx, q, number)
		return err
	})
	if err != nil {
		return nil, err
	}
	d.hint(ticketSubject(one.Number), ticketSubject(other.Number))
	return links, nil
}

// link makes the other the kind of the one; both are locked, and the sequence of
// links too.
func (d *Desk) link(ctx context.Context, q *query.Queries, a Actor, one query.Ticket, kind string, other query.Ticket) error {
	present, err := linksOf(ctx, q, one.Number)
	if err != nil {
		return err
	}
	for _, l := range present {
		if l.GetNumber() == other.Number {
			if l.GetKind() == kind {
				return nil
			}
			return problem(ErrInvalid, "tickets %d and %d have a link already (%s): take that away first", one.Number, other.Number, l.GetKind())
		}
	}
	if len(present) >= maxLinks {
		return problem(ErrInvalid, "ticket %d has %d links, which is all that one can have", one.Number, len(present))
	}
	low, high := one.Number, other.Number
	if !ways[kind].own {
		low, high = high, low
	}
	if err := fits(ctx, q, low, ways[kind].kind, high); err != nil {
		return err
	}
	now := store.Millis(d.now())
	err = q.PutLink(ctx, query.PutLinkParams{Number: low, Other: high, Kind: ways[kind].kind, At: now, Actor: line(a.Name, maxName)})
	if err != nil {
		return err
	}
	return d.tellLinked(ctx, q, a, one, "", kind, other)
}

// fits refuses a link that would make a ring, or a second one where there can be
// one only.
func fits(ctx context.Context, q *query.Queries, low int32, kind string, high int32) error {
	if kind != "parent" && kind != "duplicate" {
		return nil
	}
	above, err := q.LinkUp(ctx, low, kind)
	if err != nil {
		return err
	}
	if len(above) > 0 && kind == "parent" {
		return problem(ErrInvalid, "ticket %d has a parent already, ticket %d: take that link away first", low, above[0])
	}
	if len(above) > 0 {
		return problem(ErrInvalid, "ticket %d is a duplicate of ticket %d already: take that link away first", low, above[0])
	}
	up := high
	for range maxRise {
		next, err := q.LinkUp(ctx, up, kind)
		if err != nil || len(next) == 0 {
			return err
		}
		if up = next[0]; up == low {
			return problem(ErrInvalid, "ticket %d stands above ticket %d already: this link would close a ring", low, high)
		}
	}
	return problem(ErrInvalid, "more than %d tickets stand above ticket %d: link it to one of them instead", maxRise, high)
}

// unlink takes the link of two tickets away, whatever it is.
func (d *Desk) unlink(ctx context.Context, q *query.Queries, a Actor, one, other query.Ticket) error {
	present, err := linksOf(ctx, q, one.Number)
	if err != nil {
		return err
	}
	for _, l := range present {
		if l.GetNumber() != other.Number {
			continue
		}
		if _, err := q.DeleteLink(ctx, one.Number, other.Number); err != nil {
			return err
		}
		return d.tellLinked(ctx, q, a, one, l.GetKind(), "", other)
	}
	return nil
}

// tellLinked writes into both timelines that a link came or went: one of the two
// kinds is empty.
func (d *Desk) tellLinked(ctx context.Context, q *query.Queries, a Actor, one query.Ticket, before, after string, other query.Ticket) error {
	for _, end := range []struct {
		at, far       query.Ticket
		before, after string
	}{{one, other, before, after}, {other, one, backwards[before], backwards[after]}} {
		change := &constatv1.FieldChange{Field: "link"}
		if end.before != "" {
			change.Before = linkText(end.before, end.far)
		}
		if end.after != "" {
			change.After = linkText(end.after, end.far)
		}
		err := writeEntry(ctx, q, end.at.Number, d.now(), &constatv1.TicketEntry{
			Id: newID(), Kind: "change", Actor: a.Name, ActorRole: entryRole(a), Changes: []*constatv1.FieldChange{change},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// linkText is a link in the timeline: its kind, then the other ticket.
func linkText(kind string, far query.Ticket) string { return kind + " " + numbered(far) }

// linksOf gives the links of a ticket, by the number of the others.
func linksOf(ctx context.Context, q *query.Queries, number int32) ([]*constatv1.TicketLink, error) {
	rows, err := q.LinksOf(ctx, number)
	if err != nil {
		return nil, err
	}
	links := make([]*constatv1.TicketLink, 0, len(rows))
	for _, row := range rows {
		links = append(links, &constatv1.TicketLink{
			Kind: wayOf(row.TicketLink, number), Number: row.FarNumber, Title: row.Title, Status: row.Status,
			RootCause: row.RootCause, Component: row.Component, Category: row.Category,
		})
	}
	return links, nil
}

// wayOf is how a link is called from one of its ends.
func wayOf(l query.TicketLink, from int32) string {
	for name, way := range ways {
		if way.kind == l.Kind && (way.own == (l.Number == from) || l.Kind == "related") {
			return name
		}
	}
	return l.Kind
}

// moveLinks gives the links of a ticket that ends to the one that goes on; both
// are locked. A link between the two ends with it, and so does one that the other
// has already or that would close a ring: a merge is not refused over it.
func moveLinks(ctx context.Context, q *query.Queries, from, into query.Ticket) error {
	if _, err := q.DeleteLink(ctx, from.Number, into.Number); err != nil {
		return err
	}
	rows, err := q.LinksOf(ctx, from.Number)
	if err != nil {
		return err
	}
	kept, err := linksOf(ctx, q, into.Number)
	if err != nil {
		return err
	}
	for _, row := range rows {
		l := row.TicketLink
		if _, err := q.DeleteLink(ctx, l.Number, l.Other); err != nil {
			return err
		}
		known := slices.ContainsFunc(kept, func(k *constatv1.TicketLink) bool { return k.GetNumber() == row.FarNumber })
		if known || len(kept) >= maxLinks {
			continue
		}
		if l.Number == from.Number {
			l.Number = into.Number
		} else {
			l.Other = into.Number
		}
		switch err := fits(ctx, q, l.Number, l.Kind, l.Other); {
		case isInvalid(err):
			continue
		case err != nil:
			return err
		}
		if err := q.PutLink(ctx, query.PutLinkParams(l)); err != nil {
			return err
		}
	}
	return nil
}
