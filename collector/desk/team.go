package desk

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"constat/collector/desk/assignment"
	"constat/collector/store"
	"constat/collector/store/query"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// Limits of what is kept of one of the team.
const (
	maxSkills   = 100
	maxAbsences = 100
	maxCap      = 10_000
)

// Limits of a preview.
const (
	previewDays    = 30
	maxPreviewDays = 366
	maxPreview     = 20_000
	maxMoved       = 50
)

// leads may change who gets what.
var leads = []string{"lead", "administrator", "system"}

// Technicians is the team by name: what each knows, when they are away, how many
// they have.
func (d *Desk) Technicians(ctx context.Context) ([]*deskv1.Technician, error) {
	if err := staffOnly(ctx, "look at the team"); err != nil {
		return nil, err
	}
	return technicians(ctx, d.store.Read(), d.now())
}

func technicians(ctx context.Context, q *query.Queries, now time.Time) ([]*deskv1.Technician, error) {
	people, err := team(ctx, q, now)
	if err != nil {
		return nil, err
	}
	users, err := q.ListUsers(ctx)
	if err != nil {
		return nil, err
	}
	absences, err := q.ListAbsences(ctx, store.Millis(now))
	if err != nil {
		return nil, err
	}
	var list []*deskv1.Technician
	for _, u := range users {
		i := slices.IndexFunc(people, func(p assignment.Technician) bool { return p.Name == u.Name })
		if i < 0 {
			continue // shut out
		}
		p := people[i]
		one := &deskv1.Technician{
			Name: u.Name, Role: u.Role, Sites: userActor(u).Sites, TakesTickets: p.Takes, Cap: int32(p.Room()), Open: int32(p.Open), AssignedAt: timestamp(u.AssignedAt),
		}
		for _, s := range p.Skills {
			one.Skills = append(one.Skills, &constatv1.Skill{Kind: s.Kind, Value: s.Value, Level: int32(s.Level)})
		}
		for _, a := range absences {
			if a.UserID == u.ID {
				one.Absences = append(one.Absences, &deskv1.Absence{From: timestamp(a.FromAt), Until: timestamp(a.UntilAt), Reason: a.Reason})
			}
		}
		list = append(list, one)
	}
	store.ByName(list, (*deskv1.Technician).GetName)
	return list, nil
}

// checkTechnician gives a copy of what can be kept of one of the team.
func (d *Desk) checkTechnician(r *deskv1.Technician) (*deskv1.Technician, error) {
	if r.GetCap() < 0 || r.GetCap() > maxCap {
		return nil, problem(ErrInvalid, "a cap of %d tickets is not between 0 and %d", r.GetCap(), maxCap)
	}
	if len(r.GetSkills()) > maxSkills || len(r.GetAbsences()) > maxAbsences {
		return nil, problem(ErrInvalid, "that is too much: at most %d skills and %d absences", maxSkills, maxAbsences)
	}
	limit := r.GetCap()
	if limit == assignment.DefaultCap {
		limit = 0
	}
	kept := &deskv1.Technician{Name: line(r.GetName(), maxName), TakesTickets: r.GetTakesTickets(), Cap: limit}
	for _, s := range r.GetSkills() {
		value := line(s.GetValue(), maxName)
		switch {
		case !slices.Contains(assignment.Kinds, s.GetKind()):
			return nil, problem(ErrInvalid, "there is no kind of skill %q: it is one of %s", line(s.GetKind(), 40), strings.Join(assignment.Kinds, ", "))
		case value == "":
			return nil, problem(ErrInvalid, "a skill of the kind %s needs a value, as in %s:%s", s.GetKind(), s.GetKind(), exampleOf[s.GetKind()])
		case s.GetLevel() < assignment.MinLevel || s.GetLevel() > assignment.MaxLevel:
			return nil, problem(ErrInvalid, "the level of %s is %d: it is 1 (knows it), 2 (knows it well) or 3 (is whom others ask)", value, s.GetLevel())
		}
		if s.GetKind() == assignment.Domain {
			if value = strings.ToLower(value); !slices.Contains(d.domains(), value) {
				return nil, problem(ErrInvalid, "there is no domain %q: it is one of %s", value, strings.Join(d.domains(), ", "))
			}
		}
		kept.Skills = append(kept.Skills, &constatv1.Skill{Kind: s.GetKind(), Value: value, Level: s.GetLevel()})
	}
	for _, a := range r.GetAbsences() {
		if a.GetFrom().CheckValid() != nil || a.GetUntil().CheckValid() != nil || !a.GetFrom().AsTime().Before(a.GetUntil().AsTime()) {
			return nil, problem(ErrInvalid, "an absence needs a time from which and a later one until which")
		}
		kept.Absences = append(kept.Absences, &deskv1.Absence{From: a.GetFrom(), Until: a.GetUntil(), Reason: line(a.GetReason(), maxTitle)})
	}
	return kept, nil
}

// exampleOf shows how a skill of a kind looks.
var exampleOf = map[string]string{
	assignment.Brand: "Cisco", assignment.Product: "LaserJet M404", assignment.Domain: "printer", assignment.Language: "fr",
}

// domains are the catalog's, sorted.
func (d *Desk) domains() []string {
	var all []string
	for _, f := range d.Catalog().Faults() {
		all = append(all, f.Domain)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// SetTechnician changes what one of the team gets by themselves. Tickets that
// they have already stay with them.
func (d *Desk) SetTechnician(ctx context.Context, a Actor, r *deskv1.SetTechnicianRequest) (*deskv1.Technician, error) {
	if err := a.require("change the team", leads...); err != nil {
		return nil, err
	}
	if err := a.requireEverywhere("who gets what"); err != nil {
		return nil, err
	}
	kept, err := d.checkTechnician(r.GetTechnician())
	if err != nil {
		return nil, err
	}
	var now *deskv1.Technician
	err = d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		user, err := userNamed(ctx, q, kept.GetName())
		if err != nil {
			return err
		}
		takes := flag(kept.GetTakesTickets())
		if err := q.SetTaking(ctx, user.ID, takes, kept.GetCap()); err != nil {
			return err
		}
		if err := q.DeleteSkills(ctx, user.ID); err != nil {
			return err
		}
		for _, s := range kept.GetSkills() {
			err := q.PutSkill(ctx, query.PutSkillParams{
				UserID: user.ID, Kind: s.GetKind(), Value: s.GetValue(), ValueKey: strings.ToLower(s.GetValue()), Level: s.GetLevel(),
			})
			if err != nil {
				return err
			}
		}
		if err := q.DeleteAbsences(ctx, user.ID); err != nil {
			return err
		}
		for _, a := range kept.GetAbsences() {
			err := q.PutAbsence(ctx, query.PutAbsenceParams{
				UserID: user.ID, FromAt: store.Millis(a.GetFrom().AsTime()), UntilAt: store.Millis(a.GetUntil().AsTime()), Reason: a.GetReason(),
			})
			if err != nil {
				return err
			}
		}
		all, err := technicians(ctx, q, d.now())
		for _, one := range all {
			if one.GetName() == user.Name {
				now = one
			}
		}
		return err
	})
	return now, err
}

// userNamed gives the user of a name, upper or lower case.
func userNamed(ctx context.Context, q *query.Queries, name string) (query.User, error) {
	user, err := q.UserByName(ctx, strings.ToLower(line(name, maxName)))
	if errors.Is(err, sql.ErrNoRows) || err == nil && user.DisabledAt != 0 {
		return user, problem(ErrInvalid, "nobody here is called %q", line(name, maxName))
	}
	return user, err
}

// PreviewTechnician tells who would have had the tickets of the last days, by the
// team as it is and by one in which somebody is as the request says. Absences are
// those that were known then and are not over a year.
func (d *Desk) PreviewTechnician(ctx context.Context, a Actor, r *deskv1.PreviewTechnicianRequest) (*deskv1.PreviewTechnicianResponse, error) {
	if err := a.require("look at what a change of the team would do", leads...); err != nil {
		return nil, err
	}
	if err := a.requireEverywhere("who gets what"); err != nil {
		return nil, err
	}
	days := r.GetDays()
	if days == 0 {
		days = previewDays
	}
	if days < 0 || days > maxPreviewDays {
		return nil, problem(ErrInvalid, "%d days is not between 1 and %d", days, maxPreviewDays)
	}
	kept, err := d.checkTechnician(r.GetTechnician())
	if err != nil {
		return nil, err
	}
	q := d.store.Read()
	user, err := userNamed(ctx, q, kept.GetName())
	if err != nil {
		return nil, err
	}
	since := d.now().AddDate(0, 0, -int(days))
	present, err := team(ctx, q, since)
	if err != nil {
		return nil, err
	}
	past, err := pastSince(ctx, q, since)
	if err != nil {
		return nil, err
	}
	changed := slices.Clone(present)
	for i := range changed {
		if changed[i].Name == user.Name {
			changed[i] = technicianOf(user.Name, kept)
			changed[i].Sites = present[i].Sites
		}
	}
	return compareLoads(past, assignment.Replay(present, past), assignment.Replay(changed, past)), nil
}

// pastSince gives the decisions since a time, the last of each ticket, oldest
// first.
func pastSince(ctx context.Context, q *query.Queries, since time.Time) ([]assignment.Past, error) {
	rows, err := q.AssignmentsSince(ctx, store.Millis(since), maxPreview)
	if err != nil {
		return nil, err
	}
	known := map[int32]bool{}
	var past []assignment.Past
	for _, row := range rows {
		entry := &constatv1.TicketEntry{}
		if err := store.UnpackMessage(row.Content, entry); err != nil {
			return nil, err
		}
		m := entry.GetAssignment().GetMatter()
		one := assignment.Past{Number: row.Number, At: store.Time(row.CreatedAt), Matter: assignment.Matter{
			Domains: m.GetDomains(), Brand: m.GetBrand(), Product: m.GetProduct(), Language: m.GetLanguage(), Text: m.GetText(), Source: m.GetSource(), Site: m.GetSite(),
		}}
		switch row.Status {
		case "solved", "closed":
			one.Done = store.Time(row.LastSolvedAt)
		case "merged": // another ticket goes on for it
			one.Done = one.At
		}
		if !known[row.Number] {
			known[row.Number] = true
			past = append(past, one)
		}
	}
	slices.SortStableFunc(past, func(a, b assignment.Past) int { return a.At.Compare(b.At) })
	return past, nil
}

// technicianOf is one of the team as a request describes them.
func technicianOf(name string, r *deskv1.Technician) assignment.Technician {
	t := assignment.Technician{Name: name, Takes: r.GetTakesTickets(), Cap: int(r.GetCap())}
	for _, s := range r.GetSkills() {
		t.Skills = append(t.Skills, assignment.Skill{Kind: s.GetKind(), Value: s.GetValue(), Level: int(s.GetLevel())})
	}
	for _, a := range r.GetAbsences() {
		t.Absences = append(t.Absences, assignment.Absence{From: a.GetFrom().AsTime(), Until: a.GetUntil().AsTime()})
	}
	return t
}

// compareLoads counts who has how many in two replays of the same tickets.
func compareLoads(past []assignment.Past, before, after []string) *deskv1.PreviewTechnicianResponse {
	answer := &deskv1.PreviewTechnicianResponse{Tickets: int32(len(past))}
	loads := map[string]*deskv1.PreviewTechnicianResponse_Load{}
	of := func(name string) *deskv1.PreviewTechnicianResponse_Load {
		if loads[name] == nil {
			loads[name] = &deskv1.PreviewTechnicianResponse_Load{Name: name}
			answer.Loads = append(answer.Loads, loads[name])
		}
		return loads[name]
	}
	for i := range past {
		of(before[i]).Before++
		of(after[i]).After++
	}
	for i := len(past) - 1; i >= 0 && len(answer.Moved) < maxMoved; i-- {
		if before[i] != after[i] {
			answer.Moved = append(answer.Moved, &deskv1.PreviewTechnicianResponse_Moved{Number: past[i].Number, Before: before[i], After: after[i]})
		}
	}
	store.ByName(answer.Loads, (*deskv1.PreviewTechnicianResponse_Load).GetName)
	return answer
}
