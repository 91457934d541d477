package desk

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"constat/collector/store"
	"constat/collector/store/query"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// maxSite bounds the name of a site, in bytes.
const maxSite = 100

type actorKey struct{}

// For gives a context in which the desk works for somebody: whatever it lists,
// shows or changes there is what they may see. A requester sees their own tickets;
// who is limited to sites sees what is of these. All else is ErrNotFound to them,
// as if it were not there. Every door puts its caller in (the console, the API),
// so that no page and no call can forget to ask; a context without anybody is the
// desk's own work and sees all.
func For(ctx context.Context, a Actor) context.Context { return context.WithValue(ctx, actorKey{}, a) }

// reader is for whom a context works.
func reader(ctx context.Context) Actor {
	if a, ok := ctx.Value(actorKey{}).(Actor); ok {
		return a
	}
	return System
}

// userActor is a user as the desk knows them.
func userActor(u query.User) Actor {
	a := Actor{ID: u.ID, Name: u.Name, Role: u.Role}
	if u.Sites != "" {
		a.Sites = strings.Split(u.Sites, "\n")
	}
	return a
}

// works tells whether the actor is somebody who works on tickets, or a program of
// ours.
func (a Actor) works() bool { return a.Role == "agent" || slices.Contains(staff, a.Role) }

// limited tells whether the actor sees only some sites.
func (a Actor) limited() bool { return len(a.Sites) > 0 }

// sees tells whether the actor may see what is of a site.
func (a Actor) sees(site string) bool {
	return a.works() && (!a.limited() || site != "" && slices.Contains(a.Sites, site))
}

// seesTicket tells whether the reader may see a ticket.
func seesTicket(ctx context.Context, t query.Ticket) bool {
	a := reader(ctx)
	if a.Role == "requester" {
		return a.ID != "" && t.RequesterID == a.ID
	}
	return a.sees(t.Site)
}

// ticketScope narrows a list of tickets to what the reader may see.
func ticketScope(ctx context.Context, f store.TicketFilter) (_ store.TicketFilter, none bool) {
	a := reader(ctx)
	if a.Role == "requester" {
		none = a.ID == "" || f.RequesterID != "" && f.RequesterID != a.ID
		f.RequesterID = a.ID
		return f, none
	}
	f.Sites = a.Sites
	return f, !a.works()
}

// staffOnly refuses readers who do not work on tickets.
func staffOnly(ctx context.Context, what string) error {
	if a := reader(ctx); !a.works() {
		return problem(ErrForbidden, "the role %q may not %s: it takes a technician", a.Role, what)
	}
	return nil
}

// requireEverywhere refuses an actor who is limited to sites what concerns all.
func (a Actor) requireEverywhere(what string) error {
	if a.limited() {
		return problem(ErrForbidden, "%s concerns all sites: it takes somebody who is not limited to %s", what, strings.Join(a.Sites, ", "))
	}
	return nil
}

// shown is a ticket as its reader may see it: a requester is not told how the desk
// works on it.
func shown(ctx context.Context, t *constatv1.Ticket) *constatv1.Ticket {
	if reader(ctx).Role != "requester" {
		return t
	}
	return &constatv1.Ticket{
		Number: t.GetNumber(), Id: t.GetId(), Title: t.GetTitle(), Status: t.GetStatus(), Requester: t.GetRequester(),
		Assignee: t.GetAssignee(), Category: t.GetCategory(), Channel: t.GetChannel(),
		CreatedAt: t.GetCreatedAt(), UpdatedAt: t.GetUpdatedAt(), OccurredAt: t.GetOccurredAt(),
		FirstResponseAt: t.GetFirstResponseAt(), SolvedAt: t.GetSolvedAt(), Resolution: t.GetResolution(),
		Version: t.GetVersion(), MergedInto: t.GetMergedInto(), Site: t.GetSite(),
	}
}

// shownTimeline is a timeline as its reader may see it: a requester reads the
// messages and how the state changed.
func shownTimeline(ctx context.Context, all []*constatv1.TicketEntry) []*constatv1.TicketEntry {
	if a := reader(ctx); a.Role != "requester" {
		for _, e := range all {
			for _, c := range e.GetChanges() {
				if a.limited() && c.GetField() == "link" {
					c.Before, c.After = untitled(c.GetBefore()), untitled(c.GetAfter())
				}
			}
		}
		return all
	}
	var own []*constatv1.TicketEntry
	for _, e := range all {
		switch e.GetKind() {
		case "message":
			own = append(own, &constatv1.TicketEntry{
				Id: e.GetId(), At: e.GetAt(), Kind: e.GetKind(), Actor: e.GetActor(), ActorRole: e.GetActorRole(), Text: e.GetText(), Files: e.GetFiles(),
			})
		case "change":
			for _, c := range e.GetChanges() {
				if c.GetField() == "status" {
					own = append(own, &constatv1.TicketEntry{Id: e.GetId(), At: e.GetAt(), Kind: e.GetKind(), ActorRole: e.GetActorRole(), Changes: []*constatv1.FieldChange{c}})
				}
			}
		}
	}
	return own
}

// untitled is a link as the timeline tells it, "parent #7 No paper", without the title
// of the ticket, which may be of another site.
func untitled(link string) string {
	words := strings.SplitN(link, " ", 3)
	return strings.Join(words[:min(len(words), 2)], " ")
}

// shownLinks are a ticket's links as its reader may see them: of a ticket of another
// site the number and nothing else; a requester is not told how the desk sorts them.
func shownLinks(ctx context.Context, q *query.Queries, all []*constatv1.TicketLink) ([]*constatv1.TicketLink, error) {
	a := reader(ctx)
	if a.works() && !a.limited() {
		return all, nil
	}
	var own []*constatv1.TicketLink
	for _, l := range all {
		_, err := target(ctx, q, l.GetNumber())
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		switch {
		case !a.works():
		case err == nil:
			own = append(own, l)
		default:
			own = append(own, &constatv1.TicketLink{Kind: l.GetKind(), Number: l.GetNumber()})
		}
	}
	return own, nil
}

// seesEndpoint refuses an endpoint that the reader may not see.
func seesEndpoint(ctx context.Context, e query.Endpoint) error {
	if !reader(ctx).sees(e.Site) {
		return problem(ErrNotFound, "there is no endpoint %q", e.ID)
	}
	return nil
}

// seesEndpointID is the same by the endpoint's id; what is no endpoint's is seen by
// nobody.
func seesEndpointID(ctx context.Context, q *query.Queries, id string) error {
	e, err := q.EndpointByID(ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return problem(ErrNotFound, "there is no endpoint %q", line(id, 64))
	}
	if err != nil {
		return err
	}
	return seesEndpoint(ctx, e)
}

// seesGear tells whether the reader may see the device of an id.
func seesGear(ctx context.Context, q *query.Queries, id string) (bool, error) {
	a := reader(ctx)
	if a.works() && !a.limited() {
		return true, nil
	}
	g, err := q.GearByID(ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil && a.sees(g.Site), err
}

// siteOf is the site of a new ticket: that of its machine, else of its requester;
// of neither, or of one that who opens it may not see, it is theirs.
func siteOf(ctx context.Context, q *query.Queries, endpointID string, requester query.Person) (string, error) {
	if endpointID != "" {
		e, err := q.EndpointByID(ctx, endpointID)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return "", err
		}
		if e.Site != "" {
			return e.Site, nil
		}
	}
	if a := reader(ctx); a.limited() && !slices.Contains(a.Sites, requester.Site) {
		return a.Sites[0], nil
	}
	return requester.Site, nil
}

// keepSite gives the name of a site as it is known, and makes a new one known.
func keepSite(ctx context.Context, q *query.Queries, name string) (string, error) {
	site, err := checkSite(name)
	if err != nil {
		return "", err
	}
	site, err = store.Site(ctx, q, site)
	if two := (*store.BadSite)(nil); errors.As(err, &two) {
		err = problem(ErrInvalid, "%s", two)
	}
	return site, err
}

// Sites are those that the reader sees, by name.
func (d *Desk) Sites(ctx context.Context) ([]string, error) {
	a := reader(ctx)
	if !a.works() {
		return nil, nil
	}
	all, err := d.store.Sites(ctx)
	return slices.DeleteFunc(all, func(site string) bool { return !a.sees(site) }), err
}

// checkSite gives the name of a site without what is no part of one.
func checkSite(name string) (string, error) {
	site := line(name, maxSite+1)
	if len(site) > maxSite {
		return "", problem(ErrInvalid, "the name of a site has at most %d letters", maxSite)
	}
	return site, nil
}

// Number gives the number of the ticket that holds the matter of a number now, to
// a reader who may see it.
func (d *Desk) Number(ctx context.Context, number int32) (int32, error) {
	return target(ctx, d.store.Read(), number)
}

// EndpointID gives the id of the endpoint of an id or hostname, to a reader who may
// see it.
func (d *Desk) EndpointID(ctx context.Context, idOrHostname string) (string, error) {
	e, err := findEndpoint(ctx, d.store.Read(), idOrHostname)
	return e.ID, err
}

// SetEndpointSite says at which site a machine is; its tickets that were of the
// site it was at follow. It takes a lead, who sees both.
func (d *Desk) SetEndpointSite(ctx context.Context, a Actor, endpointID, name string) (*deskv1.Endpoint, error) {
	if err := a.require("say at which site a machine is", leads...); err != nil {
		return nil, err
	}
	ctx = For(ctx, a)
	var endpoint query.Endpoint
	err := d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		site, err := keepSite(ctx, q, name)
		if err != nil {
			return err
		}
		if !a.sees(site) {
			return problem(ErrNotFound, "there is no site %q", site)
		}
		if endpoint, err = findEndpoint(ctx, q, endpointID); err != nil {
			return err
		}
		if err := q.SetEndpointSite(ctx, endpoint.ID, site); err != nil {
			return err
		}
		if err := q.MoveTickets(ctx, site, endpoint.ID, endpoint.Site); err != nil {
			return err
		}
		endpoint.Site = site
		return nil
	})
	return d.endpointMessage(endpoint), err
}

// setSite gives a ticket to another site, which the actor must see too, so that
// nobody pushes one out of their own sight by mistake.
func setSite(ctx context.Context, q *query.Queries, t *query.Ticket, name string) error {
	a := reader(ctx)
	site, err := keepSite(ctx, q, name)
	if err == nil && !a.sees(site) {
		err = problem(ErrInvalid, "you may not give a ticket to the site %q", site)
	}
	t.Site = site
	return err
}
