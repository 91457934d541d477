package console

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"constat/internal/procedure"
)

// ownFault is a fault of a team: a sentence that some machine of a test fits.
const ownFault = `- id: hw-little-memory
  urgency: low
  title: {en: Too little memory, fr: Pas assez de mémoire}
  explanation: {en: The desk is small., fr: Le bureau est petit.}
  advice:
    user: {en: Close programs., fr: Fermez des logiciels.}
    technician: {en: Order a module., fr: Commandez une barrette.}
  needs: [hardware]
  rule: hardware.memory_bytes < 32000000000
  decisive: "true"
  evidence:
    - show: [hardware.memory_bytes]
  source: our own programs
`

const ownProcedure = `---
id: vpn-of-ours
version: 1
owner: lea
review: 2020-05-01
complaint: internet
title: {en: Our VPN, fr: Notre VPN}
---

## look (check)

- memory -> next
  when: !net-no-default-route

## token (question)

en: Is the token green?

fr: Le jeton est-il vert ?

- yes -> done
- no -> support
`

// write sends the editor's form as a browser does.
func (w *browser) write(path string, pairs ...string) shown {
	w.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for i := 0; i+1 < len(pairs); i += 2 {
		if err := form.WriteField(pairs[i], pairs[i+1]); err != nil {
			w.Fatal(err)
		}
	}
	form.Close()
	return w.send("POST", path, &body, "Content-Type", form.FormDataContentType())
}

func TestKnowledgeIsWrittenInTheConsole(t *testing.T) {
	b := newBench(t)
	endpoint, _ := b.machineAsks("compta-07", "Claire", "help", "internet", dnsDiagnosis)
	builtin, err := procedure.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	ships := procedure.Choose(builtin, "printing", &procedure.Machine{}).GetVersion()
	lea, ines := b.as("lea"), b.lead()
	p := lea.wants(lea.get("/procedures"), http.StatusOK, "/procedures/printing", "Nothing yet", "faults/hardware.yaml")
	lea.wants(lea.get("/procedures/printing"), http.StatusOK, "id: printing", "What its steps show", "The power cord, at the device and at the wall", `<span class="drawing" role="img"`, `stroke="currentColor"`, "Nobody has walked through it", "/knowledge?file=procedures/printing.md")
	lea.wants(lea.get("/knowledge"), http.StatusOK, "id: my-procedure", "A lead pushes it")
	lea.wants(lea.get("/knowledge?file=faults/kitchen.yaml"), http.StatusNotFound)
	lea.wants(lea.get("/knowledge?file=procedures/nothing.md"), http.StatusNotFound)
	lea.wants(lea.get("/procedures/nothing"), http.StatusNotFound)
	// What ships is changed under its next version.
	lea.wants(lea.get("/knowledge?file=procedures/printing.md"), http.StatusOK, fmt.Sprintf("id: printing\nversion: %d\n", ships+1))

	// What is wrong is said with its line; what is right, too. The text in the form
	// is what was typed.
	wrong := strings.Replace(ownFault, "memory_bytes <", "memory_bites <", 1)
	lea.wants(lea.write("/knowledge", "file", "faults/hardware.yaml", "text", wrong), http.StatusOK, `data-line="9"`, "hardware.yaml:9:", "memory_bites")
	lea.wants(lea.write("/knowledge", "file", "faults/hardware.yaml", "text", ownFault), http.StatusOK, "It is well formed")
	lea.wants(lea.write("/knowledge", "file", "", "text", "no front matter"), http.StatusOK, `data-line="1"`, "new.md:1:")
	lea.wants(lea.write("/knowledge", "file", "faults/kitchen.yaml", "text", ownFault), http.StatusOK, "unknown domain")
	lea.wants(lea.write("/knowledge", "file", "../etc/passwd", "text", ownFault), http.StatusOK, "expected faults/DOMAIN.yaml")
	// On which machines.
	p = lea.wants(lea.write("/knowledge", "file", "faults/hardware.yaml", "text", ownFault, "preview", "1"), http.StatusOK,
		"It would have fired on 1 of 1 machines", `href="/endpoints/compta-07"`, "<ins>- id: hw-little-memory</ins>")

	// A walk, as the user has it, and back.
	walk := func(pairs ...string) shown {
		return lea.write("/knowledge", append([]string{"file", "", "text", ownProcedure, "tongue", "fr"}, pairs...)...)
	}
	lea.wants(walk("walk", "begin"), http.StatusOK, "Le jeton est-il vert ?", `value="token yes person"`)
	lea.wants(walk("walk", "token yes person", "taken", "look nothing machine"), http.StatusOK, "It ends here, solved", "Oui")
	lea.wants(walk("walk", "token no person"), http.StatusOK, "with the support team")
	lea.wants(walk("walk", "back", "taken", "look nothing machine", "taken", "token no person"), http.StatusOK, `value="token yes person"`)
	lea.wants(walk("walk", "begin", "machine", "compta-07"), http.StatusOK, "answered by the machine")
	lea.wants(walk("walk", "begin", "machine", endpoint), http.StatusOK, "answered by the machine")
	lea.wants(walk("walk", "begin", "machine", "nobody"), http.StatusOK, "No machine with facts has this name")
	lea.wants(walk("walk", "x <script> y z", "taken", "a"), http.StatusOK)
	lea.wants(lea.write("/knowledge", "file", "", "text", "x", "walk", "begin"), http.StatusOK, "First mend")

	// Only a lead pushes.
	push := []string{"file", "", "text", ownProcedure, "revision", "0", "percent", "0", "hosts", "compta-07, Port-112", "note", "for <us>"}
	lea.wants(lea.write("/knowledge/push", push...), http.StatusForbidden)
	p = ines.wants(ines.write("/knowledge/push", push...), http.StatusOK, "It is pushed", "for &lt;us&gt;", "0 % of the machines", "compta-07, port-112", "<ins>id: vpn-of-ours</ins>")
	if p.path != "/knowledge/1" {
		t.Errorf("pushing led to %s", p.path)
	}
	p = lea.wants(lea.get("/procedures"), http.StatusOK, "Our VPN", "your team’s", "Revision 1", "To be reviewed")
	// What was unclear stands by its version, for who answers for it.
	lea.wants(lea.post("/procedures/vpn-of-ours/rating", "version", "1", "helped", "no", "unclear", "Which <token>?"), http.StatusOK, "Whoever looks after the procedure", "Which &lt;token&gt;?", "Version 1")
	lea.wants(lea.post("/procedures/vpn-of-ours/rating", "version", "7", "helped", "yes"), http.StatusUnprocessableEntity, "nobody has version 7")
	// Two editors at once: the second one is told, and loses nothing.
	second := strings.Replace(strings.Replace(ownProcedure, "version: 1", "version: 2", 1), "green", "blue", 1)
	ines.wants(ines.write("/knowledge/push", "file", "procedures/vpn-of-ours.md", "text", second, "revision", "1", "percent", "100"), http.StatusOK, "<ins>en: Is the token blue?</ins>")
	mine := strings.Replace(ownProcedure, "green", "red", 1)
	p = ines.wants(ines.write("/knowledge/push", "file", "procedures/vpn-of-ours.md", "text", mine, "revision", "1", "percent", "100"), http.StatusConflict,
		"changed this file meanwhile", "Is the token red?", "<ins>en: Is the token blue?</ins>", `name="revision" value="2"`)
	ines.wants(ines.write("/knowledge/push", "file", "faults/hardware.yaml", "text", ownFault, "revision", "1", "percent", "10"), http.StatusConflict, "this file is not in it")
	// The same version can't say two things.
	ines.wants(ines.write("/knowledge/push", "file", "procedures/vpn-of-ours.md", "text", strings.Replace(mine, "version: 1", "version: 2", 1), "revision", "2", "percent", "100"), http.StatusUnprocessableEntity, "expected version: 3", "It was not pushed")
	ines.wants(ines.write("/knowledge/push", "file", "procedures/printing.md", "text", strings.NewReplacer("vpn-of-ours", "printing", "version: 1", fmt.Sprintf("version: %d", ships)).Replace(ownProcedure), "revision", "2", "percent", "100"), http.StatusUnprocessableEntity, "it is not what ships")
	for _, percent := range []string{"101", "-1", "many"} {
		ines.wants(ines.write("/knowledge/push", "file", "faults/hardware.yaml", "text", ownFault, "revision", "2", "percent", percent), http.StatusUnprocessableEntity, "from 0 to 100", "hw-little-memory")
	}
	ines.wants(ines.write("/knowledge/push", "file", "faults/hardware.yaml", "text", ownFault, "revision", "2", "percent", "10"), http.StatusOK, "10 % of the machines")
	ines.wants(ines.get("/knowledge?file=procedures/vpn-of-ours.md"), http.StatusOK, "is for 10 % of the machines only", "version: 3")
	// Released, never narrowed; taken back; taken away.
	ines.wants(ines.post("/knowledge/3/release", "percent", "5"), http.StatusUnprocessableEntity, "a ring never narrows")
	lea.wants(lea.post("/knowledge/3/release", "percent", "50"), http.StatusForbidden)
	ines.wants(ines.post("/knowledge/3/release", "percent", "100"), http.StatusOK, "It is released", "all machines")
	lea.wants(lea.post("/knowledge/2/rollback"), http.StatusForbidden)
	p = ines.wants(ines.post("/knowledge/2/rollback"), http.StatusOK, "It is rolled back", "Back to revision 2", "faults/hardware.yaml was taken away")
	if p.path != "/knowledge/4" {
		t.Errorf("rolling back led to %s", p.path)
	}
	ines.wants(ines.write("/knowledge/push", "file", "procedures/vpn-of-ours.md", "text", second, "revision", "4", "percent", "100", "remove", "1"), http.StatusOK, "was taken away")
	ines.wants(ines.post("/knowledge/0/rollback"), http.StatusOK, "Back to revision 0")
	for _, path := range []string{"/knowledge/99", "/knowledge/0", "/knowledge/x", "/knowledge/-1"} {
		ines.wants(ines.get(path), http.StatusNotFound)
	}
	ines.wants(ines.post("/knowledge/99/rollback"), http.StatusNotFound)
}

// Whatever is pasted, it comes back as text, or is refused with a clear word.
func TestKnowledgeTakesAnyText(t *testing.T) {
	b := newBench(t)
	lea := b.as("lea")
	evil := `</textarea><script>alert(1)</script>`
	p := lea.wants(lea.write("/knowledge", "file", "procedures/"+evil+".md", "text", evil, "note", evil, "machine", evil, "hosts", `"`+evil, "walk", "begin"), http.StatusOK)
	p.body += lea.wants(lea.write("/knowledge", "file", "", "text", strings.ReplaceAll(ownProcedure, "green", evil), "preview", "1"), http.StatusOK, "&lt;script&gt;").body
	p.body += lea.wants(lea.write("/knowledge", "file", "", "text", strings.ReplaceAll(ownProcedure, "vert", evil), "tongue", "fr", "walk", "begin"), http.StatusOK, "&lt;script&gt;").body
	if strings.Contains(p.body, "<script>alert") {
		t.Error("markup of the text is markup of the page")
	}
	huge := strings.Repeat("# ten megabytes\n", 10<<20/16)
	for _, act := range []string{"check", "preview", "walk"} {
		p := lea.wants(lea.write("/knowledge", "file", "", "text", huge, act, "begin"), http.StatusOK)
		if !strings.Contains(p.body, huge[:1<<10]) || act == "check" && !strings.Contains(p.body, "more than the 4194304 that all files may have together") {
			t.Errorf("%s: ten megabytes are answered by %d bytes", act, len(p.body))
		}
	}
	p = lea.write("/knowledge", "file", "", "text", strings.Repeat("x", 64<<20))
	lea.wants(p, http.StatusRequestEntityTooLarge, "too much text")
	lea.wants(lea.write("/articles/"+newID(), "version", "0", "state", "draft", "audience", "team", "language", "en", "title", "T", "body", huge), http.StatusUnprocessableEntity, "split it into several", huge[:1<<10])
}
