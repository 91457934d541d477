package console

import (
	"fmt"
	"net/http"
	"regexp"
	"testing"
)

// form makes one by the page, and gives its id.
func (w *browser) requestForm(source string) string {
	w.Helper()
	p := w.wants(w.get("/forms/new"), http.StatusOK, "New laptop")
	address := regexp.MustCompile(`/forms/[0-9a-f-]{36}`).FindString(p.body)
	w.wants(w.post(address, "version", "0", "state", "active", "source", source), http.StatusOK, "Saved.")
	return address[len("/forms/"):]
}

func TestRequestForms(t *testing.T) {
	b := newBench(t)
	lea, ines := b.as("lea"), b.lead()
	lea.wants(lea.get("/forms"), http.StatusOK, "There is no form yet")
	id := ines.requestForm(formExample)
	lea.wants(lea.get("/forms"), http.StatusOK, "New laptop", "/tickets/new?form="+id)
	lea.wants(lea.get("/forms/"+id), http.StatusForbidden)
	lea.wants(lea.get("/tickets/new"), http.StatusOK, "A trouble", "New laptop")

	p := lea.wants(lea.get("/tickets/new?form="+id), http.StatusOK, "It takes two weeks.", `name="ask-model"`, `type="date"`)
	ticket := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(p.body)[1]
	fields := []string{"id", ticket, "form", id, "formVersion", "1", "requester", "Yann", "text", "<i>soon</i>"}
	// What is missing is said, and what was typed stays.
	lea.wants(lea.post("/tickets", append(fields, "ask-why", `"x" <b>`)...), http.StatusUnprocessableEntity, "Model: this has to be answered", "&#34;x&#34; &lt;b&gt;", "&lt;i&gt;soon")
	lea.wants(lea.post("/tickets", append(fields, "ask-model", "2", "ask-needed-by", "tomorrow")...), http.StatusUnprocessableEntity, "is not a day", `<option value="2" selected`)
	p = lea.wants(lea.post("/tickets", append(fields, "ask-model", "2", "ask-needed-by", "2031-05-04", "ask-why", "<script>")...), http.StatusOK, "Model: Powerful", "&lt;script&gt;", "Order it", "Request")
	lea.wants(lea.post(p.path+"/check", "position", "2", "done", "yes"), http.StatusOK, "did: Set it up", `aria-pressed="true"`)
	lea.wants(lea.post(p.path+"/check", "position", "2", "done", "no"), http.StatusOK, "took back that it is done")

	// Changed meanwhile: looked at again.
	ines.wants(ines.post("/forms/"+id, "version", "1", "state", "active", "source", formExample+"# more\n"), http.StatusOK, "Saved.")
	ines.wants(ines.post("/forms/"+id, "version", "1", "state", "active", "source", formExample), http.StatusConflict, "Somebody changed the form")
	ines.wants(ines.post("/forms/"+id, "version", "2", "state", "active", "source", "nmae: x"), http.StatusUnprocessableEntity, "1:1", "nmae: x")
	fields[1] = newID()
	lea.wants(lea.post("/tickets", append(fields, "ask-model", "2")...), http.StatusConflict, "The form was changed meanwhile", `name="formVersion" value="2"`)
	ines.wants(ines.post("/forms/"+id, "version", "2", "state", "retired", "source", formExample), http.StatusOK, "Not in use")
	lea.wants(lea.get("/tickets/new"), http.StatusOK)
	lea.wants(lea.get(fmt.Sprintf("/tickets/new?form=%s", newID())), http.StatusNotFound)
}
