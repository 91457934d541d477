package desk

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/store"
	"constat/collector/store/query"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

const (
	// A person at a machine reads the newest of their tickets, and of each the
	// newest messages.
	personTickets, personMessages = 20, 50
	// maxPictures is how many pictures an endpoint sends with a ticket.
	maxPictures = 3
	// severalMachines is how many make an incident of a fault of what they share,
	// and troublesFor how long nobody is told of one that nobody ended.
	severalMachines = 3
	troublesFor     = 7 * 24 * time.Hour
	// replyWaits is how long a reply waits for a ticket that has not come.
	replyWaits = 24 * time.Hour
	// plannedAhead is how long before it begins people read of planned work, and
	// maxPlanned of how many.
	plannedAhead, maxPlanned = 7 * 24 * time.Hour, 5
)

// asker is the person of an account name at an endpoint; ErrNoRows: nobody has
// asked by that name.
func asker(ctx context.Context, q *query.Queries, account string) (query.Person, error) {
	return q.PersonByAccount(ctx, strings.ToLower(line(account, maxName)))
}

// PersonTickets gives what one person asked at an endpoint, as requesters read
// it, what the place knows to be wrong, and what is planned for the machine. The
// endpoint says who it is; what it gets is never of another endpoint.
func (d *Desk) PersonTickets(ctx context.Context, endpointID, account, language string) (*constatv1.ListPersonTicketsResponse, error) {
	q := d.store.Read()
	answer := &constatv1.ListPersonTicketsResponse{}
	machine, err := q.EndpointByID(ctx, endpointID)
	if err != nil {
		return nil, err
	}
	person, err := asker(ctx, q, account)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	var rows []query.Ticket
	if err == nil {
		rows, err = q.TicketsAskedAt(ctx, query.TicketsAskedAtParams{
			EndpointID: endpointID, RequesterID: person.ID, Since: machine.ReimagedAt, Among: personTickets,
		})
		if err != nil {
			return nil, err
		}
	}
	for _, row := range rows {
		ticket, err := d.personTicket(ctx, q, row, language)
		if err != nil {
			return nil, err
		}
		answer.Tickets = append(answer.Tickets, ticket)
	}
	if answer.Known, err = d.troubles(ctx, q, machine); err != nil {
		return nil, err
	}
	answer.Planned, err = d.plannedFor(ctx, q, machine, cmp.Or(language, "en"))
	return answer, err
}

// plannedFor is what is announced for a machine, as its people are told of it.
func (d *Desk) plannedFor(ctx context.Context, q *query.Queries, machine query.Endpoint, language string) (planned []*constatv1.PlannedWork, err error) {
	rows, err := q.MaintenancesUntil(ctx, store.Millis(d.now()), maxMaintenances)
	if err != nil {
		return nil, err
	}
	soon := store.Millis(d.now().Add(plannedAhead))
	for _, row := range rows {
		if row.Cancelled == 1 || row.FromAt > soon {
			continue
		}
		m, err := d.maintenanceMessage(row)
		if err != nil {
			return nil, err
		}
		if meets(m.GetMachines(), machine) {
			text := announcementIn(m, language)
			planned = append(planned, &constatv1.PlannedWork{From: m.GetFrom(), Until: m.GetUntil(), Title: text.GetTitle(), Text: text.GetText()})
		}
	}
	slices.SortStableFunc(planned, func(a, b *constatv1.PlannedWork) int { return a.GetFrom().AsTime().Compare(b.GetFrom().AsTime()) })
	return planned[:min(len(planned), maxPlanned)], nil
}

func (d *Desk) personTicket(ctx context.Context, q *query.Queries, t query.Ticket, language string) (*constatv1.PersonTicket, error) {
	title := t.Title
	if language != "" {
		title = d.titleIn(t, language)
	}
	ticket := &constatv1.PersonTicket{Ticket: &constatv1.Ticket{
		Id: t.ID, Number: t.Number, Title: title, Status: t.Status, Assignee: t.Assignee,
		CreatedAt: timestamp(t.CreatedAt), UpdatedAt: timestamp(t.UpdatedAt), DueAt: answerBy(t),
	}}
	messages, err := q.MessagesOf(ctx, t.Number, personMessages)
	if err != nil {
		return nil, err
	}
	files, err := q.AttachmentsOf(ctx, t.Number)
	if err != nil {
		return nil, err
	}
	for _, m := range slices.Backward(messages) {
		one := &constatv1.TicketEntry{Id: m.ID, At: timestamp(m.At), Kind: "message", Actor: m.Actor, ActorRole: m.ActorRole, Text: m.Text}
		for _, f := range files {
			if f.EntryID == m.ID {
				one.Files = append(one.Files, &constatv1.TicketFile{Name: f.Name, Size: f.Size})
			}
		}
		ticket.Messages = append(ticket.Messages, one)
	}
	return ticket, nil
}

// answerBy is by when who asked is promised an answer.
func answerBy(t query.Ticket) *timestamppb.Timestamp {
	switch {
	case finished(t.Status) || t.Status == "pending":
		return nil
	case t.FirstResponseAt == 0:
		return timestamp(t.FirstDueAt)
	}
	return timestamp(t.NextDueAt)
}

// troubles are what others at an endpoint's place have, and what is worked on: what
// a lead called major, and printers that several machines can't use. Of other faults
// only a person can tell whether machines that have the same share one.
func (d *Desk) troubles(ctx context.Context, q *query.Queries, e query.Endpoint) (known []*constatv1.Finding, err error) {
	rows, err := q.KnownTroubles(ctx, query.KnownTroublesParams{
		Site: e.Site, EndpointID: e.ID, Since: store.Millis(d.now().Add(-troublesFor)), Several: severalMachines,
	})
	for _, row := range rows {
		printer := row.Component != "" && strings.HasPrefix(row.RootCause, "printer-")
		if row.Major != 0 || printer {
			known = append(known, &constatv1.Finding{Fault: row.RootCause, Subject: row.Component, At: timestamp(row.Since)})
		}
	}
	return known, err
}

// readPictures makes files of the pictures with a ticket. What is none is left
// out: the person's words are worth more.
func readPictures(sent [][]byte) (pictures []file) {
	for i, content := range sent[:min(len(sent), maxPictures)] {
		end, isPicture := strings.CutPrefix(http.DetectContentType(content), "image/")
		if !isPicture || end != "png" && end != "jpeg" {
			continue
		}
		if read, err := readFiles([]*deskv1.NewFile{{Name: fmt.Sprintf("picture-%d.%s", i+1, end), Content: content}}); err == nil {
			pictures = append(pictures, read...)
		}
	}
	return pictures
}

func checkReply(r *constatv1.TicketReply) (*constatv1.TicketReply, error) {
	id, err := checkID("the reply", r.GetId())
	if err != nil {
		return nil, err
	}
	ticket, err := checkID("the reply’s ticket", r.GetTicketId())
	if err != nil {
		return nil, err
	}
	checked := &constatv1.TicketReply{
		Id: id, TicketId: ticket, Text: strings.TrimSpace(clean(r.GetText(), MaxText)),
		Requester: &constatv1.Person{Name: line(r.GetRequester().GetName(), maxName)},
	}
	if checked.Text == "" {
		return nil, problem(ErrInvalid, "the reply is empty")
	}
	if r.GetWrittenAt().IsValid() {
		checked.WrittenAt = r.GetWrittenAt()
	}
	return checked, nil
}

// takeReply adds what a person at the endpoint says in a ticket of theirs, or in
// the one that this was merged into.
func (in *intake) takeReply(ctx context.Context, r *constatv1.TicketReply) (*constatv1.Receipt, error) {
	receipt := &constatv1.Receipt{Id: r.GetId(), Status: "refused", Reason: "there is no such ticket of this person at this endpoint"}
	t, err := in.q.TicketByID(ctx, r.GetTicketId())
	if errors.Is(err, sql.ErrNoRows) && in.desk.now().Sub(r.GetWrittenAt().AsTime()) < replyWaits {
		receipt.Status = "later" // its ticket is on the way
	}
	if errors.Is(err, sql.ErrNoRows) || err == nil && t.EndpointID != in.endpoint {
		return receipt, nil
	}
	if err != nil {
		return nil, err
	}
	person, err := asker(ctx, in.q, r.GetRequester().GetName())
	if errors.Is(err, sql.ErrNoRows) || err == nil && t.RequesterID != person.ID {
		return receipt, nil
	}
	if err != nil {
		return nil, err
	}
	if t, err = lockTarget(ctx, in.q, t.Number); err != nil {
		return nil, err
	}
	says := Actor{ID: person.ID, Name: person.Name, Role: "requester"}
	if _, err := in.q.Entry(ctx, t.Number, r.GetId()); errors.Is(err, sql.ErrNoRows) { // a replay changes nothing
		if t, err = in.desk.placeOf(ctx, in.q, says, t, r.GetId(), r.GetText()); err != nil {
			return nil, err
		}
	}
	receipt = &constatv1.Receipt{Id: r.GetId(), Status: "stored", TicketNumber: t.Number}
	if _, err := in.q.Entry(ctx, t.Number, r.GetId()); !errors.Is(err, sql.ErrNoRows) {
		return receipt, err
	}
	in.hints = append(in.hints, ticketSubject(t.Number))
	return receipt, in.desk.say(ctx, in.q, says, t, &constatv1.TicketEntry{
		Id: r.GetId(), Kind: "message", Actor: person.Name, ActorRole: "requester", Text: r.GetText(),
	}, nil)
}

func answerSubject(endpoint string) string { return "endpoint." + endpoint + ".answer" }

func (d *Desk) hintAnswer(endpoint string) {
	if endpoint != "" {
		d.hint(answerSubject(endpoint))
	}
}

// Answered tells an endpoint whenever a technician did something in a ticket of
// its people, until ctx ends or tell fails. It is a hint, and may be lost: who
// looks at their tickets reads them as they are.
func (d *Desk) Answered(ctx context.Context, endpointID string, tell func() error) error {
	hinted := make(chan struct{}, 1)
	cancel, err := d.bus.Subscribe(answerSubject(endpointID), func(string, []byte) {
		select {
		case hinted <- struct{}{}:
		default: // one look sees all that happened before it
		}
	})
	if err != nil {
		return err
	}
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-hinted:
		}
		if err := tell(); err != nil {
			return err
		}
	}
}
