package console

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// maintenancesView is the list of planned work.
type maintenancesView struct {
	Maintenances []*deskv1.Maintenance
	MayLead      bool
}

// maintenances lists what is planned, under way, or over since not long.
func (c *console) maintenances(w http.ResponseWriter, v *visit) error {
	list, err := c.desk.Maintenances(v.Context(), v.actor(), &deskv1.ListMaintenancesRequest{Past: true})
	if err != nil {
		return err
	}
	// What is under way first, then what comes, then what was, the latest first.
	rank := map[string]int{"running": 0, "planned": 1}
	slices.SortStableFunc(list, func(a, b *deskv1.Maintenance) int {
		ra, rb := 2, 2
		if n, ok := rank[a.GetState()]; ok {
			ra = n
		}
		if n, ok := rank[b.GetState()]; ok {
			rb = n
		}
		if ra == 2 && rb == 2 {
			return b.GetUntil().AsTime().Compare(a.GetUntil().AsTime())
		}
		return ra - rb
	})
	return c.render(w, v, http.StatusOK, "maintenances", "tickets", maintenancesView{list, mayLead(v)})
}

// maintenanceView is planned work with its tickets, and the form that changes it.
type maintenanceView struct {
	*deskv1.Maintenance
	Tickets []*constatv1.Ticket
	// What stands in the form, as typed.
	Texts                                     []*deskv1.AnnouncementText
	FromTyped, UntilTyped, ZoneTyped          string
	Sites, Systems, Makers, Machines, Domains string
	Faults, Categories                        string
	// Entry is the id of the message for all: sent twice, it is written once.
	Entry, Text, AnswerProblem, Problem string
	MayLead                             bool
}

const wallForm = "2006-01-02T15:04"

func (c *console) newMaintenance(w http.ResponseWriter, v *visit) error {
	if !mayLead(v) {
		return desk.ErrForbidden
	}
	view := maintenanceView{Maintenance: &deskv1.Maintenance{Id: uuid.Must(uuid.NewV7()).String(), Freeze: true}, ZoneTyped: time.Local.String(), Sites: strings.Join(v.user.Sites, ", ")}
	if view.ZoneTyped == "Local" {
		view.ZoneTyped = "UTC"
	}
	return c.renderMaintenance(w, v, http.StatusOK, view)
}

func (c *console) maintenance(w http.ResponseWriter, v *visit) error {
	return c.showMaintenance(w, v, http.StatusOK, maintenanceView{})
}

// showMaintenance shows planned work with what was typed below it.
func (c *console) showMaintenance(w http.ResponseWriter, v *visit, status int, typed maintenanceView) error {
	found, err := c.desk.Maintenance(v.Context(), v.actor(), v.PathValue("id"))
	if err != nil {
		return err
	}
	m := found.GetMaintenance()
	view := maintenanceView{Maintenance: m, Tickets: found.GetTickets(), Texts: m.GetTexts(), ZoneTyped: m.GetZone(), Entry: typed.Entry, Text: typed.Text, AnswerProblem: typed.AnswerProblem}
	place, err := time.LoadLocation(m.GetZone())
	if err != nil {
		place = time.UTC
	}
	view.FromTyped, view.UntilTyped = m.GetFrom().AsTime().In(place).Format(wallForm), m.GetUntil().AsTime().In(place).Format(wallForm)
	all := func(names []string) string { return strings.Join(names, ", ") }
	view.Sites, view.Systems, view.Makers = all(m.GetMachines().GetSites()), all(m.GetMachines().GetOsFamilies()), all(m.GetMachines().GetManufacturers())
	view.Machines, view.Domains = all(m.GetMachines().GetEndpointIds()), all(m.GetExpects().GetDomains())
	view.Faults, view.Categories = all(m.GetExpects().GetFaults()), all(m.GetExpects().GetCategories())
	return c.renderMaintenance(w, v, status, view)
}

func (c *console) renderMaintenance(w http.ResponseWriter, v *visit, status int, view maintenanceView) error {
	view.Texts = inEach(v.speech, view.Texts, func(language string) *deskv1.AnnouncementText { return &deskv1.AnnouncementText{Language: language} })
	if view.Entry == "" {
		view.Entry = uuid.Must(uuid.NewV7()).String()
	}
	view.MayLead = mayLead(v)
	return c.render(w, v, status, "maintenance", "tickets", view)
}

// names are what stands between commas.
func names(typed string) []string {
	var list []string
	for name := range strings.SplitSeq(typed, ",") {
		if name = strings.TrimSpace(name); name != "" {
			list = append(list, name)
		}
	}
	return list
}

// saveMaintenance plans what the form says, and announces it.
func (c *console) saveMaintenance(w http.ResponseWriter, v *visit) error {
	if err := v.ParseForm(); err != nil {
		return err
	}
	version, _ := strconv.ParseInt(v.PostFormValue("version"), 10, 32)
	m := &deskv1.Maintenance{Id: v.PathValue("id"), Version: int32(version), Zone: strings.TrimSpace(v.PostFormValue("zone")), Freeze: v.PostForm.Has("freeze")}
	view := maintenanceView{
		Maintenance: m, FromTyped: v.PostFormValue("from"), UntilTyped: v.PostFormValue("until"), ZoneTyped: m.GetZone(),
		Sites: v.PostFormValue("sites"), Systems: v.PostFormValue("systems"), Makers: v.PostFormValue("makers"), Machines: v.PostFormValue("machines"),
		Domains: v.PostFormValue("domains"), Faults: v.PostFormValue("faults"), Categories: v.PostFormValue("categories"),
	}
	m.Machines = &deskv1.MachineSelector{Sites: names(view.Sites), OsFamilies: names(view.Systems), Manufacturers: names(view.Makers), EndpointIds: names(view.Machines)}
	m.Expects = &deskv1.ExpectedFindings{Domains: names(view.Domains), Faults: names(view.Faults), Categories: names(view.Categories)}
	tongues, titles, texts := v.PostForm["language"], v.PostForm["title"], v.PostForm["text"]
	for i := range min(len(tongues), len(titles), len(texts)) {
		m.Texts = append(m.Texts, &deskv1.AnnouncementText{Language: tongues[i], Title: titles[i], Text: texts[i]})
	}
	view.Texts = m.GetTexts()
	refuse := func(status int, problem string) error {
		view.Problem = problem
		return c.renderMaintenance(w, v, status, view)
	}
	from, errFrom := desk.WallTime(view.FromTyped, m.GetZone(), false)
	until, errUntil := desk.WallTime(view.UntilTyped, m.GetZone(), true)
	if err := errors.Join(errFrom, errUntil); err != nil && mayLead(v) {
		return refuse(http.StatusUnprocessableEntity, err.Error())
	}
	m.From, m.Until = timestamppb.New(from), timestamppb.New(until)
	_, err := c.desk.SaveMaintenance(v.Context(), v.actor(), m)
	switch {
	case errors.Is(err, desk.ErrInvalid):
		return refuse(http.StatusUnprocessableEntity, err.Error())
	case errors.Is(err, desk.ErrConflict):
		return refuse(http.StatusConflict, v.say("maintenance.conflict"))
	case err != nil:
		return err
	}
	return c.back(w, v, "/maintenance/"+m.GetId(), "flash.planned", "maintenance-"+m.GetId())
}

// endMaintenance ends what is under way, or takes back what is planned.
func (c *console) endMaintenance(w http.ResponseWriter, v *visit) error {
	m, err := c.desk.EndMaintenance(v.Context(), v.actor(), v.PathValue("id"))
	if err != nil {
		return err
	}
	return c.back(w, v, "/maintenance/"+m.GetId(), "flash.saved", "")
}

// answerMaintenance writes into all its tickets.
func (c *console) answerMaintenance(w http.ResponseWriter, v *visit) error {
	typed := maintenanceView{Entry: v.PostFormValue("entry"), Text: v.PostFormValue("text")}
	_, err := c.desk.AnswerMaintenance(v.Context(), v.actor(), &deskv1.AnswerMaintenanceRequest{
		Id: v.PathValue("id"), EntryId: typed.Entry, Text: typed.Text, Status: v.PostFormValue("status"),
	})
	if errors.Is(err, desk.ErrInvalid) {
		typed.AnswerProblem = err.Error()
		return c.showMaintenance(w, v, http.StatusUnprocessableEntity, typed)
	}
	if err != nil {
		return err
	}
	return c.back(w, v, "/maintenance/"+v.PathValue("id"), "flash.answered", "maintenance-answer-"+v.PathValue("id"))
}

// on are those under way or to come on a machine.
func (c *console) maintenancesOn(v *visit, endpointID string) ([]*deskv1.Maintenance, error) {
	if endpointID == "" {
		return nil, nil
	}
	return c.desk.Maintenances(v.Context(), v.actor(), &deskv1.ListMaintenancesRequest{EndpointId: endpointID})
}

// window is when planned work is, by the clock of its zone.
func window(m *deskv1.Maintenance) string {
	place, err := time.LoadLocation(m.GetZone())
	if err != nil {
		place = time.UTC
	}
	return fromTo(m.GetFrom().AsTime().In(place), m.GetUntil().AsTime().In(place))
}

// fromTo is from when to when.
func fromTo(from, until time.Time) string {
	end := until.Format("2006-01-02 15:04 MST")
	if from.Format(time.DateOnly) == until.Format(time.DateOnly) {
		end = until.Format("15:04 MST")
	}
	return fmt.Sprintf("%s – %s", from.Format("2006-01-02 15:04"), end)
}
