package console

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// lead signs in somebody who may change the team.
func (b *bench) lead() *browser {
	b.Helper()
	if _, err := b.accounts.Create(b.Context(), "ines", "", "lead", password); err != nil {
		b.Fatal(err)
	}
	return b.as("ines")
}

func TestTeam(t *testing.T) {
	b := newBench(t)
	_, number := b.machineAsks("port-112", "Yann Le Goff", "Mes documents restent dans la file.", "printing", printerDiagnosis)
	lea, ines := b.as("lea"), b.lead()

	// Everybody sees the team and why; only leads change it.
	lea.wants(lea.get("/team"), http.StatusOK, "lea", "marc", "1 of 40", "nothing special")
	lea.wants(lea.get("/team/marc"), http.StatusForbidden)
	lea.wants(lea.post("/team/marc", "takes", "on"), http.StatusForbidden)
	ines.wants(ines.get("/team/nobody"), http.StatusNotFound)
	p := lea.wants(lea.get(fmt.Sprintf("/tickets/%d", number)), http.StatusOK, "No special skill was asked for; had 0 open.", "gave it to", "the same in all; the name decided")
	if !strings.Contains(p.body, "About: Printing, HP, Accounting-2 (from the diagnosis)") {
		t.Error("the page does not say what the ticket was taken to be about")
	}

	// A change is tried first, kept as typed, and saves nothing.
	skill := []string{"takes", "on", "cap", "7", "kind", "domain", "value", "printer", "level", "3", "from", "2031-12-21", "until", "2031-12-31", "reason", "<b>ski</b>"}
	ines.wants(ines.post("/team/marc", append(skill, "preview", "1")...), http.StatusOK,
		"What this change would have done", "1 ticket of the last 30 days", "would have gone to somebody else", `value="printer"`, `value="2031-12-31"`)
	lea.wants(lea.get("/team"), http.StatusOK, "nothing special")
	if p := ines.wants(ines.post("/team/marc", skill...), http.StatusOK, "Saved.", `value="printer"`, `value="7"`); p.path != "/team/marc" {
		t.Errorf("saving led to %s", p.path)
	}
	lea.wants(lea.get("/team"), http.StatusOK, "Printing (3)", "0 of 7", "Away 2031-12-21 to 2031-12-31", "&lt;b&gt;ski&lt;/b&gt;")

	// The expert has the next.
	_, next := b.machineAsks("port-113", "Ana", "Again", "printing", printerDiagnosis)
	lea.wants(lea.get(fmt.Sprintf("/tickets/%d", next)), http.StatusOK, "Knows Printing (3); had 0 open.", "knows less of it")

	// What can't be kept is said, and stays in the form.
	for _, wrong := range [][]string{
		{"cap", "many"}, {"cap", "-1"}, {"kind", "domain", "value", "cooking", "level", "2"}, {"kind", "brand", "value", "HP", "level", "9"},
		{"kind", "colour", "value", "red", "level", "1"}, {"from", "2031-12-21", "until", "2031-12-01", "reason", ""}, {"from", "soon", "until", "", "reason", ""},
	} {
		ines.wants(ines.post("/team/marc", wrong...), http.StatusUnprocessableEntity, `role="alert"`)
	}
	lea.wants(lea.get("/team"), http.StatusOK, "Printing (3)")
}

func TestTeamSpeaksFrench(t *testing.T) {
	b := newBench(t)
	_, number := b.machineAsks("port-112", "Yann Le Goff", "Mes documents restent dans la file.", "printing", printerDiagnosis)
	ines := b.lead()
	ines.post("/language", "language", "fr", "back", "/team")
	ines.wants(ines.get("/team"), http.StatusOK, "Équipe", "1 sur 40")
	ines.wants(ines.get("/team/marc"), http.StatusOK, "Essayer sur les 30 derniers jours", "fait référence")
	ines.wants(ines.get(fmt.Sprintf("/tickets/%d", number)), http.StatusOK, "Aucune compétence particulière", "Sujet\u00a0: Impression", "d’après le diagnostic")
}
