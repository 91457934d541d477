package console

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// sentForm is a form of a page, as a browser would send it.
type sentForm struct {
	action    string
	multipart bool
	values    values
	// typed are the fields that a person writes in, texts those of several lines.
	typed, texts []string
}

// formsOf reads the forms of a page that are posted.
func formsOf(t *testing.T, page shown) []sentForm {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page.body))
	if err != nil {
		t.Fatal(err)
	}
	get := func(n *html.Node, key string) (string, bool) {
		for _, a := range n.Attr {
			if a.Key == key {
				return a.Val, true
			}
		}
		return "", false
	}
	var forms []sentForm
	byID := map[string]int{}
	for n := range root.Descendants() {
		if method, _ := get(n, "method"); n.Data == "form" && method == "post" {
			action, _ := get(n, "action")
			if action == "" {
				action = page.path
			}
			if id, ok := get(n, "id"); ok {
				byID[id] = len(forms)
			}
			kind, _ := get(n, "enctype")
			forms = append(forms, sentForm{action: action, multipart: strings.HasPrefix(kind, "multipart/")})
		}
	}
	at := -1
	var walk func(n *html.Node, in int)
	walk = func(n *html.Node, in int) {
		if method, _ := get(n, "method"); n.Data == "form" && n.Type == html.ElementNode {
			if in = -1; method == "post" {
				at++
				in = at
			}
		}
		of := in
		if id, ok := get(n, "form"); ok {
			if i, there := byID[id]; there {
				of = i
			}
		}
		name, named := get(n, "name")
		if n.Type == html.ElementNode && named && of >= 0 {
			f := &forms[of]
			switch kind, _ := get(n, "type"); {
			case n.Data == "textarea":
				text := ""
				for child := range n.ChildNodes() {
					text += child.Data
				}
				f.values, f.typed, f.texts = append(f.values, name, text), append(f.typed, name), append(f.texts, name)
			case n.Data == "select":
				value := ""
				for o := range n.Descendants() {
					if _, selected := get(o, "selected"); o.Data == "option" && (value == "" || selected) {
						value, _ = get(o, "value")
					}
				}
				f.values, f.typed = append(f.values, name, value), append(f.typed, name)
			case n.Data != "input" || kind == "file" || kind == "submit":
			case kind == "checkbox" || kind == "radio":
				value, _ := get(n, "value")
				if _, checked := get(n, "checked"); checked || name == "part" {
					f.values = append(f.values, name, value)
				}
			default:
				value, _ := get(n, "value")
				if f.values = append(f.values, name, value); kind != "hidden" {
					f.typed = append(f.typed, name)
				}
			}
		}
		for child := range n.ChildNodes() {
			walk(child, of)
		}
	}
	walk(root, -1)
	return forms
}

// ends are forms that end something, or what the test stands on.
var ends = regexp.MustCompile(`^/(sign-out|language|password|undo)$|/(delete|remove|erase|rollback|release|end|retry|test)$`)

// Whatever is typed in whatever field of whatever page: it is refused in words or kept,
// and shown as it was typed, never as markup. The forms are those that the pages show,
// so a new one is tried without a word here.
func TestEveryFieldTakesAnything(t *testing.T) {
	const mark = "canary7"
	evil := []string{
		`"><script>` + mark + `()</script><img src=x onerror=` + mark + `()>'{{.}}`,
		"\u202e\u2066עברית عبد الله\u2069 👩‍👩‍👧‍👦 " + mark + " " + strings.Repeat("̖", 40),
	}
	s := twoSites(t)
	w := s.as("administrator-all")
	harmless := func(p shown, what string) {
		t.Helper()
		if p.status >= http.StatusInternalServerError {
			t.Errorf("%s: status %d", what, p.status)
		}
		for _, bad := range []string{"<script>" + mark, "<img src=x", `onerror=` + mark + `()"`} {
			if strings.Contains(p.body, bad) {
				t.Errorf("%s: %s shows %q as markup", what, p.path, bad)
			}
		}
	}
	var pages []string
	for _, route := range slices.Sorted(maps.Keys(addresses)) {
		if strings.HasPrefix(route, "GET ") && !slices.Contains(noPages, route) && addresses[route].who != everyone {
			pages = append(pages, s.replace.Replace(addresses[route].path))
		}
	}
	send := func(f sentForm, name, value string) shown {
		filled := f.values.with(name, value)
		if f.multipart {
			return w.upload(f.action, filled)
		}
		return w.post(f.action, filled...)
	}
	tried := map[string]bool{}
	fields := 0
	for _, page := range pages {
		for i, f := range formsOf(t, w.get(page)) {
			if ends.MatchString(f.action) {
				continue
			}
			for _, name := range f.typed {
				what := regexp.MustCompile(`[0-9a-f-]{36}|\d+`).ReplaceAllString(f.action, "…") + " " + name
				if tried[what] {
					continue
				}
				tried[what] = true
				fields++
				for _, value := range evil {
					// As it is now: the one before may have been kept.
					if now := formsOf(t, w.get(page)); i < len(now) && now[i].action == f.action {
						f = now[i]
					}
					harmless(send(f, name, value), what)
				}
			}
			// A line is cut where files come with it; nothing else is.
			large := f.texts
			if !f.multipart {
				large = f.typed[:min(1, len(f.typed))]
			}
			for _, name := range large {
				if p := send(f, name, strings.Repeat("x", 10<<20)); p.status >= 500 || p.status < 400 && !strings.Contains(p.body, `class="notice bad"`) {
					t.Errorf("%s: 10 MB in %s: status %d", f.action, name, p.status)
				}
			}
		}
	}
	if fields < 80 {
		t.Errorf("only %d fields were found", fields)
	}
	for _, language := range languages {
		w.post("/language", "language", language, "back", "/tickets")
		for _, page := range append(pages, "/tickets?status=any", "/tickets?q="+mark, "/answers", "/maintenance", "/forms", "/articles") {
			harmless(w.get(page), "afterwards")
		}
	}
	if found := w.get("/tickets/" + fmt.Sprint(s.number)); !strings.Contains(found.body, "&lt;script&gt;"+mark) || !strings.Contains(found.body, "عبد الله") {
		t.Error("the ticket does not show what was written")
	}
}

// A form that can't be read changes nothing: none of its fields is taken for empty.
func TestUnreadableFormsChangeNothing(t *testing.T) {
	b := newBench(t)
	if _, err := b.accounts.Create(t.Context(), "nora", "", "administrator", password); err != nil {
		t.Fatal(err)
	}
	w := b.as("nora")
	w.wants(w.post("/team/lea/sites", "sites", "Paris"), http.StatusOK)
	w.wants(w.post("/service", "text", serviceExample), http.StatusOK)
	large := strings.Repeat("x", 2<<20)
	for _, path := range []string{"/team/lea/sites", "/service"} {
		w.wants(w.post(path, "sites", large, "text", large), http.StatusRequestEntityTooLarge)
		for kind, body := range map[string]string{
			"application/x-www-form-urlencoded": "sites=%zz&text=%zz", "multipart/form-data; boundary=x": "--x\r\nContent-Disposition: form-data; name=sites\r\n", "multipart/form-data": "",
		} {
			w.wants(w.send("POST", path, strings.NewReader(body), "Content-Type", kind), http.StatusUnprocessableEntity)
		}
	}
	if u, err := b.accounts.Named(t.Context(), "lea"); err != nil || !slices.Equal(u.Sites, []string{"Paris"}) {
		t.Errorf("she sees %q (%v)", u.Sites, err)
	}
	w.wants(w.get("/service"), http.StatusOK, "Payroll")
}
