package console

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

func TestDeliveryPage(t *testing.T) {
	b := newBench(t)
	if _, err := b.accounts.Create(t.Context(), "root", "root@example.org", "administrator", password); err != nil {
		t.Fatal(err)
	}
	lea, root := b.as("lea"), b.as("root")
	lea.wants(lea.get("/delivery"), http.StatusForbidden)
	lea.wants(lea.post("/delivery/mail", "host", "smtp.example.org"), http.StatusForbidden)
	lea.wants(lea.post("/delivery/retry"), http.StatusForbidden)
	root.wants(root.get("/delivery"), http.StatusOK, "No webhook yet", "0 wait")
	if p := root.get("/team"); !strings.Contains(p.body, `href="/delivery"`) {
		t.Error("nothing leads there")
	}
	root.wants(root.post("/delivery/mail", "host", "smtp.example.org", "from", "", "security", "tls"), http.StatusUnprocessableEntity, "is not an address to send from", `value="smtp.example.org"`)
	p := root.wants(root.post("/delivery/mail", "host", "localhost", "port", "1", "security", "starttls", "username", "desk", "password", "s3cret word", "from", "desk@example.org"),
		http.StatusOK, "Saved", "the one that is kept stays")
	if strings.Contains(p.body, "s3cret") {
		t.Error("the password shows")
	}
	root.wants(root.post("/delivery/test", "to", "root@example.org"), http.StatusUnprocessableEntity, "refused", `value="root@example.org"`)

	root.wants(root.post("/delivery/webhooks", "name", "chat", "url", "https://127.0.0.1/", "kind", "missed"), http.StatusUnprocessableEntity, "this machine itself", `value="missed" checked`)
	p = root.wants(root.post("/delivery/webhooks", "name", "chat", "url", "https://chat.example.org/<hook>", "kind", "missed"), http.StatusOK, "shown this once", "https://chat.example.org/&lt;hook&gt;")
	secret := regexp.MustCompile(`<code>([A-Z2-7]{40,})</code>`).FindStringSubmatch(p.body)
	if secret == nil {
		t.Fatal("the secret does not show")
	}
	if p := root.get("/delivery"); strings.Contains(p.body, secret[1]) {
		t.Error("the secret shows again")
	}
	if p := root.post("/delivery/webhooks", "name", "chat", "url", "https://chat.example.org/2"); strings.Contains(p.body, "shown this once") {
		t.Error("a change drew another secret")
	}
	root.wants(root.post("/delivery/webhooks/chat/delete"), http.StatusOK, "No webhook yet")
	root.wants(root.post("/delivery/webhooks/chat/delete"), http.StatusNotFound)
}
