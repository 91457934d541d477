package desk

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"constat/collector/store"
	"constat/collector/store/query"
	deskv1 "constat/proto/constat/desk/v1"
)

const (
	maxView  = 2000 // bytes of a view's query
	maxViews = 100  // that somebody sees
)

// What the query of a view says besides a status and a name. No status: those still to
// be worked on. No user is called by a sign alone.
const (
	AnyStatus = "any"
	Nobody    = "-"
	// DueOnly are the tickets of which something is promised, nearest first.
	DueOnly = "due"
	// RiskOnly are those of them of which it was time to warn.
	RiskOnly = "risk"
	// BestFirst is the order that is no ListTicketsRequest.order.
	BestFirst = "best"
)

// Columns are what a list can tell of its tickets beside number and title.
var Columns = []string{
	"requester", "machine", "assignee", "cause", "status", "priority", "created",
	"updated", "site", "queue", "category", "tags", "minutes",
}

// usualColumns are how many of them it tells when nothing else is asked for.
const usualColumns = 7

// Asked is the list of tickets that the query of a view asks for.
func Asked(form url.Values) *deskv1.ListTicketsRequest {
	r := &deskv1.ListTicketsRequest{Query: form.Get("q"), Assignee: form.Get("assignee"), Site: form.Get("site")}
	switch status := form.Get("status"); status {
	case "":
		r.Active = true
	case AnyStatus:
	case DueOnly:
		r.Due = true
	case RiskOnly:
		r.Due, r.AtRisk = true, true
	default:
		r.Status = status
	}
	if r.Assignee == Nobody {
		r.Assignee, r.Unassigned = "", true
	}
	if sort := form.Get("sort"); sort == BestFirst {
		r.Best = true
	} else if slices.Contains(store.Orders, sort) {
		r.Order = sort
	}
	return r
}

// AskedColumns are the columns that the query of a view asks for, in their order.
func AskedColumns(form url.Values) []string {
	asked := strings.Split(strings.Join(form["columns"], ","), ",")
	var columns []string
	for _, name := range Columns {
		if slices.Contains(asked, name) {
			columns = append(columns, name)
		}
	}
	if len(columns) == 0 {
		return Columns[:usualColumns]
	}
	return columns
}

// Views gives the lists of tickets that the actor keeps, and those that others
// share.
func (d *Desk) Views(ctx context.Context, a Actor) ([]*deskv1.View, error) {
	if err := a.require("keep views", staff...); err != nil {
		return nil, err
	}
	rows, err := d.store.Read().ViewsFor(ctx, a.ID)
	if err != nil {
		return nil, err
	}
	views := make([]*deskv1.View, 0, len(rows))
	for _, row := range rows {
		w := row.TicketView
		views = append(views, &deskv1.View{Id: w.ID, Name: w.Name, Shared: w.Shared == 1, Query: w.Query, Owner: row.Owner, Own: w.UserID == a.ID})
	}
	store.ByName(views, (*deskv1.View).GetName)
	slices.SortStableFunc(views, func(a, b *deskv1.View) int { return int(flag(a.GetShared()) - flag(b.GetShared())) })
	return views, nil
}

// PutView keeps a list of tickets for the actor, or for the whole team, in place of
// the actor's one of the same id.
func (d *Desk) PutView(ctx context.Context, a Actor, v *deskv1.View) (*deskv1.View, error) {
	if err := a.require("keep views", staff...); err != nil {
		return nil, err
	}
	id, err := checkID("the view", v.GetId())
	if err != nil {
		return nil, err
	}
	name := line(v.GetName(), 60)
	if name == "" {
		return nil, problem(ErrInvalid, "a view needs a name")
	}
	asked, err := url.ParseQuery(v.GetQuery())
	if err != nil || len(v.GetQuery()) > maxView {
		return nil, problem(ErrInvalid, "the view's query cannot be read: it is what stands behind the ? of the queue's address")
	}
	asked.Del("before") // a place in a list is no list
	present, err := d.Views(ctx, a)
	if err != nil {
		return nil, err
	}
	if len(present) >= maxViews && !slices.ContainsFunc(present, func(p *deskv1.View) bool { return p.GetId() == id }) {
		return nil, problem(ErrInvalid, "there are %d views already: take one away first", len(present))
	}
	kept := &deskv1.View{Id: id, Name: name, Shared: v.GetShared(), Query: asked.Encode(), Owner: a.Name, Own: true}
	err = d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		put, err := q.PutView(ctx, query.PutViewParams{ID: id, UserID: a.ID, Name: name, Shared: flag(kept.GetShared()), Query: kept.GetQuery(), At: store.Millis(d.now())})
		if err == nil && put == 0 {
			return problem(ErrNotFound, "there is no such view of yours")
		}
		return err
	})
	return kept, err
}

// DeleteView forgets a view of the actor's; a lead may forget a shared one of
// another.
func (d *Desk) DeleteView(ctx context.Context, a Actor, id string) error {
	if err := a.require("keep views", staff...); err != nil {
		return err
	}
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
