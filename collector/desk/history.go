package desk

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"

	"constat/collector/store"
	"constat/collector/store/query"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

const (
	// similarAmong is how many of the latest solved tickets of a fault are
	// compared, and similarShown how many are worth showing.
	similarAmong = 500
	similarShown = 3
)

// Similar gives the solved tickets most like a ticket: those of the same fault,
// by what their machines and devices have in common with its own, those that say
// what helped first. Words are not compared: people call one thing by many names.
// Without a root cause nothing is alike.
func (d *Desk) Similar(ctx context.Context, number int32) ([]*deskv1.SimilarTicket, error) {
	if err := staffOnly(ctx, "look at others' tickets"); err != nil {
		return nil, err
	}
	q := d.store.Read()
	number, err := target(ctx, q, number)
	if err != nil {
		return nil, err
	}
	t, err := q.TicketByNumber(ctx, number)
	if err != nil || t.RootCause == "" {
		return nil, err
	}
	var model string
	if t.EndpointID != "" {
		endpoint, err := q.EndpointByID(ctx, t.EndpointID)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, err
		}
		model = endpoint.Model
	}
	rows, err := q.SolvedWith(ctx, t.RootCause, number, similarAmong)
	if err != nil {
		return nil, err
	}
	alike := make([]*deskv1.SimilarTicket, 0, len(rows))
	for _, row := range rows {
		if !seesTicket(ctx, row.Ticket) {
			continue
		}
		alike = append(alike, &deskv1.SimilarTicket{
			Ticket: ticketMessage(query.TicketViewRow{
				Ticket: row.Ticket, RequesterName: row.RequesterName, RequesterMail: row.RequesterMail, EndpointName: row.EndpointName,
			}),
			SameEndpoint:  t.EndpointID != "" && row.Ticket.EndpointID == t.EndpointID,
			SameComponent: t.Component != "" && row.Ticket.Component == t.Component,
			SameModel:     model != "" && row.Model == model,
		})
	}
	// Stable: among equals the latest stays first.
	slices.SortStableFunc(alike, func(a, b *deskv1.SimilarTicket) int { return cmp.Compare(likeness(b), likeness(a)) })
	return alike[:min(len(alike), similarShown)], nil
}

// likeness weighs what a solved ticket has in common, and that it says what
// helped.
func likeness(s *deskv1.SimilarTicket) int {
	points := 0
	for _, one := range []struct {
		true   bool
		points int
	}{{s.GetSameEndpoint(), 8}, {s.GetSameComponent(), 4}, {s.GetSameModel(), 2}, {s.GetTicket().GetResolution() != "", 1}} {
		if one.true {
			points += one.points
		}
	}
	return points
}

// Person gives somebody who asked for help.
func (d *Desk) Person(ctx context.Context, id string) (*constatv1.Person, error) {
	row, err := d.store.Read().PersonByID(ctx, line(id, 64))
	if err == nil && !reader(ctx).sees(row.Site) {
		// Who asked for help at a site is known there, wherever they are at home.
		filter, none := ticketScope(ctx, store.TicketFilter{RequesterID: row.ID, Limit: 1})
		var own []query.TicketViewRow
		if !none {
			own, err = d.store.Tickets(ctx, filter)
		}
		if err == nil && len(own) == 0 {
			err = sql.ErrNoRows
		}
	}
	if errors.Is(err, sql.ErrNoRows) {
		return nil, problem(ErrNotFound, "there is no person %s", line(id, 64))
	}
	return &constatv1.Person{Id: row.ID, Name: row.Name, Mail: row.Mail}, err
}
