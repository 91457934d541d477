package console

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

func TestMergeTickets(t *testing.T) {
	b := newBench(t)
	_, first := b.machineAsks("compta-07", "Claire", "no internet", "internet", dnsDiagnosis)
	_, second := b.machineAsks("compta-08", "Paul", "<b>no internet either</b>", "printing", printerDiagnosis)
	w := b.as("lea")
	at := fmt.Sprintf("/tickets/%d", second)
	version := func() string {
		found := regexp.MustCompile(`name="version" form="merge-form" value="(\d+)"`).FindStringSubmatch(w.get(at).body)
		if found == nil {
			t.Fatal("the form to merge knows no version")
		}
		return found[1]
	}
	into := fmt.Sprintf("#%d", first)
	w.wants(w.post(at+"/merge", "into", "it", "version", version()), http.StatusUnprocessableEntity, "such as 12", `id="merge" open`, `value="it"`)
	w.wants(w.post(at+"/merge", "into", "99", "version", version()), http.StatusUnprocessableEntity, "there is no ticket 99")
	w.wants(w.post(at+"/merge", "into", fmt.Sprint(second), "version", version()), http.StatusUnprocessableEntity, "into itself")
	w.wants(w.post(at+"/merge", "into", into, "version", "77"), http.StatusConflict, "look at it again")
	w.wants(w.post("/tickets/99/merge", "into", into, "version", "1"), http.StatusNotFound)
	p := w.post(at+"/merge", "into", into, "version", version())
	w.wants(p, http.StatusOK, "The tickets are one now", fmt.Sprintf("merged ticket #%d", second), "no internet</p>", "&lt;b&gt;no internet either")
	if p.path != fmt.Sprintf("/tickets/%d", first) {
		t.Errorf("merging led to %s", p.path)
	}
	// The diagnosis that is read first stays the one of this ticket's machine.
	if head, _, _ := strings.Cut(p.body, "timeline-title"); strings.Contains(head, "Accounting-2") || !strings.Contains(head, "192.0.2.53") {
		t.Error("the page begins with the other machine's diagnosis")
	}
	w.wants(w.get(at), http.StatusOK, fmt.Sprintf("Ticket %d was merged into this one", second))
}

func TestQueueViews(t *testing.T) {
	b := newBench(t)
	_, first := b.machineAsks("compta-07", "Claire", "first words", "internet", dnsDiagnosis)
	_, second := b.machineAsks("compta-08", "Paul", "second words", "internet", dnsDiagnosis)
	w := b.as("lea")
	holder := func(number int32) string {
		ticket, err := b.desk.Ticket(t.Context(), number)
		if err != nil {
			t.Fatal(err)
		}
		return ticket.GetTicket().GetAssignee()
	}
	w.post(fmt.Sprintf("/tickets/%d", first), "version", "1", "statusWas", "new", "status", "closed", "assigneeWas", holder(first), "assignee", "")
	w.post(fmt.Sprintf("/tickets/%d", second), "version", "1", "assigneeWas", holder(second), "assignee", "lea")
	shows := func(address string, wanted ...int32) {
		t.Helper()
		var want, got []string
		for _, number := range wanted {
			want = append(want, fmt.Sprint(number))
		}
		for _, found := range regexp.MustCompile(`class="title"><a href="/tickets/(\d+)"`).FindAllStringSubmatch(w.get(address).body, -1) {
			got = append(got, found[1])
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s shows %v, want %v", address, got, want)
		}
	}
	shows("/tickets", second)
	shows("/tickets?status=any", second, first)
	shows("/tickets?status=closed", first)
	shows("/tickets?assignee=-")
	shows("/tickets?assignee=-&status=any", first)
	shows("/tickets?assignee=lea", second)
	shows("/tickets?q=claire")
	w.wants(w.get("/tickets?q=claire"), http.StatusOK, `href="/tickets?q=claire&amp;status=any"`)
}
