package desk_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"constat/collector/account"
	"constat/collector/desk"
	"constat/collector/store"
	"constat/collector/store/query"
	deskv1 "constat/proto/constat/desk/v1"
)

// user makes somebody of the team, who is an actor then.
func (h *house) user(t testing.TB, name, role string) desk.Actor {
	t.Helper()
	u, err := account.New(h.store).Create(t.Context(), name, strings.ToLower(name)+"@example.org", role, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.SetTechnician(t.Context(), desk.System, &deskv1.SetTechnicianRequest{Technician: &deskv1.Technician{Name: name}}); err != nil {
		t.Fatal(err)
	}
	return desk.Actor{ID: u.ID, Name: name, Role: role}
}

// news are somebody's notices, oldest first, as "kind #number actor: text".
func (h *house) news(t testing.TB, a desk.Actor) string {
	t.Helper()
	list, err := h.Notices(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, n := range slices.Backward(list.GetNotices()) {
		lines = append(lines, fmt.Sprintf("%s #%d %s: %s", n.GetKind(), n.GetNumber(), n.GetActor(), n.GetText()))
	}
	return strings.Join(lines, "\n")
}

// outbox is what waits to leave, as "way recipient event", sorted.
func (h *house) outbox(t testing.TB, now time.Time) []query.Outbox {
	t.Helper()
	var rows []query.Outbox
	err := h.store.Write(t.Context(), func(ctx context.Context, q *query.Queries) (err error) {
		rows, err = q.ClaimOutbox(ctx, query.ClaimOutboxParams{Owner: "test", Until: store.Millis(now) + 1, Now: store.Millis(now), MaxRows: 1000})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// setting puts a setting as who owns it would.
func (h *house) setting(t testing.TB, name, value string) {
	t.Helper()
	if err := h.store.PutSetting(t.Context(), name, []byte(value)); err != nil {
		t.Fatal(err)
	}
}

// TestNotices follows a ticket: who is told what, once, and never of their own
// deeds.
func TestNotices(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		now := time.Date(2026, 3, 3, 10, 0, 0, 0, time.UTC)
		tick := func() { now = now.Add(time.Second); h.SetClock(now) }
		tick()
		nina, marc, boss := h.user(t, "Nina", "technician"), h.user(t, "Marc", "technician"), h.user(t, "Boss", "lead")
		h.setting(t, desk.MailSetting, "sealed")
		err := h.store.Write(t.Context(), func(ctx context.Context, q *query.Queries) error {
			return q.PutWebhook(ctx, query.PutWebhookParams{Name: "chat", Url: "https://chat.example.org/", Secret: []byte("s"), Kinds: "reopened message"})
		})
		if err != nil {
			t.Fatal(err)
		}
		ticket, err := h.Create(t.Context(), desk.System, &deskv1.CreateTicketRequest{Draft: draft("It does nothing")})
		if err != nil {
			t.Fatal(err)
		}
		number := ticket.GetNumber()
		change := func(a desk.Actor, r *deskv1.UpdateTicketRequest) {
			t.Helper()
			tick()
			r.Number, r.Version = number, h.ticket(t, number).GetTicket().GetVersion()
			if _, err := h.Update(t.Context(), a, r); err != nil {
				t.Fatal(err)
			}
		}
		say := func(a desk.Actor, kind, text string) {
			t.Helper()
			tick()
			// A reply that was sent twice is one.
			r := &deskv1.AddEntryRequest{Number: number, Id: newID(), Kind: kind, Text: text}
			for range 2 {
				if _, err := h.AddEntry(t.Context(), a, r); err != nil {
					t.Fatal(err)
				}
			}
		}
		alice := desk.Actor{ID: h.ticket(t, number).GetTicket().GetRequester().GetId(), Name: "alice", Role: "requester"}

		change(marc, &deskv1.UpdateTicketRequest{Assignee: proto.String("Nina")})
		say(alice, "message", "Still nothing\nat all")
		say(nina, "message", "Is it on?")
		say(marc, "note", "I saw it too")
		change(nina, &deskv1.UpdateTicketRequest{Status: proto.String("solved")})
		say(alice, "message", "No, it is not")
		change(nina, &deskv1.UpdateTicketRequest{Status: proto.String("solved")})
		change(marc, &deskv1.UpdateTicketRequest{Status: proto.String("open")})
		change(marc, &deskv1.UpdateTicketRequest{Assignee: proto.String("Marc")})

		want := fmt.Sprintf(`assigned #%[1]d Marc: 
message #%[1]d alice: Still nothing
message #%[1]d Marc: I saw it too
reopened #%[1]d alice: No, it is not
reopened #%[1]d Marc: `, number)
		if got := h.news(t, nina); got != want {
			t.Errorf("Nina was told\n%s\nwant\n%s", got, want)
		}
		if got := h.news(t, marc) + h.news(t, boss); got != "" {
			t.Errorf("others were told\n%s", got)
		}
		var mails, hooks []string
		for _, row := range h.outbox(t, now) {
			switch row.Way {
			case desk.ByMail:
				mails = append(mails, row.Recipient)
			case desk.ByWebhook:
				var m desk.HookMessage
				if err := json.Unmarshal(row.Content, &m); err != nil || m.Event != row.EventID || m.Ticket.Number != number {
					t.Errorf("the webhook gets %s (%v)", row.Content, err)
				}
				hooks = append(hooks, m.Kind+" "+m.Actor)
			}
		}
		slices.Sort(hooks)
		if len(mails) != 5 || mails[0] != nina.ID {
			t.Errorf("mails to %v", mails)
		}
		if got := strings.Join(hooks, ", "); got != "message Marc, message Nina, message alice, reopened Marc, reopened alice" {
			t.Errorf("the webhook gets %s", got)
		}

		if unread, err := h.Unread(t.Context(), nina.ID); err != nil || unread != 5 {
			t.Errorf("%d unread (%v)", unread, err)
		}
		if read, err := h.ReadNotices(t.Context(), nina, number+1); err != nil || read != 0 {
			t.Errorf("of another ticket %d were read (%v)", read, err)
		}
		if read, err := h.ReadNotices(t.Context(), nina, number); err != nil || read != 5 {
			t.Errorf("%d were read (%v)", read, err)
		}
		if unread, err := h.Unread(t.Context(), nina.ID); err != nil || unread != 0 {
			t.Errorf("%d unread then (%v)", unread, err)
		}
	})
}

// TestNoticeOfPromises: whose ticket it is learns of a promise first, then those
// who lead; of a ticket that nobody has these learn at once. Two collectors tell
// it once.
func TestNoticeOfPromises(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		now := time.Date(2026, 3, 3, 10, 0, 0, 0, time.UTC)
		h.SetClock(now)
		nina, boss := h.user(t, "Nina", "technician"), h.user(t, "Boss", "lead")
		if _, err := h.SetServiceLevels(t.Context(), desk.System, "normal: {solution: 1h}"); err != nil {
			t.Fatal(err)
		}
		var numbers []int32
		for range 2 {
			ticket, err := h.Create(t.Context(), desk.System, &deskv1.CreateTicketRequest{Draft: draft("x")})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := h.Update(t.Context(), desk.System, &deskv1.UpdateTicketRequest{Number: ticket.GetNumber(), Version: ticket.GetVersion(), Impact: proto.String("normal")}); err != nil {
				t.Fatal(err)
			}
			numbers = append(numbers, ticket.GetNumber())
		}
		version := h.ticket(t, numbers[0]).GetTicket().GetVersion()
		if _, err := h.Update(t.Context(), desk.System, &deskv1.UpdateTicketRequest{Number: numbers[0], Version: version, Assignee: proto.String("Nina")}); err != nil {
			t.Fatal(err)
		}
		for _, minutes := range []int{50, 61} {
			h.SetClock(now.Add(time.Duration(minutes) * time.Minute))
			var both sync.WaitGroup
			for range 2 {
				both.Go(func() {
					if err := h.WatchClocks(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			both.Wait()
		}
		wants := func(a desk.Actor, want ...string) {
			t.Helper()
			got := strings.Split(h.news(t, a), "\n")
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s was told %q, want %q", a.Name, got, want)
			}
		}
		told := func(kind string, number int32) string { return fmt.Sprintf("%s #%d constat: solution", kind, number) }
		wants(nina, fmt.Sprintf("assigned #%d constat: ", numbers[0]), told("warned", numbers[0]), told("missed", numbers[0]))
		wants(boss, told("warned", numbers[1]), told("missed", numbers[0]), told("missed", numbers[1]))
	})
}

// TestNoticeRule: quiet hours put mails off and nothing else; what somebody wants
// no mail of is in the console all the same.
func TestNoticeRule(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		nina := h.user(t, "Nina", "technician")
		h.setting(t, desk.MailSetting, "sealed")
		for _, test := range []struct {
			rule *deskv1.NoticeRule
			want string
		}{
			{&deskv1.NoticeRule{Zone: "Mars/Base"}, "is not a time zone"},
			{&deskv1.NoticeRule{Zone: "Local"}, "is not a time zone"},
			{&deskv1.NoticeRule{QuietFrom: "18:30"}, "both or neither"},
			{&deskv1.NoticeRule{QuietFrom: "18:30", QuietUntil: "25:00"}, "is not a time of the day"},
			{&deskv1.NoticeRule{NotMailed: []string{"jokes"}}, "no kind of notice"},
			{&deskv1.NoticeRule{Mail: "Nina <nina@example.org>"}, "is not a mail address"},
			{&deskv1.NoticeRule{Mail: "nina@example.org\r\nBcc: all@example.org"}, "is not a mail address"},
		} {
			_, err := h.SetNoticeRule(t.Context(), nina, test.rule)
			if wantKind(t, err, desk.ErrInvalid); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v: %v, want %q", test.rule, err, test.want)
			}
		}
		rule := &deskv1.NoticeRule{
			Zone: "Europe/Paris", QuietFrom: "18:30", QuietUntil: "08:00", QuietWeekend: true, NotMailed: []string{"message"}, Mail: "nina@example.net",
		}
		kept, err := h.SetNoticeRule(t.Context(), nina, rule)
		if err != nil || !proto.Equal(kept, rule) {
			t.Errorf("kept %v (%v)", kept, err)
		}
		friday := time.Date(2026, 3, 27, 21, 0, 0, 0, time.UTC) // before the clock turns
		h.SetClock(friday)
		ticket, err := h.Create(t.Context(), desk.System, &deskv1.CreateTicketRequest{Draft: draft("x")})
		if err != nil {
			t.Fatal(err)
		}
		_, err = h.Update(t.Context(), desk.System, &deskv1.UpdateTicketRequest{Number: ticket.GetNumber(), Version: ticket.GetVersion(), Assignee: proto.String("Nina")})
		if err != nil {
			t.Fatal(err)
		}
		_, err = h.AddEntry(t.Context(), desk.Actor{ID: ticket.GetRequester().GetId(), Name: "alice", Role: "requester"}, &deskv1.AddEntryRequest{Number: ticket.GetNumber(), Id: newID(), Kind: "message", Text: "well"})
		if err != nil {
			t.Fatal(err)
		}
		if got := h.news(t, nina); strings.Count(got, "\n") != 1 {
			t.Errorf("the console shows %q", got)
		}
		monday := time.Date(2026, 3, 30, 6, 0, 0, 0, time.UTC) // 08:00 of summer
		if rows := h.outbox(t, monday.Add(-time.Millisecond)); len(rows) != 0 {
			t.Errorf("%d leave in the quiet", len(rows))
		}
		if rows := h.outbox(t, monday); len(rows) != 1 {
			t.Errorf("%d leave on Monday", len(rows))
		}
		if reader, err := h.Reader(t.Context(), nina.ID); err != nil || !reader.End(friday).Equal(monday) || reader.Mail != "nina@example.net" {
			t.Errorf("as a reader she is %+v (%v)", reader, err)
		}
	})
}
