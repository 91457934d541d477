package console

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"constat/collector/desk"
	"constat/collector/store"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// ticketsPerPage is how many lines the queue shows at once.
const ticketsPerPage = 50

// unpaged is how many it shows in orders that have no second page.
const unpaged = 100

// statuses a ticket can be given, in the order of its life. Merging is not
// done by setting a status.
var statuses = []string{"new", "open", "pending", "solved", "closed"}

// queueView is the list of tickets.
type queueView struct {
	Views                         []view
	Query, Status, Assignee, Site string
	// Sites are those that can be asked for.
	Sites []string
	// Sort is the order of the list; Orders are all there are.
	Sort   string
	Orders []string
	// Columns are those that are shown; Chosen: where they are not the usual ones.
	Columns, Chosen     []string
	Statuses, Assignees []string
	// Team are those who can be given tickets: of the assignees who are not gone.
	Team     []string
	Filtered bool
	// Everywhere is the same search in tickets of any status; empty: this is it.
	Everywhere string
	Tickets    []*constatv1.Ticket
	// Older is the address of the next page; empty: this is the last.
	Older string
	// Urgencies and Impacts can be set for several tickets at once.
	Urgencies, Impacts []string
	// Asked is the query of the address, to be kept as a view under ViewID; Kept
	// are the views that the visitor may take away.
	Asked, ViewID string
	Kept          []*deskv1.View
	// Own are those of them that another list can take the place of.
	Own []*deskv1.View
}

// AllColumns are those that can be chosen.
func (queueView) AllColumns() []string { return desk.Columns }

// Filters are what the list is asked by, without the columns.
func (q queueView) Filters() map[string]string {
	filters := map[string]string{"q": q.Query, "status": q.Status, "assignee": q.Assignee, "site": q.Site, "sort": q.Sort}
	maps.DeleteFunc(filters, func(_, value string) bool { return value == "" })
	return filters
}

// Shows tells whether a column is shown.
func (q queueView) Shows(column string) bool { return slices.Contains(q.Columns, column) }

// Empty is the id of what a view without tickets says; empty: it is none of ours.
func (q queueView) Empty() string {
	for _, one := range q.Views {
		if one.Current && one.Name != "" {
			return "queue.none.kept"
		} else if one.Current {
			return strings.Replace(one.Label, "queue.view.", "queue.none.", 1)
		}
	}
	return ""
}

// view is a list people come back to.
type view struct {
	// Label is the id of a message; a view that somebody keeps has a Name.
	Label, Name, Address string
	Current              bool
}

// Settable are the states that several tickets can be given.
func (queueView) Settable() []string { return statuses }

// queue lists tickets, newest first.
func (c *console) queue(w http.ResponseWriter, v *visit) error {
	form := v.URL.Query()
	before, _ := strconv.ParseInt(form.Get("before"), 10, 32)
	request := desk.Asked(form)
	request.Limit, request.Before = ticketsPerPage+1, int32(before)
	q := queueView{
		Query: form.Get("q"), Status: form.Get("status"), Assignee: form.Get("assignee"), Site: form.Get("site"), Sort: form.Get("sort"),
		Columns: desk.AskedColumns(form), Statuses: append(statuses[:len(statuses):len(statuses)], "merged"),
		Orders: append([]string{store.Newest, desk.BestFirst}, store.Orders[1:]...),
	}
	inOrder := request.Order != "" && request.Order != store.Newest
	if request.AtRisk || inOrder {
		request.Limit = unpaged
	}
	colleague := request.Assignee
	list, err := c.desk.Tickets(v.Context(), request)
	if err != nil {
		return err
	}
	q.Tickets = list.GetTickets()
	q.Filtered = cmp.Or(q.Query, q.Status, q.Assignee, q.Site) != ""
	if q.Status != desk.AnyStatus {
		everywhere := url.Values{"status": {desk.AnyStatus}, "q": {q.Query}}
		if q.Site != "" {
			everywhere.Set("site", q.Site)
		}
		q.Everywhere = "/tickets?" + everywhere.Encode()
	}
	q.Views = c.views(v, q)
	if err := c.keptViews(v, &q); err != nil {
		return err
	}
	q.Urgencies, q.Impacts = urgencies, impacts
	if q.Sites, err = c.desk.Sites(v.Context()); err != nil {
		return err
	}
	if q.Site != "" && !slices.Contains(q.Sites, q.Site) {
		q.Sites = append(q.Sites, q.Site) // so that the form says what is shown
	}
	if q.Team, err = c.assignees(v, ""); err != nil {
		return err
	}
	if q.Assignees = q.Team; colleague != "" && !slices.Contains(q.Team, colleague) {
		q.Assignees = append(slices.Clone(q.Team), colleague)
	}
	if request.Best && q.Query != "" { // its best are on this page
		q.Tickets = q.Tickets[:min(len(q.Tickets), ticketsPerPage)]
	}
	if len(q.Tickets) > ticketsPerPage && !request.Due && !inOrder {
		q.Tickets = q.Tickets[:ticketsPerPage]
		form.Set("before", strconv.Itoa(int(q.Tickets[ticketsPerPage-1].GetNumber())))
		q.Older = "/tickets?" + form.Encode()
	}
	return c.render(w, v, http.StatusOK, "queue", "tickets", q)
}

// keptViews adds the views that people keep.
func (c *console) keptViews(v *visit, q *queueView) error {
	asked := v.URL.Query()
	asked.Del("before")
	if slices.Equal(q.Columns, desk.AskedColumns(nil)) {
		asked.Del("columns")
	} else {
		q.Chosen = q.Columns
	}
	maps.DeleteFunc(asked, func(_ string, values []string) bool { return strings.Join(values, "") == "" })
	q.Asked, q.ViewID = asked.Encode(), uuid.Must(uuid.NewV7()).String()
	kept, err := c.desk.Views(v.Context(), v.actor())
	if err != nil {
		return err
	}
	for _, one := range kept {
		q.Views = append(q.Views, view{Name: one.GetName(), Address: "/tickets?" + one.GetQuery(), Current: one.GetQuery() == q.Asked})
		if one.GetOwner() == v.user.Name {
			q.Own = append(q.Own, one)
		}
		if one.GetOwner() == v.user.Name || one.GetShared() && mayLead(v) {
			q.Kept = append(q.Kept, one)
		}
	}
	return nil
}

// views are the ready-made filters, the present one marked.
func (c *console) views(v *visit, q queueView) []view {
	mine := url.Values{"assignee": {v.user.Name}}
	only := func(status, assignee string) bool {
		return q.Query == "" && q.Site == "" && q.Status == status && q.Assignee == assignee
	}
	return []view{
		{Label: "queue.view.active", Address: "/tickets", Current: only("", "")},
		{Label: "queue.view.mine", Address: "/tickets?" + mine.Encode(), Current: only("", v.user.Name)},
		{Label: "queue.view.due", Address: "/tickets?status=" + desk.DueOnly, Current: only(desk.DueOnly, "")},
		{Label: "queue.view.risk", Address: "/tickets?status=" + desk.RiskOnly, Current: only(desk.RiskOnly, "")},
		{Label: "queue.view.unassigned", Address: "/tickets?assignee=" + desk.Nobody, Current: only("", desk.Nobody)},
		{Label: "queue.view.new", Address: "/tickets?status=new", Current: only("new", "")},
		{Label: "queue.view.open", Address: "/tickets?status=open", Current: only("open", "")},
		{Label: "queue.view.pending", Address: "/tickets?status=pending", Current: only("pending", "")},
		{Label: "queue.view.solved", Address: "/tickets?status=solved", Current: only("solved", "")},
		{Label: "queue.view.all", Address: "/tickets?status=" + desk.AnyStatus, Current: only(desk.AnyStatus, "")},
	}
}

// cells is a ticket with what is told of it.
type cells struct {
	Ticket  *constatv1.Ticket
	columns []string
}

// chosen is a ticket with columns; none: the usual ones.
func chosen(t *constatv1.Ticket, columns []string) cells {
	if columns == nil {
		columns = desk.AskedColumns(nil)
	}
	return cells{t, columns}
}

// Shows tells whether a column is told.
func (l cells) Shows(column string) bool { return slices.Contains(l.columns, column) }
