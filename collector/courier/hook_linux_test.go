package courier

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"constat/collector/desk"
	"constat/collector/store/storetest"
	"constat/internal/lab"
	deskv1 "constat/proto/constat/desk/v1"
)

// receiver is somebody's webhook: it says what it was told to, and keeps what came.
type receiver struct {
	url      string
	requests []*http.Request
	bodies   []string
	// answers are the next ones; then 204.
	answers []int
}

func (h *house) receiver() *receiver {
	h.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		h.Fatal(err)
	}
	r := &receiver{url: fmt.Sprintf("https://localhost:%d/hook", l.Addr().(*net.TCPAddr).Port)}
	lab.Serve(h.TB, l, http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		r.requests, r.bodies = append(r.requests, request), append(r.bodies, string(body))
		status := http.StatusNoContent
		if len(r.answers) > 0 {
			status, r.answers = r.answers[0], r.answers[1:]
		}
		w.Header().Set("Location", "https://169.254.169.254/latest/meta-data")
		w.WriteHeader(status)
	}), h.authority.Issue(time.Now().Add(-time.Hour), time.Now().Add(time.Hour), "localhost"))
	return r
}

func (h *house) hook(w *deskv1.Webhook) (secret string) {
	h.Helper()
	_, secret, err := h.PutWebhook(h.Context(), h.admin, &deskv1.PutWebhookRequest{Webhook: w})
	if err != nil {
		h.Fatal(err)
	}
	return secret
}

// TestWebhook: each event comes as a signed request, again after a failure under
// the same id, and to nobody after it said that it is gone.
func TestWebhook(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		r := h.receiver()
		secret := h.hook(&deskv1.Webhook{Name: "chat", Url: r.url, Inside: true, Kinds: []string{"assigned"}})
		if again := h.hook(&deskv1.Webhook{Name: "chat", Url: r.url, Inside: true, Kinds: []string{"assigned", "message"}}); again != "" || len(secret) < 40 {
			t.Errorf("the secret %q became %q", secret, again)
		}
		r.answers = []int{503, 302}
		number := h.give("It smokes", h.lea)
		h.run()
		h.counts(1, 0, 0)
		h.clock = h.clock.Add(pauses[0])
		h.run()
		if trouble := h.state().GetTroubles(); len(trouble) != 1 || !strings.Contains(trouble[0].GetProblem(), "redirects are not followed") {
			t.Errorf("after a redirect: %v", trouble)
		}
		h.clock = h.clock.Add(pauses[1])
		h.run()
		h.counts(0, 1, 0)
		h.run()
		if len(r.requests) != 3 {
			t.Fatalf("%d requests came", len(r.requests))
		}
		for i, request := range r.requests {
			var m desk.HookMessage
			if err := json.Unmarshal([]byte(r.bodies[i]), &m); err != nil {
				t.Fatal(err)
			}
			at := request.Header.Get("Constat-Timestamp")
			if request.Header.Get("Constat-Signature") != "sha256="+Sign(secret, at, []byte(r.bodies[i])) {
				t.Errorf("request %d is not signed", i)
			}
			if m.Event == "" || m.Event != request.Header.Get("Constat-Event") || m.Event != r.requests[0].Header.Get("Constat-Event") {
				t.Errorf("request %d is of event %q", i, m.Event)
			}
			if m.Kind != "assigned" || m.Ticket.Number != number || m.Ticket.URL != fmt.Sprintf("https://desk.example.org/tickets/%d", number) || m.Told[0] != "Léa" {
				t.Errorf("request %d says %s", i, r.bodies[i])
			}
		}
		r.answers = []int{410}
		h.give("More smoke", h.lea)
		h.run()
		h.counts(0, 1, 1)
		// What waits for a webhook that is taken away is dropped.
		h.give("Fire", h.lea)
		if err := h.DeleteWebhook(t.Context(), h.admin, "chat"); err != nil {
			t.Fatal(err)
		}
		h.run()
		h.counts(0, 2, 1)
		if len(r.requests) != 4 {
			t.Errorf("%d requests came", len(r.requests))
		}
	})
}

// TestWebhookStaysOutside: a webhook leads to no address of this machine, of its
// link or of a cloud's secrets, whatever name stands for it.
func TestWebhookStaysOutside(t *testing.T) {
	h := open(t, storetest.SQLite(t))
	r := h.receiver() // its name, localhost, is known only when it is dialled
	h.hook(&deskv1.Webhook{Name: "inward", Url: r.url})
	h.give("x", h.lea)
	h.run()
	if trouble := h.state().GetTroubles(); len(trouble) != 1 || !strings.Contains(trouble[0].GetProblem(), "this machine itself") {
		t.Errorf("%v", trouble)
	}
	if len(r.requests) > 0 {
		t.Error("a request came")
	}
	for _, test := range []struct {
		address string
		out     bool
	}{
		{"127.0.0.1", false}, {"127.9.9.9", false}, {"::1", false}, {"0.0.0.0", false}, {"0.1.2.3", false}, {"::", false},
		{"169.254.169.254", false}, {"fe80::1%eth0", false}, {"::ffff:169.254.169.254", false}, {"::ffff:127.0.0.1", false},
		{"64:ff9b::a9fe:a9fe", false}, {"64:ff9b::7f00:1", false}, {"2002:7f00:1::", false}, {"224.0.0.1", false}, {"ff02::1", false},
		{"100.100.100.200", false}, {"168.63.129.16", false}, {"192.0.0.192", false}, {"fd00:ec2::254", false}, {"fd20:ce::254", false},
		{"192.0.2.1", true}, {"10.1.2.3", true}, {"2001:db8::1", true}, {"64:ff9b::c000:201", true}, {"fd00::1", true},
	} {
		if got := forbidden(netip.MustParseAddr(test.address)) == ""; got != test.out {
			t.Errorf("%s: may be called: %t, want %t", test.address, got, test.out)
		}
	}
	for _, test := range []struct {
		hook *deskv1.Webhook
		want string
	}{
		{&deskv1.Webhook{Name: "Chat", Url: "https://chat.example.org/"}, "a webhook's name has"},
		{&deskv1.Webhook{Name: "chat", Url: "chat"}, "is not an address"},
		{&deskv1.Webhook{Name: "chat", Url: "http://chat.example.org/"}, "begins with https"},
		{&deskv1.Webhook{Name: "chat", Url: "file:///etc/passwd", Inside: true}, "is not an address"},
		{&deskv1.Webhook{Name: "chat", Url: "https://me:pw@chat.example.org/"}, "no name or password"},
		{&deskv1.Webhook{Name: "chat", Url: "https://[::1]/"}, "this machine itself"},
		{&deskv1.Webhook{Name: "chat", Url: "https://chat.example.org/", Kinds: []string{"jokes"}}, "no kind of notice"},
	} {
		_, _, err := h.PutWebhook(t.Context(), h.admin, &deskv1.PutWebhookRequest{Webhook: test.hook})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: %v, want %q", test.hook, err, test.want)
		}
	}
	if _, _, err := h.PutWebhook(t.Context(), h.lea, &deskv1.PutWebhookRequest{}); err == nil {
		t.Error("a technician may put one")
	}
}
