package desk

import (
	"cmp"
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

// maxConcerned bounds how many machines and devices a ticket names.
const maxConcerned = 50

// concern makes a ticket one that is about other machines and devices of the network too,
// or not any more, and tells whether that changed something.
func concern(ctx context.Context, q *query.Queries, t *query.Ticket, r *deskv1.UpdateTicketRequest) (changed bool, err error) {
	if len(r.GetAddConcerned())+len(r.GetRemoveConcerned()) == 0 {
		return false, nil
	}
	rows, err := q.ConcernedOf(ctx, t.Number)
	if err != nil {
		return false, err
	}
	var added, removed []string
	for _, name := range r.GetAddConcerned() {
		kind, id, err := findConcerned(ctx, q, name)
		if err != nil {
			return false, err
		}
		found := slices.ContainsFunc(rows, func(row query.ConcernedOfRow) bool { return row.Kind == kind && row.Subject == id })
		if !found && id != t.EndpointID {
			added = append(added, kind+" "+id)
		}
	}
	for _, name := range r.GetRemoveConcerned() {
		kind, id, err := findConcerned(ctx, q, name)
		if err != nil {
			return false, err
		}
		removed = append(removed, kind+" "+id)
	}
	return setConcerned(ctx, q, t, joined(list(t.Concerned), added, removed...))
}

// findConcerned finds a machine, or else a device of the network, by its id or name.
func findConcerned(ctx context.Context, q *query.Queries, name string) (kind, id string, err error) {
	machine, err := findEndpoint(ctx, q, name)
	if err == nil || !errors.Is(err, ErrNotFound) {
		return aboutEndpoint, machine.ID, err
	}
	device, err := findGear(ctx, q, name)
	if errors.Is(err, ErrNotFound) {
		err = problem(ErrInvalid, "there is no machine and no network device %q: write its name as it stands in their lists", line(name, maxName))
	}
	return aboutGear, device.ID, err
}

// setConcerned puts what people named into a locked ticket, and has the ticket found by
// it. The ticket's own machine is not named beside itself.
func setConcerned(ctx context.Context, q *query.Queries, t *query.Ticket, named []string) (changed bool, err error) {
	named = slices.DeleteFunc(named, func(one string) bool { return one == aboutEndpoint+" "+t.EndpointID })
	if len(named) > maxConcerned {
		return false, problem(ErrInvalid, "a ticket names %d machines and devices at most: a problem or a major incident is for more", maxConcerned)
	}
	before := list(t.Concerned)
	for _, one := range named {
		if kind, id, _ := strings.Cut(one, " "); !slices.Contains(before, one) {
			if err := q.PutSubject(ctx, kind, id, t.Number); err != nil {
				return false, err
			}
			changed = true
		}
	}
	for _, one := range before {
		if kind, id, _ := strings.Cut(one, " "); !slices.Contains(named, one) {
			if err := q.DropSubject(ctx, kind, id, t.Number); err != nil {
				return false, err
			}
			changed = true
		}
	}
	t.Concerned = strings.Join(named, "\n")
	return changed, nil
}

// machines is about how many machines a ticket is.
func machines(t *query.Ticket) int64 {
	var count int64
	if t.EndpointID != "" {
		count = 1
	}
	for _, one := range list(t.Concerned) {
		if strings.HasPrefix(one, aboutEndpoint+" ") {
			count++
		}
	}
	return count
}

// concernedChanges are what came to those that a ticket names and what left them, each
// by its id: whoever reads it is told the name.
func concernedChanges(before, after string) []*constatv1.FieldChange {
	var changes []*constatv1.FieldChange
	for _, one := range list(before) {
		if !slices.Contains(list(after), one) {
			changes = append(changes, &constatv1.FieldChange{Field: "concerned", Before: one})
		}
	}
	for _, one := range list(after) {
		if !slices.Contains(list(before), one) {
			changes = append(changes, &constatv1.FieldChange{Field: "concerned", After: one})
		}
	}
	return changes
}

// tellNames puts the names into a timeline's words on what a ticket names. Of what was
// erased, or is of a site that the reader does not see, only the kind is told.
func tellNames(ctx context.Context, q *query.Queries, timeline []*constatv1.TicketEntry) error {
	for _, e := range timeline {
		for _, c := range e.GetChanges() {
			if c.GetField() != "concerned" {
				continue
			}
			for _, text := range []*string{&c.Before, &c.After} {
				kind, id, _ := strings.Cut(*text, " ")
				name, err := nameConcerned(ctx, q, kind, id)
				if err != nil {
					return err
				}
				*text = strings.TrimSpace(kind + " " + name)
			}
		}
	}
	return nil
}

// nameConcerned is what a machine or a device is called; empty: the reader does not see
// it, or it is not there any more.
func nameConcerned(ctx context.Context, q *query.Queries, kind, id string) (string, error) {
	var name, site string
	var err error
	switch kind {
	case aboutEndpoint:
		var e query.Endpoint
		e, err = q.EndpointByID(ctx, id)
		name, site = cmp.Or(e.Hostname, e.ID), e.Site
	case aboutGear:
		var g query.Gear
		g, err = q.GearByID(ctx, id)
		name, site = cmp.Or(g.Name, g.Address), g.Site
	}
	if errors.Is(err, sql.ErrNoRows) || err == nil && !reader(ctx).sees(site) {
		return "", nil
	}
	return name, err
}

// wordsOf are the words by which what is about a machine or a device is found.
func wordsOf(ctx context.Context, q *query.Queries, kind, id string) ([]string, error) {
	if kind == aboutGear {
		g, err := q.GearByID(ctx, id)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, nil
		}
		return []string{g.Name, g.Serial}, err
	}
	e, err := q.EndpointByID(ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return []string{e.Hostname, e.Serial}, err
}

// concernedIn are the machines and devices that a ticket is about beside its machine,
// as far as the reader sees them.
func concernedIn(ctx context.Context, q *query.Queries, number int32) ([]*deskv1.Concerned, error) {
	rows, err := q.ConcernedOf(ctx, number)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	t, err := q.TicketByNumber(ctx, number)
	if err != nil {
		return nil, err
	}
	var all []*deskv1.Concerned
	for _, row := range rows {
		if !reader(ctx).sees(row.Site) {
			continue
		}
		all = append(all, &deskv1.Concerned{
			Kind: row.Kind, Id: row.Subject, Name: cmp.Or(row.Name, row.Address, row.Subject),
			Named: slices.Contains(list(t.Concerned), row.Kind+" "+row.Subject),
		})
	}
	store.ByName(all, (*deskv1.Concerned).GetName)
	slices.SortStableFunc(all, func(a, b *deskv1.Concerned) int { return strings.Compare(a.GetKind(), b.GetKind()) })
	return all, nil
}

// forgetNamed takes a machine that is erased out of the tickets that name it, and gives
// their numbers.
func forgetNamed(ctx context.Context, q *query.Queries, endpoint string) ([]int32, error) {
	numbers, err := q.TicketsNaming(ctx, aboutEndpoint, endpoint)
	if err != nil {
		return nil, err
	}
	for _, number := range numbers {
		t, err := q.LockTicket(ctx, number)
		if err != nil {
			return nil, err
		}
		if _, err := setConcerned(ctx, q, &t, joined(list(t.Concerned), nil, aboutEndpoint+" "+endpoint)); err != nil {
			return nil, err
		}
		// The index of a ticket that was merged has it, and the ticket perhaps not.
		if err := q.DropSubject(ctx, aboutEndpoint, endpoint, number); err != nil {
			return nil, err
		}
		if err := q.SetConcerned(ctx, number, t.Concerned); err != nil {
			return nil, err
		}
	}
	return numbers, nil
}
