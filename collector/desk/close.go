package desk

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"constat/collector/store"
	"constat/collector/store/query"
	constatv1 "constat/proto/constat/v1"
)

const (
	// closeAfter is how many days a solved ticket waits for the word that it is not,
	// where nobody set another time, and maxCloseAfter the longest.
	closeAfter    = 7
	maxCloseAfter = 365
	// closeEvery is how often the desk looks for those whose time is over, and
	// closeAtOnce how many one look takes.
	closeEvery  = 10 * time.Minute
	closeAtOnce = 200
)

// Who has a ticket that its requester opens again.
const (
	toAssignee = "assignee"
	toQueue    = "queue"
)

// checkClosing checks how long solved tickets wait.
func (l *serviceLevels) checkClosing() error {
	for queue, days := range l.CloseAfterIn {
		if days < 0 || days > maxCloseAfter {
			return problem(ErrInvalid, "the service levels: closeAfterIn: %s: %d is not a number of days: it is 1 to %d, or 0 for never", line(queue, maxSorted), days, maxCloseAfter)
		}
	}
	switch {
	case l.CloseAfter < 0 || l.CloseAfter > maxCloseAfter:
		return problem(ErrInvalid, "the service levels: closeAfter: %d is not a number of days: it is 1 to %d, or 0 for never", l.CloseAfter, maxCloseAfter)
	case len(l.CloseAfterIn) > maxRules:
		return problem(ErrInvalid, "the service levels: closeAfterIn: more than %d queues", maxRules)
	case l.ReopenedTo != toAssignee && l.ReopenedTo != toQueue:
		return problem(ErrInvalid, "the service levels: reopenedTo: there is no %q: it is %s or %s", line(l.ReopenedTo, 40), toAssignee, toQueue)
	}
	return nil
}

// closesAfter is how long a solved ticket can be taken up again; 0: for ever.
func (l *serviceLevels) closesAfter(queue string) time.Duration {
	days, own := l.CloseAfterIn[queue]
	if !own {
		days = l.CloseAfter
	}
	return time.Duration(days) * 24 * time.Hour
}

// over tells whether a closed ticket is so for good: what its requester says now is
// another matter, or the same once more.
func (l *serviceLevels) over(t query.Ticket, now time.Time) bool {
	wait := l.closesAfter(t.Queue)
	return t.Status == "closed" && wait > 0 && now.Sub(store.Time(t.LastSolvedAt)) > wait
}

// closeSolved closes the solved tickets of which nobody has said anything for their
// time, on any number of collectors at once.
func (d *Desk) closeSolved(ctx context.Context) error {
	l, err := d.levels(ctx, d.store.Read())
	if err != nil {
		return err
	}
	soonest := l.closesAfter("")
	for queue := range l.CloseAfterIn {
		if wait := l.closesAfter(queue); wait > 0 && (soonest == 0 || wait < soonest) {
			soonest = wait
		}
	}
	if soonest == 0 {
		return nil
	}
	for after := int32(0); ; {
		numbers, err := d.store.Read().SolvedBefore(ctx, after, store.Millis(d.now().Add(-soonest)), closeAtOnce)
		if err != nil || len(numbers) == 0 {
			return err
		}
		for _, number := range numbers {
			after = number
			if err := d.closeOne(ctx, number); err != nil {
				return err
			}
		}
		if len(numbers) < closeAtOnce {
			return nil
		}
	}
}

// closeOne closes a solved ticket whose time is over.
func (d *Desk) closeOne(ctx context.Context, number int32) error {
	var t query.Ticket
	changed := false
	err := d.store.Write(ctx, func(ctx context.Context, q *query.Queries) (err error) {
		changed = false
		if t, err = q.LockTicket(ctx, number); err != nil {
			return err
		}
		l, err := d.levels(ctx, q)
		if err != nil {
			return err
		}
		wait := l.closesAfter(t.Queue)
		if t.Status != "solved" || wait == 0 || d.now().Sub(store.Time(t.UpdatedAt)) < wait {
			return nil // somebody was faster, or said something
		}
		closed := t
		d.setStatus(&closed, "closed")
		changed, err = d.keep(ctx, q, System, t, closed)
		return err
	})
	if err == nil && changed {
		d.hint(ticketSubject(number))
		d.hintAnswer(t.EndpointID)
	}
	return err
}

// placeOf is the locked ticket in which a message of its requester's goes: the ticket
// itself, which it opens again, or, when that is closed for good, a new one that points
// back. A message that comes a second time finds the new one by its id.
func (d *Desk) placeOf(ctx context.Context, q *query.Queries, a Actor, t query.Ticket, id, text string) (query.Ticket, error) {
	l, err := d.levels(ctx, q)
	if err != nil || a.Role != "requester" || !l.over(t, d.now()) {
		return t, err
	}
	if known, err := q.TicketByID(ctx, id); !errors.Is(err, sql.ErrNoRows) {
		if err != nil {
			return t, err
		}
		return lockTarget(ctx, q, known.Number)
	}
	draft := &constatv1.TicketDraft{
		Id: id, Complaint: t.Category, Text: text, Requester: &constatv1.Person{Id: t.RequesterID},
		Language: t.Language, Channel: t.Channel, Type: t.Type, Queue: t.Queue,
	}
	if t.TitleDerived == 0 {
		draft.Title = t.Title
	}
	next, _, err := d.open(ctx, q, a, draft, t.EndpointID, false)
	if err != nil {
		return t, err
	}
	err = q.PutLink(ctx, query.PutLinkParams{Number: next.Number, Other: t.Number, Kind: "related", At: next.CreatedAt, Actor: System.Name})
	if err != nil {
		return t, err
	}
	if err := d.tellLinked(ctx, q, System, next, "", "related", t); err != nil {
		return t, err
	}
	return lock(ctx, q, next.Number)
}
