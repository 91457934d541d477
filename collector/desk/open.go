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

	"google.golang.org/protobuf/proto"

	"constat/collector/store"
	"constat/collector/store/query"
	"constat/internal/diagnosis"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// Create opens a ticket, or gives the one that has the draft's id already. The
// requester is the draft's; a draft without one is the actor's own.
func (d *Desk) Create(ctx context.Context, a Actor, r *deskv1.CreateTicketRequest) (*constatv1.Ticket, error) {
	if err := a.require("open tickets", everybody...); err != nil {
		return nil, err
	}
	ctx = For(ctx, a)
	draft, err := checkDraft(r.GetDraft())
	if err != nil {
		return nil, err
	}
	if entryRole(a) == "technician" || a.Role == "system" {
		if err := sortDraft(draft, r.GetDraft()); err != nil {
			return nil, err
		}
	}
	if a.Role == "requester" { // nobody asks in another's name
		draft.Requester = &constatv1.Person{Id: a.ID, Name: line(a.Name, maxName)}
	}
	if draft.Requester.Name == "" && draft.Requester.Mail == "" && a.Role != "system" {
		draft.Requester.Name = line(a.Name, maxName)
	}
	var ticket *constatv1.Ticket
	var opened bool
	err = d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		if id := r.GetEndpointId(); id != "" {
			if found, err := q.LockEndpoint(ctx, line(id, 64)); err != nil {
				return err
			} else if found == 0 {
				return problem(ErrNotFound, "there is no endpoint %s", line(id, 64))
			}
			if err := seesEndpointID(ctx, q, line(id, 64)); err != nil {
				return err
			}
		}
		var form *deskv1.RequestForm
		draft := proto.CloneOf(draft) // which may be filled once more
		if r.GetForm() != nil {
			if _, err := q.TicketByID(ctx, draft.GetId()); errors.Is(err, sql.ErrNoRows) {
				if form, err = fillForm(ctx, q, a, draft, r.GetForm()); err != nil {
					return err
				}
			} else if err != nil {
				return err
			}
		}
		row, fresh, err := d.open(ctx, q, a, draft, r.GetEndpointId(), true)
		if err == nil && fresh && form != nil {
			err = d.finishForm(ctx, q, row, form, draft.GetLanguage())
		}
		if err != nil {
			return err
		}
		opened = fresh
		ticket, err = view(ctx, q, row.Number)
		return err
	})
	if err != nil {
		return nil, err
	}
	if opened {
		d.hint(ticketSubject(ticket.Number))
		if r.GetEndpointId() != "" {
			d.hint(endpointSubject(r.GetEndpointId())) // which may be asked for a diagnosis
		}
	}
	return ticket, nil
}

// open is the one path on which tickets come to be, inside a transaction that
// holds the endpoint's lock. fresh is false when the ticket was there before. With
// quote, the draft's text is the first message; without, that came otherwise.
func (d *Desk) open(ctx context.Context, q *query.Queries, a Actor, draft *constatv1.TicketDraft, endpointID string, quote bool) (t query.Ticket, fresh bool, err error) {
	if t, err = q.TicketByID(ctx, draft.GetId()); !errors.Is(err, sql.ErrNoRows) {
		if err == nil && t.EndpointID != endpointID {
			err = problem(ErrInvalid, "the ticket's id %s is taken by a ticket of another endpoint", draft.GetId())
		}
		return t, false, err
	}
	now := d.now()
	t = query.Ticket{
		ID: draft.GetId(), Status: "new", EndpointID: endpointID, Channel: draft.GetChannel(),
		DiagnosisID: draft.GetDiagnosisId(), Language: draft.GetLanguage(),
		CreatedAt: store.Millis(now), UpdatedAt: store.Millis(now),
		OccurredAt: occurred(draft, now), Version: 1,
		Type: cmp.Or(draft.GetType(), "incident"), Queue: draft.GetQueue(), Tags: strings.Join(draft.GetTags(), "\n"),
	}
	requester, err := d.identify(ctx, q, draft.GetRequester(), now)
	if err != nil {
		return t, false, err
	}
	t.RequesterID = requester.ID
	if t.Site, err = siteOf(ctx, q, endpointID, requester); err != nil {
		return t, false, err
	}
	if requester.ID != "" && requester.Site == "" && t.Site != "" {
		if err := q.SetPersonSite(ctx, requester.ID, t.Site); err != nil {
			return t, false, err
		}
	}
	found, err := findDiagnosis(ctx, q, endpointID, draft.GetDiagnosisId())
	if err == nil && draft.GetDiagnosisId() == "" {
		found, err = d.kept(ctx, q, endpointID, draft.GetComplaint())
	}
	if err != nil {
		return t, false, err
	}
	again, err := secondOf(ctx, q, endpointID, found)
	if err != nil {
		return t, false, err
	}
	classify(&t, draft)
	d.conclude(&t, found, now)
	d.conclude(&t, again, now)
	if err := d.prioritiseBy(ctx, q, &t, draft.GetText(), now); err != nil {
		return t, false, err
	}
	decided, err := d.assign(ctx, q, &t, matterOf(&t, firstCause(again, found), draft.GetText()))
	if err != nil {
		return t, false, err
	}
	grouped, err := d.group(ctx, q, &t)
	if err != nil {
		return t, false, err
	}
	levels, err := d.levels(ctx, q)
	if err != nil {
		return t, false, err
	}
	levels.wind(&t, now)

	if t.Number, err = q.NextNumber(ctx, "ticket"); err != nil {
		return t, false, err
	}
	added, err := q.AddTicket(ctx, query.AddTicketParams(t))
	if err != nil {
		return t, false, err
	}
	if added == 0 { // somebody sent the same at the same time, and was first
		t, err = q.TicketByID(ctx, draft.GetId())
		return t, false, err
	}
	if quote {
		err = writeEntry(ctx, q, t.Number, now, &constatv1.TicketEntry{
			Id: draft.GetId(), Kind: "message", Actor: cmp.Or(requester.Name, a.Name, System.Name), ActorRole: "requester", Text: draft.GetText(),
		})
	}
	for _, one := range []*constatv1.Diagnosis{found, again} {
		if err == nil && one != nil {
			err = writeEntry(ctx, q, t.Number, now, diagnosisEntry(one))
		}
	}
	if err == nil {
		err = d.noteSubjects(ctx, q, t, found, again)
	}
	if err == nil {
		err = writeAssignment(ctx, q, t.Number, now, decided)
	}
	if err == nil {
		err = d.tellGroup(ctx, q, t, grouped)
	}
	if err == nil {
		err = addWords(ctx, q, t, requester.Name, draft.GetText())
	}
	if err == nil {
		err = d.tellRaises(ctx, q, t)
	}
	if err == nil {
		err = d.handed(ctx, q, System, "", true, t)
	}
	// Who asked at the machine had the choice of a diagnosis.
	if elsewhere := draft.GetChannel() != "agent" && draft.GetChannel() != "tray"; err == nil && elsewhere && found == nil && endpointID != "" && t.Type == "incident" {
		err = d.askOf(ctx, q, endpointID, t.Category, t.Number)
	}
	return t, true, err
}

// occurred is when it happened to the user by their machine's clock, but not
// after now, whatever that clock says.
func occurred(draft *constatv1.TicketDraft, now time.Time) int64 {
	at := draft.GetOccurredAt()
	if at == nil || at.AsTime().After(now) {
		return store.Millis(now)
	}
	return store.Millis(at.AsTime())
}

// identify finds the requester among the people known, by account name and else
// by mail, or makes them known. A draft that names nobody has no requester.
func (d *Desk) identify(ctx context.Context, q *query.Queries, who *constatv1.Person, now time.Time) (query.Person, error) {
	if a := reader(ctx); a.Role == "requester" {
		known, err := q.PersonByID(ctx, a.ID)
		if errors.Is(err, sql.ErrNoRows) {
			err = problem(ErrForbidden, "this account belongs to nobody who can ask for help: have it made anew")
		}
		return known, err
	}
	if who.GetId() != "" {
		known, err := q.PersonByID(ctx, who.GetId())
		if errors.Is(err, sql.ErrNoRows) {
			return query.Person{}, nil
		}
		return known, err
	}
	if who.GetName() == "" && who.GetMail() == "" {
		return query.Person{}, nil
	}
	account := strings.ToLower(who.GetName())
	if account == "" {
		known, err := q.PersonByMail(ctx, who.GetMail())
		if err != nil || len(known) > 0 {
			return append(known, query.Person{})[0], err
		}
		account = who.GetMail()
	}
	_, err := q.AddPerson(ctx, query.AddPersonParams{
		ID: newID(), Account: account, Name: cmp.Or(who.GetName(), who.GetMail()), Mail: who.GetMail(), CreatedAt: store.Millis(now),
	})
	if err != nil {
		return query.Person{}, err
	}
	if who.GetMail() != "" {
		if err := q.SetPersonMail(ctx, who.GetMail(), account); err != nil {
			return query.Person{}, err
		}
	}
	return q.PersonByAccount(ctx, account)
}

// helpWanted is the title of a ticket of which nothing is known.
var helpWanted = map[string]string{"en": "Help wanted", "fr": "Besoin d'aide"}

// classify gives the ticket its category and, for now, a title: the complaint
// as the requester would put it, or else their first line.
func classify(t *query.Ticket, draft *constatv1.TicketDraft) {
	t.Category, t.TitleDerived = draft.GetComplaint(), 1
	if p, ok := diagnosis.Lookup(draft.GetComplaint()); ok {
		t.Title = p.Title.In(draft.GetLanguage())
	}
	if first := firstLine(draft.GetText()); first != "" && (t.Title == "" || !slices.Contains([]string{"agent", "tray"}, t.Channel)) {
		t.Title = first
	}
	if draft.GetTitle() != "" {
		t.Title, t.TitleDerived = draft.GetTitle(), 0
	}
	if t.Title == "" {
		t.Title = helpWanted["en"]
		if strings.HasPrefix(draft.GetLanguage(), "fr") {
			t.Title = helpWanted["fr"]
		}
	}
}

// TitleIn is a ticket's title in a language: what a person wrote as they wrote it, and
// what the desk made of the fault or the complaint in the reader's own words.
func (d *Desk) TitleIn(t *constatv1.Ticket, language string) string {
	made := func(in string) string {
		switch known := d.Catalog().Lookup(t.GetRootCause()); {
		case known != nil:
			return line(known.Title.About(in, t.GetComponent()), maxTitle)
		case t.GetTitle() == helpWanted[in]:
			return helpWanted[in]
		}
		if p, ok := diagnosis.Lookup(t.GetCategory()); ok {
			return p.Title.In(in)
		}
		return ""
	}
	for in := range helpWanted {
		if made(in) != t.GetTitle() {
			continue
		}
		if t.GetTitle() == helpWanted[in] {
			return cmp.Or(helpWanted[language], t.GetTitle())
		}
		return cmp.Or(made(language), t.GetTitle())
	}
	return t.GetTitle()
}

func (d *Desk) titleIn(t query.Ticket, language string) string {
	return d.TitleIn(&constatv1.Ticket{Title: t.Title, RootCause: t.RootCause, Component: t.Component, Category: t.Category}, language)
}

// conclude puts into the ticket what a diagnosis says: the root cause, and from
// it title and urgency, where nobody has set them. nil changes nothing.
func (d *Desk) conclude(t *query.Ticket, found *constatv1.Diagnosis, now time.Time) {
	if found == nil {
		return
	}
	t.DiagnosedAt = store.Millis(now)
	t.RootCause, t.Certainty, t.Component, t.Brand = "", "", "", ""
	if len(found.GetRootCauses()) == 0 {
		return
	}
	cause := found.GetRootCauses()[0]
	t.RootCause, t.Certainty = line(cause.GetFault(), maxName), line(cause.GetCertainty(), maxName)
	t.Component, t.Brand = line(cause.GetComponent(), maxName), line(cause.GetBrand(), maxName)
	if known := d.Catalog().Lookup(cause.GetFault()); known != nil {
		if t.TitleDerived == 1 {
			t.Title = line(known.Title.About(found.GetLanguage(), cause.GetComponent()), maxTitle)
		}
	} else if t.TitleDerived == 1 && cause.GetTitle() != "" {
		t.Title = line(cause.GetTitle(), maxTitle)
	}
	if t.UrgencySet == 0 && slices.Contains(urgencies, cause.GetUrgency()) {
		t.Urgency = cause.GetUrgency()
	}
}

// firstCause is the first root cause of the first diagnosis that has one.
func firstCause(found ...*constatv1.Diagnosis) *constatv1.RootCause {
	for _, one := range found {
		if causes := one.GetRootCauses(); len(causes) > 0 {
			return causes[0]
		}
	}
	return nil
}

// findDiagnosis gives the diagnosis of an endpoint, nil when it has not come.
func findDiagnosis(ctx context.Context, q *query.Queries, endpointID, id string) (*constatv1.Diagnosis, error) {
	if id == "" || endpointID == "" {
		return nil, nil
	}
	blob, err := q.DiagnosisContent(ctx, endpointID, id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found := &constatv1.Diagnosis{}
	if err := store.UnpackMessage(blob, found); err != nil {
		return nil, fmt.Errorf("diagnosis %s of endpoint %s: %w", id, endpointID, err)
	}
	return found, nil
}

// secondOf gives what the collector made of an agent's diagnosis; nil when it
// had nothing to add.
func secondOf(ctx context.Context, q *query.Queries, endpointID string, found *constatv1.Diagnosis) (*constatv1.Diagnosis, error) {
	if found == nil {
		return nil, nil
	}
	return findDiagnosis(ctx, q, endpointID, againID(found.GetId()))
}

// addWords makes the ticket findable by its title, fault, machine and texts.
func addWords(ctx context.Context, q *query.Queries, t query.Ticket, texts ...string) error {
	first := []string{t.Title, t.RootCause, t.Category, t.Tags}
	if t.EndpointID != "" {
		endpoint, err := q.EndpointByID(ctx, t.EndpointID)
		if err != nil {
			return err
		}
		first = append(first, endpoint.Hostname, endpoint.Serial)
	}
	for _, one := range list(t.Concerned) {
		kind, id, _ := strings.Cut(one, " ")
		named, err := wordsOf(ctx, q, kind, id)
		if err != nil {
			return err
		}
		first = append(first, named...)
	}
	known, err := q.TicketWords(ctx, t.Number)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	all := store.Words(store.MaxWords, slices.Concat(first, []string{known}, texts)...)
	if all == known {
		return nil
	}
	return q.PutTicketWords(ctx, t.Number, all)
}
