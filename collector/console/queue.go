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
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// ticketsPerPage is how many lines the queue shows at once.
const ticketsPerPage = 50

// statuses a ticket can be given, in the order of its life. Merging is not
// done by setting a status.
var statuses = []string{"new", "open", "pending", "solved", "closed"}

// What the filters say besides a status and a name. No status: those still to be
// worked on. No user is called by a sign alone.
const (
	anyStatus = "any"
	nobody    = "-"
	// dueOnly are the tickets of which something is promised, nearest first.
	dueOnly = "due"
	// riskOnly are those of them of which it was time to warn.
	riskOnly = "risk"
)

// queueView is the list of tickets.
type queueView struct {
	Views                         []view
	Query, Status, Assignee, Site string
	// Sites are those that can be asked for.
	Sites []string
	// Best: what fits the query best comes first.
	Best                bool
	Statuses, Assignees []string
	Filtered            bool
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
	Kept          []desk.View
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
	q := queueView{
		Query: form.Get("q"), Status: form.Get("status"), Assignee: form.Get("assignee"), Site: form.Get("site"), Best: form.Get("sort") == "best",
		Statuses: append(statuses[:len(statuses):len(statuses)], "merged"),
	}
	request := &deskv1.ListTicketsRequest{
		Query: q.Query, Status: q.Status, Assignee: q.Assignee, Active: q.Status == "", Site: q.Site,
		Limit: ticketsPerPage + 1, Before: int32(before), Best: q.Best,
	}
	if q.Status == anyStatus {
		request.Status = ""
	}
	if q.Status == dueOnly {
		request.Status, request.Due = "", true
	}
	if q.Status == riskOnly {
		request.Status, request.Due, request.AtRisk, request.Limit = "", true, true, 200
	}
	colleague := q.Assignee
	if q.Assignee == nobody {
		request.Assignee, request.Unassigned, colleague = "", true, ""
	}
	list, err := c.desk.Tickets(v.Context(), request)
	if err != nil {
		return err
	}
	q.Tickets = list.GetTickets()
	q.Filtered = cmp.Or(q.Query, q.Status, q.Assignee, q.Site) != ""
	if q.Status != anyStatus {
		everywhere := url.Values{"status": {anyStatus}, "q": {q.Query}}
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
	if q.Assignees, err = c.assignees(v, colleague); err != nil {
		return err
	}
	if q.Best && q.Query != "" { // its best are on this page
		q.Tickets = q.Tickets[:min(len(q.Tickets), ticketsPerPage)]
	}
	if len(q.Tickets) > ticketsPerPage && q.Status != dueOnly && q.Status != riskOnly {
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
	maps.DeleteFunc(asked, func(_ string, values []string) bool { return strings.Join(values, "") == "" })
	q.Asked, q.ViewID = asked.Encode(), uuid.Must(uuid.NewV7()).String()
	kept, err := c.desk.Views(v.Context(), v.actor())
	if err != nil {
		return err
	}
	for _, one := range kept {
		q.Views = append(q.Views, view{Name: one.Name, Address: "/tickets?" + one.Query, Current: one.Query == q.Asked})
		if one.Owner == v.user.Name || one.Shared && mayLead(v) {
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
		{Label: "queue.view.due", Address: "/tickets?status=" + dueOnly, Current: only(dueOnly, "")},
		{Label: "queue.view.risk", Address: "/tickets?status=" + riskOnly, Current: only(riskOnly, "")},
		{Label: "queue.view.unassigned", Address: "/tickets?assignee=" + nobody, Current: only("", nobody)},
		{Label: "queue.view.new", Address: "/tickets?status=new", Current: only("new", "")},
		{Label: "queue.view.open", Address: "/tickets?status=open", Current: only("open", "")},
		{Label: "queue.view.pending", Address: "/tickets?status=pending", Current: only("pending", "")},
		{Label: "queue.view.all", Address: "/tickets?status=" + anyStatus, Current: only(anyStatus, "")},
	}
}
