package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/agent/local"
	"constat/agent/remedy"
	"constat/agent/trigger"
	"constat/agent/uplink"
	"constat/internal/diagnosis"
	"constat/internal/durable"
	constatv1 "constat/proto/constat/v1"
)

const (
	// askTimeout is how long a person waits for the collector's word on their
	// tickets; then they read what it said last.
	askTimeout = 8 * time.Second
	// plannedTimeout is how long who asks how the agent stands waits for what is
	// planned.
	plannedTimeout = 2 * time.Second
	// peopleFile has what this machine's people have read and were told.
	peopleFile = "people"
	// keptTold bounds what is remembered of one person.
	keptTold = 100
)

// people are those of this machine: what each has read and was told, and who is
// to hear when something changes.
type people struct {
	mu       sync.Mutex
	dir      string
	known    map[string]*reader // by local.User.ID
	watching map[chan struct{}]bool
	// news counts what may have changed at the collector.
	news int
}

type reader struct {
	// Read is until when they have read their tickets.
	Read time.Time `json:"read"`
	// Told are the keys of what they were told once, oldest first.
	Told []string `json:"told,omitempty"`

	answer  *constatv1.ListPersonTicketsResponse // the collector's last
	working int
}

// open takes up what was remembered. What can't be read is told once more.
func (p *people) open(dir string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dir = dir
	if content, err := os.ReadFile(filepath.Join(dir, peopleFile)); err == nil {
		_ = json.Unmarshal(content, &p.known)
	}
}

// of gives a person; p.mu is held.
func (p *people) of(user local.User) *reader {
	if p.known == nil {
		p.known = map[string]*reader{}
	}
	one := p.known[user.ID]
	if one == nil {
		one = &reader{}
		p.known[user.ID] = one
	}
	return one
}

// keep remembers; p.mu is held.
func (p *people) keep() {
	content, err := json.Marshal(p.known)
	if err == nil && p.dir != "" {
		err = durable.Write(filepath.Join(p.dir, peopleFile), content, 0o600)
	}
	if err != nil {
		slog.Warn("what people have read is not remembered", "error", err)
	}
}

// wake has everybody who watches look again.
func (p *people) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for heard := range p.watching {
		select {
		case heard <- struct{}{}:
		default: // one look sees all
		}
	}
}

// answered says that the collector may have news.
func (p *people) answered() {
	p.mu.Lock()
	p.news++
	p.mu.Unlock()
	p.wake()
}

// watch begins to hear of changes.
func (p *people) watch() (heard chan struct{}, end func()) {
	heard = make(chan struct{}, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.watching == nil {
		p.watching = map[chan struct{}]bool{}
	}
	p.watching[heard] = true
	return heard, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.watching, heard)
	}
}

// works says that something is being looked into for a person, until it ends.
func (p *people) works(user local.User) (end func()) {
	add := func(n int) {
		p.mu.Lock()
		p.of(user).working += n
		p.mu.Unlock()
		p.wake()
	}
	add(1)
	return func() { add(-1) }
}

// once tells whether a person is to be told something, and remembers that they were.
func (p *people) once(user local.User, key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.of(user)
	if slices.Contains(one.Told, key) {
		return false
	}
	one.Told = append(one.Told, key)
	one.Told = one.Told[max(0, len(one.Told)-keptTold):]
	p.keep()
	return true
}

// asks has the collector's word on a person's tickets, else its last one.
func (c *counter) asks(ctx context.Context, user local.User, language string) (answer *constatv1.ListPersonTicketsResponse, reached bool) {
	if link := c.link.Load(); link != nil {
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		var err error
		answer, err = link.Tickets(ctx, user.Name, language)
		reached = err == nil
	}
	c.people.mu.Lock()
	defer c.people.mu.Unlock()
	one := c.people.of(user)
	if reached {
		one.answer = answer
	}
	if one.answer == nil {
		return &constatv1.ListPersonTicketsResponse{}, reached
	}
	answer = proto.CloneOf(one.answer)
	answer.Planned = slices.DeleteFunc(answer.GetPlanned(), func(p *constatv1.PlannedWork) bool { return !time.Now().Before(p.GetUntil().AsTime()) })
	return answer, reached
}

// ListTickets gives the tickets of who asks, and what of them still waits here.
func (c *counter) ListTickets(ctx context.Context, r *constatv1.ListTicketsRequest) (*constatv1.ListTicketsResponse, error) {
	user, ok := local.Peer(ctx)
	if !ok {
		return nil, status.Error(codes.PermissionDenied, "who is asking is unknown")
	}
	language := (&options{language: r.GetLanguage()}).lang()
	if r.GetSent() {
		return &constatv1.ListTicketsResponse{Sent: c.sent(language)}, nil
	}
	said, reached := c.asks(ctx, user, language)
	answer := &constatv1.ListTicketsResponse{Tickets: said.GetTickets(), Known: c.named(said.GetKnown(), language), Reached: reached, Planned: said.GetPlanned()}
	if link := c.link.Load(); link != nil {
		waiting, refused, err := link.Spool().Said()
		if err != nil {
			return nil, status.Error(codes.Unavailable, err.Error())
		}
		answer.Tickets = addSaid(answer.GetTickets(), "waiting", waiting, user, language)
		answer.Tickets = addSaid(answer.GetTickets(), "refused", refused, user, language)
	}
	if r.GetRead() {
		c.people.mu.Lock()
		c.people.of(user).Read = latest(said)
		c.people.keep()
		c.people.mu.Unlock()
		c.people.wake()
	}
	return answer, nil
}

// named are troubles in words; those that this catalog does not know are left out.
func (c *counter) named(known []*constatv1.Finding, language string) (said []*constatv1.Finding) {
	if len(known) == 0 {
		return nil
	}
	catalog, _, _, err := c.observer.known()
	if err != nil {
		return nil
	}
	for _, k := range known {
		if f := catalog.Lookup(k.GetFault()); f != nil {
			k.Title = f.Title.About(language, k.GetSubject())
			said = append(said, k)
		}
	}
	return said
}

// addSaid puts what lies in the spool to what the collector said, as what it is:
// waiting or refused.
func addSaid(tickets []*constatv1.PersonTicket, kind string, said []*constatv1.Report, user local.User, language string) []*constatv1.PersonTicket {
	find := func(id string) *constatv1.PersonTicket {
		for _, t := range tickets {
			if t.GetTicket().GetId() == id {
				return t
			}
		}
		return nil
	}
	own := func(id, text string, at *timestamppb.Timestamp) *constatv1.TicketEntry {
		return &constatv1.TicketEntry{Id: id, At: at, Kind: kind, ActorRole: "requester", Text: text}
	}
	for _, report := range said {
		if d := report.GetTicket(); d.GetRequester().GetId() == user.ID && find(d.GetId()) == nil {
			title := d.GetText()
			if p, known := diagnosis.Lookup(d.GetComplaint()); known {
				title = p.Title.In(language)
			}
			tickets = slices.Insert(tickets, 0, &constatv1.PersonTicket{
				Ticket:   &constatv1.Ticket{Id: d.GetId(), Title: title, Status: "new", CreatedAt: d.GetOccurredAt(), UpdatedAt: d.GetOccurredAt()},
				Messages: []*constatv1.TicketEntry{own(d.GetId(), d.GetText(), d.GetOccurredAt())},
			})
		}
	}
	for _, report := range said {
		r := report.GetReply()
		t := find(r.GetTicketId())
		known := slices.ContainsFunc(t.GetMessages(), func(m *constatv1.TicketEntry) bool { return m.GetId() == r.GetId() })
		if r.GetRequester().GetId() == user.ID && t != nil && !known {
			t.Messages = append(t.Messages, own(r.GetId(), r.GetText(), r.GetWrittenAt()))
		}
	}
	return tickets
}

// latest is when a technician wrote last.
func latest(said *constatv1.ListPersonTicketsResponse) (at time.Time) {
	for _, t := range said.GetTickets() {
		for _, m := range t.GetMessages() {
			if m.GetActorRole() != "requester" && m.GetAt().AsTime().After(at) {
				at = m.GetAt().AsTime()
			}
		}
	}
	return at
}

// reply keeps what a person says in a ticket of theirs until the collector has it,
// which decides whether it is theirs.
func (c *counter) reply(ctx context.Context, user local.User, r *constatv1.SubmitTicketRequest) (*constatv1.SubmitTicketResponse, error) {
	switch {
	case strings.TrimSpace(r.GetText()) == "":
		return nil, status.Error(codes.InvalidArgument, "the text is empty")
	case uuid.Validate(r.GetReplyTo()) != nil:
		return nil, status.Error(codes.InvalidArgument, "that is no ticket")
	}
	reply := &constatv1.TicketReply{
		Id: uuid.Must(uuid.NewV7()).String(), TicketId: r.GetReplyTo(), Text: r.GetText(),
		Requester: &constatv1.Person{Id: user.ID, Name: user.Name}, WrittenAt: timestamppb.Now(),
	}
	number, err := c.submit(ctx, reply.Id, &constatv1.Report{Content: &constatv1.Report_Reply{Reply: reply}}, waitOf(r))
	if err != nil {
		return nil, spoolError(err)
	}
	return &constatv1.SubmitTicketResponse{Id: reply.Id, Number: number}, nil
}

// sent tells what left this machine.
func (c *counter) sent(language string) (all []*constatv1.ListTicketsResponse_Sent) {
	link := c.link.Load()
	if link == nil {
		return nil
	}
	for _, s := range link.Trace() {
		all = append(all, &constatv1.ListTicketsResponse_Sent{At: timestamppb.New(s.At), Kind: s.Kind, Text: said(s, language), By: s.By})
	}
	return all
}

// said is what left this machine, in words.
func said(s uplink.Sent, language string) string {
	about := slices.Clone(s.About)
	for i, word := range about {
		if s.Kind == "facts" {
			about[i] = diagnosis.GroupName(word, language)
		} else if p, known := diagnosis.Lookup(word); known {
			about[i] = p.Title.In(language)
		} else if v, known := remedy.Lookup(word); known {
			about[i] = v.Title.About(language, "")
		}
	}
	return strings.Join(about, ", ")
}

// Watch tells a person how things stand, until they are gone.
func (c *counter) Watch(r *constatv1.WatchRequest, stream grpc.ServerStreamingServer[constatv1.WatchResponse]) error {
	ctx := stream.Context()
	user, ok := local.Peer(ctx)
	if !ok {
		return status.Error(codes.PermissionDenied, "who is asking is unknown")
	}
	language := (&options{language: r.GetLanguage()}).lang()
	heard, end := c.people.watch()
	defer end()
	before, news := "", -1
	for {
		c.people.mu.Lock()
		fresh := c.people.news
		c.people.mu.Unlock()
		if fresh != news {
			news = fresh
			c.asks(ctx, user, language)
		}
		state, notices := c.stands(user, language)
		if len(notices) == 0 && state != before {
			notices = append(notices, &constatv1.WatchResponse{})
		}
		for _, n := range notices {
			n.State, before = state, state
			if err := stream.Send(n); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-heard:
		}
	}
}

// noticeWords are what a person is told without asking.
var noticeWords = map[string]struct{ answered, asked, askedText, hurts, known, knownText string }{
	"en": {"%s answered", "Your technician asks", "%s asks to do something on this computer. Nothing happens without your yes.", "This may hurt soon",
		"Known already", "%s Your technicians are working on it; you need not tell them."},
	"fr": {"%s vous a répondu", "Votre technicien demande", "%s demande à faire quelque chose sur cet ordinateur. Rien ne se passe sans votre oui.", "À traiter sans attendre",
		"Déjà signalé", "%s Vos techniciens y travaillent ; inutile de le signaler."},
}

// stands is how things stand for a person, and what they were not told yet.
func (c *counter) stands(user local.User, language string) (state string, notices []*constatv1.WatchResponse) {
	w := noticeWords[language]
	var asked []*constatv1.RemedyRequest
	if b, err := c.bench(); err == nil && mayConsent(user) {
		asked = b.Waiting(time.Now())
	}
	found := c.findings(time.Now(), language)
	c.people.mu.Lock()
	one := c.people.of(user)
	read, working, tickets := one.Read, one.working > 0, one.answer.GetTickets()
	known := proto.CloneOf(one.answer).GetKnown()
	c.people.mu.Unlock()

	tell := func(key, title, text, view string) {
		if c.people.once(user, key) {
			notices = append(notices, &constatv1.WatchResponse{Title: title, Text: text, View: view})
		}
	}
	unread := false
	for _, t := range tickets {
		for _, m := range t.GetMessages() {
			if m.GetActorRole() != "requester" && m.GetAt().AsTime().After(read) {
				unread = true
				tell("message "+m.GetId(), strings.ReplaceAll(w.answered, "%s", m.GetActor()), cmp.Or(firstLine(m.GetText()), t.GetTicket().GetTitle()), "tickets")
			}
		}
	}
	for _, request := range asked {
		tell("request "+request.GetId(), w.asked, strings.ReplaceAll(w.askedText, "%s", request.GetRequestedBy()), "start")
	}
	for _, k := range c.named(known, language) {
		tell(fmt.Sprintf("known %s %s %d", k.GetFault(), k.GetSubject(), k.GetAt().GetSeconds()), w.known,
			strings.ReplaceAll(w.knownText, "%s", strings.TrimRight(k.GetTitle(), ". ")+"."), "")
	}
	for _, f := range found {
		// What an event set off is felt already; what the daily look found is not.
		if f.GetEvent() == trigger.Daily && f.GetFault() != "" && f.GetCertainty() != "possible" {
			tell(strings.TrimSpace("finding "+f.GetFault()+" "+f.GetComponent()), w.hurts, f.GetTitle(), f.GetProcedure())
		}
	}
	switch {
	case working:
		return "working", notices
	case len(asked) > 0:
		return "asked", notices
	case unread:
		return "answered", notices
	case len(found) > 0:
		return "found", notices
	}
	return "fine", notices
}

// firstLine is short enough for a notification.
func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if r := []rune(line); len(r) > 120 {
		line = string(r[:119]) + "…"
	}
	return line
}
