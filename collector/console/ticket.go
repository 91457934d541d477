package console

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"constat/collector/desk"
	"constat/internal/diagnosis"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// ticketView is the page of one ticket.
type ticketView struct {
	Ticket *constatv1.Ticket
	// Timeline is oldest first.
	Timeline []entryView
	// Diagnosis is the latest of the ticket's machine; nil: none yet.
	Diagnosis *constatv1.Diagnosis
	// Similar are solved tickets that are most like this one.
	Similar []*deskv1.SimilarTicket
	// Articles are what the team wrote down on its root cause.
	Articles []*deskv1.Article
	// Peripherals are the devices that it is about.
	Peripherals []*desk.Peripheral
	// Earlier are the latest others of the same requester.
	Earlier []*constatv1.Ticket
	// PriorityWhy says why its priority is what it is.
	PriorityWhy string
	// AssignedWhy says why the assignee has it; empty: there is no reason to tell.
	AssignedWhy string
	// Socket is where its machine is plugged in; nil: not known.
	Socket *socketView
	// Printers are those behind its machine's queues, where it is about printing.
	Printers []*printerCard
	// From is the number that was asked for, when it was merged into this one.
	From       int32
	Procedures []*diagnosis.Procedure
	// Procedure is the one that fits the complaint.
	Procedure string
	Statuses  []string
	// Assignees are those who can have it.
	Assignees []string
	Links     []*constatv1.TicketLink
	// Concerned is what it is about beside its machine.
	Concerned []*deskv1.Concerned
	// Maintenance is the planned work that it is grouped under; nil: none.
	Maintenance *deskv1.Maintenance
	// Checklist is what has to be done.
	Checklist []*deskv1.ChecklistItem
	// LinkKinds, Categories, Types, Impacts and Urgencies are what can be chosen.
	LinkKinds, Categories, Types, Impacts, Urgencies []string
	// Sites are those that the visitor sees.
	Sites []string
	// Queues are those that tickets are in.
	Queues []string
	// Follows: the visitor follows it.
	Follows bool
	// MayLead: the visitor may say that it is major.
	MayLead bool
	// Tags and Wanted as the form has them.
	Tags, Wanted string
	// LastMessage is the newest message that is not the visitor's, LastBy whose it is.
	LastMessage, LastBy string
	// Parts are what can become a ticket of its own.
	Parts []*constatv1.TicketEntry
	live
	reply
}

// entryView is a line of the timeline of the ticket with that number.
type entryView struct {
	*constatv1.TicketEntry
	Number int32
}

// Solution is what stands in the field for what helped.
func (t ticketView) Solution() string {
	if t.Resolution != nil {
		return *t.Resolution
	}
	return t.Ticket.GetResolution()
}

// SeenMessage is the newest message of others that the writer of the reply knows.
func (t ticketView) SeenMessage() string {
	if t.Seen != nil {
		return *t.Seen
	}
	return t.LastMessage
}

// Forms are those that say which version of the ticket their sender saw, and
// stand where they are not loaded anew.
func (ticketView) Forms() []string {
	return []string{"merge-form", "split-form", "about-form", "concern-form"}
}

// fieldSeen is a field as it stood when a form was shown.
type fieldSeen struct{ Field, Value string }

// AboutFields are those of the form that tells what a ticket is.
func (t ticketView) AboutFields() []fieldSeen {
	seen := []fieldSeen{{"tags", t.Tags}}
	for _, field := range []string{"title", "type", "category", "queue", "wanted", "impact", "urgency", "site", "endpoint", "major"} {
		if field != "major" || t.MayLead {
			seen = append(seen, fieldSeen{field, valueOf(t.Ticket, field)})
		}
	}
	return seen
}

// reply is what a technician writes into the form of a ticket.
type reply struct {
	// Entry is the id of what will be added: sending it twice adds it once.
	Entry, Kind, Text string
	// Problem says what is missing.
	Problem string
	// Begun: it was begun before, and kept.
	Begun bool
	// Seen is the newest message of others when it was begun; nil: it is begun now.
	Seen *string
	// Into is the number typed into the form that merges, and MergeProblem why
	// that did not work.
	Into, MergeProblem string
	// Minutes is the time spent, as typed.
	Minutes string
	// Resolution as typed; nil: as the ticket has it.
	Resolution *string
	// LinkKind and LinkTo are what was typed into the form that links, SplitTitle
	// into the one that splits, and Chosen the entries ticked there.
	LinkKind, LinkTo, LinkProblem string
	SplitID                       string
	SplitTitle, SplitProblem      string
	Chosen                        []string
	// AboutProblem is what of the ticket's fields cannot be kept.
	AboutProblem string
	// Concern is what was typed into the form that names a machine or a device, and
	// ConcernProblem why that did not work.
	Concern, ConcernProblem string
}

// ticketNumber reads the number in the address. What is no number names no
// ticket.
func ticketNumber(v *visit) (int32, error) {
	number, err := strconv.ParseInt(v.PathValue("number"), 10, 32)
	if err != nil || number < 1 {
		return 0, desk.ErrNotFound
	}
	return int32(number), nil
}

// ticket shows one ticket.
func (c *console) ticket(w http.ResponseWriter, v *visit) error {
	number, err := ticketNumber(v)
	if err != nil {
		return err
	}
	// Who looks at the ticket has read what they were told of it.
	if _, err := c.desk.ReadNotices(v.Context(), v.actor(), number); err != nil {
		return err
	}
	kept := c.kept(v)
	written := reply{Text: kept.Get("text"), Kind: kept.Get("kind"), Minutes: kept.Get("minutes")}
	if kept.Has("resolution") {
		typed := kept.Get("resolution")
		written.Resolution = &typed
	}
	if len(kept) == 0 {
		if err := c.begun(v, number, &written); err != nil {
			return err
		}
	}
	if err := c.prefilled(v, number, &written); err != nil {
		return err
	}
	return c.renderTicket(w, v, http.StatusOK, number, written)
}

// renderTicket shows a ticket with what is in its form already.
func (c *console) renderTicket(w http.ResponseWriter, v *visit, status int, number int32, written reply) error {
	found, err := c.desk.Ticket(v.Context(), number)
	if err != nil {
		return err
	}
	ticket := found.GetTicket()
	if written.Entry == "" {
		written.Entry = uuid.Must(uuid.NewV7()).String()
	}
	page := ticketView{
		Ticket: ticket, Diagnosis: latest(found.GetTimeline(), ticket.GetEndpointId()),
		Procedures: diagnosis.Procedures(), Procedure: "full", Statuses: statuses, reply: written,
	}
	if ticket.GetRootCause() != "" {
		if page.Articles, err = c.desk.Articles(v.Context(), v.actor(), &deskv1.ListArticlesRequest{Fault: ticket.GetRootCause()}); err != nil {
			return err
		}
	}
	if page.Similar, err = c.desk.Similar(v.Context(), ticket.GetNumber()); err != nil {
		return err
	}
	if page.Peripherals, err = c.desk.PeripheralsIn(v.Context(), ticket.GetNumber()); err != nil {
		return err
	}
	if page.Earlier, err = c.earlier(v, ticket); err != nil {
		return err
	}
	if page.LastMessage, page.LastBy, err = c.desk.LastMessage(v.Context(), v.actor(), ticket.GetNumber()); err != nil {
		return err
	}
	if page.SplitID == "" {
		page.SplitID = uuid.Must(uuid.NewV7()).String()
	}
	page.Checklist, page.Maintenance = found.GetChecklist(), found.GetMaintenance()
	page.Concerned = found.GetConcerned()
	page.Links, page.LinkKinds = found.GetLinks(), linkKinds
	page.Types, page.Impacts, page.Urgencies = types, impacts, urgencies
	page.Categories = complaints
	if !slices.Contains(complaints, ticket.GetCategory()) {
		page.Categories = append([]string{ticket.GetCategory()}, complaints...)
	}
	page.Follows, page.MayLead = slices.Contains(ticket.GetFollowers(), v.user.Name), mayLead(v)
	page.Tags, page.Wanted = strings.Join(ticket.GetTags(), ", "), valueOf(ticket, "wanted")
	c.nameLinks(v.speech, found)
	for _, e := range found.GetTimeline() {
		page.Timeline = append(page.Timeline, entryView{e, ticket.GetNumber()})
		if e.GetKind() == "message" || e.GetKind() == "note" {
			page.Parts = append(page.Parts, e)
		}
	}
	page.PriorityWhy = v.speech.priorityWhy(ticket, found.GetTimeline())
	page.AssignedWhy = v.speech.assignedWhy(ticket, found.GetTimeline())
	if page.Assignees, err = c.assignees(v, ticket.GetAssignee()); err != nil {
		return err
	}
	if page.Sites, err = c.desk.Sites(v.Context()); err != nil {
		return err
	}
	if page.Socket, err = c.socket(v, ticket.GetEndpointId()); err != nil {
		return err
	}
	if concernsPrinting(ticket, page.Diagnosis) {
		if page.Printers, err = c.printers(v, ticket.GetEndpointId()); err != nil {
			return err
		}
	}
	if ticket.GetNumber() != number {
		page.From = number
	}
	if page.Diagnosis != nil {
		page.Procedure = page.Diagnosis.GetProcedure()
	} else if _, known := diagnosis.Lookup(ticket.GetCategory()); known {
		page.Procedure = ticket.GetCategory()
	}
	page.live = liveOf(fmt.Sprintf("/tickets/%d", ticket.GetNumber()), v.URL.Query().Get("run"))
	return c.render(w, v, status, "ticket", "tickets", page)
}

// priorityWhy says in the reader's language what impact and urgency come from.
func (s *speech) priorityWhy(ticket *constatv1.Ticket, timeline []*constatv1.TicketEntry) string {
	impact := s.say("priority.oneMachine")
	switch {
	case ticket.GetImpactSet():
		impact = s.say("priority.byHand")
	case ticket.GetSharing() > 1 && ticket.GetRootCause() == "":
		impact = s.count("priority.named", int(ticket.GetSharing()))
	case ticket.GetSharing() > 1:
		impact = s.count("priority.machines", int(ticket.GetSharing()))
	}
	urgency := s.say("priority.byFault")
	switch {
	case ticket.GetUrgencySet():
		urgency = s.say("priority.byHand")
	case ticket.GetRootCause() == "":
		urgency = s.say("priority.noFault")
	}
	for _, entry := range timeline {
		for _, change := range entry.GetChanges() {
			if by, raised := strings.CutPrefix(change.GetField(), "raised."); raised && !ticket.GetUrgencySet() {
				urgency += ", " + s.say("priority.raised."+by, "Name", change.GetAfter())
			}
		}
	}
	return s.say("priority.why", "Impact", s.word("impact", ticket.GetImpact()), "ImpactWhy", impact,
		"Urgency", s.word("urgency", ticket.GetUrgency()), "UrgencyWhy", urgency)
}

// nameLinks puts the titles of linked tickets into the words on them in the timeline, as
// they are in the reader's language: what was written there was in its writer's.
func (c *console) nameLinks(s *speech, found *deskv1.GetTicketResponse) {
	for _, entry := range found.GetTimeline() {
		for _, change := range entry.GetChanges() {
			if !slices.Contains([]string{"link", "splitInto", "splitFrom"}, change.GetField()) {
				continue
			}
			for _, l := range found.GetLinks() {
				for _, text := range []*string{&change.Before, &change.After} {
					before, titled, named := strings.Cut(*text, fmt.Sprintf("#%d ", l.GetNumber()))
					if named && titled != "" && l.GetTitle() != "" {
						*text = fmt.Sprintf("%s#%d %s", before, l.GetNumber(), c.linkTitle(s, l))
					}
				}
			}
		}
	}
}

// linkTitle is the title of a linked ticket in the reader's language.
func (c *console) linkTitle(s *speech, l *constatv1.TicketLink) string {
	return c.desk.TitleIn(&constatv1.Ticket{Title: l.GetTitle(), RootCause: l.GetRootCause(), Component: l.GetComponent(), Category: l.GetCategory()}, s.language)
}

// earlierShown is how many other tickets of a requester stand beside one.
const earlierShown = 5

// earlier gives the latest other tickets of a ticket's requester.
func (c *console) earlier(v *visit, ticket *constatv1.Ticket) ([]*constatv1.Ticket, error) {
	if ticket.GetRequester().GetId() == "" {
		return nil, nil
	}
	list, err := c.desk.Tickets(v.Context(), &deskv1.ListTicketsRequest{RequesterId: ticket.GetRequester().GetId(), Limit: earlierShown + 1})
	if err != nil {
		return nil, err
	}
	others := slices.DeleteFunc(list.GetTickets(), func(t *constatv1.Ticket) bool { return t.GetNumber() == ticket.GetNumber() })
	return others[:min(len(others), earlierShown)], nil
}

// requesterView is everything that one person asked.
type requesterView struct {
	Person  *constatv1.Person
	History []desk.Recurrence
	Tickets []*constatv1.Ticket
	// Older is the address of the next page; empty: this is the last.
	Older string
}

// requester shows the history of one person.
func (c *console) requester(w http.ResponseWriter, v *visit) error {
	person, err := c.desk.Person(v.Context(), v.PathValue("id"))
	if err != nil {
		return err
	}
	before, _ := strconv.ParseInt(v.URL.Query().Get("before"), 10, 32)
	list, err := c.desk.Tickets(v.Context(), &deskv1.ListTicketsRequest{RequesterId: person.GetId(), Before: int32(before), Limit: ticketsPerPage + 1})
	if err != nil {
		return err
	}
	view := requesterView{Person: person, Tickets: list.GetTickets()}
	if view.History, err = c.desk.History(v.Context(), desk.Subject{Requester: person.GetId()}); err != nil {
		return err
	}
	if len(view.Tickets) > ticketsPerPage {
		view.Tickets = view.Tickets[:ticketsPerPage]
		view.Older = fmt.Sprintf("/people/%s?before=%d", person.GetId(), view.Tickets[ticketsPerPage-1].GetNumber())
	}
	return c.render(w, v, http.StatusOK, "requester", "tickets", view)
}

// assignees lists who can have tickets, and who has this one even when their
// account is gone.
func (c *console) assignees(v *visit, present string) ([]string, error) {
	users, err := c.accounts.Users(v.Context())
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(users)+1)
	for _, user := range users {
		if user.Role != "requester" {
			names = append(names, user.Name)
		}
	}
	if present != "" && !slices.Contains(names, present) {
		names = append(names, present)
	}
	return names, nil
}

// latest gives the newest diagnosis of a machine in a timeline, nil when it has
// none. A ticket merged from another machine's brought that one's along.
func latest(timeline []*constatv1.TicketEntry, endpointID string) *constatv1.Diagnosis {
	for _, entry := range slices.Backward(timeline) {
		if d := entry.GetDiagnosis(); d != nil && d.GetEndpointId() == endpointID {
			return d
		}
	}
	return nil
}
