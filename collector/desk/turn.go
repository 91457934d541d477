package desk

import (
	"context"
	"slices"
	"strings"
	"time"

	"constat/collector/store"
	"constat/collector/store/query"
	constatv1 "constat/proto/constat/v1"
)

// maxTurns is how many waiting tickets one look takes.
const maxTurns = 200

// handed writes down whose turn a ticket is, and tells them. before is who had it;
// fresh: it has just come to be.
func (d *Desk) handed(ctx context.Context, q *query.Queries, a Actor, before string, fresh bool, t query.Ticket) error {
	if t.Assignee == before && !fresh {
		return nil
	}
	if err := q.PutTurn(ctx, query.PutTurnParams{Number: t.Number, Assignee: t.Assignee, Since: store.Millis(d.now())}); err != nil {
		return err
	}
	return d.tellAssigned(ctx, q, a, before, t)
}

// touched keeps a ticket with whom it is: one of the team has begun with it.
func touched(ctx context.Context, q *query.Queries, a Actor, number int32) error {
	if entryRole(a) != "technician" {
		return nil
	}
	return q.SettleTurn(ctx, number)
}

// watchTurns gives tickets back that their assignee has not touched in the time
// that is promised for it, and tells those who lead of tickets that nobody has.
func (d *Desk) watchTurns(ctx context.Context) error {
	l, err := d.levels(ctx, d.store.Read())
	if err != nil || l.returnAfter == 0 && l.unassignedAfter == 0 {
		return err
	}
	// Working time is never longer than the time that passes.
	soonest := max(l.returnAfter, l.unassignedAfter)
	for _, wait := range []time.Duration{l.returnAfter, l.unassignedAfter} {
		if wait > 0 {
			soonest = min(soonest, wait)
		}
	}
	before := store.Millis(d.now().Add(-soonest))
	for after := int64(-1); ; {
		numbers, err := d.store.Read().TurnsSince(ctx, before, after, maxTurns)
		if err != nil || len(numbers) == 0 {
			return err
		}
		for _, number := range numbers {
			var changed bool
			err := d.store.Write(ctx, func(ctx context.Context, q *query.Queries) (err error) {
				changed, after, err = d.endTurn(ctx, q, number, after)
				return err
			})
			if err != nil {
				return err
			}
			if changed {
				d.hint(ticketSubject(number))
			}
		}
		if len(numbers) < maxTurns {
			return nil
		}
	}
}

// endTurn looks whether a ticket has waited its time, and does what is due then.
// Of several collectors one is first; the others find nothing to do.
func (d *Desk) endTurn(ctx context.Context, q *query.Queries, number int32, after int64) (changed bool, since int64, err error) {
	t, err := q.LockTicket(ctx, number)
	if err != nil {
		return false, after, err
	}
	turn, err := q.Turn(ctx, number)
	if err != nil {
		return false, after, err
	}
	since = max(after, turn.Since)
	l, err := d.levels(ctx, q)
	if err != nil || turn.Settled == 1 {
		return false, since, err
	}
	waited := l.calendar.Between(store.Time(turn.Since), d.now())
	switch {
	case finished(t.Status) || t.Assignee != turn.Assignee:
		return false, since, q.SettleTurn(ctx, number)
	case t.Assignee == "":
		if l.unassignedAfter == 0 || waited < l.unassignedAfter {
			return false, since, nil
		}
		if err := q.SettleTurn(ctx, number); err != nil {
			return false, since, err
		}
		h := happening{kind: ToldUnassigned, id: newID(), ticket: t, actor: System, leads: true}
		return true, since, d.tell(ctx, q, h)
	// What a person chose stays as they chose it.
	case t.Status != "new" || t.AssignedBy != byRule || t.FirstResponseAt != 0:
		return false, since, q.SettleTurn(ctx, number)
	case l.returnAfter == 0 || waited < l.returnAfter:
		return false, since, nil
	}
	why := &constatv1.FieldChange{Field: "returned", Before: t.Assignee, After: l.returnAfter.String()}
	return true, since, d.passOn(ctx, q, t, why, append(list(turn.LetLie), t.Assignee))
}

// passOn takes a ticket from who has it and gives it to another, or to nobody when
// there is none; why it does stands in the timeline. Who let it lie does not get it.
func (d *Desk) passOn(ctx context.Context, q *query.Queries, t query.Ticket, why *constatv1.FieldChange, letLie []string) error {
	now, had := d.now(), t.Assignee
	found, err := findDiagnosis(ctx, q, t.EndpointID, t.DiagnosisID)
	if err != nil {
		return err
	}
	again, err := secondOf(ctx, q, t.EndpointID, found)
	if err != nil {
		return err
	}
	text, err := textOf(ctx, q, t)
	if err != nil {
		return err
	}
	decided, err := d.choose(ctx, q, &t, matterOf(&t, firstCause(again, found), text), letLie...)
	if err != nil {
		return err
	}
	if err := d.saveTicket(ctx, q, t, now); err != nil {
		return err
	}
	err = writeEntry(ctx, q, t.Number, now, &constatv1.TicketEntry{
		Id: newID(), Kind: "change", Actor: System.Name, ActorRole: "system", Changes: []*constatv1.FieldChange{why},
	})
	if err != nil {
		return err
	}
	if err := writeAssignment(ctx, q, t.Number, now, decided); err != nil {
		return err
	}
	err = q.PutTurn(ctx, query.PutTurnParams{Number: t.Number, Assignee: t.Assignee, Since: store.Millis(now), LetLie: strings.Join(letLie, "\n")})
	if err != nil {
		return err
	}
	h := happening{kind: ToldReturned, id: newID(), ticket: t, actor: System, text: had, to: []string{had}, leads: t.Assignee == ""}
	if err := d.tell(ctx, q, h); err != nil {
		return err
	}
	return d.tellAssigned(ctx, q, System, had, t)
}

// atRisk tells whether it was time to warn of a promise that runs.
func (l *serviceLevels) atRisk(t *query.Ticket, now time.Time) bool {
	for _, due := range []int64{t.FirstDueAt, t.NextDueAt, t.SolutionDueAt} {
		if due > 0 && due <= store.Millis(now) {
			return true // without a look at the calendar, which takes a while
		}
	}
	for _, r := range l.running(t) {
		if at := l.after(r, l.WarnPercent); !at.IsZero() && !at.After(now) {
			return true
		}
	}
	return false
}

// readTurns checks who is told of what, and how long a ticket may lie.
func (l *serviceLevels) readTurns() error {
	tell := map[string][]string{stageWarned: {"assignee"}, stageMissed: {"assignee", "leads"}, stageEscalated: {"assignee", "leads"}}
	for stage, names := range l.Tell {
		if _, known := tell[stage]; !known {
			return problem(ErrInvalid, "the service levels: tell: there is no stage %q: it is warned, missed or escalated", line(stage, 40))
		}
		for _, who := range names {
			if !slices.Contains(whom, who) {
				return problem(ErrInvalid, "the service levels: tell: %s: there is no %q: it is one of %s", stage, line(who, 40), strings.Join(whom, ", "))
			}
		}
		tell[stage] = names
	}
	l.Tell = tell
	for _, of := range []struct {
		name, text string
		into       *time.Duration
	}{{"returnAfter", l.ReturnAfter, &l.returnAfter}, {"unassignedAfter", l.UnassignedAfter, &l.unassignedAfter}} {
		if of.text == "" {
			continue
		}
		wait, err := time.ParseDuration(of.text)
		if err != nil || wait < time.Minute || wait > 365*24*time.Hour {
			return problem(ErrInvalid, "the service levels: %s: %q is not a working time: write it as 30m or 8h", of.name, line(of.text, 40))
		}
		*of.into = wait
	}
	return nil
}

// whom are the names of roles that are told of a stage.
var whom = []string{"assignee", "followers", "leads", "administrators"}

// toldOf puts those who are told of a stage into what happened.
func (l *serviceLevels) toldOf(h *happening, stage string, t query.Ticket) {
	told := l.Tell[stage]
	has := func(who string) bool { return slices.Contains(told, who) }
	if has("assignee") && t.Assignee != "" {
		h.to = append(h.to, t.Assignee)
	}
	if has("followers") {
		h.to = append(h.to, list(t.Followers)...)
	}
	// Of a ticket that nobody has, those who lead learn in the assignee's place.
	h.leads = has("leads") || has("assignee") && t.Assignee == ""
	h.administrators = has("administrators")
}
