package console

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// answer makes one by the form, and gives its address.
func (w *browser) answer(fields ...string) string {
	w.Helper()
	p := w.wants(w.get("/answers/new"), http.StatusOK)
	address := regexp.MustCompile(`/answers/[0-9a-f-]{36}`).FindString(p.body)
	if p := w.wants(w.post(address, append([]string{"version", "0", "language", "en"}, fields...)...), http.StatusOK, "Saved."); p.path != "/answers" {
		w.Fatalf("saving led to %s", p.path)
	}
	return address
}

func TestAnswers(t *testing.T) {
	b := newBench(t)
	_, number := b.machineAsks("port-112", `Yann <b>Le Goff</b> عبد`, "Mes documents restent dans la file.", "printing", printerDiagnosis)
	plain := b.ask("My mouse is <gone>")
	lea, ines := b.as("lea"), b.lead()
	lea.wants(lea.get("/answers"), http.StatusOK, "No answer is written yet")
	lea.wants(lea.get(fmt.Sprintf("/tickets/%d/answers", number)), http.StatusOK, "No answer fits this ticket yet")

	address := ines.answer("whose", "team", "title", "Restart <it> مرحبا", "body", "Hello {requester.name},\n<script>alert(1)</script> restart {endpoint.hostname}, عبد.",
		"language", "fr", "title", "Redémarrer", "body", "Bonjour {requester.name}, redémarrez {endpoint.hostname}.")
	lea.wants(lea.get("/answers?q=restart"), http.StatusOK, "Restart &lt;it&gt; مرحبا", "The team’s")
	lea.wants(lea.get(address), http.StatusOK, "A lead can change it")

	// With the values of the ticket, in the requester's language first.
	p := lea.wants(lea.get(fmt.Sprintf("/tickets/%d/answers", number)), http.StatusOK, "Bonjour Yann &lt;b&gt;Le Goff&lt;/b&gt; عبد, redémarrez port-112.", "&lt;script&gt;")
	if strings.Contains(p.body, "<script>alert") || strings.Contains(p.body, "<b>Le") {
		t.Error("what people wrote is HTML in the list")
	}
	link := regexp.MustCompile(`/tickets/\d+\?answer=[^"]*language=en`).FindString(p.body)
	lea.wants(lea.get(strings.ReplaceAll(link, "&amp;", "&")), http.StatusOK, "restart port-112, عبد.</textarea>")

	// What has no value is told, and is not sent, nor is anything else done.
	other := fmt.Sprintf("/tickets/%d", plain)
	p = lea.wants(lea.get(other+"/answers"), http.StatusOK, "No value for <code>{endpoint.hostname}</code>")
	link = strings.ReplaceAll(regexp.MustCompile(`/tickets/\d+\?answer=[^"]*language=en`).FindString(p.body), "&amp;", "&")
	lea.wants(lea.get(link), http.StatusOK, "restart {endpoint.hostname}", `role="alert"`)
	lea.wants(lea.post(other, lea.form(other).with("text", "Restart {endpoint.hostname}", "kind", "message", "status", "pending")...), http.StatusUnprocessableEntity, "nothing was sent", "Restart {endpoint.hostname}</textarea>")
	if found, err := b.desk.Ticket(t.Context(), plain); err != nil || found.GetTicket().GetStatus() != "new" {
		t.Errorf("the ticket is %v (%v)", found.GetTicket().GetStatus(), err)
	}
	lea.wants(lea.get(other+"?answer=gone&language=en"), http.StatusOK, "not there any more")

	// What cannot be kept is said, and stays in the form.
	lea.wants(lea.post(address, "version", "1", "whose", "team", "language", "en", "title", "t", "body", "b"), http.StatusForbidden)
	ines.wants(ines.post(address, "version", "1", "whose", "team", "language", "en", "title", "Kept", "body", "Hello {requester.nam}"), http.StatusUnprocessableEntity, "line 1, column 7", "Hello {requester.nam}")
	ines.wants(ines.post(address, "version", "7", "whose", "team", "language", "en", "title", "Kept", "body", "Hello"), http.StatusConflict, "Somebody changed the answer", "Hello</textarea>")
	if p := ines.post(address, "version", "1", "language", "en", "title", "t", "body", strings.Repeat("x", 10<<20)); p.status != http.StatusRequestEntityTooLarge {
		t.Errorf("10 MB: status %d", p.status)
	}
	own := lea.answer("whose", "own", "title", "Signature", "body", "Bien à vous, {technician.name}")
	ines.wants(ines.get(own), http.StatusNotFound)
	lea.wants(lea.post(own+"/delete"), http.StatusOK, "Removed.")
}
