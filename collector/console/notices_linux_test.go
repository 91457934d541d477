package console

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"constat/collector/desk"
	"constat/internal/lab/chrome"
	deskv1 "constat/proto/constat/desk/v1"
)

// looksWell opens pages in both themes and languages, on a wide screen and on a
// phone.
func (c *chromium) looksWell(b *bench, pages map[string]string) {
	c.Helper()
	for _, look := range []struct {
		language, scheme string
		width            int
	}{{"en", "light", 1280}, {"fr", "dark", 1280}, {"fr", "light", 380}, {"en", "dark", 380}} {
		c.Look(look.width, look.scheme)
		c.Open(b.address + "/tickets")
		c.Eval("document.cookie = 'constat-language=" + look.language + "; path=/'")
		for name, path := range pages {
			where := fmt.Sprintf("%s-%s-%s-%d", name, look.language, look.scheme, look.width)
			c.Open(b.address + path)
			if wide := c.Eval("document.documentElement.scrollWidth"); wide != fmt.Sprint(look.width) {
				c.Errorf("%s is %s px wide, in a window of %d", where, wide, look.width)
			}
			if pale := c.Eval(chrome.PaleText); pale != "" {
				c.Errorf("%s: text with too little contrast: %s", where, pale)
			}
			if nameless := c.Eval(chrome.Nameless); nameless != "" {
				c.Errorf("%s: controls without a name: %s", where, nameless)
			}
			c.Keep(where)
			c.Quiet(where)
		}
	}
}

// TestNoticesInChromium looks at what an administrator is told, and hears the bell
// ring on a page that stays open.
func TestNoticesInChromium(t *testing.T) {
	c := startChromium(t)
	b := newBench(t)
	root, err := b.accounts.Create(t.Context(), "root", "root@example.org", "administrator", password)
	if err != nil {
		t.Fatal(err)
	}
	number := b.ask("L'imprimante du deuxième étage ne sort plus rien depuis ce matin")
	if _, err := b.desk.SetServiceLevels(t.Context(), desk.System, serviceExample); err != nil {
		t.Fatal(err)
	}
	_, err = b.courier.SetMailServer(t.Context(), desk.System, &deskv1.SetMailServerRequest{
		Mail:     &deskv1.MailServer{Host: "localhost", Port: 1, Security: "starttls", Username: "desk", From: "Help desk <desk@example.org>"},
		Password: proto.String("s3cret"),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = b.courier.PutWebhook(t.Context(), desk.System, &deskv1.PutWebhookRequest{Webhook: &deskv1.Webhook{Name: "chat", Url: "https://chat.example.org/hooks/4f6c", Kinds: []string{"missed", "escalated"}}})
	if err != nil {
		t.Fatal(err)
	}
	c.enter(b.as("root"))
	c.Look(1280, "light")
	c.Open(b.address + "/faults")
	b.give(number, "root")
	c.Until("document.querySelector('#bell .badge')?.firstChild.data === '1'")
	say := func(kind string) {
		asked, err := b.desk.Ticket(t.Context(), number)
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.desk.AddEntry(t.Context(), desk.Actor{ID: asked.GetTicket().GetRequester().GetId(), Name: "Yann", Role: "requester"}, &deskv1.AddEntryRequest{Number: number, Id: newID(), Kind: "message", Text: kind})
		if err != nil {
			t.Fatal(err)
		}
	}
	say("Toujours rien.")
	if err := b.desk.Undelivered(t.Context(), "test", 0, "mail → lea: 550 there is no such person"); err != nil {
		t.Fatal(err)
	}
	if err := b.courier.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.desk.SetNoticeRule(t.Context(), desk.Actor{ID: root.ID}, &deskv1.NoticeRule{Zone: "Europe/Paris", QuietFrom: "18:30", QuietUntil: "08:00", Mail: "root@example.org"}); err != nil {
		t.Fatal(err)
	}
	c.looksWell(b, map[string]string{"notices": "/notices", "notice-rule": "/notices/rule", "delivery": "/delivery", "team-admin": "/team"})
}
