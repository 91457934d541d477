package console

import (
	"bytes"
	"fmt"
	"html"
	"image"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// upload sends a form with files: names and contents in turn.
func (w *browser) upload(path string, form values, files ...string) shown {
	w.Helper()
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	for i := 0; i+1 < len(form); i += 2 {
		m.WriteField(form[i], form[i+1])
	}
	for i := 0; i+1 < len(files); i += 2 {
		part, err := m.CreateFormFile("files", files[i])
		if err != nil {
			w.Fatal(err)
		}
		io.WriteString(part, files[i+1])
	}
	m.Close()
	return w.send("POST", path, &body, "Content-Type", m.FormDataContentType())
}

func smallPNG() string {
	var out bytes.Buffer
	if err := png.Encode(&out, image.NewGray(image.Rect(0, 0, 40, 30))); err != nil {
		panic(err)
	}
	return out.String()
}

var fileAddress = regexp.MustCompile(`href="(/tickets/\d+/files/[^"]+)"`)

func TestFilesOfATicket(t *testing.T) {
	const evil = `<html><script>alert(document.cookie)</script></html>`
	b := newBench(t)
	_, number := b.machineAsks("compta-07", "Claire", "help", "internet", dnsDiagnosis)
	path := fmt.Sprintf("/tickets/%d", number)
	w := b.as("lea")
	svg := `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`
	p := w.upload(path, w.form(path).with("text", "see below", "kind", "note", "minutes", "1:05"),
		`"><script>alert(1)</script>.html`, evil, "x.svg", svg, "screen é.png", smallPNG(), "empty.txt", "")
	w.wants(p, http.StatusOK, "see below", "1 h 05", "x.svg", "screen é.png")
	for _, bad := range []string{"<script>alert", "onload="} {
		if strings.Contains(p.body, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	addresses := fileAddress.FindAllStringSubmatch(p.body, -1)
	if len(addresses) != 4 || strings.Count(p.body, "<img src=") != 1 {
		t.Fatalf("the page has %d files and %d pictures", len(addresses), strings.Count(p.body, "<img src="))
	}
	for i, want := range []struct{ content, kind, name string }{
		{evil, "application/octet-stream", "script_.html"}, {svg, "application/octet-stream", "x.svg"}, {smallPNG(), "image/png", "%C3%A9.png"}, {"", "application/octet-stream", "empty.txt"},
	} {
		f := w.get(addresses[i][1])
		disposition := f.header.Get("Content-Disposition")
		if f.status != http.StatusOK || f.body != want.content || f.header.Get("Content-Type") != want.kind ||
			!strings.HasPrefix(disposition, "attachment;") || !strings.Contains(disposition, want.name) ||
			f.header.Get("X-Content-Type-Options") != "nosniff" || f.header.Get("Content-Security-Policy") != "default-src 'none'; sandbox" {
			t.Errorf("file %d came as %d %v: %.80q", i, f.status, f.header, f.body)
		}
	}
	if small := w.get(addresses[2][1] + "/small"); small.status != http.StatusOK || !strings.HasPrefix(small.header.Get("Content-Type"), "image/") {
		t.Errorf("the small picture came as %d %v", small.status, small.header)
	}
	w.wants(w.get(addresses[0][1]+"/small"), http.StatusNotFound)
	// Not without a sign-in, and not by another ticket's number.
	if p := b.browser().get(addresses[0][1]); !strings.HasPrefix(p.path, "/sign-in") {
		t.Errorf("a stranger got %s", p.path)
	}
	_, other := b.machineAsks("compta-08", "Claire", "help", "internet", dnsDiagnosis)
	w.wants(w.get(strings.Replace(addresses[0][1], path, fmt.Sprintf("/tickets/%d", other), 1)), http.StatusNotFound)

	// What is too large is said, and what was typed stays.
	form := w.form(path).with("text", "do not lose me", "kind", "note")
	w.wants(w.upload(path, form, "big.iso", strings.Repeat("x", 11<<20)), http.StatusUnprocessableEntity, "10 MiB at most", ">do not lose me</textarea>")
	w.wants(w.upload(path, form, "huge.iso", strings.Repeat("x", 40<<20)), http.StatusRequestEntityTooLarge)
	// Ten megabytes pasted come back whole, to be shortened.
	pasted := strings.Repeat("0123456789", 1<<20)
	p = w.wants(w.upload(path, form.with("text", pasted)), http.StatusUnprocessableEntity, "The text is too long", "attach it as a file")
	if !strings.Contains(p.body, pasted) {
		t.Error("the pasted text is lost")
	}
}

func TestAboutATicket(t *testing.T) {
	b := newBench(t)
	_, number := b.machineAsks("compta-07", "Claire", "help", "internet", dnsDiagnosis)
	path := fmt.Sprintf("/tickets/%d", number)
	lea, boss := b.as("lea"), b.lead()
	const evil = `"><script>alert(1)</script>`
	seen := []string{"version", "1", "typeWas", "incident", "tagsWas", "", "wantedWas", "", "categoryWas", "internet", "queueWas", ""}
	lea.wants(lea.post(path, append(seen, "type", "request", "tags", "VPN, "+evil, "wanted", "2031-05-04", "queue", evil, "category", "power")...), http.StatusOK,
		"Service request", ">vpn<", "2031-05-04", "&lt;script&gt;", "set the day it is wanted by to 2031-05-04")
	lea.wants(lea.post(path, "tagsWas", "", "tags", "", "wanted", "soon"), http.StatusUnprocessableEntity, "not a day")
	// Somebody who saw no tags adds one: those of others stay.
	lea.wants(lea.post(path, "version", "1", "tagsWas", "", "tags", "wifi"), http.StatusOK, ">vpn<", ">wifi<")
	// Two who change the same field see each other's.
	lea.wants(lea.post(path, "version", "1", "queueWas", "", "queue", "Lyon"), http.StatusConflict, "Somebody else changed this too", ">Lyon<", "&lt;script&gt;")
	if p := lea.post(path, "version", "1", "majorWas", "", "major", "yes"); p.status != http.StatusForbidden {
		t.Errorf("a technician made it major: %d", p.status)
	}
	boss.wants(boss.post(path, "version", "1", "majorWas", "", "major", "yes"), http.StatusOK, "Major incident", "marked this as a major incident")
	boss.wants(boss.post(path, "version", "1", "majorWas", "yes"), http.StatusOK, "no major incident")
	lea.wants(lea.post(path, "version", "1", "follow", "yes"), http.StatusOK, "Unfollow", "<bdi>lea</bdi>")
	lea.wants(lea.post(path, "version", "1", "follow", "no"), http.StatusOK, ">Follow<")
	lea.wants(lea.post(path, "version", "1", "minutes", "lots", "text", "kept too"), http.StatusUnprocessableEntity, "hours and minutes", ">kept too</textarea>")
}

func TestLinksAndSplitsOnThePage(t *testing.T) {
	b := newBench(t)
	_, one := b.machineAsks("compta-07", "Claire", "One", "internet", dnsDiagnosis)
	_, two := b.machineAsks("compta-08", "Claire", "Two", "internet", dnsDiagnosis)
	path, other := fmt.Sprintf("/tickets/%d", one), fmt.Sprintf("/tickets/%d", two)
	w := b.as("lea")
	w.wants(w.post(path+"/link", "kind", "parent", "other", fmt.Sprintf("#%d", two)), http.StatusOK, "Belongs together", `<a href="`+other+`">`)
	w.wants(w.get(other), http.StatusOK, ">child<")
	w.wants(w.post(other+"/link", "kind", "parent", "other", fmt.Sprint(one)), http.StatusUnprocessableEntity, "have a link already", fmt.Sprintf(`value="%d"`, one))
	w.wants(w.post(path+"/link", "kind", "related", "other", "x"), http.StatusUnprocessableEntity, "Type the number")
	w.wants(w.post(path+"/link", "kind", "related", "other", "4711"), http.StatusUnprocessableEntity, "no ticket 4711")
	if p := w.post(path+"/link", "kind", "none", "other", fmt.Sprint(two)); strings.Contains(p.body, "Belongs together") {
		t.Error("the link is still there")
	}
	w.post(path, w.form(path).with("text", "And the screen flickers", "kind", "note")...)
	page := w.get(path).body
	part := regexp.MustCompile(`name="part" value="([^"]+)"> <span><bdi>lea`).FindStringSubmatch(page)
	id := regexp.MustCompile(`action="` + path + `/split">\s*<input type="hidden" name="id" value="([^"]+)"`).FindStringSubmatch(page)
	version := regexp.MustCompile(`name="version" form="split-form" value="(\d+)"`).FindStringSubmatch(page)
	if part == nil || id == nil || version == nil {
		t.Fatalf("no form to split with: %v %v %v", part, id, version)
	}
	w.wants(w.post(path+"/split", "id", id[1], "version", version[1]), http.StatusUnprocessableEntity, "choose the messages")
	w.wants(w.post(path+"/split", "id", id[1], "version", "0", "part", part[1]), http.StatusConflict, "look at it again", `value="`+part[1]+`" checked`)
	p := w.wants(w.post(path+"/split", "id", id[1], "version", version[1], "part", part[1], "title", "The screen"), http.StatusOK, "This is the new ticket", "The screen")
	if p.path == path {
		t.Error("the old ticket is shown")
	}
	w.wants(w.get(path), http.StatusOK, "split off ticket")
}

// What was typed while the session ended stands in its own form after the
// sign-in, and in no other.
func TestTheWholeFormIsKept(t *testing.T) {
	b := newBench(t)
	_, number := b.machineAsks("compta-07", "Claire", "help", "internet", dnsDiagnosis)
	path := fmt.Sprintf("/tickets/%d", number)
	kept := regexp.MustCompile(`name="kept" value="([^"]*)"`)
	w := b.browser()
	p := w.upload(path, values{"text", "a long reply", "kind", "note", "resolution", "a new cable", "minutes", "12"}, "x.txt", "x")
	w.wants(p, http.StatusUnauthorized, "a long reply")
	hidden := html.UnescapeString(kept.FindStringSubmatch(p.body)[1])
	p = w.post("/sign-in", "name", "lea", "password", password, "next", path, "text", "a long reply", "kept", hidden)
	w.wants(p, http.StatusOK, ">a long reply</textarea>", `value="a new cable"`, `value="12"`, `value="note" checked`)
	if p := w.get(path); strings.Contains(p.body, "a long reply") {
		t.Error("what was kept comes again")
	}
	w = b.browser()
	p = w.wants(w.post("/tickets", "requester", "Yann", "text", "no paper", "complaint", "printing"), http.StatusUnauthorized, "no paper", `value="/tickets/new"`)
	hidden = html.UnescapeString(kept.FindStringSubmatch(p.body)[1])
	p = w.post("/sign-in", "name", "lea", "password", password, "next", "/tickets/new", "text", "no paper", "kept", hidden)
	w.wants(p, http.StatusOK, ">no paper</textarea>", `value="Yann"`, `value="printing" selected`)
}
