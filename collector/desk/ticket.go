package desk

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/store"
	"constat/collector/store/query"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// maxMerges is how many times a number is followed to the ticket it was merged
// into; more is a ring that must not be.
const maxMerges = 16

// Ticket gives a ticket and its timeline. The number of a ticket that was merged
// gives the one it was merged into.
func (d *Desk) Ticket(ctx context.Context, number int32) (*deskv1.GetTicketResponse, error) {
	q := d.store.Read()
	for range maxMerges {
		number, err := target(ctx, q, number)
		if err != nil {
			return nil, err
		}
		// In this order: a merge in between shows in the ticket then.
		rows, err := q.Entries(ctx, number)
		if err != nil {
			return nil, err
		}
		ticket, err := view(ctx, q, number)
		if err != nil {
			return nil, err
		}
		if ticket.GetMergedInto() != 0 {
			continue
		}
		answer := &deskv1.GetTicketResponse{Ticket: ticket}
		for _, row := range rows {
			entry, err := entryMessage(row)
			if err != nil {
				return nil, err
			}
			answer.Timeline = append(answer.Timeline, entry)
		}
		answer.Timeline = shownTimeline(ctx, answer.Timeline)
		if err := tellNames(ctx, q, answer.Timeline); err != nil {
			return nil, err
		}
		if err := addFiles(ctx, q, number, answer.Timeline); err != nil {
			return nil, err
		}
		links, err := linksOf(ctx, q, number)
		if err != nil {
			return nil, err
		}
		if answer.Links, err = shownLinks(ctx, q, links); err != nil {
			return nil, err
		}
		if reader(ctx).works() {
			if answer.Concerned, err = concernedIn(ctx, q, number); err != nil {
				return nil, err
			}
			if answer.Checklist, err = checklist(ctx, q, number); err == nil {
				answer.Maintenance, err = d.maintenanceOn(ctx, q, number)
			}
		}
		return answer, err
	}
	return nil, problem(ErrNotFound, "ticket %d is being merged again and again: try later", number)
}

// Tickets lists tickets, newest first, at most 200 at a time; those with a promise
// the nearest first, when these are asked for. Of the words of a query the first
// eight count, each as the beginning of a word; a query that is a number, also
// with # before it, gives that ticket first.
func (d *Desk) Tickets(ctx context.Context, r *deskv1.ListTicketsRequest) (*deskv1.ListTicketsResponse, error) {
	if status := r.GetStatus(); status != "" && status != "merged" && !slices.Contains(settable, status) {
		return nil, problem(ErrInvalid, "there is no status %q: it is one of %s, merged", line(status, 40), strings.Join(settable, ", "))
	}
	filter := store.TicketFilter{
		Query: r.GetQuery(), Before: r.GetBefore(), Status: r.GetStatus(), Active: r.GetActive(), Unassigned: r.GetUnassigned(),
		Assignee: line(r.GetAssignee(), maxName), EndpointID: line(r.GetEndpointId(), 64), RequesterID: line(r.GetRequesterId(), 64),
		Site: line(r.GetSite(), maxSite), Best: r.GetBest(), Limit: pageSize(r.GetLimit()),
	}
	if r.GetOrder() != "" && !slices.Contains(store.Orders, r.GetOrder()) {
		return nil, problem(ErrInvalid, "there is no order %q: it is one of %s", line(r.GetOrder(), 40), strings.Join(store.Orders, ", "))
	}
	if filter.Order = r.GetOrder(); filter.Order != "" && filter.Order != store.Newest {
		filter.Before = 0
	}
	if r.GetDue() {
		filter = store.TicketFilter{Due: true, Warned: r.GetAtRisk(), Assignee: filter.Assignee, Site: filter.Site, Limit: filter.Limit}
	}
	answer := &deskv1.ListTicketsResponse{}
	if number, err := strconv.ParseInt(strings.TrimPrefix(strings.TrimSpace(r.GetQuery()), "#"), 10, 32); err == nil && r.GetBefore() == 0 && !r.GetDue() {
		named, err := view(ctx, d.store.Read(), int32(number))
		if err == nil {
			answer.Tickets = append(answer.Tickets, named)
		} else if !errors.Is(err, ErrNotFound) {
			return nil, err
		}
	}
	filter, none := ticketScope(ctx, filter)
	if none {
		return answer, nil
	}
	rows, err := d.store.Tickets(ctx, filter)
	if err != nil {
		return nil, err
	}
	levels, err := d.levels(ctx, d.store.Read())
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if r.GetDue() && r.GetAtRisk() && !levels.atRisk(&row.Ticket, d.now()) {
			continue
		}
		if len(answer.Tickets) > 0 && row.Ticket.Number == answer.Tickets[0].Number {
			continue
		}
		answer.Tickets = append(answer.Tickets, shown(ctx, ticketMessage(row)))
	}
	return answer, nil
}

// Watch calls changed when the ticket or its timeline became different since
// Watch began, each time, until ctx ends; it returns ctx's error then. A ticket
// that is merged meanwhile is watched where it went.
func (d *Desk) Watch(ctx context.Context, ticket int32, changed func()) error {
	for watched := int32(0); ; {
		number, err := target(ctx, d.store.Read(), ticket)
		if err != nil {
			return err
		}
		moved := watched != 0
		watched = number
		known := int32(-1)
		err = d.await(ctx, ticketSubject(number), lookAgain, func() (bool, error) {
			q := d.store.Read()
			row, err := q.TicketByNumber(ctx, number)
			if err == nil && !seesTicket(ctx, row) {
				err = problem(ErrNotFound, "there is no ticket %d", number)
			}
			if err != nil || row.MergedInto != 0 {
				return err == nil, err
			}
			grown := row.Version + row.Entries
			if known >= 0 && grown != known || known < 0 && moved {
				changed()
			}
			known = grown
			return false, nil
		})
		if err != nil {
			return err
		}
	}
}

// target follows a number to the ticket that holds its matter now.
func target(ctx context.Context, q *query.Queries, number int32) (int32, error) {
	asked := number
	for range maxMerges {
		row, err := q.TicketByNumber(ctx, number)
		if errors.Is(err, sql.ErrNoRows) {
			return 0, problem(ErrNotFound, "there is no ticket %d", number)
		}
		if err == nil && row.MergedInto == 0 && !seesTicket(ctx, row) {
			err = problem(ErrNotFound, "there is no ticket %d", asked)
		}
		if err != nil || row.MergedInto == 0 {
			return number, err
		}
		number = row.MergedInto
	}
	return 0, problem(ErrNotFound, "ticket %d was merged in a ring", number)
}

// lockTarget locks the ticket that holds a number's matter now, and reads it.
func lockTarget(ctx context.Context, q *query.Queries, number int32) (query.Ticket, error) {
	for {
		number, err := target(ctx, q, number)
		if err != nil {
			return query.Ticket{}, err
		}
		t, err := lock(ctx, q, number)
		// Between the two somebody may have merged it, which no one can any
		// more once it is locked.
		if err != nil || t.MergedInto == 0 {
			return t, err
		}
	}
}

// lock locks a ticket that the reader may see, and reads it.
func lock(ctx context.Context, q *query.Queries, number int32) (query.Ticket, error) {
	t, err := q.LockTicket(ctx, number)
	if errors.Is(err, sql.ErrNoRows) || err == nil && t.MergedInto == 0 && !seesTicket(ctx, t) {
		return query.Ticket{}, problem(ErrNotFound, "there is no ticket %d", number)
	}
	return t, err
}

// view gives one ticket as it is shown.
func view(ctx context.Context, q *query.Queries, number int32) (*constatv1.Ticket, error) {
	row, err := q.TicketView(ctx, number)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !seesTicket(ctx, row.Ticket) {
		return nil, problem(ErrNotFound, "there is no ticket %d", number)
	}
	if err != nil {
		return nil, err
	}
	return shown(ctx, ticketMessage(row)), nil
}

func ticketMessage(row query.TicketViewRow) *constatv1.Ticket {
	t := row.Ticket
	return &constatv1.Ticket{
		Number: t.Number, Id: t.ID, Title: t.Title, Status: t.Status,
		Requester: &constatv1.Person{Id: t.RequesterID, Name: row.RequesterName, Mail: row.RequesterMail},
		Assignee:  t.Assignee, Queue: t.Queue, Category: t.Category, Channel: t.Channel,
		Impact: t.Impact, Urgency: t.Urgency, Priority: t.Priority,
		EndpointId: t.EndpointID, EndpointName: row.EndpointName,
		CreatedAt: timestamp(t.CreatedAt), UpdatedAt: timestamp(t.UpdatedAt), OccurredAt: timestamp(t.OccurredAt),
		Version: t.Version, RootCause: t.RootCause, Certainty: t.Certainty,
		AssignmentReason: t.AssignmentReason, PriorityReason: t.PriorityReason, MergedInto: t.MergedInto,
		DueAt: timestamp(t.DueAt), FirstResponseDueAt: timestamp(t.FirstDueAt), NextResponseDueAt: timestamp(t.NextDueAt), SolutionDueAt: timestamp(t.SolutionDueAt),
		FirstResponseAt: timestamp(t.FirstResponseAt), SolvedAt: timestamp(t.LastSolvedAt), Component: t.Component, Brand: t.Brand, Resolution: t.Resolution,
		Site: t.Site, Sharing: t.Sharing, ImpactSet: t.ImpactSet == 1, UrgencySet: t.UrgencySet == 1,
		Type: t.Type, Major: t.Major == 1, Tags: list(t.Tags), Followers: list(t.Followers), WantedBy: timestamp(t.WantedAt), Minutes: t.Minutes,
	}
}

// saveTicket writes what of a locked ticket may change, with its clocks wound.
func (d *Desk) saveTicket(ctx context.Context, q *query.Queries, t query.Ticket, now time.Time) error {
	levels, err := d.levels(ctx, q)
	if err != nil {
		return err
	}
	levels.wind(&t, now)
	saved, err := q.SaveTicket(ctx, query.SaveTicketParams{
		Number: t.Number, Version: t.Version, Title: t.Title, TitleDerived: t.TitleDerived,
		Status: t.Status, Assignee: t.Assignee, Impact: t.Impact, Urgency: t.Urgency,
		ImpactSet: t.ImpactSet, UrgencySet: t.UrgencySet, Priority: t.Priority,
		PriorityReason: t.PriorityReason, AssignmentReason: t.AssignmentReason,
		DiagnosedAt: t.DiagnosedAt, RootCause: t.RootCause, Certainty: t.Certainty,
		FirstResponseAt: t.FirstResponseAt, FirstSolvedAt: t.FirstSolvedAt, LastSolvedAt: t.LastSolvedAt,
		UpdatedAt: store.Millis(now), EndpointID: t.EndpointID, MergedInto: t.MergedInto, AssignedBy: t.AssignedBy,
		FirstDueAt: t.FirstDueAt, NextDueAt: t.NextDueAt, SolutionDueAt: t.SolutionDueAt, AskedAt: t.AskedAt,
		FrozenAt: t.FrozenAt, FrozenMs: t.FrozenMs, DueAt: t.DueAt, ClockAt: t.ClockAt,
		Component: t.Component, Brand: t.Brand, Resolution: t.Resolution, Sharing: t.Sharing,
		Category: t.Category, Queue: t.Queue, Type: t.Type, Major: t.Major, Tags: t.Tags, Followers: t.Followers, WantedAt: t.WantedAt, Site: t.Site,
		MaintenanceID: t.MaintenanceID, HeldUntil: t.HeldUntil, HeldAt: t.HeldAt, HeldMs: t.HeldMs, AskedHeldMs: t.AskedHeldMs, Concerned: t.Concerned,
	})
	if err == nil && saved == 0 {
		return problem(ErrConflict, "ticket %d was changed at the same time: look at it again", t.Number)
	}
	return err
}

// pageSize is how many rows a list gives when a caller asks for limit.
func pageSize(limit int32) int32 {
	if limit <= 0 {
		return 50
	}
	return min(limit, 200)
}

// flag is a condition as queries take it.
func flag(on bool) int32 {
	if on {
		return 1
	}
	return 0
}

// timestamp is a time of the database as messages carry it, nil for never.
func timestamp(ms int64) *timestamppb.Timestamp {
	if ms == 0 {
		return nil
	}
	return timestamppb.New(store.Time(ms))
}

// checkID refuses what is no UUIDv7, and gives the one spelling of what is.
func checkID(what, id string) (string, error) {
	parsed, err := uuid.Parse(id)
	if err != nil || parsed.Version() != 7 {
		return "", problem(ErrInvalid, "the id of %s is %q, not a UUIDv7", what, line(id, 64))
	}
	return parsed.String(), nil
}

// newID makes a UUIDv7.
func newID() string { return uuid.Must(uuid.NewV7()).String() }
