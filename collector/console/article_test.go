package console

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// article makes one by the form, as a technician does, and gives its address.
func (w *browser) article(fields ...string) string {
	w.Helper()
	p := w.wants(w.get("/articles/new"), http.StatusOK)
	_, rest, _ := strings.Cut(p.body, `action="/articles/`)
	id, _, _ := strings.Cut(rest, `"`)
	address := "/articles/" + id
	all := append([]string{"version", "0", "state", "published", "audience", "team", "language", "en"}, fields...)
	if p := w.wants(w.post(address, all...), http.StatusOK, "Saved."); p.path != address {
		w.Fatalf("saving led to %s", p.path)
	}
	return address
}

func TestArticles(t *testing.T) {
	b := newBench(t)
	_, number := b.machineAsks("port-112", "Yann Le Goff", "Mes documents restent dans la file.", "printing", printerDiagnosis)
	lea, marc, ines := b.as("lea"), b.as("marc"), b.lead()
	lea.wants(lea.get("/articles"), http.StatusOK, "Nothing is written down yet")

	// A solved ticket becomes a draft: the fault it was, and what helped.
	ticket := fmt.Sprintf("/tickets/%d", number)
	p := lea.post(ticket, lea.form(ticket).with("status", "solved", "resolution", "Resumed the queue <b>Accounting-2</b>.")...)
	lea.wants(p, http.StatusOK, fmt.Sprintf("/articles/new?ticket=%d", number))
	p = lea.wants(lea.get(fmt.Sprintf("/articles/new?ticket=%d", number)), http.StatusOK, "printer-queue-paused", "Resumed the queue &lt;b&gt;Accounting-2", fmt.Sprintf(`name="ticket" value="%d"`, number))
	if strings.Contains(p.body, `value="everybody"`) {
		t.Error("a technician is offered to publish for everybody")
	}

	const body = "When the queue is **paused**:\n\n1. Open it.\n2. Press *Resume*.\n\n# Why\n\n<script>alert(1)</script>\n\n[here](javascript:alert(1)) [docs](https://example.org/x)"
	address := lea.article("title", "Resume a <paused> queue", "body", body, "faults", "printer-queue-paused, printer-stuck-job", "ticket", fmt.Sprint(number))
	p = marc.wants(marc.get(address), http.StatusOK, "Resume a &lt;paused&gt; queue", "<strong>paused</strong>", "<ol>", "<h2>Why</h2>", `href="https://example.org/x"`, "Did it help?")
	for _, forbidden := range []string{"<script>alert", "javascript:"} {
		if strings.Contains(p.body, forbidden) {
			t.Errorf("the page holds %q", forbidden)
		}
	}
	// It stands where it is of use.
	marc.wants(marc.get(ticket), http.StatusOK, "Articles on this", address)
	marc.wants(marc.get("/faults/printer-queue-paused"), http.StatusOK, address)
	marc.wants(marc.get("/articles?q=resume"), http.StatusOK, address)

	// The preview saves nothing and keeps what was typed.
	preview := []string{"version", "1", "state", "draft", "audience", "team", "language", "en", "title", "Another", "body", "*so*", "faults", "no-such-fault", "preview", "1"}
	marc.wants(marc.post(address, preview...), http.StatusOK, "<em>so</em>", "no-such-fault", `value="Another"`, "<del>Resume a &lt;paused&gt; queue</del>", "<ins>*so*</ins>")
	marc.wants(marc.post(address, preview[:len(preview)-2]...), http.StatusUnprocessableEntity, `role="alert"`, "no-such-fault", `value="Another"`)

	// A second version, a voice, and back.
	second := []string{"version", "1", "state", "published", "audience", "team", "language", "en", "title", "Resume a queue", "body", "1. Open it.\n2. Wait.", "note", "shorter", "review", "2020-01-01", "language", "fr", "title", "Relancer une file", "body", "1. L’ouvrir."}
	marc.wants(marc.post(address, second...), http.StatusOK, "Saved.", "shorter", "The day of its review is over")
	lea.wants(lea.post(address, second...), http.StatusConflict, "Somebody saved another version", "1. Open it.", "<ins>2. Wait.</ins>", `name="version" value="2"`)
	lea.wants(lea.post(address+"/rating", "version", "2", "helped", "no", "unclear", "Wait for <what>?"), http.StatusOK, "Thank you", "Wait for &lt;what&gt;?")
	lea.wants(lea.get(address+"?language=fr"), http.StatusOK, "Relancer une file")
	p = lea.wants(lea.get(address+"?version=1"), http.StatusOK, "version 2 replaced it", "Begin from this version")
	lea.wants(lea.get(address+"?version=2"), http.StatusOK, "<del>", "<ins>2. Wait.</ins>")
	lea.wants(lea.get(address+"/edit?version=1"), http.StatusOK, "Back to version 1", `name="version" value="2"`, "**paused**")
	lea.wants(lea.get(address+"?version=7"), http.StatusNotFound)

	// What cannot be saved is said; what everybody reads takes a lead.
	for _, wrong := range [][]string{{"title", ""}, {"body", ""}, {"review", "soon"}, {"state", "x"}, {"audience", "x"}} {
		fields := append([]string{"version", "2", "state", "draft", "audience", "team", "language", "en", "title", "T", "body", "B"}, "faults", "")
		for i := 0; i < len(fields); i += 2 {
			if fields[i] == wrong[0] {
				fields[i+1] = wrong[1]
			}
		}
		if wrong[0] == "review" {
			fields = append(fields, wrong...)
		}
		lea.wants(lea.post(address, fields...), http.StatusUnprocessableEntity, `role="alert"`)
	}
	public := []string{"version", "2", "state", "published", "audience", "everybody", "language", "en", "title", "T", "body", "B"}
	lea.wants(lea.post(address, public...), http.StatusForbidden)
	ines.wants(ines.post(address, public...), http.StatusOK, "Everybody")
	lea.wants(lea.get("/articles/nothing"), http.StatusNotFound)
}

func TestChangedLines(t *testing.T) {
	lines := func(s string) []string { return strings.Split(s, "") }
	got := changedLines(lines("abcdefghi"), lines("abcdXfghi"))
	want := []changedLine{
		{"same", "b"}, {"same", "c"}, {"same", "d"}, {"gone", "e"}, {"new", "X"}, {"same", "f"}, {"same", "g"}, {"same", "h"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got := changedLines(lines("same"), lines("same")); got != nil {
		t.Errorf("the same text differs by %v", got)
	}
}

// Headings keep one outline, whatever their writer began with.
func TestHeadings(t *testing.T) {
	for source, want := range map[string]string{
		"# a\n## b\n# c":       "<h2>a</h2><h3>b</h3><h2>c</h2>",
		"### a\n##### b\n# c":  "<h2>a</h2><h3>b</h3><h2>c</h2>",
		"###### a\n# b\n### c": "<h2>a</h2><h2>b</h2><h2>c</h2>",
		"text\n\n## a\n#### b": "<p>text</p><h2>a</h2><h3>b</h3>",
	} {
		html, err := markdown(source, 2)
		if got := strings.ReplaceAll(string(html), "\n", ""); err != nil || got != want {
			t.Errorf("%q became %s, %v", source, got, err)
		}
	}
}

// Whatever is written, nothing that runs comes out.
func FuzzMarkdown(f *testing.F) {
	for _, seed := range []string{"# a", "<script>x</script>", "[x](javascript:x)", "<a href='javascript:x'>", "![x](data:text/html,x)", "a | b\n-|-\n1 | 2", "<http://x>", "[x]: JaVaScRiPt:x\n[x]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<10 {
			return
		}
		html, err := markdown(text, 2)
		if err != nil {
			t.Fatal(err)
		}
		low := strings.ToLower(string(html))
		for _, forbidden := range []string{"<script", "<iframe", "<style", "<form", `href="javascript:`, `src="javascript:`, `href="vbscript:`, `href="data:text`} {
			if strings.Contains(low, forbidden) {
				t.Errorf("%q became %q", text, html)
			}
		}
	})
}
