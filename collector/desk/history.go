package desk

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"

	"google.golang.org/protobuf/types/known/timestamppb"

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

// Subject is whose history is asked for. Peripheral and Gear may both be set, of a
// printer that is polled: what is about either counts.
type Subject struct{ Requester, Endpoint, Peripheral, Gear string }

// historyAmong is how many of the newest tickets a history is made of.
const historyAmong = 300

// Recurrence is what came again, or came once: the tickets of one fault, or those
// of one category without a fault.
type Recurrence struct {
	Fault, Category string
	Times, Open     int
	// First and Last are when the oldest and the newest came.
	First, Last *timestamppb.Timestamp
	// Helped are the latest solutions that somebody wrote down, each once.
	Helped []Solution
}

// Solution is what helped in a ticket.
type Solution struct {
	Number int32
	Text   string
	At     *timestamppb.Timestamp
}

// helpedShown is how many solutions of a recurrence are worth showing.
const helpedShown = 2

// History gives what somebody or something has had before and what helped, what
// came most often first, of the newest tickets that the reader may see.
func (d *Desk) History(ctx context.Context, of Subject) ([]Recurrence, error) {
	if err := staffOnly(ctx, "look at others' tickets"); err != nil {
		return nil, err
	}
	rows, err := d.ticketsAbout(ctx, of, 0, historyAmong)
	if err != nil {
		return nil, err
	}
	var all []*Recurrence
	known := map[[2]string]*Recurrence{}
	for _, row := range rows {
		t := row.Ticket
		if t.Status == "merged" {
			continue // it is told where it went
		}
		key := [2]string{t.RootCause, ""}
		if t.RootCause == "" {
			key[1] = t.Category
		}
		r := known[key]
		if r == nil {
			r = &Recurrence{Fault: key[0], Category: key[1], Last: timestamp(t.CreatedAt)}
			known[key] = r
			all = append(all, r)
		}
		r.Times++
		r.First = timestamp(t.CreatedAt)
		if !finished(t.Status) {
			r.Open++
		}
		told := slices.ContainsFunc(r.Helped, func(s Solution) bool { return s.Text == t.Resolution })
		if t.Resolution != "" && finished(t.Status) && !told && len(r.Helped) < helpedShown {
			r.Helped = append(r.Helped, Solution{t.Number, t.Resolution, timestamp(t.LastSolvedAt)})
		}
	}
	// Stable: among equals the latest stays first.
	slices.SortStableFunc(all, func(a, b *Recurrence) int { return cmp.Compare(b.Times, a.Times) })
	list := make([]Recurrence, len(all))
	for i, r := range all {
		list[i] = *r
	}
	return list, nil
}

// TicketsAbout lists tickets about something, newest first, from below a number.
func (d *Desk) TicketsAbout(ctx context.Context, of Subject, before, limit int32) ([]*constatv1.Ticket, error) {
	if err := staffOnly(ctx, "look at others' tickets"); err != nil {
		return nil, err
	}
	rows, err := d.ticketsAbout(ctx, of, before, pageSize(limit))
	tickets := make([]*constatv1.Ticket, len(rows))
	for i, row := range rows {
		tickets[i] = ticketMessage(row)
	}
	return tickets, err
}

func (d *Desk) ticketsAbout(ctx context.Context, of Subject, before, limit int32) ([]query.TicketViewRow, error) {
	filter := store.TicketFilter{RequesterID: of.Requester, EndpointID: of.Endpoint, Before: before, Limit: limit}
	for kind, id := range map[string]string{aboutPeripheral: of.Peripheral, aboutGear: of.Gear} {
		if id != "" {
			filter.Subjects = append(filter.Subjects, store.Subject{Kind: kind, ID: id})
		}
	}
	if filter, none := ticketScope(ctx, filter); !none {
		return d.store.Tickets(ctx, filter)
	}
	return nil, nil
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
