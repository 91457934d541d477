package console

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/desk"
	"constat/collector/desk/assignment"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// How many empty lines the form of a technician offers beside those filled.
const (
	spareSkills   = 3
	spareAbsences = 1
)

// dayForm is a day as a date field sends it.
const dayForm = time.DateOnly

// teamView is the team, and who of it the visitor may change.
type teamView struct {
	Team      []*deskv1.Technician
	MayChange bool
}

// team shows who gets what, and how much everybody has.
func (c *console) team(w http.ResponseWriter, v *visit) error {
	team, err := c.desk.Technicians(v.Context())
	if err != nil {
		return err
	}
	return c.render(w, v, http.StatusOK, "team", "team", teamView{team, mayLead(v)})
}

// mayLead tells whether the visitor may change the team.
func mayLead(v *visit) bool { return v.user.Role == "lead" || v.user.Role == "administrator" }

// technicianView is the form of one of the team.
type technicianView struct {
	*deskv1.Technician
	// Skills and Absences are those kept and the spare lines.
	Skills   []skillLine
	Absences []absenceLine
	Kinds    []string
	Domains  []string
	Levels   []int32
	// Sites are known ones, SiteLines those to which they are limited, one a line.
	Sites     []string
	SiteLines string
	// MaySites: the visitor may limit them.
	MaySites bool
	// Problem says what of the form cannot be kept.
	Problem string
	// Preview is what a change would have done; nil: not asked for.
	Preview *deskv1.PreviewTechnicianResponse
}

// Tried is how many tickets the change was tried on.
func (t technicianView) Tried() int { return int(t.Preview.GetTickets()) }

type skillLine struct {
	Kind, Value string
	Level       int32
}

// absenceLine holds days as the form has them; the last is included.
type absenceLine struct{ From, Until, Reason string }

// technician shows the form of one of the team.
func (c *console) technician(w http.ResponseWriter, v *visit) error {
	one, err := c.technicianNamed(v)
	if err != nil {
		return err
	}
	return c.renderTechnician(w, v, http.StatusOK, formOf(one))
}

// technicianNamed gives whom the address names, to somebody who may change them.
func (c *console) technicianNamed(v *visit) (*deskv1.Technician, error) {
	if !mayLead(v) {
		return nil, desk.ErrForbidden
	}
	team, err := c.desk.Technicians(v.Context())
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(team, func(t *deskv1.Technician) bool { return strings.EqualFold(t.GetName(), v.PathValue("name")) })
	if i < 0 {
		return nil, desk.ErrNotFound
	}
	return team[i], nil
}

// formOf fills the form from what is kept.
func formOf(one *deskv1.Technician) technicianView {
	view := technicianView{Technician: one}
	for _, s := range one.GetSkills() {
		view.Skills = append(view.Skills, skillLine{s.GetKind(), s.GetValue(), s.GetLevel()})
	}
	for _, a := range one.GetAbsences() {
		view.Absences = append(view.Absences, absenceLine{
			a.GetFrom().AsTime().Local().Format(dayForm), a.GetUntil().AsTime().Local().Add(-time.Second).Format(dayForm), a.GetReason(),
		})
	}
	return view
}

// setTechnicianSites limits somebody to sites; it takes an administrator who is
// limited to none, as whatever says who may see what.
func (c *console) setTechnicianSites(w http.ResponseWriter, v *visit) error {
	if !maySites(v) {
		return desk.ErrForbidden
	}
	one, err := c.technicianNamed(v)
	if err != nil {
		return err
	}
	if !v.PostForm.Has("sites") { // cut short on its way; empty would mean all
		return desk.ErrInvalid
	}
	_, returned, err := c.desk.LimitAccount(v.Context(), v.actor(), one.GetName(), linesOf(v.PostFormValue("sites"))...)
	if errors.Is(err, desk.ErrInvalid) {
		view := formOf(one)
		view.Problem = err.Error()
		return c.renderTechnician(w, v, http.StatusUnprocessableEntity, view)
	}
	if err != nil {
		return err
	}
	return c.back(w, v, "/team/"+url.PathEscape(one.GetName()), v.speech.count("team.limited", returned), "")
}

// maySites tells whether a visitor says who sees which sites.
func maySites(v *visit) bool { return v.user.Role == "administrator" && len(v.user.Sites) == 0 }

// linesOf reads one value a line.
func linesOf(typed string) []string {
	var lines []string
	for line := range strings.Lines(typed) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

func (c *console) renderTechnician(w http.ResponseWriter, v *visit, status int, view technicianView) error {
	var err error
	if view.Sites, err = c.desk.Sites(v.Context()); err != nil {
		return err
	}
	user, err := c.accounts.Named(v.Context(), view.GetName())
	if err != nil {
		return err
	}
	view.MaySites, view.SiteLines = maySites(v), strings.Join(user.Sites, "\n")
	for range spareSkills {
		view.Skills = append(view.Skills, skillLine{Kind: assignment.Brand, Level: 2})
	}
	for range spareAbsences {
		view.Absences = append(view.Absences, absenceLine{})
	}
	view.Kinds, view.Levels = assignment.Kinds, []int32{1, 2, 3}
	for _, f := range c.catalog.Faults() {
		view.Domains = append(view.Domains, f.Domain)
	}
	slices.Sort(view.Domains)
	view.Domains = slices.Compact(view.Domains)
	return c.render(w, v, status, "technician", "team", view)
}

// setTechnician keeps what the form says, or tells what it would have done.
func (c *console) setTechnician(w http.ResponseWriter, v *visit) error {
	one, err := c.technicianNamed(v)
	if err != nil {
		return err
	}
	if err := v.ParseForm(); err != nil {
		return err
	}
	view, wanted := c.readTechnician(v, one)
	if view.Problem == "" && v.PostForm.Has("preview") {
		view.Preview, err = c.desk.PreviewTechnician(v.Context(), v.actor(), &deskv1.PreviewTechnicianRequest{Technician: wanted})
	} else if view.Problem == "" {
		_, err = c.desk.SetTechnician(v.Context(), v.actor(), &deskv1.SetTechnicianRequest{Technician: wanted})
	}
	if errors.Is(err, desk.ErrInvalid) {
		view.Problem, err = err.Error(), nil
	}
	switch {
	case err != nil:
		return err
	case view.Problem != "":
		return c.renderTechnician(w, v, http.StatusUnprocessableEntity, view)
	case view.Preview != nil:
		return c.renderTechnician(w, v, http.StatusOK, view)
	}
	return c.back(w, v, "/team/"+url.PathEscape(one.GetName()), "flash.saved", "")
}

// readTechnician reads the form: as it was typed, to show it again, and as the
// desk takes it. A line without a value is no line.
func (c *console) readTechnician(v *visit, one *deskv1.Technician) (technicianView, *deskv1.Technician) {
	limit, err := strconv.ParseInt(cmp.Or(strings.TrimSpace(v.PostFormValue("cap")), "0"), 10, 32)
	wanted := &deskv1.Technician{
		Name: one.GetName(), Role: one.GetRole(), Open: one.GetOpen(), TakesTickets: v.PostForm.Has("takes"), Cap: int32(limit),
	}
	view := technicianView{Technician: wanted}
	if err != nil {
		view.Problem = v.say("team.capWrong")
	}
	values, kinds, levels := v.PostForm["value"], v.PostForm["kind"], v.PostForm["level"]
	for i := range min(len(values), len(kinds), len(levels)) {
		if strings.TrimSpace(values[i]) == "" {
			continue
		}
		level, _ := strconv.ParseInt(levels[i], 10, 32) // no number is no level either
		view.Skills = append(view.Skills, skillLine{kinds[i], values[i], int32(level)})
		wanted.Skills = append(wanted.Skills, &constatv1.Skill{Kind: kinds[i], Value: values[i], Level: int32(level)})
	}
	froms, untils, reasons := v.PostForm["from"], v.PostForm["until"], v.PostForm["reason"]
	for i := range min(len(froms), len(untils), len(reasons)) {
		if froms[i] == "" && untils[i] == "" {
			continue
		}
		line := absenceLine{froms[i], cmp.Or(untils[i], froms[i]), reasons[i]}
		view.Absences = append(view.Absences, line)
		from, errFrom := time.ParseInLocation(dayForm, line.From, time.Local)
		until, errUntil := time.ParseInLocation(dayForm, line.Until, time.Local)
		if errFrom != nil || errUntil != nil || until.Before(from) {
			view.Problem = v.say("team.absenceWrong")
			continue
		}
		wanted.Absences = append(wanted.Absences, &deskv1.Absence{
			From: timestamppb.New(from), Until: timestamppb.New(until.AddDate(0, 0, 1)), Reason: line.Reason,
		})
	}
	return view, wanted
}

// why says in the reader's language why a decision fell so.
func (s *speech) why(a *constatv1.Assignment) string {
	if a.GetAssignee() == "" || len(a.GetCandidates()) == 0 {
		return s.say("why.nobody")
	}
	chosen := a.GetCandidates()[0]
	if len(chosen.GetMatched()) == 0 {
		return s.count("why.fewest", int(chosen.GetOpen()))
	}
	return s.say("why.knows", "Skills", s.skills(chosen.GetMatched()), "Open", s.count("why.open", int(chosen.GetOpen())))
}

// assignedWhy says why a ticket is with whom it is, or with nobody.
func (s *speech) assignedWhy(ticket *constatv1.Ticket, timeline []*constatv1.TicketEntry) string {
	for _, entry := range slices.Backward(timeline) {
		if a := entry.GetAssignment(); a != nil && a.GetAssignee() == ticket.GetAssignee() {
			return s.why(a)
		}
		for _, change := range entry.GetChanges() {
			if change.GetField() == "assignee" && change.GetAfter() == ticket.GetAssignee() {
				return s.say("why.byHand", "Name", entry.GetActor())
			}
		}
	}
	return ""
}

// skills names skills with their levels.
func (s *speech) skills(list []*constatv1.Skill) string {
	var names []string
	for _, skill := range list {
		names = append(names, fmt.Sprintf("%s (%d)", s.skillValue(skill), skill.GetLevel()))
	}
	return strings.Join(names, ", ")
}

// skillValue names what a skill is of: domains and languages as people call them.
func (s *speech) skillValue(skill *constatv1.Skill) string {
	switch skill.GetKind() {
	case assignment.Domain, assignment.Language:
		return s.word(skill.GetKind(), skill.GetValue())
	}
	return skill.GetValue()
}

// matter says what a decision took the ticket to be about.
func (s *speech) matter(m *constatv1.Matter) string {
	var parts []string
	for _, domain := range m.GetDomains() {
		parts = append(parts, s.word("domain", domain))
	}
	for _, more := range []string{m.GetBrand(), m.GetProduct()} {
		if more != "" {
			parts = append(parts, more)
		}
	}
	return cmp.Or(strings.Join(parts, ", "), s.say("why.unknown"))
}
