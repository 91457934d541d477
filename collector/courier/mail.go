package courier

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"slices"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"constat/collector/desk"
	"constat/collector/store"
	"constat/collector/store/query"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// letter is a mail before it is one.
type letter struct {
	to        *netmail.Address
	subject   string
	text      string
	messageID string
	// thread is the Message-ID that it stands under; empty: under none.
	thread string
}

// mailTo sends one person what is put aside for them, as one mail.
func (c *Courier) mailTo(ctx context.Context, userID string, rows []query.Outbox) result {
	reader, err := c.desk.Reader(ctx, userID)
	if errors.Is(err, desk.ErrNotFound) || err == nil && reader.Mail == "" {
		return result{dropped: true}
	}
	if err != nil {
		return result{err: err}
	}
	now := c.now()
	if end := reader.End(now); end.After(now) {
		return result{later: end}
	}
	server, err := c.server(ctx)
	if err != nil {
		return result{err: err}
	}
	if server.GetHost() == "" {
		return result{err: errors.New("no mail server is set: an administrator sets one under Mail and webhooks")}
	}
	if reason := neverMail(reader.Mail, server.GetFrom()); reason != "" {
		return result{err: errors.New(reason), final: true}
	}
	news, err := c.news(ctx, userID, rows)
	if err != nil {
		return result{err: err}
	}
	if len(news) == 0 {
		return result{dropped: true} // the notices are gone
	}
	l, err := c.letter(ctx, server, reader, news, rows)
	if err != nil {
		return result{err: err}
	}
	went, err := c.mailed(ctx, reader.Mail, now)
	if err != nil {
		return result{err: err}
	}
	number := news[0].GetNumber()
	if len(news) > 1 {
		number = 0
	}
	if may := mayGo(went, number, l.subject, now); may.After(now) {
		c.log.Info("a mail is held back: many went there lately", "to", reader.Name, "until", may)
		return result{later: may}
	}
	password, err := c.password(ctx)
	if err != nil {
		return result{err: err}
	}
	r := result{address: reader.Mail, subject: l.subject, messageID: l.messageID}
	r.err, r.final = c.post(ctx, server, password, l)
	return r
}

// neverMail says why an address gets no automatic mail; empty: it may.
func neverMail(address, from string) string {
	local, _, _ := strings.Cut(strings.ToLower(address), "@")
	if slices.Contains([]string{"mailer-daemon", "noreply", "no-reply", "donotreply", "do-not-reply", "postmaster"}, local) {
		return fmt.Sprintf("%s is an address that nobody reads: give the user another one", address)
	}
	if own, err := netmail.ParseAddress(from); err == nil && strings.EqualFold(own.Address, address) {
		return fmt.Sprintf("%s is the address that the mails come from: give the user another one", address)
	}
	return ""
}

// news are the notices of rows, oldest first.
func (c *Courier) news(ctx context.Context, userID string, rows []query.Outbox) ([]*deskv1.Notice, error) {
	var news []*deskv1.Notice
	for _, row := range rows {
		n, err := c.store.Read().Notice(ctx, userID, row.EventID)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, err
		}
		news = append(news, desk.NoticeMessage(n))
	}
	slices.SortStableFunc(news, func(a, b *deskv1.Notice) int { return a.GetAt().AsTime().Compare(b.GetAt().AsTime()) })
	return news, nil
}

// mailed are the mails that went to an address lately, newest first.
func (c *Courier) mailed(ctx context.Context, address string, now time.Time) ([]mailed, error) {
	rows, err := c.store.Read().MailsTo(ctx, address, store.Millis(now.Add(-longestBrake)), maxMailed)
	if err != nil {
		return nil, err
	}
	var list []mailed
	at := map[string]int{}
	for _, row := range rows {
		i, known := at[row.MessageID]
		if !known {
			i = len(list)
			at[row.MessageID] = i
			list = append(list, mailed{at: store.Time(row.FinishedAt), subject: row.Subject})
		}
		list[i].tickets = append(list[i].tickets, row.Number)
	}
	return list, nil
}

// letter words what somebody is told: one notice with its ticket, or many in a
// list.
func (c *Courier) letter(ctx context.Context, server *deskv1.MailServer, reader desk.Reader, news []*deskv1.Notice, rows []query.Outbox) (letter, error) {
	ids, err := c.messageIDs(ctx)
	if err != nil {
		return letter{}, err
	}
	w := in(reader.Language)
	l := letter{to: &netmail.Address{Name: reader.Name, Address: reader.Mail}}
	host := hostOf(server.GetFrom())
	foot := "\n-- \n" + fmt.Sprintf(w.why, c.url+"/notices/rule") + "\n"
	if len(news) > 1 {
		sum := sha256.New()
		for _, row := range rows {
			sum.Write([]byte(row.ID))
		}
		l.messageID = ids.of(0, hex.EncodeToString(sum.Sum(nil)[:16]), host)
		l.subject = fmt.Sprintf(w.digest, len(news))
		for _, n := range news {
			l.text += c.headline(w, n) + "\n"
			if text := textOf(w, n, reader.Zone); text != "" {
				l.text += "  " + text + "\n"
			}
			if n.GetNumber() != 0 {
				l.text += "  " + c.ticketURL(n.GetNumber()) + "\n"
			}
			l.text += "\n"
		}
		l.text += foot[1:]
		return l, nil
	}
	n := news[0]
	l.messageID = ids.of(n.GetNumber(), strings.ReplaceAll(rows[0].ID, "-", ""), host)
	l.subject = cut(c.headline(w, n), 200)
	l.text = w.kinds[n.GetKind()]
	if n.GetActor() != desk.System.Name {
		l.text += " " + fmt.Sprintf(w.by, n.GetActor())
	}
	l.text += ".\n"
	if text := textOf(w, n, reader.Zone); text != "" {
		l.text += "\n> " + text + "\n"
	}
	if n.GetNumber() != 0 {
		l.thread = ids.of(n.GetNumber(), thread, host)
		found, err := c.desk.Ticket(ctx, n.GetNumber())
		if err != nil && !errors.Is(err, desk.ErrNotFound) {
			return letter{}, err
		}
		l.text += "\n" + c.facts(w, reader, n, found.GetTicket())
	}
	l.text += foot
	return l, nil
}

// headline is a notice in a line.
func (c *Courier) headline(w words, n *deskv1.Notice) string {
	if n.GetNumber() == 0 {
		return w.kinds[n.GetKind()] + ": " + n.GetTitle()
	}
	return fmt.Sprintf("[#%d] %s: %s", n.GetNumber(), w.kinds[n.GetKind()], n.GetTitle())
}

// textOf is what a notice says beside its kind, with times by the clock of a zone; nil:
// UTC.
func textOf(w words, n *deskv1.Notice, zone *time.Location) string {
	if zone == nil {
		zone = time.UTC
	}
	if n.GetKind() == desk.ToldUnclear {
		_, said, _ := strings.Cut(n.GetText(), " ")
		return said
	}
	if what, when, _ := strings.Cut(n.GetText(), ": "); n.GetKind() == desk.ToldAnnounced {
		if from, until, ok := desk.AnnouncedFor(when); ok {
			return fmt.Sprintf("%s: %s – %s", w.announced[what], from.In(zone).Format(w.timeForm), until.In(zone).Format(w.timeForm))
		}
	}
	if clock := w.clocks[n.GetText()]; clock != "" {
		return clock
	}
	return n.GetText()
}

// facts are what a technician wants to know before they open the ticket.
func (c *Courier) facts(w words, reader desk.Reader, n *deskv1.Notice, t *constatv1.Ticket) string {
	title := n.GetTitle()
	if t != nil {
		title = c.desk.TitleIn(t, cmp.Or(reader.Language, "en"))
	}
	text := fmt.Sprintf("#%d %s\n", n.GetNumber(), title)
	say := func(form, value string) {
		if value != "" {
			text += fmt.Sprintf(form, value) + "\n"
		}
	}
	say(w.requester, t.GetRequester().GetName())
	say(w.machine, t.GetEndpointName())
	if f := c.catalog.Lookup(t.GetRootCause()); f != nil {
		say(w.cause, f.Title.About(reader.Language, t.GetComponent()))
	}
	say(w.priority, w.priorities[t.GetPriority()])
	if due := t.GetDueAt(); due != nil {
		zone := reader.Zone
		if zone == nil {
			zone = time.UTC
		}
		say(w.due, due.AsTime().In(zone).Format(w.timeForm))
	}
	return text + fmt.Sprintf(w.open, c.ticketURL(n.GetNumber())) + "\n"
}

func (c *Courier) ticketURL(number int32) string { return fmt.Sprintf("%s/tickets/%d", c.url, number) }

// hostOf is the domain of an address.
func hostOf(from string) string {
	if parsed, err := netmail.ParseAddress(from); err == nil {
		if _, host, found := strings.Cut(parsed.Address, "@"); found {
			return host
		}
	}
	return "localhost"
}

// post hands a letter to the server. final: the server will never take it.
func (c *Courier) post(ctx context.Context, server *deskv1.MailServer, password string, l letter) (err error, final bool) {
	from, err := netmail.ParseAddress(server.GetFrom())
	if err != nil {
		return fmt.Errorf("the sender's address %q can't be used: %w", server.GetFrom(), err), false
	}
	m := mail.NewMsg(mail.WithNoDefaultUserAgent())
	m.FromMailAddress(from)
	m.AddToMailAddress(l.to)
	m.Subject(l.subject)
	m.SetDateWithValue(c.now())
	m.SetMessageIDWithValue(l.messageID)
	if l.thread != "" {
		m.SetGenHeader(mail.HeaderInReplyTo, "<"+l.thread+">")
		m.SetGenHeader(mail.HeaderReferences, "<"+l.thread+">")
	}
	// RFC 3834, and Exchange's word for it: nobody's absence answers us.
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetGenHeader("X-Auto-Response-Suppress", "All")
	m.SetBodyString(mail.TypeTextPlain, l.text)

	client, err := c.client(server, password)
	if err != nil {
		return err, false
	}
	ctx, cancel := context.WithTimeout(ctx, tryFor)
	defer cancel()
	err = client.DialAndSendWithContext(ctx, m)
	var refused *mail.SendError
	if errors.As(err, &refused) && refused.ErrorCode() >= 500 && slices.Contains([]mail.SendErrReason{mail.ErrSMTPRcptTo, mail.ErrSMTPData, mail.ErrSMTPDataClose}, refused.Reason) {
		return err, true
	}
	return err, false
}

// client speaks to a mail server. A password never goes without TLS.
func (c *Courier) client(server *deskv1.MailServer, password string) (*mail.Client, error) {
	options := []mail.Option{mail.WithPort(portOf(server)), mail.WithTimeout(tryFor)}
	if server.GetSecurity() == "none" {
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	} else {
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory), mail.WithTLSConfig(&tls.Config{
			ServerName: server.GetHost(), MinVersion: tls.VersionTLS12, RootCAs: c.roots,
		}))
		if server.GetSecurity() == "tls" {
			options = append(options, mail.WithSSL())
		}
		if server.GetUsername() != "" {
			options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(server.GetUsername()), mail.WithPassword(password))
		}
	}
	if ip := net.ParseIP(server.GetHost()); ip != nil && ip.IsLoopback() {
		options = append(options, mail.WithHELO("localhost"))
	}
	return mail.NewClient(server.GetHost(), options...)
}

func portOf(server *deskv1.MailServer) int {
	switch {
	case server.GetPort() != 0:
		return int(server.GetPort())
	case server.GetSecurity() == "tls":
		return 465
	}
	return 587
}
