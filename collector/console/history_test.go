package console

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestHistory(t *testing.T) {
	b := newBench(t)
	_, first := b.machineAsks("port-112", "Yann", "Help", "printing", printerDiagnosis)
	lea := b.as("lea")
	address := fmt.Sprintf("/tickets/%d", first)
	lea.post(address, lea.form(address).with("status", "solved", "resolution", "Resumed the <b>queue</b> and asked Paul to leave it alone.")...)
	lea.wants(lea.get(address), http.StatusOK, "What helped: Resumed the &lt;b&gt;queue&lt;/b&gt;", "set what helped to")

	_, second := b.machineAsks("port-113", "Yann", "Again", "printing", printerDiagnosis)
	p := lea.wants(lea.get(fmt.Sprintf("/tickets/%d", second)), http.StatusOK,
		"This was solved before", "<strong>Resumed the &lt;b&gt;queue&lt;/b&gt;", "the same Accounting-2", "Asked before")
	if strings.Contains(p.body, "the same machine") {
		t.Error("another machine is called the same")
	}
	_, rest, _ := strings.Cut(p.body, `href="/people/`)
	person, _, _ := strings.Cut(rest, `"`)
	lea.wants(lea.get("/people/"+person), http.StatusOK, "Yann", fmt.Sprintf("#%d", first), fmt.Sprintf("#%d", second))
	lea.wants(lea.get("/people/nobody"), http.StatusNotFound)
}
