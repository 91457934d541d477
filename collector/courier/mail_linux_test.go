package courier

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"constat/collector/account"
	"constat/collector/bus"
	"constat/collector/desk"
	"constat/collector/store"
	"constat/collector/store/query"
	"constat/collector/store/storetest"
	"constat/internal/fault"
	"constat/internal/identity"
	"constat/internal/lab"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// house is a desk with a courier, and people who are told things.
type house struct {
	*Courier
	testing.TB
	clock      time.Time
	authority  *lab.Authority
	admin, lea desk.Actor
}

func open(t testing.TB, s *store.Store) *house {
	t.Helper()
	hints, err := bus.Embedded(t.Context(), bus.Cluster{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hints.Close)
	catalog, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	key, err := identity.NewKeyFile(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	h := &house{TB: t, clock: time.Date(2026, 3, 3, 10, 0, 0, 0, time.UTC), authority: lab.NewAuthority(t, "courier")}
	h.Courier = New(s, hints, desk.New(s, hints, catalog), key, catalog, "https://desk.example.org", slog.New(slog.NewTextHandler(io.Discard, nil)))
	h.now, h.desk = h.time, desk.At(h.desk, h.time)
	pem, err := os.ReadFile(h.authority.File)
	if err != nil {
		t.Fatal(err)
	}
	h.roots = x509.NewCertPool()
	h.roots.AppendCertsFromPEM(pem)
	h.admin, h.lea = h.user("root", "administrator", ""), h.user("Léa", "technician", "lea@example.org")
	return h
}

// each runs a test over either engine.
func each(t *testing.T, test func(*testing.T, *house)) {
	storetest.Each(t, func(t *testing.T, s *store.Store) { test(t, open(t, s)) })
}

func (h *house) time() time.Time { return h.clock }

func (h *house) user(name, role, address string) desk.Actor {
	h.Helper()
	u, err := account.New(h.store).Create(h.Context(), name, address, role, "")
	if err != nil {
		h.Fatal(err)
	}
	_, err = h.desk.SetTechnician(h.Context(), desk.System, &deskv1.SetTechnicianRequest{Technician: &deskv1.Technician{Name: name}})
	if err != nil {
		h.Fatal(err)
	}
	return desk.Actor{ID: u.ID, Name: name, Role: role}
}

// mails starts a mail server and has the courier use it.
func (h *house) mails(security string) *lab.MailServer {
	h.Helper()
	m := lab.StartMailServer(h.TB, h.authority)
	port := m.STARTTLS
	if security == "tls" {
		port = m.TLS
	}
	_, err := h.SetMailServer(h.Context(), h.admin, &deskv1.SetMailServerRequest{
		Mail:     &deskv1.MailServer{Host: m.Host, Port: int32(port), Security: security, Username: m.User, From: "Support <desk@example.org>"},
		Password: proto.String(m.Password),
	})
	if err != nil {
		h.Fatal(err)
	}
	return m
}

// give opens a ticket and gives it to somebody.
func (h *house) give(title string, to desk.Actor) int32 {
	h.Helper()
	ticket, err := h.desk.Create(h.Context(), desk.System, &deskv1.CreateTicketRequest{Draft: &constatv1.TicketDraft{
		Id: uuid.Must(uuid.NewV7()).String(), Text: title, Language: "fr", Channel: "phone", Requester: &constatv1.Person{Name: "Yann"},
	}})
	if err != nil {
		h.Fatal(err)
	}
	_, err = h.desk.Update(h.Context(), desk.System, &deskv1.UpdateTicketRequest{Number: ticket.GetNumber(), Version: ticket.GetVersion(), Assignee: proto.String(to.Name)})
	if err != nil {
		h.Fatal(err)
	}
	return ticket.GetNumber()
}

func (h *house) run() {
	h.Helper()
	if err := h.Deliver(h.Context()); err != nil {
		h.Fatal(err)
	}
}

func (h *house) state() *deskv1.GetDeliveryResponse {
	h.Helper()
	state, err := h.State(h.Context(), h.admin)
	if err != nil {
		h.Fatal(err)
	}
	return state
}

func (h *house) counts(waiting, sent, failed int32) {
	h.Helper()
	if s := h.state(); s.GetWaiting() != waiting || s.GetSent() != sent || s.GetFailed() != failed {
		h.Errorf("%d wait, %d went, %d failed; want %d, %d, %d: %v", s.GetWaiting(), s.GetSent(), s.GetFailed(), waiting, sent, failed, s.GetTroubles())
	}
}

// read is a mail as its reader has it.
func read(t *testing.T, text string) (*mail.Message, string, string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		t.Fatal(err)
	}
	body := io.Reader(m.Body)
	if m.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
		body = quoted(m.Body)
	}
	content, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return m, subject, strings.ReplaceAll(string(content), "\r\n", "\n")
}

// TestMail: what a technician is told comes by mail through a real server, by
// either kind of TLS, says that it is automatic, and names its ticket in a
// Message-ID that only we can make.
func TestMail(t *testing.T) {
	for _, security := range []string{"starttls", "tls"} {
		t.Run(security, func(t *testing.T) {
			h := open(t, storetest.SQLite(t))
			server := h.mails(security)
			number := h.give("L'imprimante\r\nBcc: evil@example.org\r\n\r\nné 🎉", h.lea)
			h.run()
			h.counts(0, 1, 0)
			m, subject, body := read(t, server.Mails(t, 1)[0])
			if want := fmt.Sprintf("[#%d] Given to you: L'imprimante", number); subject != want {
				t.Errorf("subject %q, want %q", subject, want)
			}
			for header, want := range map[string]string{
				"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All", "Bcc": "", "From": `"Support" <desk@example.org>`, "Envelope-To": "lea@example.org",
			} {
				if got := m.Header.Get(header); got != want {
					t.Errorf("%s: %q, want %q", header, got, want)
				}
			}
			for _, want := range []string{"Given to you.", "Requester: Yann", "Priority: ", fmt.Sprintf("https://desk.example.org/tickets/%d\n", number), "https://desk.example.org/notices/rule"} {
				if !strings.Contains(body, want) {
					t.Errorf("the mail lacks %q: %s", want, body)
				}
			}
			ids, err := h.messageIDs(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, header := range []string{"Message-Id", "References", "In-Reply-To"} {
				id := m.Header.Get(header)
				if got, ours := ids.ticket(id); !ours || got != number {
					t.Errorf("%s %q names ticket %d (%t)", header, id, got, ours)
				}
				if _, ours := ids.ticket(strings.Replace(id, fmt.Sprintf("ticket.%d.", number), fmt.Sprintf("ticket.%d.", number+1), 1)); ours {
					t.Errorf("a forged %s is taken for ours", header)
				}
			}
			h.run()
			if mails := server.Mails(t, 1); len(mails) != 1 {
				t.Errorf("%d mails came", len(mails))
			}
		})
	}
}

// TestMailTroubles: a server that is away is tried again, one that refuses for good
// is not, and those who run the house learn of it.
func TestMailTroubles(t *testing.T) {
	h := open(t, storetest.SQLite(t))
	server := h.mails("starttls")
	good := h.state().GetMail()
	away := proto.CloneOf(good)
	away.Port = 1 // nobody listens there
	set := func(m *deskv1.MailServer, password *string) {
		t.Helper()
		if _, err := h.SetMailServer(t.Context(), h.admin, &deskv1.SetMailServerRequest{Mail: m, Password: password}); err != nil {
			t.Fatal(err)
		}
	}
	set(away, nil)
	h.give("x", h.lea)
	h.run()
	h.counts(1, 0, 0)
	set(good, proto.String("wrong"))
	h.run() // not due yet
	if trouble := h.state().GetTroubles(); len(trouble) != 1 || !strings.Contains(trouble[0].GetProblem(), "refused") || trouble[0].GetRecipient() != "Léa" {
		t.Errorf("away: %v", trouble)
	}
	h.clock = h.clock.Add(pauses[0])
	h.run()
	if trouble := h.state().GetTroubles(); len(trouble) != 1 || !strings.Contains(strings.ToLower(trouble[0].GetProblem()), "auth") || trouble[0].GetAttempts() != 2 {
		t.Errorf("with a wrong password: %v", trouble)
	}
	set(good, proto.String(server.Password))
	if retried, err := h.Retry(t.Context(), h.admin); err != nil || retried != 1 {
		t.Errorf("%d retried (%v)", retried, err)
	}
	h.run()
	h.counts(0, 1, 0)

	later, nobody, robot := h.user("Later", "technician", "later@example.org"), h.user("Nobody", "technician", "nobody@example.org"), h.user("Robot", "technician", "noreply@example.org")
	for _, to := range []desk.Actor{later, nobody, robot} {
		h.give("for "+to.Name, to)
	}
	h.run()
	h.counts(1, 1, 2)
	for range pauses {
		h.clock = h.clock.Add(12 * time.Hour)
		h.run()
	}
	h.counts(0, 1, 3)
	news, err := h.desk.Notices(t.Context(), h.admin)
	if err != nil {
		t.Fatal(err)
	}
	told := ""
	for _, n := range news.GetNotices() {
		told += n.GetKind() + " " + n.GetText() + "\n"
	}
	for _, want := range []string{"undelivered mail → Nobody: ", "no such person", "undelivered mail → Robot: noreply@example.org is an address that nobody reads", "undelivered mail → Later: ", "come back later"} {
		if !strings.Contains(told, want) {
			t.Errorf("the administrator was told %q, which lacks %q", told, want)
		}
	}
	if mails := server.Mails(t, 1); len(mails) != 1 {
		t.Errorf("%d mails came", len(mails))
	}
}

// TestDigest: what happened in quiet hours comes after them as one mail; so does
// what a brake held back, and nothing of it is lost.
func TestDigest(t *testing.T) {
	h := open(t, storetest.SQLite(t))
	server := h.mails("tls")
	if _, err := h.desk.SetNoticeRule(t.Context(), h.lea, &deskv1.NoticeRule{Zone: "UTC", QuietFrom: "18:00", QuietUntil: "08:00", Mail: "lea@example.org"}); err != nil {
		t.Fatal(err)
	}
	h.clock = time.Date(2026, 3, 3, 22, 0, 0, 0, time.UTC)
	for i := range 3 {
		h.give(fmt.Sprintf("night %d", i), h.lea)
		h.clock = h.clock.Add(time.Hour)
		h.run()
	}
	h.counts(3, 0, 0)
	h.clock = time.Date(2026, 3, 4, 8, 0, 0, 0, time.UTC)
	h.run()
	h.counts(0, 3, 0)
	_, subject, body := read(t, server.Mails(t, 1)[0])
	first := strings.Index(body, "night 0")
	if subject != "3 notices" || first < 0 || strings.Index(body, "night 2") < first || strings.Count(body, "Given to you") != 3 {
		t.Errorf("%s: %s", subject, body)
	}
	// A chatty requester: two mails of the same words, then none until it calms.
	number := h.give("talk", h.lea)
	h.run()
	say := func() {
		t.Helper()
		h.clock = h.clock.Add(time.Second)
		asked, err := h.desk.Ticket(t.Context(), number)
		if err != nil {
			t.Fatal(err)
		}
		_, err = h.desk.AddEntry(t.Context(), desk.Actor{ID: asked.GetTicket().GetRequester().GetId(), Name: "Yann", Role: "requester"}, &deskv1.AddEntryRequest{Number: number, Id: uuid.Must(uuid.NewV7()).String(), Kind: "message", Text: "well"})
		if err != nil {
			t.Fatal(err)
		}
		h.run()
	}
	for range 6 {
		say()
	}
	h.counts(4, 6, 0)
	h.clock = h.clock.Add(10 * time.Minute)
	h.run()
	h.counts(0, 10, 0)
	if mails := server.Mails(t, 5); len(mails) != 5 {
		t.Errorf("%d mails came", len(mails))
	}
}

// TestKilled: what a courier held when it was killed goes when its lease ends, by
// another one; and of two at work each thing goes once.
func TestKilled(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		server := h.mails("starttls")
		h.give("x", h.lea)
		dead := *h.Courier
		dead.owner = "dead"
		rows, err := dead.claim(t.Context())
		if err != nil || len(rows) != 1 {
			t.Fatalf("%d rows (%v)", len(rows), err)
		}
		h.run()
		h.counts(1, 0, 0)
		h.clock = h.clock.Add(lease)
		for i := range 9 {
			h.give(fmt.Sprint(i), h.user(fmt.Sprint("t", i), "technician", fmt.Sprintf("t%d@example.org", i)))
		}
		var all sync.WaitGroup
		for i := range 3 {
			all.Go(func() {
				c := *h.Courier
				c.owner = fmt.Sprint("courier", i)
				if err := c.Deliver(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		h.counts(0, 10, 0)
		if mails := server.Mails(t, 10); len(mails) != 10 {
			t.Errorf("%d mails came", len(mails))
		}
		// The dead one was only slow: what it says of its row counts no more.
		if err := dead.settle(t.Context(), rows, result{err: context.DeadlineExceeded, final: true}); err != nil {
			t.Fatal(err)
		}
		h.counts(0, 10, 0)
	})
}

// TestMailServerSettings: what can't be used is refused, and a password is kept
// sealed, shown to nobody, and given to no other server.
func TestMailServerSettings(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		good := &deskv1.MailServer{Host: "smtp.example.org", Security: "starttls", Username: "desk", From: "desk@example.org"}
		for _, test := range []struct {
			change func(*deskv1.MailServer)
			want   string
		}{
			{func(m *deskv1.MailServer) { m.Host = "smtp.example.org/x" }, "is not the name of a server"},
			{func(m *deskv1.MailServer) { m.Port = 70000 }, "is not a port"},
			{func(m *deskv1.MailServer) { m.Security = "magic" }, "there is no security"},
			{func(m *deskv1.MailServer) { m.Security = "none" }, "over TLS only"},
			{func(m *deskv1.MailServer) { m.From = "" }, "is not an address to send from"},
			{func(m *deskv1.MailServer) { m.From = "a@example.org\r\nBcc: b@example.org" }, "is not an address to send from"},
			{func(m *deskv1.MailServer) { m.Username = "a\nb" }, "user's name"},
		} {
			m := proto.CloneOf(good)
			test.change(m)
			_, err := h.SetMailServer(t.Context(), h.admin, &deskv1.SetMailServerRequest{Mail: m, Password: proto.String("s3cret")})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v: %v, want %q", m, err, test.want)
			}
		}
		if _, err := h.SetMailServer(t.Context(), h.lea, &deskv1.SetMailServerRequest{Mail: good}); err == nil {
			t.Error("a technician may set it")
		}
		if _, err := h.State(t.Context(), h.lea); err == nil {
			t.Error("a technician may see it")
		}
		set := func(m *deskv1.MailServer, password *string, want string) {
			t.Helper()
			if _, err := h.SetMailServer(t.Context(), h.admin, &deskv1.SetMailServerRequest{Mail: m, Password: password}); err != nil {
				t.Fatal(err)
			}
			if got, err := h.password(t.Context()); err != nil || got != want || h.state().GetMail().GetHasPassword() != (want != "") {
				t.Errorf("the password is %q (%v), want %q", got, err, want)
			}
		}
		set(good, proto.String("s3cret"), "s3cret")
		kept, err := h.store.Setting(t.Context(), passwordSetting)
		if err != nil || strings.Contains(string(kept), "s3cret") || strings.Contains(h.state().String(), "s3cret") {
			t.Errorf("the password shows: %q (%v)", kept, err)
		}
		set(good, nil, "s3cret")
		other := proto.CloneOf(good)
		other.Host = "smtp.evil.example"
		set(other, nil, "")
		set(good, proto.String("s3cret"), "s3cret")
		set(&deskv1.MailServer{}, nil, "")
		var rows int
		h.give("x", h.lea) // without a server nothing is put aside
		err = h.store.Write(t.Context(), func(ctx context.Context, q *query.Queries) error {
			counts, err := q.CountOutbox(ctx)
			rows = len(counts)
			return err
		})
		if err != nil || rows != 0 {
			t.Errorf("%d put aside (%v)", rows, err)
		}
	})
}
