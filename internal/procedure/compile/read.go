package compile

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"

	"constat/internal/diagnosis"
	"constat/internal/fault"
	constatv1 "constat/proto/constat/v1"
)

// reader turns one file into a procedure and gathers what is wrong on the way.
type reader struct {
	file     string
	catalog  *fault.Catalog
	drawings []*constatv1.Drawing
	problems []error

	lines []string
	at    int // index of the line that is read next

	steps []*step
}

// step is a step and where it and what it refers to stand.
type step struct {
	*constatv1.Procedure_Step
	line    int
	answers []int // the line of each answer
	keys    map[string]int
}

// front is the YAML above the steps.
type front struct {
	ID        string `yaml:"id"`
	Version   int    `yaml:"version"`
	Owner     string `yaml:"owner"`
	Review    string `yaml:"review"`
	Complaint string `yaml:"complaint"`
	Title     struct {
		EN string `yaml:"en"`
		FR string `yaml:"fr"`
	} `yaml:"title"`
	OS      []string `yaml:"os"`
	Brand   []string `yaml:"brand"`
	Model   []string `yaml:"model"`
	Product []string `yaml:"product"`
}

var (
	idForm     = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	headForm   = regexp.MustCompile(`^## +([^ ()]+) +\(([a-z]+)\) *$`)
	keyForm    = regexp.MustCompile(`^([a-z]+): *(.*)$`)
	answerForm = regexp.MustCompile(`^- +([^ ]+) +(?:->|→) +([^ ]+) *$`)
	underForm  = regexp.MustCompile(`^  +([a-z]+): *(.*)$`)
	linkForm   = regexp.MustCompile(`^https://[a-z0-9.-]+(/[^ ]*)?$`)
)

func (r *reader) problem(line int, format string, args ...any) {
	r.problems = append(r.problems, fmt.Errorf("%s:%d: %s", r.file, max(line, 1), fmt.Sprintf(format, args...)))
}

func (r *reader) read(content []byte, name string) *constatv1.Procedure {
	if !utf8.Valid(content) || bytes.ContainsRune(content, 0) {
		r.problem(1, "expected text in UTF-8")
		return &constatv1.Procedure{}
	}
	r.lines = strings.Split(strings.ReplaceAll(string(content), "\r\n", "\n"), "\n")
	p := r.front(name)
	for r.at < len(r.lines) {
		r.step()
	}
	if len(r.steps) == 0 {
		r.problem(len(r.lines), "expected at least one step, like: ## paper (question)")
	}
	if len(r.steps) > maxSteps {
		r.problem(r.steps[maxSteps].line, "more than %d steps; expected what a person can follow: split the procedure", maxSteps)
	}
	r.resolve()
	for _, s := range r.steps {
		p.Steps = append(p.Steps, s.Procedure_Step)
	}
	return p
}

// front reads what stands between the two lines of dashes.
func (r *reader) front(name string) *constatv1.Procedure {
	p := &constatv1.Procedure{}
	end := -1
	if len(r.lines) > 0 && strings.TrimRight(r.lines[0], " ") == "---" {
		end = slices.IndexFunc(r.lines[1:], func(l string) bool { return strings.TrimRight(l, " ") == "---" }) + 1
	}
	if end < 1 {
		r.problem(1, "expected the front matter: a line ---, keys like id and title, and a line ---")
		r.at = len(r.lines)
		return p
	}
	r.at = end + 1
	var f front
	if err := decode([]byte(strings.Join(r.lines[1:end], "\n")), &f); err != nil {
		var located yaml.Error
		line, text := 1, err.Error()
		if errors.As(err, &located) {
			text = located.GetMessage()
			if located.GetToken() != nil {
				line = located.GetToken().Position.Line + 1
			}
		}
		r.problem(line, "%s; the front matter has id, version, owner, review, complaint, title (en, fr) and may have os, brand, model, product", text)
		return p
	}
	where := func(key string) int {
		return slices.IndexFunc(r.lines[:end], func(l string) bool { return strings.HasPrefix(strings.TrimSpace(l), key+":") }) + 1
	}
	switch {
	case !idForm.MatchString(f.ID):
		r.problem(where("id"), "expected an id like printing-hp, found %q", f.ID)
	case f.ID != name:
		r.problem(where("id"), "the id is %s; expected %s, as the file is named", f.ID, name)
	}
	if f.Version < 1 || f.Version > 1<<30 {
		r.problem(where("version"), "expected version: a number from 1, one more with every change")
	}
	if strings.TrimSpace(f.Owner) == "" {
		r.problem(where("owner"), "expected owner: who answers for it")
	}
	if _, err := time.Parse(time.DateOnly, f.Review); err != nil {
		r.problem(where("review"), "expected review: a day like 2027-05-01, by which somebody reads it again")
	}
	if _, ok := diagnosis.Lookup(f.Complaint); !ok {
		r.problem(where("complaint"), "unknown complaint %q; expected one of %s", f.Complaint, strings.Join(complaints(), ", "))
	}
	for _, t := range [][2]string{{"en", f.Title.EN}, {"fr", f.Title.FR}} {
		if strings.TrimSpace(t[1]) == "" {
			r.problem(where("title"), "the title lacks its %s text", t[0])
		}
	}
	for _, o := range f.OS {
		if !slices.Contains(systems, o) {
			r.problem(where("os"), "unknown system %q; expected one of %s", o, strings.Join(systems, ", "))
		}
	}
	p.Id, p.Version, p.Owner, p.Review, p.Complaint = f.ID, int32(f.Version), f.Owner, f.Review, f.Complaint
	p.Title = &constatv1.Procedure_Text{En: f.Title.EN, Fr: f.Title.FR}
	if len(f.OS)+len(f.Brand)+len(f.Model)+len(f.Product) > 0 {
		p.Selector = &constatv1.Procedure_Selector{Os: f.OS, Brands: f.Brand, Models: f.Model, Products: f.Product}
	}
	return p
}

// decode is strict. The YAML package panics on some malformed input, and
// procedures are uploaded.
func decode(content []byte, into any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("malformed YAML (%v)", p)
		}
	}()
	return yaml.UnmarshalWithOptions(content, into, yaml.Strict())
}

// step reads from one heading to the next.
func (r *reader) step() {
	line := r.lines[r.at]
	r.at++
	if strings.TrimSpace(line) == "" {
		return
	}
	head := headForm.FindStringSubmatch(line)
	if head == nil {
		r.problem(r.at, "expected a step, like: ## paper (question); found %q", shorten(line))
		for r.at < len(r.lines) && !strings.HasPrefix(r.lines[r.at], "## ") {
			r.at++
		}
		return
	}
	id, kind := head[1], head[2]
	s := &step{line: r.at, keys: map[string]int{}, Procedure_Step: &constatv1.Procedure_Step{Id: id, Kind: kind, Cost: costs[kind]}}
	switch {
	case !idForm.MatchString(id) || slices.Contains(ends, id):
		r.problem(s.line, "expected a step’s id like paper-in, found %q", id)
	case !slices.Contains(kinds, kind):
		r.problem(s.line, "step %s: unknown kind %q; expected one of %s", id, kind, strings.Join(kinds, ", "))
	default:
		if other := r.find(id); other != nil {
			r.problem(s.line, "step %s is there twice; first in line %d", id, other.line)
		}
	}
	r.steps = append(r.steps, s)
	for r.at < len(r.lines) && !strings.HasPrefix(r.lines[r.at], "#") {
		line := strings.TrimRight(r.lines[r.at], " ")
		r.at++
		switch {
		case line == "":
		case strings.HasPrefix(line, "-"):
			r.answer(s, line)
		default:
			found := keyForm.FindStringSubmatch(line)
			if found == nil {
				r.problem(r.at, "step %s: expected a key like about:, a text after en: or fr:, or an answer like: - yes -> next; found %q", id, shorten(line))
				continue
			}
			r.key(s, found[1], found[2])
		}
	}
	r.finish(s)
}

func (r *reader) find(id string) *step {
	for _, s := range r.steps {
		if s.Id == id {
			return s
		}
	}
	return nil
}

// keys are what a step may have, by kind; nil: all kinds.
var keys = map[string][]string{
	"en": {"question", "manual", "remedy", "article"}, "fr": {"question", "manual", "remedy", "article"},
	"about": nil, "cost": nil, "os": nil, "brand": nil, "model": nil, "product": nil, "after": nil, "instead": nil, "source": nil,
	"drawing": {"question", "manual"}, "verb": {"remedy"}, "link": {"article"},
}

func (r *reader) key(s *step, key, value string) {
	line := r.at
	allowed, known := keys[key]
	switch {
	case !known:
		names := make([]string, 0, len(keys))
		for k := range keys {
			names = append(names, k)
		}
		slices.Sort(names)
		r.problem(line, "step %s: unknown key %q; expected one of %s", s.Id, key, strings.Join(names, ", "))
		return
	case allowed != nil && slices.Contains(kinds, s.Kind) && !slices.Contains(allowed, s.Kind):
		r.problem(line, "step %s: a %s has no %s; expected it at %s only", s.Id, s.Kind, key, strings.Join(allowed, ", "))
		return
	case s.keys[key] != 0:
		r.problem(line, "step %s: %s is there twice; first in line %d", s.Id, key, s.keys[key])
		return
	}
	s.keys[key] = line
	if key == "en" || key == "fr" {
		value = r.paragraph(value)
	}
	if value == "" {
		r.problem(line, "step %s: expected something after %s:", s.Id, key)
		return
	}
	words := list(value)
	if s.Selector == nil && slices.Contains([]string{"os", "brand", "model", "product"}, key) {
		s.Selector = &constatv1.Procedure_Selector{}
	}
	switch key {
	case "en", "fr":
		if len(value) > maxText {
			r.problem(line, "step %s: the text is longer than %d bytes; expected what fits on a card: make it several steps", s.Id, maxText)
		}
		if s.Text == nil {
			s.Text = &constatv1.Procedure_Text{}
		}
		if key == "en" {
			s.Text.En = value
		} else {
			s.Text.Fr = value
		}
	case "about":
		for _, id := range words {
			if r.catalog.Lookup(id) == nil {
				r.problem(line, "step %s: unknown fault %q; expected ids of the catalog, like printer-paper-out", s.Id, id)
			}
		}
		s.About = words
	case "cost":
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > 24*3600 {
			r.problem(line, "step %s: expected cost: the seconds that it takes, at most a day; found %q", s.Id, value)
		}
		s.Cost = int32(n)
	case "os":
		for _, o := range words {
			if !slices.Contains(systems, o) {
				r.problem(line, "step %s: unknown system %q; expected one of %s", s.Id, o, strings.Join(systems, ", "))
			}
		}
		s.Selector.Os = words
	case "brand":
		s.Selector.Brands = words
	case "model":
		s.Selector.Models = words
	case "product":
		s.Selector.Products = words
	case "after":
		s.After = words
	case "instead":
		s.Instead = words
	case "source":
		s.Source = value
	case "drawing":
		if !slices.ContainsFunc(r.drawings, func(d *constatv1.Drawing) bool { return d.GetName() == value }) {
			var names []string
			for _, d := range r.drawings {
				names = append(names, d.GetName())
			}
			r.problem(line, "step %s: there is no drawing %q; expected one of %s", s.Id, value, strings.Join(names, ", "))
		}
		s.Drawing = value
	case "verb":
		if !slices.Contains(verbs(), value) {
			r.problem(line, "step %s: unknown verb %q; expected one of %s", s.Id, value, strings.Join(verbs(), ", "))
		}
		s.Verb = value
	case "link":
		if !linkForm.MatchString(value) {
			r.problem(line, "step %s: expected an address like https://support.example.com/paper, found %q", s.Id, value)
		}
		s.Link = value
	}
}

// paragraph reads on to an empty line, the next key or the answers.
func (r *reader) paragraph(first string) string {
	words := []string{strings.TrimSpace(first)}
	for r.at < len(r.lines) {
		line := strings.TrimSpace(r.lines[r.at])
		if line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "- ") {
			break
		}
		if m := keyForm.FindStringSubmatch(line); m != nil {
			if _, known := keys[m[1]]; known {
				break
			}
		}
		words = append(words, line)
		r.at++
	}
	return strings.TrimSpace(strings.Join(words, " "))
}

func (r *reader) answer(s *step, line string) {
	found := answerForm.FindStringSubmatch(line)
	if found == nil {
		r.problem(r.at, "step %s: expected an answer and where it leads, like: - yes -> next; found %q", s.Id, shorten(line))
		return
	}
	a := &constatv1.Procedure_Answer{Id: found[1], LeadsTo: found[2]}
	at := r.at
	if !idForm.MatchString(a.Id) {
		r.problem(at, "step %s: expected an answer’s id like yes or two-lights, found %q", s.Id, a.Id)
	}
	if slices.ContainsFunc(s.Answers, func(b *constatv1.Procedure_Answer) bool { return b.Id == a.Id }) {
		r.problem(at, "step %s: answer %s is there twice", s.Id, a.Id)
	}
	s.Answers, s.answers = append(s.Answers, a), append(s.answers, at)
	label := &constatv1.Procedure_Text{}
	seen := map[string]bool{}
	for r.at < len(r.lines) {
		under := underForm.FindStringSubmatch(strings.TrimRight(r.lines[r.at], " "))
		if under == nil {
			break
		}
		r.at++
		key, value := under[1], strings.TrimSpace(under[2])
		if seen[key] || value == "" {
			r.problem(r.at, "step %s, answer %s: expected one text after %s:", s.Id, a.Id, key)
			continue
		}
		seen[key] = true
		switch key {
		case "en":
			label.En = value
		case "fr":
			label.Fr = value
		case "when":
			name := strings.TrimPrefix(value, "!")
			if r.catalog.Lookup(name) == nil && !r.catalog.HasTerm(name) {
				r.problem(r.at, "step %s, answer %s: unknown check %q; expected the id of a fault, like printer-paper-out, or a term, like printing_works", s.Id, a.Id, name)
			}
			a.When = value
		default:
			r.problem(r.at, "step %s, answer %s: unknown key %q; expected en, fr or when", s.Id, a.Id, key)
		}
	}
	if s.Kind == "check" {
		if label.En+label.Fr != "" {
			r.problem(at, "step %s: nobody reads the answers of a check; expected no text for %s", s.Id, a.Id)
		}
		if a.When == "" {
			r.problem(at, "step %s: expected when: below answer %s of a check: the fault or term that gives it", s.Id, a.Id)
		}
		return
	}
	u, known := usual[a.Id]
	if known && label.En+label.Fr == "" {
		label.En, label.Fr = u.EN, u.FR
	}
	for _, t := range [][2]string{{"en", label.En}, {"fr", label.Fr}} {
		if t[1] == "" {
			r.problem(at, "step %s: answer %s lacks its %s text", s.Id, a.Id, t[0])
		}
	}
	a.Label = label
}

// finish checks what only a whole step tells, and adds what goes without saying.
func (r *reader) finish(s *step) {
	// What a remedy does is said by the program that does it; its text says why.
	if s.Kind != "check" && slices.Contains(kinds, s.Kind) && (s.Kind != "remedy" || s.Text != nil) {
		for _, t := range [][2]string{{"en", s.GetText().GetEn()}, {"fr", s.GetText().GetFr()}} {
			if t[1] == "" {
				r.problem(s.line, "step %s lacks its %s text", s.Id, t[0])
			}
		}
	}
	switch s.Kind {
	case "check":
		if len(s.Answers) == 0 {
			r.problem(s.line, "step %s: expected at least one answer, like: - found -> paper", s.Id)
		}
	case "question":
		if len(s.Answers) < 2 {
			r.problem(s.line, "step %s: expected at least two answers, like: - yes -> next", s.Id)
		}
	case "manual", "remedy", "article":
		if len(s.Answers) == 0 {
			for _, a := range [][2]string{{"helped", "done"}, {"not", "next"}, {"skipped", "next"}} {
				if s.Kind != "manual" && a[0] == "skipped" {
					continue
				}
				u := usual[a[0]]
				s.Answers = append(s.Answers, &constatv1.Procedure_Answer{Id: a[0], LeadsTo: a[1], Label: &constatv1.Procedure_Text{En: u.EN, Fr: u.FR}})
				s.answers = append(s.answers, s.line)
			}
		}
		if s.Kind == "remedy" && s.Verb == "" && s.keys["verb"] == 0 {
			r.problem(s.line, "step %s: expected verb: one of %s", s.Id, strings.Join(verbs(), ", "))
		}
		if s.Kind == "article" && s.Link == "" && s.keys["link"] == 0 {
			r.problem(s.line, "step %s: expected link: the address of the article", s.Id)
		}
	}
}

// resolve checks where steps lead: to steps below them only, so that no way
// through a procedure comes round.
func (r *reader) resolve() {
	place := map[string]int{}
	for i, s := range r.steps {
		if _, ok := place[s.Id]; !ok {
			place[s.Id] = i
		}
	}
	for i, s := range r.steps {
		for n, a := range s.Answers {
			if slices.Contains(ends, a.LeadsTo) {
				continue
			}
			to, ok := place[a.LeadsTo]
			switch {
			case !ok:
				r.problem(s.answers[n], "step %s: answer %s leads to %q, which is no step; expected next, done, support or the id of a step below", s.Id, a.Id, a.LeadsTo)
			case to <= i:
				r.problem(s.answers[n], "step %s: answer %s leads back to %s in line %d, an endless loop; expected a step below", s.Id, a.Id, a.LeadsTo, r.steps[to].line)
			default:
				r.steps[to].Aside = true
			}
		}
		for _, id := range s.Instead {
			switch other, ok := place[id]; {
			case !ok:
				r.problem(s.keys["instead"], "step %s: instead names %q, which is no step", s.Id, id)
			case other <= i:
				r.problem(s.keys["instead"], "step %s: instead names %s in line %d, an endless loop; expected a step below", s.Id, id, r.steps[other].line)
			case s.Selector == nil:
				r.problem(s.keys["instead"], "step %s: takes the place of %s on every machine; expected os, brand, model or product too", s.Id, id)
			}
		}
		for _, id := range s.After {
			switch before, ok := place[id]; {
			case !ok:
				r.problem(s.keys["after"], "step %s: after names %q, which is no step", s.Id, id)
			case before >= i:
				r.problem(s.keys["after"], "step %s: after names %s in line %d, an endless loop; expected a step above", s.Id, id, r.steps[before].line)
			}
		}
	}
	for _, s := range r.steps { // what takes the place of a step waits for the same answers
		for _, id := range s.Instead {
			if other := r.find(id); other != nil {
				s.Aside = s.Aside || other.Aside
			}
		}
	}
	if len(r.steps) > 0 && !slices.ContainsFunc(r.steps, func(s *step) bool { return !s.Aside }) {
		r.problem(r.steps[0].line, "every step is reached from another one; expected one to begin with")
	}
}

// list are the words between commas.
func list(value string) []string {
	var words []string
	for w := range strings.SplitSeq(value, ",") {
		if w = strings.TrimSpace(w); w != "" && !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	return words
}

func shorten(s string) string {
	if runes := []rune(s); len(runes) > 60 {
		return string(runes[:60]) + "…"
	}
	return s
}
