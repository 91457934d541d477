package courier

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/desk"
	"constat/collector/store"
	"constat/collector/store/query"
	deskv1 "constat/proto/constat/desk/v1"
)

const (
	// passwordSetting is where the mail server's password is kept, sealed.
	passwordSetting = "mail.password"
	maxTroubles     = 50
	maxURL          = 2000
)

// server is the mail server in place; without a host there is none.
func (c *Courier) server(ctx context.Context) (*deskv1.MailServer, error) {
	m := &deskv1.MailServer{}
	kept, err := c.store.Setting(ctx, desk.MailSetting)
	if errors.Is(err, store.ErrNoSetting) {
		return m, nil
	}
	if err != nil {
		return nil, err
	}
	if err := proto.Unmarshal(kept, m); err != nil {
		return nil, fmt.Errorf("what is kept of the mail server can't be read: set it again: %w", err)
	}
	return m, nil
}

// password is the mail server's; empty: none.
func (c *Courier) password(ctx context.Context) (string, error) {
	sealed, err := c.store.Setting(ctx, passwordSetting)
	if errors.Is(err, store.ErrNoSetting) || err == nil && len(sealed) == 0 {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	text, err := c.key.Open(passwordSetting, sealed)
	if err != nil {
		return "", fmt.Errorf("the mail server's password can't be opened: set it again: %w", err)
	}
	return string(text), nil
}

var hostForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)

// SetMailServer says through which server mails go. Without a password in the
// request the one there stays, as long as it is the same server and user: a
// password is never shown to another.
func (c *Courier) SetMailServer(ctx context.Context, a desk.Actor, r *deskv1.SetMailServerRequest) (*deskv1.MailServer, error) {
	if err := mayChange(a); err != nil {
		return nil, err
	}
	before, err := c.server(ctx)
	if err != nil {
		before = &deskv1.MailServer{}
	}
	m := &deskv1.MailServer{
		Host: strings.TrimSpace(r.GetMail().GetHost()), Port: r.GetMail().GetPort(), Security: r.GetMail().GetSecurity(),
		Username: strings.TrimSpace(r.GetMail().GetUsername()), From: strings.TrimSpace(r.GetMail().GetFrom()),
	}
	if m.Host == "" {
		m = &deskv1.MailServer{} // no mail from now on
	} else if err := checkServer(m); err != nil {
		return nil, err
	}
	password := r.GetPassword()
	keeps := r.Password == nil && before.GetHasPassword() && before.GetHost() == m.GetHost() && before.GetUsername() == m.GetUsername() && m.GetUsername() != ""
	if m.GetUsername() == "" {
		password = ""
	}
	if keeps {
		if password, err = c.password(ctx); err != nil {
			return nil, refuse("%v", err)
		}
	}
	if m.HasPassword = password != ""; m.HasPassword && m.Security == "none" {
		return nil, refuse("a password goes over TLS only: choose tls or starttls")
	}
	sealed, err := c.key.Seal(passwordSetting, []byte(password))
	if err != nil {
		return nil, err
	}
	if password == "" {
		sealed = nil
	}
	kept, err := proto.Marshal(m)
	if err != nil {
		return nil, err
	}
	now := store.Millis(c.now())
	err = c.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		if err := q.PutSetting(ctx, passwordSetting, append([]byte{}, sealed...), now); err != nil {
			return err
		}
		if m.GetHost() == "" {
			return q.DeleteSetting(ctx, desk.MailSetting)
		}
		return q.PutSetting(ctx, desk.MailSetting, kept, now)
	})
	return m, err
}

func checkServer(m *deskv1.MailServer) error {
	if m.Security == "" {
		m.Security = "starttls"
	}
	_, notIP := netip.ParseAddr(m.Host)
	switch from, err := mail.ParseAddress(m.From); {
	case notIP != nil && !hostForm.MatchString(m.Host):
		return refuse("%q is not the name of a server: write it like smtp.example.org", cut(m.Host, 80))
	case m.Port < 0 || m.Port > 65535:
		return refuse("%d is not a port", m.Port)
	case !slices.Contains([]string{"tls", "starttls", "none"}, m.Security):
		return refuse("there is no security %q: it is one of tls, starttls, none", cut(m.Security, 40))
	case err != nil || strings.ContainsAny(m.From, "\r\n") || len(m.From) > 300:
		return refuse("%q is not an address to send from: write it like desk@example.org or Help desk <desk@example.org>", cut(m.From, 80))
	case strings.ContainsAny(m.Username, "\r\n") || len(m.Username) > 300:
		return refuse("the user's name can't be used")
	case hostOf(from.Address) == "localhost" && !strings.HasSuffix(from.Address, "@localhost"):
		return refuse("%q has no domain", cut(m.From, 80))
	}
	return nil
}

// SendTestMail sends one mail now; the error is what the server said.
func (c *Courier) SendTestMail(ctx context.Context, a desk.Actor, to string) error {
	if err := mayChange(a); err != nil {
		return err
	}
	address, err := mail.ParseAddress(strings.TrimSpace(to))
	if err != nil {
		return refuse("%q is not a mail address", cut(to, 80))
	}
	server, err := c.server(ctx)
	if err != nil {
		return err
	}
	if server.GetHost() == "" {
		return refuse("no mail server is set: set it first")
	}
	password, err := c.password(ctx)
	if err != nil {
		return refuse("%v", err)
	}
	ids, err := c.messageIDs(ctx)
	if err != nil {
		return err
	}
	reader, err := c.desk.Reader(ctx, a.ID)
	if err != nil && !errors.Is(err, desk.ErrNotFound) {
		return err
	}
	w := in(reader.Language)
	err, _ = c.post(ctx, server, password, letter{
		to: address, subject: w.test, text: w.testText + "\n\n" + c.url + "\n", messageID: ids.of(0, strings.ToLower(rand.Text()), hostOf(server.GetFrom())),
	})
	if err != nil {
		return refuse("%v", err)
	}
	return nil
}

var hookName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,63}$`)

// hookSealName binds a secret to its webhook.
func hookSealName(name string) string { return "webhook secret " + name }

// PutWebhook adds a webhook or changes the one of its name. The secret is drawn
// here and given once; empty: the one there was.
func (c *Courier) PutWebhook(ctx context.Context, a desk.Actor, r *deskv1.PutWebhookRequest) (*deskv1.Webhook, string, error) {
	if err := mayChange(a); err != nil {
		return nil, "", err
	}
	h := proto.CloneOf(r.GetWebhook())
	if h == nil {
		h = &deskv1.Webhook{}
	}
	h.Name, h.Url = strings.TrimSpace(h.GetName()), strings.TrimSpace(h.GetUrl())
	if err := checkHook(h); err != nil {
		return nil, "", err
	}
	before, err := c.store.Read().Webhook(ctx, h.GetName())
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, "", err
	}
	sealed, secret := before.Secret, ""
	if err != nil || r.GetNewSecret() {
		secret = rand.Text() + rand.Text()
		if sealed, err = c.key.Seal(hookSealName(h.GetName()), []byte(secret)); err != nil {
			return nil, "", err
		}
	}
	var inside int32
	if h.GetInside() {
		inside = 1
	}
	err = c.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		for i, site := range h.GetSites() {
			if site = strings.TrimSpace(site); site == "" || len(site) > 100 || strings.ContainsFunc(site, unicode.IsControl) {
				return refuse("%q is no name of a site", cut(site, 80))
			}
			known, err := store.Site(ctx, q, site)
			if two := (*store.BadSite)(nil); errors.As(err, &two) {
				return refuse("%s", two)
			} else if err != nil {
				return err
			}
			h.Sites[i] = known
		}
		return q.PutWebhook(ctx, query.PutWebhookParams{
			Name: h.GetName(), Url: h.GetUrl(), Secret: sealed, Kinds: strings.Join(h.GetKinds(), " "), Inside: inside, ChangedAt: store.Millis(c.now()),
			Sites: strings.Join(h.Sites, "\n"),
		})
	})
	return h, secret, err
}

func checkHook(h *deskv1.Webhook) error {
	if !hookName.MatchString(h.GetName()) {
		return refuse("a webhook's name has small letters, digits, dots and hyphens, at most 64, not %q", cut(h.GetName(), 80))
	}
	u, err := url.Parse(h.GetUrl())
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || len(h.GetUrl()) > maxURL:
		return refuse("%q is not an address like https://chat.example.org/hook", cut(h.GetUrl(), 80))
	case u.Scheme != "https" && !(h.GetInside() && u.Scheme == "http"):
		return refuse("a webhook's address begins with https://; http:// only inside, and when you allow it")
	case u.User != nil:
		return refuse("a webhook's address holds no name or password: its requests are signed")
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !h.GetInside() {
		if reason := forbidden(ip); reason != "" {
			return refuse("%s is %s: allow it, if that is meant", ip, reason)
		}
	}
	for _, kind := range h.GetKinds() {
		if !slices.Contains(desk.NoticeKinds, kind) {
			return refuse("there is no kind of notice %q: it is one of %s", cut(kind, 40), strings.Join(desk.NoticeKinds, ", "))
		}
	}
	return nil
}

// DeleteWebhook ends one; what waits for it is dropped.
func (c *Courier) DeleteWebhook(ctx context.Context, a desk.Actor, name string) error {
	if err := mayChange(a); err != nil {
		return err
	}
	return c.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		gone, err := q.DeleteWebhook(ctx, name)
		if err == nil && gone == 0 {
			return fmt.Errorf("%w: there is no webhook %q", desk.ErrNotFound, cut(name, 80))
		}
		return err
	})
}

// Retry tries anew at once what failed or waits after a failure.
func (c *Courier) Retry(ctx context.Context, a desk.Actor) (int, error) {
	if err := mayChange(a); err != nil {
		return 0, err
	}
	var retried int64
	err := c.store.Write(ctx, func(ctx context.Context, q *query.Queries) (err error) {
		retried, err = q.RetryOutbox(ctx, store.Millis(c.now()))
		return err
	})
	if err == nil && retried > 0 {
		err = c.bus.Publish("ticket.0.changed", nil)
	}
	return int(retried), err
}

// State is how mails and webhooks go.
func (c *Courier) State(ctx context.Context, a desk.Actor) (*deskv1.GetDeliveryResponse, error) {
	if err := mayChange(a); err != nil {
		return nil, err
	}
	q := c.store.Read()
	answer := &deskv1.GetDeliveryResponse{}
	var err error
	if answer.Mail, err = c.server(ctx); err != nil {
		return nil, err
	}
	hooks, err := q.Webhooks(ctx)
	if err != nil {
		return nil, err
	}
	for _, h := range hooks {
		answer.Webhooks = append(answer.Webhooks, &deskv1.Webhook{Name: h.Name, Url: h.Url, Kinds: strings.Fields(h.Kinds), Inside: h.Inside == 1, Sites: strings.FieldsFunc(h.Sites, func(r rune) bool { return r == '\n' })})
	}
	store.ByName(answer.Webhooks, (*deskv1.Webhook).GetName)
	troubles, err := q.OutboxTroubles(ctx, maxTroubles)
	if err != nil {
		return nil, err
	}
	for _, row := range troubles {
		one := &deskv1.Delivery{
			Way: row.Way, Recipient: c.recipient(ctx, row), State: row.State, Number: row.Number, Problem: row.Problem, Attempts: row.Attempts,
			CreatedAt: timestamppb.New(store.Time(row.CreatedAt)),
		}
		if row.State == "waiting" {
			one.DueAt = timestamppb.New(store.Time(row.DueAt))
		}
		answer.Troubles = append(answer.Troubles, one)
	}
	counts, err := q.CountOutbox(ctx)
	for _, count := range counts {
		switch count.State {
		case "waiting":
			answer.Waiting = int32(count.Rows)
		case "sent":
			answer.Sent = int32(count.Rows)
		case "failed":
			answer.Failed = int32(count.Rows)
		}
	}
	return answer, err
}
