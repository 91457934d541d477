package compile

import (
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	constatv1 "constat/proto/constat/v1"
)

const sound = `---
id: printing
version: 1
owner: desk
review: 2027-05-01
complaint: printing
title:
  en: I can’t print
  fr: Je n’arrive pas à imprimer
---

## jam-hp (manual)
about: printer-paper-jam
brand: HP
instead: jam

en: Pull it out.
fr: Tirez.

## jam (manual)
about: printer-paper-jam

en: Pull the paper out,
slowly.

fr: Tirez doucement.

## lights (question)

en: Is a light on?
fr: Un voyant est-il allumé ?

- yes -> next
  when: printing_works
- no → plug
- two -> support
  en: Two lights
  fr: Deux voyants

## plug (manual)
after: jam
drawing: plug.svg

en: Plug it in.
fr: Branchez-la.

## resume (remedy)
verb: resume-queue

en: Let it print again.
fr: Relancer.
`

func TestProcedureIsRead(t *testing.T) {
	all, err := Compile(fstest.MapFS{"printing.md": {Data: []byte(sound)}}, catalog(t))
	if err != nil {
		t.Fatal(err)
	}
	p := all.Procedures[0]
	var ids []string
	for _, s := range p.Steps {
		ids = append(ids, s.Id)
	}
	if p.Id != "printing" || p.Version != 1 || !slices.Equal(ids, []string{"jam-hp", "jam", "lights", "plug", "resume"}) {
		t.Fatalf("read as %v", p)
	}
	if jam := p.Steps[1]; jam.Text.En != "Pull the paper out, slowly." || jam.Cost != 60 || len(jam.Answers) != 3 || jam.Aside {
		t.Errorf("step jam: %v", jam)
	}
	if a := p.Steps[2].Answers; a[0].When != "printing_works" || a[0].Label.Fr != "Oui" || a[1].LeadsTo != "plug" || a[2].Label.En != "Two lights" {
		t.Errorf("answers: %v", a)
	}
	if !p.Steps[3].Aside || p.Steps[3].Drawing != "plug.svg" {
		t.Errorf("step plug: %v", p.Steps[3])
	}
}

func TestWhatIsWrongIsSaidWithItsLine(t *testing.T) {
	for _, tt := range []struct{ name, old, new, want string }{
		{"no front matter", "---\nid", "id", "printing.md:1: expected the front matter"},
		{"unknown key above", "owner: desk", "owner: desk\ncolour: red", `printing.md:5: unknown field "colour"`},
		{"other id", "id: printing", "id: paper", "printing.md:2: the id is paper; expected printing, as the file is named"},
		{"no version", "version: 1\n", "", "expected version: a number from 1"},
		{"no review", "review: 2027-05-01", "review: soon", "printing.md:5: expected review: a day like 2027-05-01"},
		{"unknown complaint", "complaint: printing", "complaint: lunch", `printing.md:6: unknown complaint "lunch"; expected one of internet, wifi, printing`},
		{"title in one language", "  fr: Je n’arrive pas à imprimer\n", "", "printing.md:7: the title lacks its fr text"},
		{"text in one language", "fr: Tirez doucement.\n", "", "printing.md:20: step jam lacks its fr text"},
		{"answer in one language", "  fr: Deux voyants\n", "", "printing.md:36: step lights: answer two lacks its fr text"},
		{"unknown fault", "about: printer-paper-jam\n\n", "about: printer-on-fire\n\n", `printing.md:21: step jam: unknown fault "printer-on-fire"; expected ids of the catalog`},
		{"unknown check", "when: printing_works", "when: printing_wroks", `printing.md:34: step lights, answer yes: unknown check "printing_wroks"; expected the id of a fault`},
		{"unknown verb", "verb: resume-queue", "verb: format-disk", `printing.md:48: step resume: unknown verb "format-disk"; expected one of clear-stuck-job`},
		{"no verb", "verb: resume-queue\n", "", "printing.md:47: step resume: expected verb: one of"},
		{"unknown kind", "## plug (manual)", "## plug (dance)", `printing.md:40: step plug: unknown kind "dance"; expected one of check, question, manual, remedy, article`},
		{"unknown key", "drawing: plug.svg", "picture: plug.svg", `printing.md:42: step plug: unknown key "picture"; expected one of about`},
		{"drawing elsewhere", "drawing: plug.svg", "drawing: ../../plug.svg", `printing.md:42: step plug: there is no drawing "../../plug.svg"; expected one of battery.svg, box.svg`},
		{"leads nowhere", "- no → plug", "- no → cable", `printing.md:35: step lights: answer no leads to "cable", which is no step; expected next, done, support or the id of a step below`},
		{"loop", "- no → plug", "- no → jam", "printing.md:35: step lights: answer no leads back to jam in line 20, an endless loop; expected a step below"},
		{"loop to itself", "- no → plug", "- no → lights", "an endless loop"},
		{"after a step below", "after: jam\n", "after: resume\n", "printing.md:41: step plug: after names resume in line 47, an endless loop; expected a step above"},
		{"instead of a step above", "after: jam\n", "instead: jam\n", "an endless loop; expected a step below"},
		{"twice", "## plug (manual)", "## jam (manual)", "printing.md:40: step jam is there twice; first in line 20"},
		{"one answer", "- no → plug\n- two -> support\n  en: Two lights\n  fr: Deux voyants\n", "", "step lights: expected at least two answers"},
		{"prose", "fr: Branchez-la.\n", "fr: Branchez-la.\n\nNow what?\n", `printing.md:47: step plug: expected a key like about:`},
		{"no UTF-8", "Pull it", "Pull \xff it", "printing.md:1: expected text in UTF-8"},
		{"no steps", sound[strings.Index(sound, "## jam-hp"):], "", "expected at least one step"},
		{"alias bomb", "owner: desk", "owner: &a [*a, *a]", "printing.md:"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			broken := strings.Replace(sound, tt.old, tt.new, 1)
			if broken == sound {
				t.Fatal("the case changes nothing")
			}
			_, err := Compile(fstest.MapFS{"printing.md": {Data: []byte(broken)}}, catalog(t))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the error does not say %q:\n%v", tt.want, err)
			}
		})
	}
}

// Ten megabytes are refused, and all but the first of them are never read.
func TestTenMegabytesAreRefused(t *testing.T) {
	_, err := Compile(fstest.MapFS{"printing.md": {Data: []byte(strings.Repeat(sound, 10<<20/len(sound)))}}, catalog(t))
	if err == nil || !strings.Contains(err.Error(), "printing.md:1: larger than") || len(err.Error()) > 200 {
		t.Errorf("expected one short line, got %.300v", err)
	}
}

func FuzzCompile(f *testing.F) {
	f.Add([]byte(sound))
	f.Add([]byte("---\nid: &a [*a]\n---\n## a (check)\n- b -> a"))
	c := catalog(f)
	f.Fuzz(func(t *testing.T, content []byte) {
		all, err := Compile(fstest.MapFS{"printing.md": {Data: content}}, c)
		if err != nil {
			return
		}
		for _, p := range all.Procedures {
			if p.Id != "printing" || len(p.Steps) == 0 || p.GetTitle().GetFr() == "" {
				t.Errorf("accepted: %v", p)
			}
			place := map[string]int{}
			for i, s := range p.Steps {
				if _, twice := place[s.Id]; twice {
					t.Errorf("step %s twice", s.Id)
				}
				place[s.Id] = i
			}
			for i, s := range p.Steps {
				for _, a := range s.Answers {
					if to, ok := place[a.LeadsTo]; ok && to <= i {
						t.Errorf("step %s leads back to %s", s.Id, a.LeadsTo)
					}
				}
			}
		}
	})
}

// What ships says whose knowledge it is, and nothing in it is overdue when it is
// written.
func TestShippedProceduresAreWhole(t *testing.T) {
	all := shipped(t)
	written, err := time.Parse(time.DateOnly, "2026-11-22")
	if err != nil {
		t.Fatal(err)
	}
	brands := map[string][]string{}
	for _, p := range all.Procedures {
		if review, err := time.Parse(time.DateOnly, p.Review); err != nil || !review.After(written) {
			t.Errorf("%s: to be reviewed on %s", p.Id, p.Review)
		}
		for _, s := range p.Steps {
			if len(s.GetSelector().GetBrands()) > 0 && s.Source == "" {
				t.Errorf("%s, %s: expected the source of a step for one brand", p.Id, s.Id)
			}
			brands[p.Id] = append(brands[p.Id], s.GetSelector().GetBrands()...)
			if words := len(strings.Fields(s.GetText().GetEn())); words > 75 {
				t.Errorf("%s, %s: %d words; expected what is read while doing it", p.Id, s.Id, words)
			}
			french(t, p.Id+", "+s.Id, s.GetText())
			for _, a := range s.Answers {
				french(t, p.Id+", "+s.Id+", "+a.Id, a.GetLabel())
			}
		}
	}
	for id, wanted := range map[string][]string{
		"wifi": {"Dell", "HP", "Lenovo", "Samsung"}, "printing": {"HP", "Canon", "Brother", "Epson"}, "peripheral": {"Logitech", "Razer"},
	} {
		for _, b := range wanted {
			if !slices.Contains(brands[id], b) {
				t.Errorf("%s: no step for %s", id, b)
			}
		}
	}
	for _, complaint := range complaints() {
		if !slices.ContainsFunc(all.Procedures, func(p *constatv1.Procedure) bool { return p.Complaint == complaint }) {
			t.Errorf("no procedure for %s", complaint)
		}
	}
}

// french refuses what shows that nobody who thinks in French has read it.
func french(t *testing.T, where string, text *constatv1.Procedure_Text) {
	t.Helper()
	if text == nil {
		return
	}
	if strings.Contains(text.Fr, "'") || strings.Contains(text.En, "'") {
		t.Errorf("%s: expected typographic apostrophes: %s", where, text.Fr)
	}
	for _, mark := range []string{"?", "!", ":", ";"} {
		for i := range text.Fr {
			if strings.HasPrefix(text.Fr[i:], mark) && i > 0 && text.Fr[i-1] != ' ' && !strings.HasPrefix(text.Fr[i:], "://") {
				t.Errorf("%s: expected a space before %s: %s", where, mark, text.Fr)
			}
		}
	}
}

// Whoever wants to know where a step is from finds the page; what nobody could
// read there says so.
func TestSourcesHaveAnAddress(t *testing.T) {
	read, not := 0, 0
	for _, p := range shipped(t).Procedures {
		for _, s := range p.Steps {
			where := p.Id + ", " + s.Id
			sel := s.GetSelector()
			ofMaker := len(sel.GetBrands())+len(sel.GetProducts()) > 0 || slices.Equal(sel.GetOs(), []string{"windows"}) || slices.Equal(sel.GetOs(), []string{"darwin"})
			if ofMaker && s.Source == "" {
				t.Errorf("%s: expected the source of a step for one maker", where)
			}
			if s.Source == "" {
				continue
			}
			if !strings.Contains(s.Source, "https://") && !strings.Contains(s.Source, "http://") {
				t.Errorf("%s: expected an address after the title: %s", where, s.Source)
			}
			if strings.HasSuffix(s.Source, " (not verified)") {
				not++
			} else {
				read++
			}
		}
	}
	t.Logf("%d sources, of which %d are not verified", read+not, not)
}

const sketch = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" fill="none" stroke="currentColor">
<title lang="en">A plug</title>
<title lang="fr">Une prise</title>
<path d="M4 4h8"/>
</svg>
`

// plainSketch is what a browser is given of it.
const plainSketch = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" fill="none" stroke="currentColor"><path d="M4 4h8"></path></svg>`

// A team's own drawing takes the place of ours, and may be nothing but lines.
func TestDrawings(t *testing.T) {
	files := func(svg string) fstest.MapFS {
		return fstest.MapFS{"printing.md": {Data: []byte(sound)}, "drawings/plug.svg": {Data: []byte(svg)}}
	}
	all, err := Compile(files(sketch), catalog(t))
	if err != nil || len(all.Drawings) != 1 || all.Drawings[0].GetTitle().GetFr() != "Une prise" || string(all.Drawings[0].Svg) != plainSketch {
		t.Fatalf("%v, %v", all.GetDrawings(), err)
	}
	for _, tt := range []struct{ name, old, new, want string }{
		{"script", "<path", "<script>alert(1)</script><path", "drawings/plug.svg:4: a drawing has no <script>"},
		{"handler", "<path d", `<path onload="x()" d`, "drawings/plug.svg:4: a drawing has no onload"},
		{"link", "<path", `<g xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="https://example.com"/><path`, "drawings/plug.svg:4: a drawing has no"},
		{"colour", `stroke="currentColor"`, `stroke="#fff"`, `drawings/plug.svg:1: stroke is "#fff"; expected none or currentColor`},
		{"one language", `<title lang="fr">Une prise</title>`, "", `expected <title lang="en"> and <title lang="fr">`},
		{"shape in words", `Une prise</title>`, `Une prise<script>alert(1)</script></title>`, "drawings/plug.svg:3: a drawing has no <script>"},
		{"entity", "<svg", `<!DOCTYPE svg [<!ENTITY a "b">]><svg`, "drawings/plug.svg:1: expected <svg> and what is in it"},
		{"no XML", "</svg>", "", "drawings/plug.svg:6: XML syntax error"},
		{"large", "<path", strings.Repeat("<path/>", 1000) + "<path", "drawings/plug.svg:1: larger than 4096 bytes"},
	} {
		_, err := Compile(files(strings.Replace(sketch, tt.old, tt.new, 1)), catalog(t))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: the error does not say %q:\n%v", tt.name, tt.want, err)
		}
	}
}

// Nothing that a browser could take for HTML comes out of a drawing, however its
// words are written.
func TestDrawingsHaveNoWords(t *testing.T) {
	odd := strings.NewReplacer("Une prise", "Une prise <![CDATA[ ><script>alert(1)</script> ]]>", "<path", "<!-- --><![CDATA[ ><script>alert(2)</script> ]]><path", "M4 4h8", "M4 4h8&quot;&gt;&lt;b").Replace(sketch)
	all, err := Compile(fstest.MapFS{"printing.md": {Data: []byte(sound)}, "drawings/plug.svg": {Data: []byte(odd)}}, catalog(t))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(all.Drawings[0].Svg); strings.Contains(got, "script") || strings.Contains(got, "CDATA") || strings.Count(got, "<") != 4 {
		t.Errorf("%s", got)
	}
}

// What ships is small enough to be shown anywhere, and each drawing is used.
func TestShippedDrawingsAreUsed(t *testing.T) {
	names, err := fs.Glob(os.DirFS("../shipped"), "drawings/*")
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	drawings := shipped(t).Drawings
	for _, d := range drawings {
		size += len(d.Svg)
	}
	if len(drawings) != len(names) || size > 15<<10 {
		t.Errorf("%d drawings of %d are used, %d bytes", len(drawings), len(names), size)
	}
}
