package desk

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"constat/collector/desk/assignment"
	"constat/collector/store"
	"constat/collector/store/query"
	constatv1 "constat/proto/constat/v1"
)

// Who chose an assignee.
const (
	byRule = "rule"
	byHand = "hand"
)

// ofComplaint are the domains of the catalog that a complaint may turn out to be
// of, for a ticket without a diagnosis.
var ofComplaint = map[string][]string{
	"internet":   {"network"},
	"wifi":       {"wifi", "network"},
	"printing":   {"printer"},
	"peripheral": {"usb"},
	"software":   {"software"},
	"slow":       {"os", "hardware"},
	"power":      {"hardware"},
	"sign-in":    {"os"},
}

// maxMatterText is how much of the requester's words is looked at for brands and
// products, in bytes.
const maxMatterText = 4 << 10

// matterOf tells what a ticket is about: from its diagnosis, else from its
// category. cause is nil without a diagnosis.
func matterOf(t *query.Ticket, cause *constatv1.RootCause, text string) assignment.Matter {
	m := assignment.Matter{
		Language: t.Language, Site: t.Site, Source: assignment.FromNothing,
		Text: clean(t.Title+" "+text, maxMatterText),
	}
	switch {
	case cause.GetDomain() != "":
		m.Domains, m.Source = []string{line(cause.GetDomain(), maxName)}, assignment.FromDiagnosis
		m.Brand, m.Product = line(cause.GetBrand(), maxName), line(cause.GetComponent(), maxName)
	case len(ofComplaint[t.Category]) > 0:
		m.Domains, m.Source = ofComplaint[t.Category], assignment.FromCategory
	case strings.TrimSpace(text) != "":
		m.Source = assignment.FromText
	}
	return m
}

// team reads everybody who can be given tickets, without those whom an
// administrator has shut out. absent bounds how old the absences are.
func team(ctx context.Context, q *query.Queries, absent time.Time) ([]assignment.Technician, error) {
	users, err := q.ListUsers(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]assignment.Technician, 0, len(users))
	byID, byName := map[string]int{}, map[string]int{}
	for _, u := range users {
		if u.DisabledAt != 0 || u.Role == "requester" {
			continue
		}
		byID[u.ID], byName[u.Name] = len(list), len(list)
		list = append(list, assignment.Technician{Name: u.Name, Takes: u.TakesTickets == 1, Cap: int(u.OpenCap), Last: store.Time(u.AssignedAt), Sites: userActor(u).Sites})
	}
	skills, err := q.ListSkills(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range skills {
		if i, ok := byID[s.UserID]; ok {
			list[i].Skills = append(list[i].Skills, assignment.Skill{Kind: s.Kind, Value: s.Value, Level: int(s.Level)})
		}
	}
	absences, err := q.ListAbsences(ctx, store.Millis(absent))
	if err != nil {
		return nil, err
	}
	for _, a := range absences {
		if i, ok := byID[a.UserID]; ok {
			list[i].Absences = append(list[i].Absences, assignment.Absence{From: store.Time(a.FromAt), Until: store.Time(a.UntilAt)})
		}
	}
	open, err := q.CountOpen(ctx)
	if err != nil {
		return nil, err
	}
	for _, o := range open {
		if i, ok := byName[o.Assignee]; ok {
			list[i].Open = int(o.Open)
		}
	}
	return list, nil
}

// assign gives a ticket that nobody has touched to whom its matter suits best,
// and tells how that was decided; nil when there is nothing to decide. Somebody
// who has it already keeps it unless another knows its matter better. The ticket
// is not yet, or still, as the database has it. Who let it lie does not get it.
func (d *Desk) assign(ctx context.Context, q *query.Queries, t *query.Ticket, m assignment.Matter, letLie ...string) (*constatv1.Assignment, error) {
	if t.Status != "new" || t.AssignedBy == byHand || t.FirstResponseAt != 0 {
		return nil, nil
	}
	return d.choose(ctx, q, t, m, letLie...)
}

// choose is assign for a ticket whatever was done on it.
func (d *Desk) choose(ctx context.Context, q *query.Queries, t *query.Ticket, m assignment.Matter, letLie ...string) (*constatv1.Assignment, error) {
	if _, err := q.NextNumber(ctx, "assignment"); err != nil {
		return nil, err
	}
	now := d.now()
	people, err := team(ctx, q, now)
	if err != nil {
		return nil, err
	}
	for i := range people {
		if t.Number != 0 && people[i].Name == t.Assignee {
			people[i].Open-- // this one
		}
		people[i].LetLie = slices.Contains(letLie, people[i].Name)
	}
	decision := assignment.Choose(people, m, now)
	if keeps(decision, t.Assignee) {
		return nil, nil
	}
	t.Assignee, t.AssignmentReason, t.AssignedBy = decision.Assignee, reason(decision), ""
	if decision.Assignee != "" {
		t.AssignedBy = byRule
		if err := q.SetAssigned(ctx, decision.Assignee, store.Millis(now)); err != nil {
			return nil, err
		}
	}
	if !slices.ContainsFunc(people, func(p assignment.Technician) bool { return p.Takes }) {
		return nil, nil // there was nothing to decide
	}
	return AssignmentMessage(decision, m), nil
}

// keeps tells whether somebody who has a ticket keeps it.
func keeps(d assignment.Decision, present string) bool {
	if present == "" {
		return false
	}
	for _, c := range d.Candidates {
		if c.Name == present {
			return !slices.Contains([]string{assignment.KnowsLess, assignment.Foreign, assignment.Absent, assignment.OffQueue, assignment.LetLie, assignment.Elsewhere}, c.Verdict)
		}
	}
	return false
}

// reason is a decision in a line, for lists and programs; people read the
// assignment itself, in their language.
func reason(d assignment.Decision) string {
	if d.Assignee == "" {
		var why []string
		for _, c := range d.Candidates {
			switch c.Verdict {
			case assignment.Absent:
				why = append(why, c.Name+" is away until "+c.AbsentUntil.UTC().Format(time.DateOnly))
			case assignment.Full:
				why = append(why, fmt.Sprintf("%s has %d of %d", c.Name, c.Open, c.Cap))
			}
		}
		if len(why) == 0 {
			return "nobody yet: nobody here gets tickets by themselves"
		}
		return line("nobody yet: "+strings.Join(why, ", "), maxTitle)
	}
	chosen := d.Candidates[0]
	var known []string
	for _, s := range chosen.Matched {
		known = append(known, fmt.Sprintf("%s %d", s.Value, s.Level))
	}
	return line(fmt.Sprintf("%s; %d open", cmp.Or(strings.Join(known, ", "), "no special skill asked for"), chosen.Open), maxTitle)
}

// AssignmentMessage is a decision as the timeline keeps it.
func AssignmentMessage(d assignment.Decision, m assignment.Matter) *constatv1.Assignment {
	a := &constatv1.Assignment{Assignee: d.Assignee, Matter: &constatv1.Matter{
		Domains: m.Domains, Brand: m.Brand, Product: m.Product, Language: m.Language, Source: m.Source, Text: m.Text, Site: m.Site,
	}}
	for _, c := range d.Candidates {
		message := &constatv1.Candidate{Name: c.Name, Verdict: c.Verdict, Points: int32(c.Points), Open: int32(c.Open), Cap: int32(c.Cap)}
		for _, s := range c.Matched {
			message.Matched = append(message.Matched, &constatv1.Skill{Kind: s.Kind, Value: s.Value, Level: int32(s.Level)})
		}
		if !c.AbsentUntil.IsZero() {
			message.AbsentUntil = timestamp(store.Millis(c.AbsentUntil))
		}
		a.Candidates = append(a.Candidates, message)
	}
	return a
}

// writeAssignment puts a decision into the timeline; nil is none.
func writeAssignment(ctx context.Context, q *query.Queries, number int32, now time.Time, a *constatv1.Assignment) error {
	if a == nil {
		return nil
	}
	return writeEntry(ctx, q, number, now, &constatv1.TicketEntry{
		Id: newID(), Kind: "assignment", Actor: System.Name, ActorRole: "system", Assignment: a,
	})
}

// textOf is what a ticket's requester wrote first.
func textOf(ctx context.Context, q *query.Queries, t query.Ticket) (string, error) {
	first, err := q.Entry(ctx, t.Number, t.ID)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil // it went to another ticket
	}
	return first.Text, err
}
