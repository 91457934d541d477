package console

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestMaintenancePages(t *testing.T) {
	b := newBench(t)
	lea, ines := b.as("lea"), b.lead()
	lea.wants(lea.get("/maintenance"), http.StatusOK, "Nothing is planned")
	lea.wants(lea.get("/maintenance/new"), http.StatusForbidden)
	address := regexp.MustCompile(`/maintenance/[0-9a-f-]{36}`).FindString(ines.wants(ines.get("/maintenance/new"), http.StatusOK).body)
	b.enrol("port-112")
	plan := []string{"version", "0", "zone", "UTC", "from", time.Now().UTC().Add(-time.Hour).Format(wallForm), "until", time.Now().UTC().Add(time.Hour).Format(wallForm),
		"language", "en", "title", "Disks <b> مرحبا", "text", "<script>alert(1)</script>", "language", "fr", "title", "Disques", "text", "", "freeze", "yes"}
	// What is missing is said, and what was typed stays.
	ines.wants(ines.post(address, plan...), http.StatusUnprocessableEntity, "say for which machines", "Disks &lt;b&gt; مرحبا")
	ines.wants(ines.post(address, append(plan, "machines", "port-112")...), http.StatusOK, "announced to the team", "Under way", "&lt;script&gt;")
	lea.wants(lea.get("/notices"), http.StatusOK, "Disks &lt;b&gt; مرحبا")
	lea.wants(lea.get("/endpoints/port-112"), http.StatusOK, "Disks &lt;b&gt; مرحبا", address)

	endpoint, number := b.machineAsks("port-113", "Yann", "Rien ne va.", "internet", dnsDiagnosis)
	plan[1] = "1"
	ines.wants(ines.post(address, append(plan, "machines", "port-112, "+endpoint)...), http.StatusOK, "announced to the team")
	plan[1] = "1"
	ines.wants(ines.post(address, append(plan, "machines", endpoint)...), http.StatusConflict, "Somebody changed the plan")
	found, err := b.desk.Ticket(t.Context(), number)
	if err != nil || found.GetMaintenance() != nil {
		t.Fatalf("a ticket from before the change is grouped: %v (%v)", found.GetMaintenance(), err)
	}
	lea.post("/tickets", "id", newID(), "requester", "Yann", "complaint", "internet", "endpoint", endpoint, "text", "Again nothing")
	p := lea.wants(lea.get(address), http.StatusOK, "Again nothing")
	ticket := regexp.MustCompile(`/tickets/\d+`).FindString(p.body[strings.Index(p.body, `id="under-title"`):])
	lea.wants(lea.get(ticket), http.StatusOK, "Belongs to maintenance", address)
	entry := newID()
	lea.wants(lea.post(address+"/answer", "entry", entry, "text", " "), http.StatusUnprocessableEntity, "the text is empty")
	lea.wants(lea.post(address+"/answer", "entry", entry, "text", "It is done <i>", "status", "solved"), http.StatusOK, "Sent to all")
	lea.wants(lea.get(ticket), http.StatusOK, "It is done &lt;i&gt;", "Solved")
	lea.wants(lea.post(address+"/end"), http.StatusForbidden)
	ines.wants(ines.post(address+"/end"), http.StatusOK, "Over")
	lea.wants(lea.get(fmt.Sprintf("/maintenance/%s", newID())), http.StatusNotFound)
}
