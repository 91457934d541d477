package console

import (
	"fmt"
	"net/http"
	"testing"
)

func TestService(t *testing.T) {
	b := newBench(t)
	if _, err := b.accounts.Create(t.Context(), "root", "", "administrator", password); err != nil {
		t.Fatal(err)
	}
	lea, root := b.as("lea"), b.as("root")
	root.wants(root.get("/service"), http.StatusOK, "For example", "closed 01-01")
	_, number := b.machineAsks("port-112", "Yann", "Help", "printing", printerDiagnosis)
	ticket := fmt.Sprintf("/tickets/%d", number)

	lea.wants(lea.get("/service"), http.StatusOK, "readonly")
	lea.wants(lea.post("/service", "text", "normal: {solution: 1h}"), http.StatusForbidden)
	root.wants(root.post("/service", "text", "normal: {answer: 1h}"), http.StatusUnprocessableEntity, "unknown field", "answer: 1h")
	root.wants(root.post("/service", "text", "normal: {firstResponse: 5h30m, solution: 80h}"), http.StatusOK, "1 ticket under way has other promises now")
	lea.wants(lea.get(ticket), http.StatusOK, "First answer", "in 5 h", "in 3 days")
	lea.wants(lea.get("/tickets?status=due"), http.StatusOK, "in 5 h")
	lea.post(ticket, lea.form(ticket).with("text", "Is it on?", "kind", "message")...)
	lea.wants(lea.get("/tickets?status=due"), http.StatusOK, "in 3 days")
}
