package desk

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"constat/collector/store"
	"constat/collector/store/query"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// Limits of planned work.
const (
	maxMaintenance  = 31 * 24 * time.Hour
	maxAhead        = 2 * 366 * 24 * time.Hour
	maxMachines     = 10_000
	maxSelected     = 100
	maxMaintenances = 500
	maxAnnouncement = 8 << 10
	pastMaintenance = 90 * 24 * time.Hour
	underAtOnce     = 200
)

// States of planned work.
const (
	maintenancePlanned   = "planned"
	maintenanceRunning   = "running"
	maintenanceOver      = "over"
	maintenanceCancelled = "cancelled"
)

func (d *Desk) maintenanceMessage(row query.Maintenance) (*deskv1.Maintenance, error) {
	m := &deskv1.Maintenance{}
	if err := store.UnpackMessage(row.Content, m); err != nil {
		return nil, err
	}
	m.Id, m.From, m.Until, m.Freeze = row.ID, timestamp(row.FromAt), timestamp(row.UntilAt), row.Freezes == 1
	m.Version, m.Author, m.UpdatedAt = row.Version, row.Author, timestamp(row.UpdatedAt)
	switch now := store.Millis(d.now()); {
	case row.Cancelled == 1:
		m.State = maintenanceCancelled
	case now < row.FromAt:
		m.State = maintenancePlanned
	case now < row.UntilAt:
		m.State = maintenanceRunning
	default:
		m.State = maintenanceOver
	}
	return m, nil
}

// seesMaintenance tells whether somebody may see planned work: who is limited to
// sites sees what is for one of these, or for all.
func (a Actor) seesMaintenance(m *deskv1.Maintenance) bool {
	sites := m.GetMachines().GetSites()
	return a.works() && (!a.limited() || len(sites) == 0 || slices.ContainsFunc(sites, a.sees))
}

// shownMaintenance is planned work as its reader may see it: sites and machines that
// are not theirs are not named.
func shownMaintenance(a Actor, m *deskv1.Maintenance) *deskv1.Maintenance {
	if !a.limited() {
		return m
	}
	m.Machines.Sites = slices.DeleteFunc(m.GetMachines().GetSites(), func(site string) bool { return !a.sees(site) })
	m.Machines.EndpointIds = nil
	return m
}

// Maintenances lists what is planned or under way, the next end first.
func (d *Desk) Maintenances(ctx context.Context, a Actor, r *deskv1.ListMaintenancesRequest) ([]*deskv1.Maintenance, error) {
	if err := a.require("see what is planned", staff...); err != nil {
		return nil, err
	}
	q := d.store.Read()
	after := d.now()
	if r.GetPast() {
		after = after.Add(-pastMaintenance)
	}
	var machine *query.Endpoint
	if r.GetEndpointId() != "" {
		found, err := findEndpoint(For(ctx, a), q, r.GetEndpointId())
		if err != nil {
			return nil, err
		}
		machine = &found
	}
	rows, err := q.MaintenancesUntil(ctx, store.Millis(after), maxMaintenances)
	if err != nil {
		return nil, err
	}
	var list []*deskv1.Maintenance
	for _, row := range rows {
		m, err := d.maintenanceMessage(row)
		if err != nil {
			return nil, err
		}
		if !a.seesMaintenance(m) || machine != nil && !meets(m.GetMachines(), *machine) || m.GetState() == maintenanceCancelled && !r.GetPast() {
			continue
		}
		n, err := q.CountTicketsUnder(ctx, row.ID)
		if err != nil {
			return nil, err
		}
		m.Tickets = int32(n)
		list = append(list, shownMaintenance(a, m))
	}
	return list, nil
}

// Maintenance gives planned work with its tickets, the newest first.
func (d *Desk) Maintenance(ctx context.Context, a Actor, id string) (*deskv1.GetMaintenanceResponse, error) {
	if err := a.require("see what is planned", staff...); err != nil {
		return nil, err
	}
	ctx = For(ctx, a)
	q := d.store.Read()
	_, m, err := d.plannedWork(ctx, q, a, id)
	if err != nil {
		return nil, err
	}
	answer := &deskv1.GetMaintenanceResponse{Maintenance: shownMaintenance(a, m)}
	err = under(ctx, q, m.GetId(), func(number int32) error {
		t, err := view(ctx, q, number)
		if err == nil {
			m.Tickets++
			answer.Tickets = append(answer.Tickets, t)
		}
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		return err
	})
	slices.Reverse(answer.Tickets)
	answer.Tickets = answer.Tickets[:min(len(answer.Tickets), underAtOnce)]
	return answer, err
}

func (d *Desk) plannedWork(ctx context.Context, q *query.Queries, a Actor, id string) (query.Maintenance, *deskv1.Maintenance, error) {
	none := problem(ErrNotFound, "there is no maintenance %q", line(id, 64))
	row, err := q.GetMaintenance(ctx, line(id, 64))
	if errors.Is(err, sql.ErrNoRows) {
		return row, nil, none
	}
	if err != nil {
		return row, nil, err
	}
	m, err := d.maintenanceMessage(row)
	if err == nil && !a.seesMaintenance(m) {
		err = none
	}
	return row, m, err
}

// under goes through the numbers of the tickets that are grouped under planned work.
func under(ctx context.Context, q *query.Queries, id string, each func(number int32) error) error {
	for after := int32(0); ; {
		numbers, err := q.TicketsUnder(ctx, id, after, underAtOnce)
		if err != nil || len(numbers) == 0 {
			return err
		}
		for _, number := range numbers {
			if err := each(number); err != nil {
				return err
			}
		}
		after = numbers[len(numbers)-1]
	}
}

// meets tells whether a machine is one of those that planned work is for.
func meets(s *deskv1.MachineSelector, e query.Endpoint) bool {
	if slices.Contains(s.GetEndpointIds(), e.ID) {
		return true
	}
	if len(s.GetSites())+len(s.GetOsFamilies())+len(s.GetManufacturers()) == 0 {
		return false
	}
	is := func(list []string, value string) bool {
		return len(list) == 0 || value != "" && slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, value) })
	}
	return (len(s.GetSites()) == 0 || slices.Contains(s.GetSites(), e.Site)) && is(s.GetOsFamilies(), e.OsFamily) && is(s.GetManufacturers(), e.Manufacturer)
}

// expected tells whether a ticket is one that planned work brings.
func (d *Desk) expected(x *deskv1.ExpectedFindings, t *query.Ticket) bool {
	switch {
	case t.Type == "request":
		return false
	case len(x.GetFaults())+len(x.GetDomains())+len(x.GetCategories()) == 0:
		return true
	case t.RootCause == "":
		return slices.Contains(x.GetCategories(), t.Category)
	}
	known := d.Catalog().Lookup(t.RootCause)
	return slices.Contains(x.GetFaults(), t.RootCause) || known != nil && slices.Contains(x.GetDomains(), known.Domain)
}

// maintenanceOf finds the planned work that a ticket belongs to: of several that meet
// its machine when it was opened, the one that lists the machine, else the one that
// began first. nil: none.
func (d *Desk) maintenanceOf(ctx context.Context, q *query.Queries, t *query.Ticket) (*deskv1.Maintenance, error) {
	if t.EndpointID == "" {
		return nil, nil
	}
	rows, err := q.MaintenancesUntil(ctx, t.CreatedAt, maxMaintenances)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	machine, err := q.EndpointByID(ctx, t.EndpointID)
	if err != nil {
		if errors.Is(err, sql.ErrNoRows) {
			err = nil
		}
		return nil, err
	}
	var fitting []*deskv1.Maintenance
	for _, row := range rows {
		if row.Cancelled == 1 || t.CreatedAt < row.FromAt {
			continue
		}
		m, err := d.maintenanceMessage(row)
		if err != nil {
			return nil, err
		}
		if meets(m.GetMachines(), machine) && d.expected(m.GetExpects(), t) {
			fitting = append(fitting, m)
		}
	}
	if len(fitting) == 0 {
		return nil, nil
	}
	listed := func(m *deskv1.Maintenance) int {
		if slices.Contains(m.GetMachines().GetEndpointIds(), machine.ID) {
			return 0
		}
		return 1
	}
	return slices.MinFunc(fitting, func(x, y *deskv1.Maintenance) int {
		return cmp.Or(listed(x)-listed(y), x.GetFrom().AsTime().Compare(y.GetFrom().AsTime()), strings.Compare(x.GetId(), y.GetId()))
	}), nil
}

// group puts a ticket under the planned work that it belongs to, or takes it out
// where its diagnosis says that it is something else, and gives what the timeline is
// to tell; nil: nothing changed.
func (d *Desk) group(ctx context.Context, q *query.Queries, t *query.Ticket) (*constatv1.FieldChange, error) {
	m, err := d.maintenanceOf(ctx, q, t)
	if err != nil || m.GetId() == t.MaintenanceID {
		return nil, err
	}
	t.MaintenanceID, t.HeldUntil = m.GetId(), 0
	if m == nil {
		return &constatv1.FieldChange{Field: "maintenance"}, nil
	}
	if m.GetFreeze() {
		t.HeldUntil = store.Millis(m.GetUntil().AsTime())
	}
	return &constatv1.FieldChange{Field: "maintenance", After: announcementIn(m, "en").GetTitle()}, nil
}

// tellGroup writes into the timeline that a ticket was grouped.
func (d *Desk) tellGroup(ctx context.Context, q *query.Queries, t query.Ticket, change *constatv1.FieldChange) error {
	if change == nil {
		return nil
	}
	return writeEntry(ctx, q, t.Number, d.now(), &constatv1.TicketEntry{
		Id: newID(), Kind: "change", Actor: System.Name, ActorRole: "system", Changes: []*constatv1.FieldChange{change},
	})
}

// announcementIn picks what a reader of a language gets.
func announcementIn(m *deskv1.Maintenance, language string) *deskv1.AnnouncementText {
	for _, wanted := range []string{language, "en"} {
		for _, t := range m.GetTexts() {
			if sameTongue(t.GetLanguage(), wanted) {
				return t
			}
		}
	}
	return append(m.GetTexts(), &deskv1.AnnouncementText{})[0]
}

// AnnouncementIn is announcementIn for pages.
func AnnouncementIn(m *deskv1.Maintenance, language string) *deskv1.AnnouncementText {
	return announcementIn(m, language)
}

// SaveMaintenance plans work, where its version is 0, or changes it, and announces
// it. What is over stays as it was.
func (d *Desk) SaveMaintenance(ctx context.Context, a Actor, r *deskv1.Maintenance) (*deskv1.Maintenance, error) {
	if err := a.require("plan maintenance", leads...); err != nil {
		return nil, err
	}
	m, err := d.checkMaintenance(ctx, a, r)
	if err != nil {
		return nil, err
	}
	content, err := store.PackMessage(&deskv1.Maintenance{Zone: m.GetZone(), Texts: m.GetTexts(), Machines: m.GetMachines(), Expects: m.GetExpects()})
	if err != nil {
		return nil, err
	}
	row := query.InsertMaintenanceParams{
		ID: m.GetId(), FromAt: store.Millis(m.GetFrom().AsTime()), UntilAt: store.Millis(m.GetUntil().AsTime()), Freezes: flag(m.GetFreeze()),
		Version: m.GetVersion() + 1, Author: line(a.Name, maxName), UpdatedAt: store.Millis(d.now()), Content: content,
	}
	var changed []int32
	err = d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		changed = nil
		if m.GetVersion() == 0 {
			added, err := q.InsertMaintenance(ctx, row)
			if err != nil || added == 0 {
				return err
			}
			return d.announce(ctx, q, a, m, "planned")
		}
		_, before, err := d.plannedWork(ctx, q, a, m.GetId())
		if err == nil {
			err = a.mayPlan(before)
		}
		if err != nil {
			return err
		}
		if s := before.GetState(); s == maintenanceOver || s == maintenanceCancelled {
			return problem(ErrInvalid, "this maintenance is %s, and stays as it was: plan another one", s)
		}
		found, err := q.UpdateMaintenance(ctx, query.UpdateMaintenanceParams{
			FromAt: row.FromAt, UntilAt: row.UntilAt, Freezes: row.Freezes, Version: row.Version, Author: row.Author,
			UpdatedAt: row.UpdatedAt, Content: row.Content, ID: row.ID, Seen: m.GetVersion(),
		})
		if err != nil {
			return err
		}
		if found == 0 {
			return problem(ErrConflict, "%s changed the maintenance since you read it: look at it, then put your change into it", before.GetAuthor())
		}
		if changed, err = d.regroup(ctx, q, m.GetId()); err != nil {
			return err
		}
		return d.announce(ctx, q, a, m, "changed")
	})
	if err != nil {
		return nil, err
	}
	d.hintTickets(changed)
	d.hint(ticketSubject(0)) // the bell
	found, err := d.Maintenance(ctx, a, m.GetId())
	return found.GetMaintenance(), err
}

func (d *Desk) hintTickets(numbers []int32) {
	for _, number := range numbers {
		d.hint(ticketSubject(number))
	}
}

// regroup looks at the tickets of planned work again, which may last longer now, be
// over, or not meet them any more.
func (d *Desk) regroup(ctx context.Context, q *query.Queries, id string) (changed []int32, err error) {
	err = under(ctx, q, id, func(number int32) error {
		before, err := q.LockTicket(ctx, number)
		if err != nil {
			return err
		}
		after := before
		told, err := d.group(ctx, q, &after)
		if err != nil {
			return err
		}
		if after.MaintenanceID == id { // still: by its present end
			row, err := q.GetMaintenance(ctx, id)
			if err != nil {
				return err
			}
			if after.HeldUntil = 0; row.Freezes == 1 {
				after.HeldUntil = row.UntilAt
			}
		}
		if after == before {
			return nil
		}
		changed = append(changed, number)
		if err := d.saveTicket(ctx, q, after, d.now()); err != nil {
			return err
		}
		return d.tellGroup(ctx, q, after, told)
	})
	return changed, err
}

// mayPlan refuses who is limited to sites what concerns others.
func (a Actor) mayPlan(m *deskv1.Maintenance) error {
	if !a.limited() {
		return nil
	}
	sites := m.GetMachines().GetSites()
	if len(sites) == 0 || len(m.GetMachines().GetEndpointIds()) > 0 {
		return a.requireEverywhere("maintenance of no site, or of machines by name,")
	}
	for _, site := range sites {
		if !a.sees(site) {
			return problem(ErrNotFound, "there is no site %q", site)
		}
	}
	return nil
}

// checkMaintenance gives a copy of what can be kept of planned work.
func (d *Desk) checkMaintenance(ctx context.Context, a Actor, r *deskv1.Maintenance) (*deskv1.Maintenance, error) {
	id, err := checkID("a maintenance", r.GetId())
	if err != nil {
		return nil, err
	}
	m := &deskv1.Maintenance{
		Id: id, From: r.GetFrom(), Until: r.GetUntil(), Zone: r.GetZone(), Freeze: r.GetFreeze(), Version: r.GetVersion(),
		Machines: proto.CloneOf(r.GetMachines()), Expects: proto.CloneOf(r.GetExpects()),
	}
	if m.Machines == nil {
		m.Machines = &deskv1.MachineSelector{}
	}
	if _, err := time.LoadLocation(m.GetZone()); err != nil || m.GetZone() == "Local" {
		return nil, problem(ErrInvalid, "%q is not a time zone: write one like Europe/Paris", line(m.GetZone(), 64))
	}
	if m.GetFrom().CheckValid() != nil || m.GetUntil().CheckValid() != nil || !m.GetFrom().AsTime().Before(m.GetUntil().AsTime()) {
		return nil, problem(ErrInvalid, "a maintenance needs a time from which and a later one until which")
	}
	from, until := m.GetFrom().AsTime(), m.GetUntil().AsTime()
	switch now := d.now(); {
	case until.Sub(from) > maxMaintenance:
		return nil, problem(ErrInvalid, "a maintenance lasts 31 days at most")
	case !until.After(now):
		return nil, problem(ErrInvalid, "the maintenance would be over already: it ends %s", until.UTC().Format(time.RFC3339))
	case from.Before(now.Add(-maxMaintenance)) || from.After(now.Add(maxAhead)):
		return nil, problem(ErrInvalid, "a maintenance begins within the next two years")
	case m.GetVersion() < 0:
		return nil, problem(ErrInvalid, "version %d of a maintenance cannot have been read", m.GetVersion())
	}
	if m.Texts, err = checkAnnouncements(r.GetTexts()); err != nil {
		return nil, err
	}
	if err := checkSelector(m.GetMachines()); err != nil {
		return nil, err
	}
	if err := a.mayPlan(m); err != nil {
		return nil, err
	}
	for i, name := range m.GetMachines().GetEndpointIds() {
		e, err := findEndpoint(For(ctx, a), d.store.Read(), name)
		if err != nil {
			return nil, err
		}
		m.Machines.EndpointIds[i] = e.ID
	}
	return m, d.checkExpects(m.GetExpects())
}

func checkAnnouncements(texts []*deskv1.AnnouncementText) ([]*deskv1.AnnouncementText, error) {
	var kept []*deskv1.AnnouncementText
	for _, t := range texts {
		if len(t.GetText()) > maxAnnouncement {
			return nil, problem(ErrInvalid, "the announcement has %d KB, and at most %d are read", len(t.GetText())>>10, maxAnnouncement>>10)
		}
		one := &deskv1.AnnouncementText{Language: strings.ToLower(line(t.GetLanguage(), 35)), Title: line(t.GetTitle(), maxTitle), Text: clean(strings.TrimSpace(strings.ReplaceAll(t.GetText(), "\r\n", "\n")), maxAnnouncement)}
		if one.GetTitle() == "" && one.GetText() == "" {
			continue
		}
		if one.GetTitle() == "" || one.GetLanguage() == "" {
			return nil, problem(ErrInvalid, "an announcement needs a language and a title in it (%s)", cmp.Or(one.GetLanguage(), "none"))
		}
		if slices.ContainsFunc(kept, func(k *deskv1.AnnouncementText) bool { return k.GetLanguage() == one.GetLanguage() }) {
			return nil, problem(ErrInvalid, "the announcement is there twice in %q", one.GetLanguage())
		}
		kept = append(kept, one)
	}
	if len(kept) == 0 || len(kept) > maxTranslations {
		return nil, problem(ErrInvalid, "an announcement needs a title in one language at least, and in %d at most", maxTranslations)
	}
	slices.SortFunc(kept, func(x, y *deskv1.AnnouncementText) int { return strings.Compare(x.GetLanguage(), y.GetLanguage()) })
	return kept, nil
}

// tidied are names, each once and sorted.
func tidied(names []string) []string {
	var kept []string
	for _, name := range names {
		if name = line(name, maxName); name != "" {
			kept = append(kept, name)
		}
	}
	slices.Sort(kept)
	return slices.Compact(kept)
}

func checkSelector(s *deskv1.MachineSelector) error {
	s.Sites, s.OsFamilies, s.Manufacturers, s.EndpointIds = tidied(s.GetSites()), tidied(s.GetOsFamilies()), tidied(s.GetManufacturers()), tidied(s.GetEndpointIds())
	if len(s.GetEndpointIds()) > maxMachines || len(s.GetSites())+len(s.GetOsFamilies())+len(s.GetManufacturers()) > maxSelected {
		return problem(ErrInvalid, "a maintenance names at most %d machines, and %d sites, systems and makers", maxMachines, maxSelected)
	}
	if len(s.GetSites())+len(s.GetOsFamilies())+len(s.GetManufacturers())+len(s.GetEndpointIds()) == 0 {
		return problem(ErrInvalid, "say for which machines: a site, a system, a maker, or the machines by name")
	}
	return nil
}

func (d *Desk) checkExpects(x *deskv1.ExpectedFindings) error {
	if x == nil {
		return nil
	}
	x.Faults, x.Domains, x.Categories = tidied(x.GetFaults()), tidied(x.GetDomains()), tidied(x.GetCategories())
	for _, id := range x.GetFaults() {
		if d.Catalog().Lookup(id) == nil {
			return problem(ErrInvalid, "there is no fault %q: the list of faults has the ids", line(id, 64))
		}
	}
	for _, domain := range x.GetDomains() {
		if !slices.Contains(d.domains(), domain) {
			return problem(ErrInvalid, "there is no domain %q: it is one of %s", line(domain, 64), strings.Join(d.domains(), ", "))
		}
	}
	if len(x.GetFaults())+len(x.GetCategories()) > maxSelected {
		return problem(ErrInvalid, "a maintenance names at most %d faults and categories", maxSelected)
	}
	return nil
}

// announce tells everybody in the team who sees one of its sites.
func (d *Desk) announce(ctx context.Context, q *query.Queries, a Actor, m *deskv1.Maintenance, what string) error {
	users, err := q.ListUsers(ctx)
	if err != nil {
		return err
	}
	h := happening{
		kind: ToldAnnounced, id: eventID(m.GetId(), what, m.GetFrom().AsTime().Format(time.RFC3339), m.GetUntil().AsTime().Format(time.RFC3339)),
		ticket: query.Ticket{Title: announcementIn(m, "en").GetTitle()}, actor: a, titles: map[string]string{},
		text: what + ": " + m.GetFrom().AsTime().UTC().Format(time.RFC3339) + "/" + m.GetUntil().AsTime().UTC().Format(time.RFC3339),
	}
	for _, u := range users {
		h.titles[u.Language] = announcementIn(m, cmp.Or(u.Language, "en")).GetTitle()
		if slices.Contains(staff, u.Role) && userActor(u).seesMaintenance(m) {
			h.to = append(h.to, u.Name)
		}
	}
	return d.tell(ctx, q, h)
}

// AnnouncedFor reads from when to when a notice announces work, as its text has it
// behind what happened to it.
func AnnouncedFor(when string) (from, until time.Time, ok bool) {
	first, last, both := strings.Cut(when, "/")
	from, errFrom := time.Parse(time.RFC3339, first)
	until, errUntil := time.Parse(time.RFC3339, last)
	return from, until, both && errFrom == nil && errUntil == nil
}

// EndMaintenance ends what is under way now, and takes back what is planned.
func (d *Desk) EndMaintenance(ctx context.Context, a Actor, id string) (*deskv1.Maintenance, error) {
	if err := a.require("end maintenance", leads...); err != nil {
		return nil, err
	}
	var changed []int32
	err := d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		changed = nil
		row, m, err := d.plannedWork(ctx, q, a, id)
		if err == nil {
			err = a.mayPlan(m)
		}
		if err != nil {
			return err
		}
		next := query.UpdateMaintenanceParams{
			FromAt: row.FromAt, UntilAt: row.UntilAt, Freezes: row.Freezes, Version: row.Version + 1, Author: line(a.Name, maxName),
			UpdatedAt: store.Millis(d.now()), Content: row.Content, ID: row.ID, Seen: row.Version,
		}
		switch m.GetState() {
		case maintenancePlanned:
			next.Cancelled = 1
		case maintenanceRunning:
			next.UntilAt = store.Millis(d.now())
		default:
			return nil // ended already
		}
		if _, err := q.UpdateMaintenance(ctx, next); err != nil {
			return err
		}
		if changed, err = d.regroup(ctx, q, row.ID); err != nil {
			return err
		}
		return d.announce(ctx, q, a, m, map[string]string{maintenancePlanned: "cancelled", maintenanceRunning: "ended"}[m.GetState()])
	})
	if err != nil {
		return nil, err
	}
	d.hintTickets(changed)
	d.hint(ticketSubject(0))
	found, err := d.Maintenance(ctx, a, id)
	return found.GetMaintenance(), err
}

// AnswerMaintenance writes the same message into all tickets of planned work that are
// not finished, and changes their state where one is given. Sent again, each ticket
// has it once.
func (d *Desk) AnswerMaintenance(ctx context.Context, a Actor, r *deskv1.AnswerMaintenanceRequest) ([]int32, error) {
	if err := a.require("answer tickets", staff...); err != nil {
		return nil, err
	}
	if r.GetStatus() != "" && !slices.Contains(settable, r.GetStatus()) {
		return nil, problem(ErrInvalid, "a ticket cannot be made %q: it is one of %s", line(r.GetStatus(), 40), strings.Join(settable, ", "))
	}
	if _, err := checkID("the entry", r.GetEntryId()); err != nil {
		return nil, err
	}
	ctx = For(ctx, a)
	if _, _, err := d.plannedWork(ctx, d.store.Read(), a, r.GetId()); err != nil {
		return nil, err
	}
	var open, answered []int32
	err := under(ctx, d.store.Read(), line(r.GetId(), 64), func(number int32) error {
		t, err := d.store.Read().TicketByNumber(ctx, number)
		if err == nil && seesTicket(ctx, t) && !finished(t.Status) {
			open = append(open, number)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, number := range open {
		if _, err := d.AddEntry(ctx, a, &deskv1.AddEntryRequest{Number: number, Id: r.GetEntryId(), Kind: "message", Text: r.GetText()}); err != nil {
			return answered, err
		}
		if r.GetStatus() != "" {
			if err := d.become(ctx, a, number, r.GetStatus()); err != nil {
				return answered, err
			}
		}
		answered = append(answered, number)
	}
	return answered, nil
}

// become changes a ticket's state, whoever else changes it.
func (d *Desk) become(ctx context.Context, a Actor, number int32, status string) error {
	var err error
	for range maxMerges {
		t, found := d.store.Read().TicketByNumber(ctx, number)
		if found != nil {
			return found
		}
		_, err = d.Update(ctx, a, &deskv1.UpdateTicketRequest{Number: number, Version: t.Version, Status: &status})
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return err
}

// maintenanceOn is the planned work that a ticket is grouped under; nil: none, or none
// that its reader sees.
func (d *Desk) maintenanceOn(ctx context.Context, q *query.Queries, number int32) (*deskv1.Maintenance, error) {
	t, err := q.TicketByNumber(ctx, number)
	if err != nil || t.MaintenanceID == "" {
		return nil, err
	}
	a := reader(ctx)
	_, m, err := d.plannedWork(ctx, q, a, t.MaintenanceID)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return shownMaintenance(a, m), nil
}
