package desk

import (
	"context"
	"net/url"

	"constat/collector/store"
	"constat/collector/store/query"
)

const (
	maxView  = 2000 // bytes of a view's query
	maxViews = 100  // that somebody sees
)

// View is a list of tickets that people come back to.
type View struct {
	// ID is a UUIDv7: putting the same view twice puts it once.
	ID, Name string
	// Query is what is behind the ? of the queue's address.
	Query string
	// Shared: the whole team has it.
	Shared bool
	// Owner is the name of who made it.
	Owner string
}

// Views gives the lists of tickets that the actor keeps, and those that others
// share.
func (d *Desk) Views(ctx context.Context, a Actor) ([]View, error) {
	rows, err := d.store.Read().ViewsFor(ctx, a.ID)
	if err != nil {
		return nil, err
	}
	views := make([]View, 0, len(rows))
	for _, row := range rows {
		w := row.TicketView
		views = append(views, View{ID: w.ID, Name: w.Name, Shared: w.Shared == 1, Query: w.Query, Owner: row.Owner})
	}
	return views, nil
}

// PutView keeps a list of tickets for the actor, or for the whole team.
func (d *Desk) PutView(ctx context.Context, a Actor, v View) error {
	if err := a.require("keep views", staff...); err != nil {
		return err
	}
	id, err := checkID("the view", v.ID)
	if err != nil {
		return err
	}
	name := line(v.Name, 60)
	if name == "" {
		return problem(ErrInvalid, "a view needs a name")
	}
	asked, err := url.ParseQuery(v.Query)
	if err != nil || len(v.Query) > maxView {
		return problem(ErrInvalid, "the view's query cannot be read: it is what stands behind the ? of the queue's address")
	}
	asked.Del("before") // a place in a list is no list
	present, err := d.Views(ctx, a)
	if err != nil {
		return err
	}
	if len(present) >= maxViews {
		return problem(ErrInvalid, "there are %d views already: take one away first", len(present))
	}
	return d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		return q.PutView(ctx, query.PutViewParams{ID: id, UserID: a.ID, Name: name, Shared: flag(v.Shared), Query: asked.Encode(), At: store.Millis(d.now())})
	})
}

// DeleteView forgets a view of the actor's; a lead may forget a shared one of
// another.
func (d *Desk) DeleteView(ctx context.Context, a Actor, id string) error {
	return d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		gone, err := q.DeleteView(ctx, line(id, 64), a.ID)
		if err == nil && gone == 0 && (a.Role == "lead" || a.Role == "administrator") {
			gone, err = q.DeleteSharedView(ctx, line(id, 64))
		}
		if err == nil && gone == 0 {
			return problem(ErrNotFound, "there is no such view of yours")
		}
		return err
	})
}
