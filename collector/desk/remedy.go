package desk

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/google/uuid"

	"constat/collector/store"
	"constat/collector/store/query"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// maxRemedy bounds what an endpoint says of one remedy.
const maxRemedy = 64 << 10

// RequestRemedy asks the person at a ticket's endpoint for their consent to one
// of the agent's remedies. Nothing is done before they give it; what comes of it
// stands in the ticket's timeline.
func (d *Desk) RequestRemedy(ctx context.Context, a Actor, r *deskv1.RequestRemedyRequest) (*deskv1.RequestRemedyResponse, error) {
	if err := a.require("ask for a remedy", staff...); err != nil {
		return nil, err
	}
	ctx = For(ctx, a)
	now := d.now()
	command := &constatv1.Command{Id: newID(), RequestedBy: a.Name, ExpiresAt: timestamppb.New(now.Add(commandLife))}
	answer := &deskv1.RequestRemedyResponse{CommandId: command.Id, ExpiresAt: command.ExpiresAt}
	var endpoint query.Endpoint
	var number int32
	err := d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		t, err := lockTarget(ctx, q, r.GetTicket())
		if err != nil {
			return err
		}
		number = t.Number
		if !seesTicket(ctx, t) {
			return problem(ErrNotFound, "there is no ticket %d", r.GetTicket())
		}
		if t.EndpointID == "" {
			return problem(ErrInvalid, "ticket %d names no endpoint that could do it", number)
		}
		if endpoint, err = findEndpoint(ctx, q, t.EndpointID); err != nil {
			return err
		}
		if endpoint.RevokedAt != 0 {
			return problem(ErrInvalid, "%s was revoked and takes no commands: enrol it again", endpoint.Hostname)
		}
		cause, err := mendable(ctx, q, t, r)
		if err != nil {
			return err
		}
		// Of several that a finding names the first is tried.
		component, _, _ := strings.Cut(cause.GetComponent(), ", ")
		if r.GetComponent() != "" {
			component = line(r.GetComponent(), maxName)
		}
		answer.Component, answer.Fault = component, cause.GetFault()
		command.Verb = &constatv1.Command_Remedy{Remedy: &constatv1.RemedyCommand{
			Verb: r.GetVerb(), Component: component, Fault: cause.GetFault(), Ticket: number,
		}}
		content, err := store.PackMessage(command)
		if err != nil {
			return err
		}
		if err := q.AddCommand(ctx, query.AddCommandParams{
			ID: command.Id, EndpointID: endpoint.ID, Ticket: number, Content: content,
			CreatedAt: store.Millis(now), ExpiresAt: store.Millis(now.Add(commandLife)),
		}); err != nil {
			return err
		}
		return writeEntry(ctx, q, number, now, &constatv1.TicketEntry{
			Id: command.Id, Kind: "remedy", Actor: a.Name, ActorRole: "technician", Remedy: &constatv1.RemedyResult{
				Id: command.Id, Verb: r.GetVerb(), Component: component, Fault: cause.GetFault(), RequestedBy: a.Name, Ticket: number,
			},
		})
	})
	if err != nil {
		return nil, err
	}
	d.hint(endpointSubject(endpoint.ID), ticketSubject(number))
	return answer, nil
}

// mendable is the root cause of the ticket's latest diagnosis that a remedy is
// for: the one that was named, or the first.
func mendable(ctx context.Context, q *query.Queries, t query.Ticket, r *deskv1.RequestRemedyRequest) (*constatv1.RootCause, error) {
	entries, err := q.Entries(ctx, t.Number)
	if err != nil {
		return nil, err
	}
	for _, row := range slices.Backward(entries) {
		if row.Kind != "diagnosis" {
			continue
		}
		e, err := entryMessage(row)
		if err != nil {
			return nil, err
		}
		if e.GetDiagnosis().GetEndpointId() != t.EndpointID {
			continue
		}
		for _, cause := range e.GetDiagnosis().GetRootCauses() {
			if slices.Contains(cause.GetRemedies(), r.GetVerb()) && (r.GetFault() == "" || r.GetFault() == cause.GetFault()) {
				return cause, nil
			}
		}
		break // only the latest says how it is now
	}
	return nil, problem(ErrInvalid, "the latest diagnosis of ticket %d names no cause that the remedy %q is for: pull a fresh diagnosis", t.Number, line(r.GetVerb(), maxName))
}

// outcomes are how a remedy can end.
var outcomes = []string{"fixed", "notFixed", "refused", "expired", "failed", "undone"}

// checkRemedy gives a copy of what an endpoint says of a remedy, with every text
// fit to be stored.
func checkRemedy(r *constatv1.RemedyResult) (*constatv1.RemedyResult, error) {
	if size := proto.Size(r); size > maxRemedy {
		return nil, problem(ErrInvalid, "the remedy has %d bytes, more than %d", size, maxRemedy)
	}
	r = proto.CloneOf(r)
	var err error
	if r.Id, err = checkID("the remedy", r.GetId()); err != nil {
		return nil, err
	}
	if !word.MatchString(r.GetVerb()) || !slices.Contains(outcomes, r.GetOutcome()) {
		return nil, problem(ErrInvalid, "a remedy %q that ended %q is none", line(r.GetVerb(), maxName), line(r.GetOutcome(), maxName))
	}
	if r.GetAt() != nil && r.GetAt().CheckValid() != nil {
		return nil, problem(ErrInvalid, "the remedy's time is not a time")
	}
	for _, text := range []*string{&r.Component, &r.Fault, &r.RequestedBy, &r.ConsentedBy} {
		*text = line(*text, maxName)
	}
	for _, text := range []*string{&r.Reason, &r.Action} {
		*text = line(*text, maxTitle)
	}
	for _, text := range []*constatv1.RemedyText{r.Proof, r.Told} {
		if text != nil {
			text.En, text.Fr = line(text.GetEn(), maxTitle), line(text.GetFr(), maxTitle)
		}
	}
	return r, nil
}

// remedyEntryID is the timeline's id of a result: its request stands there under
// the id itself.
func remedyEntryID(id string) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte("remedy "+id)).String()
}

// takeRemedy keeps what came of a remedy with its machine, and brings it to the
// ticket that asked for it. What a person did of their own belongs to no ticket.
func (in *intake) takeRemedy(ctx context.Context, r *constatv1.RemedyResult) (*constatv1.Receipt, error) {
	receipt := &constatv1.Receipt{Id: r.GetId(), Status: "stored"}
	slog.Info("a remedy ended", "endpoint", in.endpoint, "verb", r.GetVerb(), "component", r.GetComponent(), "outcome", r.GetOutcome(),
		"requestedBy", r.GetRequestedBy(), "consentedBy", r.GetConsentedBy(), "ticket", r.GetTicket())
	var t query.Ticket
	var err error
	if r.GetTicket() != 0 {
		t, err = lockTarget(ctx, in.q, r.GetTicket())
		if errors.Is(err, ErrNotFound) || err == nil && t.EndpointID != in.endpoint {
			return &constatv1.Receipt{Id: r.GetId(), Status: "refused", Reason: "the ticket is not of this endpoint"}, nil
		}
		if err != nil {
			return nil, err
		}
	}
	content, err := store.PackMessage(r)
	if err != nil {
		return nil, err
	}
	now := store.Millis(in.desk.now())
	row := query.AddRemedyParams{
		EndpointID: in.endpoint, ID: r.GetId(), Verb: r.GetVerb(), Outcome: r.GetOutcome(), Ticket: t.Number, At: now, Content: content, ReceivedAt: now,
	}
	if r.GetAt() != nil {
		row.At = store.Millis(r.GetAt().AsTime())
	}
	if err := in.q.AddRemedy(ctx, row); err != nil {
		return nil, err
	}
	in.hints = append(in.hints, endpointSubject(in.endpoint))
	if t.Number == 0 {
		return receipt, nil
	}
	if err := writeEntry(ctx, in.q, t.Number, in.desk.now(), &constatv1.TicketEntry{
		Id: remedyEntryID(r.GetId()), Kind: "remedy", Actor: r.GetConsentedBy(), ActorRole: "agent", Remedy: r,
	}); err != nil {
		return nil, err
	}
	in.hints = append(in.hints, ticketSubject(t.Number))
	return receipt, nil
}

// unasked says in the ticket that a remedy was put before nobody.
func (d *Desk) unasked(ctx context.Context, q *query.Queries, command query.Command, asked *constatv1.RemedyCommand, status, reason string) error {
	t, err := lockTarget(ctx, q, command.Ticket)
	if err != nil {
		return err
	}
	outcome := map[string]string{"expired": "expired", "refused": "refused"}[status]
	if outcome == "" {
		outcome = "failed"
	}
	return writeEntry(ctx, q, t.Number, d.now(), &constatv1.TicketEntry{
		Id: remedyEntryID(command.ID), Kind: "remedy", Actor: System.Name, ActorRole: "system", Remedy: &constatv1.RemedyResult{
			Id: command.ID, Verb: asked.GetVerb(), Component: asked.GetComponent(), Fault: asked.GetFault(), Ticket: command.Ticket,
			Outcome: outcome, Reason: reason, At: timestamppb.New(d.now()),
		},
	})
}

// remedyOf is what a command asks for; nil: another thing.
func remedyOf(command query.Command) (*constatv1.RemedyCommand, error) {
	message := &constatv1.Command{}
	err := store.UnpackMessage(command.Content, message)
	return message.GetRemedy(), err
}
