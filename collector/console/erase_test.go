package console

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// An administrator erases a machine by typing its name; nobody else is offered it.
func TestErasingAMachine(t *testing.T) {
	b := newBench(t)
	endpoint, number := b.machineAsks("compta-07", "Claire", "nothing loads", "internet", dnsDiagnosis)
	if _, err := b.accounts.Create(t.Context(), "nora", "", "administrator", password); err != nil {
		t.Fatal(err)
	}
	lea, nora := b.as("lea"), b.as("nora")
	page := "/endpoints/" + endpoint
	if p := lea.get(page); strings.Contains(p.body, "Erase this machine") {
		t.Error("who may not erase it is offered to")
	}
	nora.wants(nora.get(page), http.StatusOK, "Erase this machine…", "type its name: compta-07", `action="`+page+`/erase"`)
	nora.wants(nora.post(page+"/erase", "name", "compta-70"), http.StatusUnprocessableEntity, "That is not its name. Nothing was erased.", "<details class=\"card\" open>")
	nora.wants(nora.post(page+"/erase", "name", "COMPTA-07"), http.StatusOK, "The machine was erased. One ticket of it stays.")
	nora.wants(nora.get(page), http.StatusNotFound)
	nora.wants(nora.get(fmt.Sprintf("/tickets/%d", number)), http.StatusOK, "nothing loads", "erased the machine: what it observed is gone")
	nora.post("/language", "language", "fr", "back", "/tickets")
	nora.wants(nora.get(fmt.Sprintf("/tickets/%d", number)), http.StatusOK, "a effacé le poste")
}
