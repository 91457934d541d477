package desk

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/store"
	"constat/collector/store/query"
	"constat/internal/diagnosis"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

const (
	// commandLife is how long a command waits for its endpoint.
	commandLife = time.Hour
	// answerTime is how long after that an endpoint that took it may still answer.
	answerTime = 10 * time.Minute
	// sweepEvery is how often overdue commands are looked for.
	sweepEvery = time.Minute
	// maxSteps bounds the progress of one command.
	maxSteps = 200
)

// Diagnose asks an endpoint, or the endpoint of a ticket, to run a procedure: when
// none is named, the one for the ticket's complaint, or else the full one. An
// endpoint that is offline gets the command when it comes back within the hour.
// The result goes to the ticket, where one is named, whether anybody follows or
// not.
func (d *Desk) Diagnose(ctx context.Context, a Actor, r *deskv1.DiagnoseRequest) (commandID string, err error) {
	if err := a.require("ask an endpoint for a diagnosis", staff...); err != nil {
		return "", err
	}
	ctx = For(ctx, a)
	procedure := r.GetProcedure()
	if _, known := diagnosis.Lookup(procedure); !known && procedure != "" {
		return "", problem(ErrInvalid, "there is no procedure %q", line(r.GetProcedure(), 64))
	}
	now := d.now()
	command := &constatv1.Command{
		Id: newID(), RequestedBy: a.Name, ExpiresAt: timestamppb.New(now.Add(commandLife)),
	}
	var endpoint query.Endpoint
	err = d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		wanted, ticket, fallback := r.GetEndpointId(), r.GetTicket(), "full"
		if ticket != 0 {
			if ticket, err = target(ctx, q, ticket); err != nil {
				return err
			}
			t, err := q.TicketByNumber(ctx, ticket)
			if err != nil {
				return err
			}
			if t.EndpointID == "" {
				return problem(ErrInvalid, "ticket %d names no endpoint to diagnose", ticket)
			}
			if wanted != "" && wanted != t.EndpointID {
				return problem(ErrInvalid, "ticket %d is about another endpoint", ticket)
			}
			wanted = t.EndpointID
			if _, known := diagnosis.Lookup(t.Category); known {
				fallback = t.Category
			}
		}
		if endpoint, err = findEndpoint(ctx, q, wanted); err != nil {
			return err
		}
		if endpoint.RevokedAt != 0 {
			return problem(ErrInvalid, "%s was revoked and takes no commands: enrol it again", endpoint.Hostname)
		}
		command.Verb = &constatv1.Command_Diagnose{Diagnose: &constatv1.DiagnoseCommand{Procedure: cmp.Or(procedure, fallback), Ticket: ticket}}
		content, err := store.PackMessage(command)
		if err != nil {
			return err
		}
		return q.AddCommand(ctx, query.AddCommandParams{
			ID: command.Id, EndpointID: endpoint.ID, Ticket: ticket, Content: content,
			CreatedAt: store.Millis(now), ExpiresAt: store.Millis(now.Add(commandLife)),
		})
	})
	if err != nil {
		return "", err
	}
	d.hint(endpointSubject(endpoint.ID))
	return command.Id, nil
}

// Follow tells how a command goes, from its beginning: first what happened
// already, then what happens. It returns nil after sending the diagnosis, and
// ErrUnfinished with the reason when there will be none. Steps of a finished
// command are not told.
func (d *Desk) Follow(ctx context.Context, commandID string, send func(*deskv1.DiagnoseResponse) error) error {
	commandID, err := checkID("the command", commandID)
	if err != nil {
		return problem(ErrNotFound, "%v", err)
	}
	told := int32(0)
	waiting := false
	return d.await(ctx, commandSubject(commandID), lookAgain, func() (bool, error) {
		q := d.store.Read()
		command, err := q.CommandByID(ctx, commandID)
		if errors.Is(err, sql.ErrNoRows) {
			return false, problem(ErrNotFound, "there is no command %s", commandID)
		}
		if err != nil {
			return false, err
		}
		if err := seesEndpointID(ctx, q, command.EndpointID); err != nil {
			return false, problem(ErrNotFound, "there is no command %s", commandID)
		}
		if command, err = d.expire(ctx, command); err != nil {
			return false, err
		}
		switch command.Status {
		case "done":
			found, err := findDiagnosis(ctx, q, command.EndpointID, command.DiagnosisID)
			if err == nil && found == nil && command.ExpiresAt <= store.Millis(d.now().Add(-answerTime)) {
				err = problem(ErrUnfinished, "the endpoint said it was done, and its diagnosis never came")
			}
			if err != nil || found == nil {
				return false, err // it waits in the endpoint's spool
			}
			return true, send(&deskv1.DiagnoseResponse{Event: &deskv1.DiagnoseResponse_Diagnosis{Diagnosis: found}})
		case "waiting":
			if !waiting {
				waiting = true
				return false, send(&deskv1.DiagnoseResponse{Event: &deskv1.DiagnoseResponse_WaitingUntil{WaitingUntil: timestamp(command.ExpiresAt)}})
			}
			return false, nil
		case "running":
			steps, err := q.StepsAfter(ctx, command.ID, told)
			if err != nil {
				return false, err
			}
			for _, step := range steps {
				progress := &constatv1.Progress{}
				if err := store.UnpackMessage(step.Content, progress); err != nil {
					return false, err
				}
				if err := send(&deskv1.DiagnoseResponse{Event: &deskv1.DiagnoseResponse_Progress{Progress: progress}}); err != nil {
					return false, err
				}
				told = step.Position
			}
			return false, nil
		default:
			return false, problem(ErrUnfinished, "%s", command.Reason)
		}
	})
}

// Commands delivers to an endpoint what it has to do, oldest first: what waits,
// then what comes, until ctx ends or deliver fails. A command that was begun on
// an earlier connection and has not ended is delivered again. Once the endpoint
// is revoked it returns ErrForbidden.
func (d *Desk) Commands(ctx context.Context, endpointID string, deliver func(*constatv1.Command) error) error {
	delivered := map[string]bool{}
	return d.await(ctx, endpointSubject(endpointID), endpointLookAgain, func() (bool, error) {
		now := d.now()
		if _, err := activeEndpoint(ctx, d.store.Read(), endpointID); err != nil {
			return false, err
		}
		pending, err := d.store.Read().PendingCommands(ctx, endpointID, store.Millis(now))
		if err != nil {
			return false, err
		}
		for _, row := range pending {
			if delivered[row.ID] {
				continue
			}
			command := &constatv1.Command{}
			if err := store.UnpackMessage(row.Content, command); err != nil {
				return false, fmt.Errorf("command %s: %w", row.ID, err)
			}
			if err := deliver(command); err != nil {
				return false, err
			}
			delivered[row.ID] = true
			err := d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
				return q.StartCommand(ctx, row.ID, store.Millis(now))
			})
			if err != nil {
				return false, err
			}
			d.hint(commandSubject(row.ID))
		}
		return false, nil
	})
}

// Progress notes a step of a command of this endpoint. One of a command that is
// finished, or another endpoint's, is ErrNotFound.
func (d *Desk) Progress(ctx context.Context, endpointID string, p *constatv1.Progress) error {
	content, err := store.PackMessage(&constatv1.Progress{
		CommandId: line(p.GetCommandId(), 64), Phase: line(p.GetPhase(), 40), Group: line(p.GetGroup(), 40),
		Status: line(p.GetStatus(), 40), Done: p.GetDone(), Total: p.GetTotal(),
	})
	if err != nil {
		return err
	}
	id := line(p.GetCommandId(), 64)
	err = d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		position, err := q.CountStep(ctx, id, endpointID)
		if errors.Is(err, sql.ErrNoRows) {
			return problem(ErrNotFound, "endpoint %s has no command %s under way", endpointID, id)
		}
		if err != nil || position > maxSteps {
			return err
		}
		return q.AddStep(ctx, id, position, content)
	})
	if err == nil {
		d.hint(commandSubject(id))
	}
	return err
}

// endings are how a command can end, by CommandResult.status.
var endings = map[string]bool{"done": true, "expired": true, "refused": true, "failed": true}

// Finish notes how a command of this endpoint ended, and brings its diagnosis to
// the ticket that asked for it. Finishing twice changes nothing.
func (d *Desk) Finish(ctx context.Context, endpointID string, r *constatv1.CommandResult) error {
	if !endings[r.GetStatus()] {
		return problem(ErrInvalid, "a command ends done, expired, refused or failed, not %q", line(r.GetStatus(), 40))
	}
	diagnosisID := ""
	if r.GetStatus() == "done" && r.GetDiagnosisId() != "" {
		var err error
		if diagnosisID, err = checkID("the diagnosis", r.GetDiagnosisId()); err != nil {
			return err
		}
	}
	reason := line(r.GetReason(), maxTitle)
	if reason == "" && r.GetStatus() != "done" {
		reason = "the endpoint ended the command: " + r.GetStatus()
	}
	var hints []string
	err := d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		hints = nil
		if _, err := q.LockEndpoint(ctx, endpointID); err != nil {
			return err
		}
		command, err := q.CommandByID(ctx, line(r.GetCommandId(), 64))
		if errors.Is(err, sql.ErrNoRows) || err == nil && command.EndpointID != endpointID {
			return problem(ErrNotFound, "endpoint %s has no command %s", endpointID, line(r.GetCommandId(), 64))
		}
		if err != nil {
			return err
		}
		asked, err := remedyOf(command)
		if err != nil {
			return err
		}
		if asked == nil && r.GetStatus() == "done" && diagnosisID == "" {
			return problem(ErrInvalid, "a diagnosis that is done has an id")
		}
		fresh, err := d.finish(ctx, q, command, r.GetStatus(), reason, diagnosisID)
		if err != nil || !fresh {
			return err
		}
		hints = append(hints, commandSubject(command.ID))
		if command.Ticket == 0 {
			return nil
		}
		hints = append(hints, ticketSubject(command.Ticket))
		if r.GetStatus() != "done" {
			return d.noteUnfinished(ctx, q, command, r.GetStatus(), reason)
		}
		if asked != nil {
			return nil // the person at the machine has the word now
		}
		found, err := findDiagnosis(ctx, q, endpointID, diagnosisID)
		if err != nil || found == nil {
			return err // it attaches when it comes
		}
		_, err = d.attach(ctx, q, command.Ticket, command.EndpointID, found)
		return err
	})
	if err == nil {
		d.hint(hints...)
	}
	return err
}

// finish ends a command, unless it is done already, and tells whether it did.
func (d *Desk) finish(ctx context.Context, q *query.Queries, command query.Command, status, reason, diagnosisID string) (bool, error) {
	changed, err := q.FinishCommand(ctx, query.FinishCommandParams{
		ID: command.ID, Status: status, Reason: reason, DiagnosisID: diagnosisID, FinishedAt: store.Millis(d.now()),
	})
	if err != nil || changed == 0 {
		return false, err
	}
	return true, q.DeleteSteps(ctx, command.ID)
}

// noteUnfinished says in the ticket that a diagnosis, or a remedy, was asked for
// in vain.
func (d *Desk) noteUnfinished(ctx context.Context, q *query.Queries, command query.Command, status, reason string) error {
	if asked, err := remedyOf(command); err != nil || asked != nil {
		if err != nil {
			return err
		}
		return d.unasked(ctx, q, command, asked, status, reason)
	}
	t, err := lockTarget(ctx, q, command.Ticket)
	if err != nil {
		return err
	}
	return writeEntry(ctx, q, t.Number, d.now(), &constatv1.TicketEntry{
		Id: command.ID, Kind: "note", Actor: System.Name, ActorRole: "system",
		Text: "The diagnosis that was asked for did not come: " + reason,
	})
}

// expire ends a command whose time is over and gives it as it is then. Any
// number of collectors may try; one of them does it.
func (d *Desk) expire(ctx context.Context, command query.Command) (query.Command, error) {
	now := d.now()
	var reason string
	switch {
	case command.Status == "waiting" && command.ExpiresAt <= store.Millis(now):
		reason = fmt.Sprintf("the endpoint was offline and did not take the command within %s", commandLife)
	case command.Status == "running" && command.ExpiresAt <= store.Millis(now.Add(-answerTime)):
		reason = "the endpoint took the command and never said how it ended"
	default:
		return command, nil
	}
	expired := false
	err := d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		expired = false
		changed, err := q.ExpireCommand(ctx, command.ID, reason, store.Millis(now))
		if err != nil || changed == 0 {
			return err
		}
		expired = true
		if err := q.DeleteSteps(ctx, command.ID); err != nil || command.Ticket == 0 {
			return err
		}
		return d.noteUnfinished(ctx, q, command, "expired", reason)
	})
	if err != nil {
		return command, err
	}
	if expired {
		d.hint(commandSubject(command.ID))
		if command.Ticket != 0 {
			d.hint(ticketSubject(command.Ticket))
		}
	}
	return d.store.Read().CommandByID(ctx, command.ID)
}

// Run does what time brings until ctx ends: it ends commands that nobody took,
// so that a ticket says so although nobody looks, forgets what expired, tells
// which promises are due, and judges tickets again by news of the gear. Every
// collector runs it; they may all do so at once.
func (d *Desk) Run(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	var closed time.Time // when solved tickets were looked at
	for {
		if err := d.sweep(ctx); err != nil && ctx.Err() == nil {
			slog.Error("ending overdue commands failed; it is tried again", "error", err)
		}
		if err := d.watchClocks(ctx); err != nil && ctx.Err() == nil {
			slog.Error("telling what is due failed; it is tried again", "error", err)
		}
		if _, err := d.returnOfGone(ctx); err != nil && ctx.Err() == nil {
			slog.Error("giving on the tickets of people who are gone failed; it is tried again", "error", err)
		}
		if now := d.now(); now.Sub(closed) >= closeEvery {
			if err := d.closeSolved(ctx); err != nil && ctx.Err() == nil {
				slog.Error("closing solved tickets failed; it is tried again", "error", err)
			}
			closed = now
		}
		if err := d.watchTurns(ctx); err != nil && ctx.Err() == nil {
			slog.Error("giving untouched tickets back failed; it is tried again", "error", err)
		}
		if err := d.readNews(ctx); err != nil && ctx.Err() == nil {
			slog.Error("judging tickets again by news of the gear failed; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (d *Desk) sweep(ctx context.Context) error {
	now := d.now()
	overdue, err := d.store.Read().OverdueCommands(ctx, store.Millis(now), store.Millis(now.Add(-answerTime)))
	if err != nil {
		return err
	}
	for _, command := range overdue {
		if _, err := d.expire(ctx, command); err != nil {
			return err
		}
	}
	return d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		if err := q.DeleteExpiredLinks(ctx, store.Millis(now)); err != nil {
			return err
		}
		if err := q.DeleteExpiredSessions(ctx, store.Millis(now)); err != nil {
			return err
		}
		return d.forgetNotices(ctx, q)
	})
}
