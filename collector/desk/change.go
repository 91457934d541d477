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

// settable are the states that a technician gives a ticket; `merged` comes by
// merging only.
var settable = []string{"new", "open", "pending", "solved", "closed"}

// kinds are what a ticket can be, in ITIL's words.
var kinds = []string{"incident", "request"}

// Update changes fields of a ticket for somebody who saw its present version;
// ErrConflict when another is in place, so that two technicians never overwrite
// each other. What changed stands in the timeline; changing nothing is no
// change.
func (d *Desk) Update(ctx context.Context, a Actor, r *deskv1.UpdateTicketRequest) (*constatv1.Ticket, error) {
	if err := a.require("change tickets", staff...); err != nil {
		return nil, err
	}
	ctx = For(ctx, a)
	var ticket *constatv1.Ticket
	changed := false
	err := d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		before, err := lock(ctx, q, r.GetNumber())
		if err != nil {
			return err
		}
		if before.MergedInto != 0 {
			if _, err := target(ctx, q, before.Number); err != nil {
				return err
			}
			return problem(ErrInvalid, "ticket %d was merged into %d: change that one", before.Number, before.MergedInto)
		}
		if before.Version != r.GetVersion() {
			return problem(ErrConflict, "ticket %d was changed since you read it: look at it again, then repeat your change", before.Number)
		}
		if err := d.settle(ctx, q, &before); err != nil {
			return err
		}
		after := before
		if err := d.apply(ctx, q, a, &after, r); err != nil {
			return err
		}
		if changed, err = d.keep(ctx, q, a, before, after); err != nil {
			return err
		}
		if err := d.noteDeed(ctx, q, a, r.GetDeed(), before, after); err != nil {
			return err
		}
		ticket, err = view(ctx, q, r.GetNumber())
		return err
	})
	if err != nil {
		return nil, err
	}
	if changed {
		d.hint(ticketSubject(r.GetNumber()))
	}
	if changed && r.Endpoint != nil && ticket.GetEndpointId() != "" {
		d.hint(endpointSubject(ticket.GetEndpointId())) // which may be asked for a diagnosis
	}
	if changed && r.Status != nil {
		d.hintAnswer(ticket.GetEndpointId())
	}
	return ticket, nil
}

// apply puts the fields that are set in the request into the ticket.
func (d *Desk) apply(ctx context.Context, q *query.Queries, a Actor, t *query.Ticket, r *deskv1.UpdateTicketRequest) error {
	if err := sort(t, a, r); err != nil {
		return err
	}
	if err := follow(ctx, q, t, r); err != nil {
		return err
	}
	if r.Status != nil {
		if !slices.Contains(settable, r.GetStatus()) {
			return problem(ErrInvalid, "a ticket cannot be made %q: it is one of %s", line(r.GetStatus(), 40), strings.Join(settable, ", "))
		}
		d.setStatus(t, r.GetStatus())
	}
	if r.Assignee != nil && r.GetAssignee() != t.Assignee {
		name, err := assignable(ctx, q, r.GetAssignee(), t.Site)
		if err != nil {
			return err
		}
		t.Assignee, t.AssignmentReason, t.AssignedBy = name, "chosen by hand", byHand
		if name == "" {
			t.AssignmentReason = "given back by hand"
		}
	}
	moved := false
	if r.Endpoint != nil {
		var err error
		if moved, err = d.setEndpoint(ctx, q, t, r.GetEndpoint()); err != nil {
			return err
		}
	}
	named, err := concern(ctx, q, t, r)
	if err != nil {
		return err
	}
	if r.Site != nil {
		if err := setSite(ctx, q, t, r.GetSite()); err != nil {
			return err
		}
	}
	if r.Title != nil {
		title := line(r.GetTitle(), maxTitle)
		if title == "" {
			return problem(ErrInvalid, "a ticket needs a title")
		}
		if title != t.Title {
			t.Title, t.TitleDerived = title, 0
		}
	}
	if r.Resolution != nil {
		t.Resolution = clean(strings.TrimSpace(r.GetResolution()), maxResolution)
	}
	if r.Impact != nil {
		if !slices.Contains(impacts, r.GetImpact()) {
			return problem(ErrInvalid, "there is no impact %q: it is one of %s", line(r.GetImpact(), 40), strings.Join(impacts, ", "))
		}
		t.Impact, t.ImpactSet = r.GetImpact(), 1
	}
	if r.Urgency != nil {
		if !slices.Contains(urgencies, r.GetUrgency()) {
			return problem(ErrInvalid, "there is no urgency %q: it is one of %s", line(r.GetUrgency(), 40), strings.Join(urgencies, ", "))
		}
		t.Urgency, t.UrgencySet = r.GetUrgency(), 1
	}
	if moved || named || r.Impact != nil || r.Urgency != nil {
		return d.prioritise(ctx, q, t, d.now())
	}
	return nil
}

// setEndpoint makes a ticket one about a machine, by its id or name, or about none, and
// tells whether that is another than before. What was found on the one before is no
// cause of it any more, and the new one is asked.
func (d *Desk) setEndpoint(ctx context.Context, q *query.Queries, t *query.Ticket, name string) (moved bool, err error) {
	var machine query.Endpoint
	if strings.TrimSpace(name) != "" {
		if machine, err = findEndpoint(ctx, q, name); errors.Is(err, ErrNotFound) {
			err = problem(ErrInvalid, "there is no machine %q: write its name as it stands in the list of machines", line(name, maxName))
		}
	}
	if err != nil || machine.ID == t.EndpointID {
		return false, err
	}
	t.EndpointID, t.DiagnosisID, t.DiagnosedAt = machine.ID, "", 0
	t.RootCause, t.Certainty, t.Component, t.Brand = "", "", "", ""
	t.Site = cmp.Or(t.Site, machine.Site)
	if _, err := setConcerned(ctx, q, t, list(t.Concerned)); err != nil { // it may be among them
		return false, err
	}
	if machine.ID != "" && t.Type == "incident" && !finished(t.Status) {
		return true, d.askOf(ctx, q, machine.ID, t.Category, t.Number)
	}
	return true, nil
}

// setStatus changes the state and keeps when it was first and last solved.
func (d *Desk) setStatus(t *query.Ticket, status string) {
	solved := func(s string) bool { return s == "solved" || s == "closed" }
	if solved(status) && !solved(t.Status) {
		t.LastSolvedAt = store.Millis(d.now())
		if t.FirstSolvedAt == 0 {
			t.FirstSolvedAt = t.LastSolvedAt
		}
	}
	t.Status = status
}

// assignable gives the name of the user as they spell it, who must see tickets of
// the site; "" takes the ticket away from everybody.
func assignable(ctx context.Context, q *query.Queries, name, site string) (string, error) {
	if name == "" {
		return "", nil
	}
	user, err := userNamed(ctx, q, name)
	if err == nil && !userActor(user).sees(site) {
		err = problem(ErrInvalid, "%s does not work on tickets of this site", user.Name)
	}
	return user.Name, err
}

// keep saves a changed ticket with a line about the change, and tells whether
// there was one.
func (d *Desk) keep(ctx context.Context, q *query.Queries, a Actor, before, after query.Ticket) (bool, error) {
	if before == after {
		return false, nil
	}
	now := d.now()
	if err := d.saveTicket(ctx, q, after, now); err != nil {
		return false, err
	}
	changes := differences(before, after)
	if before.EndpointID != after.EndpointID {
		change := &constatv1.FieldChange{Field: "endpoint"}
		var err error
		if change.Before, err = hostname(ctx, q, before.EndpointID); err == nil {
			change.After, err = hostname(ctx, q, after.EndpointID)
		}
		if err != nil {
			return false, err
		}
		changes = append(changes, change)
	}
	if len(changes) > 0 {
		err := writeEntry(ctx, q, after.Number, now, &constatv1.TicketEntry{
			Id: newID(), Kind: "change", Actor: a.Name, ActorRole: entryRole(a), Changes: changes,
		})
		if err != nil {
			return false, err
		}
	}
	if err := touched(ctx, q, a, after.Number); err != nil {
		return false, err
	}
	if err := d.handed(ctx, q, a, before.Assignee, false, after); err != nil {
		return false, err
	}
	if done(before.Status) && !finished(after.Status) && a.Role != "system" {
		h := happening{kind: ToldReopened, id: newID(), ticket: after, actor: a, to: concerned(after)}
		if err := d.tell(ctx, q, h); err != nil {
			return false, err
		}
	}
	if !finished(after.Status) && (after.Assignee != before.Assignee || finished(before.Status)) {
		// It comes back to somebody who has left meanwhile.
		saved, err := q.LockTicket(ctx, after.Number)
		if err != nil {
			return false, err
		}
		if _, err := d.passOnOfGone(ctx, q, saved); err != nil {
			return false, err
		}
	}
	if before.Title != after.Title || before.Resolution != after.Resolution || before.Tags != after.Tags || before.Category != after.Category || before.EndpointID != after.EndpointID || before.Concerned != after.Concerned {
		return true, addWords(ctx, q, after, after.Resolution)
	}
	return true, nil
}

// hostname is what a machine is called; empty: there is none of the id.
func hostname(ctx context.Context, q *query.Queries, id string) (string, error) {
	machine, err := q.EndpointByID(ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return cmp.Or(machine.Hostname, machine.ID), err
}

// entryRole is how the timeline calls a role.
func entryRole(a Actor) string {
	if a.Role == "lead" || a.Role == "administrator" {
		return "technician"
	}
	return a.Role
}

// AddEntry adds a message that the requester reads, or a note that they don't.
// Adding the same id again gives the entry that is there. The first message of a
// technician opens a new ticket; a message of the requester opens a ticket that
// was thought done, or makes a new one that points back when its time is over. A number that was merged leads on.
func (d *Desk) AddEntry(ctx context.Context, a Actor, r *deskv1.AddEntryRequest) (*constatv1.TicketEntry, error) {
	if err := a.require("write in tickets", everybody...); err != nil {
		return nil, err
	}
	ctx = For(ctx, a)
	id, err := checkID("the entry", r.GetId())
	if err != nil {
		return nil, err
	}
	text := strings.TrimSpace(clean(r.GetText(), MaxText))
	if text == "" && r.GetMinutes() == 0 && len(r.GetFiles()) == 0 {
		return nil, problem(ErrInvalid, "the text is empty")
	}
	if err := checkMinutes(a, r.GetMinutes()); err != nil {
		return nil, err
	}
	files, err := readFiles(r.GetFiles())
	if err != nil {
		return nil, err
	}
	switch r.GetKind() {
	case "message":
		if left := Unfilled(text); left != "" && entryRole(a) == "technician" {
			return nil, problem(ErrInvalid, "the message still holds %s, which has no value in this ticket: write there what is meant", left)
		}
	case "note":
		if err := a.require("write internal notes", staff...); err != nil {
			return nil, err
		}
	default:
		return nil, problem(ErrInvalid, "an entry is a message or a note, not %q", line(r.GetKind(), 40))
	}
	var entry *constatv1.TicketEntry
	var number int32
	var machine string
	err = d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		ticket, err := lockTarget(ctx, q, r.GetNumber())
		if err != nil {
			return err
		}
		if err := d.settle(ctx, q, &ticket); err != nil {
			return err
		}
		if _, err := q.Entry(ctx, ticket.Number, id); errors.Is(err, sql.ErrNoRows) && r.GetKind() == "message" {
			if ticket, err = d.placeOf(ctx, q, a, ticket, id, text); err != nil {
				return err
			}
		}
		number, machine = ticket.Number, ticket.EndpointID
		if _, err := q.Entry(ctx, number, id); errors.Is(err, sql.ErrNoRows) {
			entry := &constatv1.TicketEntry{
				Id: id, Kind: r.GetKind(), Actor: line(a.Name, maxName), ActorRole: entryRole(a), Text: text, Minutes: r.GetMinutes(),
			}
			if entry.Kind == "note" {
				if entry.Mentions, err = d.mention(ctx, q, a, &ticket, text); err != nil {
					return err
				}
			} else if r.SeenMessage != nil {
				if err := answered(ctx, q, a, number, r.GetSeenMessage()); err != nil {
					return err
				}
			}
			if err := q.DropSentDraft(ctx, a.ID, number, id); err != nil {
				return err
			}
			if err := d.say(ctx, q, a, ticket, entry, files); err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
		row, err := q.Entry(ctx, number, id)
		if err != nil {
			return err
		}
		if entry, err = entryMessage(row); err != nil {
			return err
		}
		return addFiles(ctx, q, number, []*constatv1.TicketEntry{entry})
	})
	if err != nil {
		return nil, err
	}
	d.hint(ticketSubject(number))
	if entry.GetKind() == "message" && entryRole(a) != "requester" {
		d.hintAnswer(machine)
	}
	return entry, nil
}

// say writes a new entry into a ticket, with all that comes of it.
func (d *Desk) say(ctx context.Context, q *query.Queries, a Actor, ticket query.Ticket, entry *constatv1.TicketEntry, files []file) error {
	if err := writeEntry(ctx, q, ticket.Number, d.now(), entry); err != nil {
		return err
	}
	if err := keepFiles(ctx, q, ticket.Number, entry.GetId(), files); err != nil {
		return err
	}
	if err := touched(ctx, q, a, ticket.Number); err != nil {
		return err
	}
	if err := d.react(ctx, q, a, ticket, entry, files); err != nil {
		return err
	}
	if entry.GetText() == "" && len(files) == 0 {
		return nil
	}
	return d.tellEntry(ctx, q, a, ticket, entry)
}

// react is what a new entry does to its ticket.
func (d *Desk) react(ctx context.Context, q *query.Queries, a Actor, before query.Ticket, entry *constatv1.TicketEntry, files []file) error {
	after := before
	said := entry.GetKind() == "message" && (entry.GetText() != "" || len(files) > 0) // not only time spent
	answered := said && entryRole(a) == "technician"
	asked := said && a.Role == "requester"
	if answered && after.FirstResponseAt == 0 {
		after.FirstResponseAt = store.Millis(d.now())
	}
	switch {
	case answered:
		after.AskedAt, after.AskedHeldMs = 0, 0
	case asked && after.AskedAt == 0: // more words make nobody wait anew
		after.AskedAt, after.AskedHeldMs = store.Millis(d.now()), 0
	}
	if answered && before.Status == "new" || asked && slices.Contains([]string{"pending", "solved", "closed"}, before.Status) {
		l, err := d.levels(ctx, q)
		if err != nil {
			return err
		}
		if finished(before.Status) && l.ReopenedTo == toQueue && before.Assignee != "" {
			after.Assignee, after.AssignedBy, after.AssignmentReason = "", "", "given back as its requester opened it again"
		}
		d.setStatus(&after, "open")
	}
	if _, err := d.keep(ctx, q, System, before, after); err != nil {
		return err
	}
	texts := []string{entry.GetText()}
	for _, f := range files {
		texts = append(texts, f.name)
	}
	return addWords(ctx, q, after, texts...)
}
