package console

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

var boxes = regexp.MustCompile(`name="ticket" value="(\d+:\d+)"`)

func TestSeveralAtOnceAndUndo(t *testing.T) {
	b := newBench(t)
	for i := range 3 {
		b.machineAsks(fmt.Sprintf("compta-%d", i), "Claire", "help", "internet", dnsDiagnosis)
	}
	lea, marc := b.as("lea"), b.as("marc")
	seen := boxes.FindAllStringSubmatch(lea.get("/tickets").body, -1)
	if len(seen) != 3 {
		t.Fatalf("%d tickets can be chosen", len(seen))
	}
	marc.post("/tickets/2", "version", "1", "statusWas", "new", "status", "open")
	chosen := []string{"back", "/tickets?status=any", "status", "pending", "addTags", "wave, <b>", "assignee", "marc"}
	for _, one := range seen {
		chosen = append(chosen, "ticket", one[1])
	}
	p := lea.wants(lea.post("/tickets/bulk", chosen...), http.StatusOK, "2 tickets changed · 1 was changed meanwhile: #2", ">Undo<")
	if p.path != "/tickets?status=any" {
		t.Errorf("led to %s", p.path)
	}
	lea.wants(lea.get("/tickets/1"), http.StatusOK, ">wave<", "&lt;b&gt;", "Pending")
	deed := regexp.MustCompile(`name="deed" value="([^"]+)"`).FindStringSubmatch(p.body)[1]
	marc.wants(marc.post("/undo", "deed", deed), http.StatusOK, "undone any more")
	lea.wants(lea.post("/undo", "deed", deed, "back", "/tickets/1"), http.StatusOK, "2 undone")
	if p := lea.get("/tickets/1"); strings.Contains(p.body, ">wave<") || strings.Contains(p.body, `badge warn">Pending`) {
		t.Error("it was not undone")
	}
	lea.wants(lea.post("/undo", "deed", deed), http.StatusOK, "undone any more")
	lea.wants(lea.post("/tickets/bulk", "status", "open"), http.StatusOK, "No ticket was chosen")
	lea.wants(lea.post("/tickets/bulk", "ticket", seen[0][1]), http.StatusOK, "Nothing was to be changed")
	lea.wants(lea.post("/tickets/bulk", "ticket", "x", "status", "open"), http.StatusNotFound)
	lea.wants(lea.post("/tickets/bulk", "ticket", "99:1", "status", "open"), http.StatusOK, "0 tickets changed · 1 could not be changed: #99 (there is no ticket 99)")
	// One ticket's own form offers it too; a text alone can't be undone.
	p = lea.post("/tickets/3", lea.form("/tickets/3").with("status", "solved")...)
	lea.wants(p, http.StatusOK, ">Undo<")
	if p := lea.post("/tickets/3", lea.form("/tickets/3").with("text", "hello", "kind", "note")...); strings.Contains(p.body, ">Undo<") {
		t.Error("a note can be undone")
	}
}

func TestKeptViews(t *testing.T) {
	b := newBench(t)
	b.machineAsks("compta-07", "Claire", "help", "internet", dnsDiagnosis)
	lea, marc, boss := b.as("lea"), b.as("marc"), b.lead()
	id := regexp.MustCompile(`action="/views">[^<]*<input type="hidden" name="query" value="[^"]*">[^<]*<input type="hidden" name="id" value="([^"]+)"`)
	keep := id.FindStringSubmatch(lea.get("/tickets?q=compta&status=").body)
	if keep == nil {
		t.Fatal("a list cannot be kept")
	}
	p := lea.wants(lea.post("/views", "id", keep[1], "name", "<b>Compta</b>", "query", "q=compta", "shared", "yes"), http.StatusOK, "<bdi>&lt;b&gt;Compta&lt;/b&gt;</bdi>", "Take away")
	if p.path != "/tickets?q=compta" || !strings.Contains(p.body, `href="/tickets?q=compta" aria-current="page"`) {
		t.Errorf("led to %s", p.path)
	}
	// With an order and columns of its own, in place of the one that is there.
	const own = "columns=site&columns=status&q=nothing&sort=updated"
	p = lea.wants(lea.post("/views", "id", keep[1], "name", "", "query", own, "shared", "yes"), http.StatusOK, "<bdi>&lt;b&gt;Compta&lt;/b&gt;</bdi>", "Nothing fits this view right now")
	if p.path != "/tickets?"+own || !strings.Contains(p.body, `<option value="`+keep[1]+`">&lt;b&gt;Compta&lt;/b&gt;</option>`) {
		t.Errorf("led to %s", p.path)
	}
	lea.wants(p, http.StatusOK, `<input type="hidden" name="columns" value="site">`, `<option value="updated" selected>`)
	if p := lea.wants(lea.get("/tickets?columns=assignee,updated"), http.StatusOK, "Last change"); strings.Contains(p.body, `class="cause-line"`) {
		t.Error("a column is shown that was not chosen")
	}
	lea.wants(lea.get("/tickets?assignee=lea&status=closed"), http.StatusOK, "No ticket matches")
	lea.wants(marc.get("/tickets?assignee=marc"), http.StatusOK, "You have nothing to work on")
	if p := marc.wants(marc.get("/tickets"), http.StatusOK, "&lt;b&gt;Compta"); strings.Contains(p.body, "Take away") {
		t.Error("a colleague may take it away")
	}
	marc.wants(marc.post("/views/"+keep[1]+"/delete"), http.StatusNotFound)
	lea.wants(lea.post("/views", "id", newID(), "name", " ", "query", "q=x"), http.StatusUnprocessableEntity, "needs a name")
	if p := boss.post("/views/" + keep[1] + "/delete"); strings.Contains(p.body, "Compta&lt;") {
		t.Error("the view is still there")
	}
}
