package console

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestAccounts(t *testing.T) {
	b := newBench(t)
	_, number := b.machineAsks("compta-07", "Claire", "help", "internet", dnsDiagnosis)
	for _, name := range []string{"nora", "<b>Éva</b> O'Hara"} {
		if _, err := b.accounts.Create(t.Context(), name, "", "administrator", password); err != nil {
			t.Fatal(err)
		}
	}
	lea, marc, nora := b.as("lea"), b.as("marc"), b.as("nora")
	had, other := lea, marc
	name, next := "lea", "marc"
	if strings.Contains(marc.get("/tickets?assignee=marc").body, "compta-07") {
		had, other, name, next = marc, lea, "marc", "lea"
	}
	lea.wants(lea.get("/accounts"), http.StatusForbidden)
	nora.wants(nora.get("/settings"), http.StatusOK, `href="/accounts"`)
	nora.wants(nora.get("/accounts"), http.StatusOK, "This is you.", "&lt;b&gt;Éva&lt;/b&gt; O&#39;Hara", `action="/accounts/`+name+`/remove"`)

	// They are out at once, also on pages that are open; their ticket is another's.
	nora.wants(nora.post("/accounts/"+name+"/remove"), http.StatusOK, "The account is removed. 1 ticket went to somebody else or back to the queue.", "removed")
	if p := had.get("/tickets"); !strings.HasPrefix(p.path, "/sign-in") {
		t.Errorf("who was removed is at %s", p.path)
	}
	ticket := fmt.Sprintf("/tickets/%d", number)
	other.wants(other.get(ticket), http.StatusOK, "passed it on: "+name+" does not work here any more", `<option selected>`+next)
	if p := other.get("/tickets?assignee=" + name); !strings.Contains(p.body, "<option selected>"+name+"</option>") || strings.Count(p.body, ">"+name+"</option>") != 1 {
		t.Error("a list of what they had offers to give them more, or does not say whose it is")
	}
	nora.wants(nora.post("/accounts/"+name+"/remove"), http.StatusNotFound)
	nora.wants(nora.post("/accounts/nora/remove"), http.StatusUnprocessableEntity, "cannot remove yourself")
	nora.wants(nora.post("/accounts/"+name+"/restore"), http.StatusOK, "They are back.")
	nora.wants(nora.post("/accounts/nora/restore"), http.StatusUnprocessableEntity, "was not removed")
	if p := had.get("/tickets"); !strings.HasPrefix(p.path, "/sign-in") {
		t.Error("a session of before the removal goes on after it was taken back")
	}
	nora.post("/language", "language", "fr", "back", "/accounts")
	nora.wants(nora.get("/accounts"), http.StatusOK, "Retirer…", "C’est vous.")
}
