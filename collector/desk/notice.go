package desk

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/text/language"

	"constat/collector/store"
	"constat/collector/store/query"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// Kinds of what the team is told.
const (
	ToldAssigned    = "assigned"
	ToldMessage     = "message"
	ToldMention     = "mention"
	ToldReopened    = "reopened"
	ToldUnassigned  = "unassigned"
	ToldReturned    = "returned"
	ToldWarned      = stageWarned
	ToldMissed      = stageMissed
	ToldEscalated   = stageEscalated
	ToldAnnounced   = "announced"
	ToldUnclear     = "unclear"
	ToldUndelivered = "undelivered"
)

// NoticeKinds are all of them, as they are shown.
var NoticeKinds = []string{
	ToldAssigned, ToldMessage, ToldMention, ToldReopened, ToldReturned, ToldUnassigned,
	ToldWarned, ToldMissed, ToldEscalated, ToldAnnounced, ToldUnclear, ToldUndelivered,
}

const (
	// MailSetting is where the mail server is kept. Without it nothing is put
	// aside for mailing.
	MailSetting = "mail.server"
	// Ways out of the house.
	ByMail    = "mail"
	ByWebhook = "webhook"
	// maxNotices is how many of somebody's notices are shown.
	maxNotices = 100
	// noticesKept is how long notices, and what went out, are kept.
	noticesKept = 90 * 24 * time.Hour
)

// happening is something that the team is told.
type happening struct {
	kind string
	// id of what happened: told twice, it is one notice.
	id     string
	ticket query.Ticket
	actor  Actor
	text   string
	// titles stand in the place of the ticket's, by language.
	titles map[string]string
	// to are the names of who is told; leads: those who lead the team, too.
	to    []string
	leads bool
	// administrators, too.
	administrators bool
}

// HookMessage is what a webhook gets.
type HookMessage struct {
	Event  string      `json:"event"`
	Kind   string      `json:"kind"`
	At     time.Time   `json:"at"`
	Actor  string      `json:"actor"`
	Text   string      `json:"text,omitempty"`
	Told   []string    `json:"told"`
	Ticket *HookTicket `json:"ticket,omitempty"`
}

// HookTicket is the ticket that it is about, as it was then.
type HookTicket struct {
	Number    int32      `json:"number"`
	ID        string     `json:"id"`
	Title     string     `json:"title"`
	Status    string     `json:"status"`
	Priority  string     `json:"priority"`
	Assignee  string     `json:"assignee"`
	Category  string     `json:"category,omitempty"`
	RootCause string     `json:"rootCause,omitempty"`
	DueAt     *time.Time `json:"dueAt,omitempty"`
	// URL is the ticket in the console.
	URL string `json:"url,omitempty"`
}

// tell puts aside what somebody is to know, in the transaction in which it
// happened: for the console, and for what leaves the house. Nobody is told what
// they did themselves.
func (d *Desk) tell(ctx context.Context, q *query.Queries, h happening) error {
	users, err := q.ListUsers(ctx)
	if err != nil {
		return err
	}
	now := d.now()
	h.text = line(h.text, maxTitle)
	rules, err := rulesOf(ctx, q)
	if err != nil {
		return err
	}
	_, err = q.Setting(ctx, MailSetting)
	mails := err == nil
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	told := []string{}
	for _, u := range h.recipients(users) {
		added, err := q.AddNotice(ctx, query.AddNoticeParams{
			UserID: u.ID, EventID: h.id, Kind: h.kind, Number: h.ticket.Number, Title: d.titleFor(u, h),
			Actor: line(h.actor.Name, maxName), Text: h.text, At: store.Millis(now),
		})
		if err != nil {
			return err
		}
		if told = append(told, u.Name); added == 0 || !mails || u.Mail == "" || h.kind == ToldUndelivered {
			continue
		}
		rule, quiet := rules[u.ID], Quiet{}
		if slices.Contains(strings.Fields(rule.NotMailed), h.kind) {
			continue
		}
		if quiet, err = d.quietOf(ctx, q, rule); err != nil {
			return err
		}
		if err := putAside(ctx, q, ByMail, u.ID, h, nil, now, quiet.End(now)); err != nil {
			return err
		}
	}
	return d.tellWebhooks(ctx, q, h, told, now)
}

// titleFor is what a happening is about, as one who is told reads it.
func (d *Desk) titleFor(u query.User, h happening) string {
	if h.ticket.Number == 0 {
		return cmp.Or(h.titles[u.Language], h.ticket.Title)
	}
	return d.titleIn(h.ticket, cmp.Or(u.Language, "en"))
}

// recipients are the users who are told, each once and never the actor.
func (h *happening) recipients(users []query.User) []query.User {
	leaders := false
	for _, u := range users {
		leaders = leaders || u.Role == "lead" && u.DisabledAt == 0
	}
	var list []query.User
	for _, u := range users {
		themselves := u.ID == h.actor.ID || u.Name == h.actor.Name && slices.Contains(staff, h.actor.Role)
		meant := slices.Contains(h.to, u.Name) || h.leads && u.Role == "lead" ||
			(h.administrators || h.leads && !leaders) && u.Role == "administrator"
		sees := h.ticket.Number == 0 || userActor(u).sees(h.ticket.Site)
		if meant && sees && !themselves && u.DisabledAt == 0 {
			list = append(list, u)
		}
	}
	return list
}

// tellWebhooks puts aside what webhooks are told, each of what it asked for.
func (d *Desk) tellWebhooks(ctx context.Context, q *query.Queries, h happening, told []string, now time.Time) error {
	hooks, err := q.Webhooks(ctx)
	if err != nil || len(hooks) == 0 {
		return err
	}
	message := HookMessage{Event: h.id, Kind: h.kind, At: now.UTC().Truncate(time.Millisecond), Actor: h.actor.Name, Text: h.text, Told: told}
	if t := h.ticket; t.Number != 0 {
		message.Ticket = &HookTicket{
			Number: t.Number, ID: t.ID, Title: t.Title, Status: t.Status, Priority: t.Priority, Assignee: t.Assignee,
			Category: t.Category, RootCause: t.RootCause,
		}
		if t.DueAt != 0 {
			due := store.Time(t.DueAt)
			message.Ticket.DueAt = &due
		}
	}
	content, err := json.Marshal(message)
	if err != nil {
		return err
	}
	for _, hook := range hooks {
		if kinds := strings.Fields(hook.Kinds); len(kinds) > 0 && !slices.Contains(kinds, h.kind) {
			continue
		}
		if sites := list(hook.Sites); len(sites) > 0 && (h.ticket.Number == 0 || !slices.Contains(sites, h.ticket.Site)) {
			continue
		}
		if err := putAside(ctx, q, ByWebhook, hook.Name, h, content, now, now); err != nil {
			return err
		}
	}
	return nil
}

func putAside(ctx context.Context, q *query.Queries, way, recipient string, h happening, content []byte, now, due time.Time) error {
	_, err := q.AddToOutbox(ctx, query.AddToOutboxParams{
		ID: newID(), Way: way, Recipient: recipient, EventID: h.id, Number: h.ticket.Number,
		Content: append([]byte{}, content...), CreatedAt: store.Millis(now), DueAt: store.Millis(due),
	})
	return err
}

// eventID is the id of what happened to something, from the id of that.
func eventID(id string, what ...string) string {
	return uuid.NewSHA1(uuid.MustParse(id), []byte(strings.Join(what, " "))).String()
}

// concerned are the names of those who are told what happens to a ticket.
func concerned(t query.Ticket) []string {
	if t.Assignee == "" {
		return list(t.Followers)
	}
	return append(list(t.Followers), t.Assignee)
}

// tellAssigned tells who has a ticket now, where that is another than before.
func (d *Desk) tellAssigned(ctx context.Context, q *query.Queries, a Actor, before string, t query.Ticket) error {
	if t.Assignee == "" || t.Assignee == before {
		return nil
	}
	return d.tell(ctx, q, happening{kind: ToldAssigned, id: newID(), ticket: t, actor: a, to: []string{t.Assignee}})
}

// tellEntry tells those who are concerned that somebody wrote in a ticket, which
// is as before that, and those whom a note names that it does.
func (d *Desk) tellEntry(ctx context.Context, q *query.Queries, a Actor, before query.Ticket, entry *constatv1.TicketEntry) error {
	// The entry's id is its writer's choice, and need be unique in its ticket only.
	h := happening{kind: ToldMention, id: eventID(before.ID, "mention", entry.GetId()), ticket: before, actor: a, text: firstLine(entry.GetText()), to: entry.GetMentions()}
	if len(h.to) > 0 {
		if err := d.tell(ctx, q, h); err != nil {
			return err
		}
	}
	h.kind, h.id, h.to = ToldMessage, eventID(before.ID, "entry", entry.GetId()), joined(concerned(before), nil, entry.GetMentions()...)
	if done(before.Status) && a.Role == "requester" {
		h.kind = ToldReopened
	}
	return d.tell(ctx, q, h)
}

// done tells whether a ticket in a state was thought done.
func done(status string) bool { return status == "solved" || status == "closed" }

// tellClock tells that a promise is near its end, or past it.
func (d *Desk) tellClock(ctx context.Context, q *query.Queries, t query.Ticket, c clock, stage, entry string) error {
	l, err := d.levels(ctx, q)
	if err != nil {
		return err
	}
	h := happening{kind: stage, id: entry, ticket: t, actor: System, text: c.name}
	l.toldOf(&h, stage, t)
	return d.tell(ctx, q, h)
}

func rulesOf(ctx context.Context, q *query.Queries) (map[string]query.NoticeRule, error) {
	rows, err := q.NoticeRules(ctx)
	rules := map[string]query.NoticeRule{}
	for _, row := range rows {
		rules[row.UserID] = row
	}
	return rules, err
}

// quietOf is when somebody wants no mail; by the desk's clock, where they name no
// other.
func (d *Desk) quietOf(ctx context.Context, q *query.Queries, r query.NoticeRule) (Quiet, error) {
	quiet := Quiet{From: int(r.QuietFrom), Until: int(r.QuietUntil), Weekend: r.QuietWeekend == 1}
	zone := r.Zone
	if zone == "" {
		levels, err := d.levels(ctx, q)
		if err != nil {
			return quiet, err
		}
		zone = levels.Zone
	}
	var err error
	if quiet.Zone, err = time.LoadLocation(zone); err != nil {
		quiet.Zone = nil // a zone that this system forgot is no reason to lose a ticket
	}
	return quiet, nil
}

// Reader is somebody who is told something by mail.
type Reader struct {
	Name, Mail, Language string
	Quiet
}

// Reader gives a user as they are told things by mail; ErrNotFound when they are
// gone.
func (d *Desk) Reader(ctx context.Context, userID string) (Reader, error) {
	q := d.store.Read()
	user, err := q.UserByID(ctx, userID)
	if errors.Is(err, sql.ErrNoRows) || err == nil && user.DisabledAt != 0 {
		return Reader{}, problem(ErrNotFound, "there is no such user")
	}
	if err != nil {
		return Reader{}, err
	}
	rule, err := q.NoticeRuleOf(ctx, userID)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return Reader{}, err
	}
	quiet, err := d.quietOf(ctx, q, rule)
	return Reader{Name: user.Name, Mail: user.Mail, Language: user.Language, Quiet: quiet}, err
}

// Notices are what a user was told, newest first, and how many they have not read.
func (d *Desk) Notices(ctx context.Context, a Actor) (*deskv1.ListNoticesResponse, error) {
	rows, err := d.store.Read().Notices(ctx, a.ID, maxNotices)
	if err != nil {
		return nil, err
	}
	answer := &deskv1.ListNoticesResponse{}
	hidden := map[int32]bool{}
	for _, row := range rows {
		n := NoticeMessage(row)
		// A ticket may have gone to a site that its reader does not see.
		if number := n.GetNumber(); a.limited() && number != 0 {
			if _, asked := hidden[number]; !asked {
				_, err := target(For(ctx, a), d.store.Read(), number)
				if hidden[number] = errors.Is(err, ErrNotFound); err != nil && !hidden[number] {
					return nil, err
				}
			}
			if hidden[number] {
				n.Title, n.Text = "", ""
			}
		}
		answer.Notices = append(answer.Notices, n)
	}
	unread, err := d.Unread(ctx, a.ID)
	answer.Unread = int32(unread)
	return answer, err
}

// NoticeMessage is a row of the notices as messages carry it.
func NoticeMessage(n query.Notice) *deskv1.Notice {
	return &deskv1.Notice{
		EventId: n.EventID, Kind: n.Kind, Number: n.Number, Title: n.Title, Actor: n.Actor, Text: n.Text,
		At: timestamp(n.At), Read: n.ReadAt != 0,
	}
}

// Unread is how many notices a user has not read.
func (d *Desk) Unread(ctx context.Context, userID string) (int, error) {
	n, err := d.store.Read().CountUnread(ctx, userID)
	return int(n), err
}

// ReadNotices marks a user's notices of a ticket as read, with 0 all, and tells how
// many were not.
func (d *Desk) ReadNotices(ctx context.Context, a Actor, number int32) (int, error) {
	if unread, err := d.Unread(ctx, a.ID); err != nil || unread == 0 {
		return 0, err
	}
	if number == 0 {
		number = -1
	}
	var read int64
	err := d.store.Write(ctx, func(ctx context.Context, q *query.Queries) (err error) {
		read, err = q.ReadNotices(ctx, store.Millis(d.now()), a.ID, number)
		return err
	})
	if err == nil && read > 0 {
		d.hint(noticeSubject(a.ID))
	}
	return int(read), err
}

func noticeSubject(userID string) string { return "ticket." + userID + ".read" }

// WatchNotices calls changed with how many notices a user has not read, at once
// and each time that becomes another number, until ctx ends.
func (d *Desk) WatchNotices(ctx context.Context, userID string, changed func(unread int)) error {
	known := -1
	// Whatever is told was told by a change of a ticket, or taken back by reading.
	return d.await(ctx, "ticket.*.*", endpointLookAgain, func() (bool, error) {
		unread, err := d.Unread(ctx, userID)
		if err == nil && unread != known {
			known = unread
			changed(unread)
		}
		return false, err
	})
}

// NoticeRule is what a user wants to be told by mail, and when not.
func (d *Desk) NoticeRule(ctx context.Context, a Actor) (*deskv1.NoticeRule, error) {
	q := d.store.Read()
	user, err := q.UserByID(ctx, a.ID)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, problem(ErrNotFound, "there is no such user")
	}
	if err != nil {
		return nil, err
	}
	rule, err := q.NoticeRuleOf(ctx, a.ID)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	message := &deskv1.NoticeRule{
		Zone: rule.Zone, QuietWeekend: rule.QuietWeekend == 1, NotMailed: strings.Fields(rule.NotMailed), Mail: user.Mail, Language: user.Language,
	}
	if rule.QuietFrom != rule.QuietUntil {
		message.QuietFrom, message.QuietUntil = wallClock(rule.QuietFrom), wallClock(rule.QuietUntil)
	}
	return message, nil
}

// SetNoticeRule changes what a user wants to be told by mail, and when not.
func (d *Desk) SetNoticeRule(ctx context.Context, a Actor, r *deskv1.NoticeRule) (*deskv1.NoticeRule, error) {
	row := query.PutNoticeRuleParams{UserID: a.ID, Zone: line(r.GetZone(), maxName), QuietWeekend: flag(r.GetQuietWeekend())}
	if _, err := time.LoadLocation(row.Zone); err != nil || row.Zone == "Local" {
		return nil, problem(ErrInvalid, "%q is not a time zone: write one like Europe/Paris", row.Zone)
	}
	if (r.GetQuietFrom() == "") != (r.GetQuietUntil() == "") {
		return nil, problem(ErrInvalid, "quiet hours have a beginning and an end: give both or neither")
	}
	for _, of := range []struct {
		text string
		into *int32
	}{{r.GetQuietFrom(), &row.QuietFrom}, {r.GetQuietUntil(), &row.QuietUntil}} {
		at, err := time.Parse("15:04", cmp.Or(of.text, "00:00"))
		if err != nil {
			return nil, problem(ErrInvalid, "%q is not a time of the day: write it as 18:30", line(of.text, 40))
		}
		*of.into = int32(at.Hour()*60 + at.Minute())
	}
	for _, kind := range r.GetNotMailed() {
		if !slices.Contains(NoticeKinds, kind) {
			return nil, problem(ErrInvalid, "there is no kind of notice %q: it is one of %s", line(kind, 40), strings.Join(NoticeKinds, ", "))
		}
	}
	kinds := slices.Clone(r.GetNotMailed())
	slices.Sort(kinds)
	row.NotMailed = strings.Join(slices.Compact(kinds), " ")
	address := strings.TrimSpace(r.GetMail())
	if parsed, err := mail.ParseAddress(address); address != "" && (err != nil || parsed.Address != address || len(address) > 254) {
		return nil, problem(ErrInvalid, "%q is not a mail address", line(address, maxName))
	}
	tongue := line(r.GetLanguage(), 35)
	if _, err := language.Parse(tongue); tongue != "" && err != nil {
		return nil, problem(ErrInvalid, "%q is not a language: write it as en or fr", tongue)
	}
	err := d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		found, err := q.SetUserMail(ctx, a.ID, address)
		if err == nil && found == 0 {
			err = problem(ErrNotFound, "there is no such user")
		}
		if err == nil && tongue != "" {
			_, err = q.SetLanguage(ctx, a.ID, tongue)
		}
		if err != nil {
			return err
		}
		return q.PutNoticeRule(ctx, row)
	})
	if err != nil {
		return nil, err
	}
	return d.NoticeRule(ctx, a)
}

// wallClock is a minute of the day as people write it.
func wallClock(minute int32) string { return fmt.Sprintf("%02d:%02d", minute/60, minute%60) }

// undelivered is what the ids of its notices are made of.
var undelivered = uuid.MustParse("8b0e1f3c-6a57-4d0c-9a55-0d6f0f6f2f11")

// Undelivered tells the administrators, in the console only, that something could
// not leave the house: once of the same subject and day.
func (d *Desk) Undelivered(ctx context.Context, subject string, number int32, text string) error {
	id := eventID(undelivered.String(), subject, d.now().UTC().Format(time.DateOnly))
	err := d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		t, err := q.TicketByNumber(ctx, number)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		users, err := q.ListUsers(ctx)
		if err != nil {
			return err
		}
		h := happening{actor: System, administrators: true}
		for _, u := range h.recipients(users) {
			_, err := q.AddNotice(ctx, query.AddNoticeParams{
				UserID: u.ID, EventID: id, Kind: ToldUndelivered, Number: t.Number, Title: d.titleIn(t, cmp.Or(u.Language, "en")),
				Actor: System.Name, Text: line(text, maxTitle), At: store.Millis(d.now()),
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		d.hint(ticketSubject(number))
	}
	return err
}

// forgetNotices takes away what nobody looks at any more.
func (d *Desk) forgetNotices(ctx context.Context, q *query.Queries) error {
	before := store.Millis(d.now().Add(-noticesKept))
	if _, err := q.DeleteOldNotices(ctx, before); err != nil {
		return err
	}
	_, err := q.DeleteOldOutbox(ctx, before)
	return err
}
