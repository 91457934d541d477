package compile

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/reflect/protoreflect"

	"constat/internal/fault"
	constatv1 "constat/proto/constat/v1"
)

// What a catalog's words may be.
var (
	domains   = []string{"cisco", "hardware", "network", "os", "printer", "software", "usb", "wifi"}
	languages = []string{"en", "fr"}
	urgencies = []string{"low", "normal", "high", "critical"}
	// remedies are the verbs that an agent can do.
	remedies = []string{
		"clear-stuck-job", "enable-device", "flush-dns", "renew-dhcp", "repair-package",
		"reset-usb", "restart-printing", "restart-wifi", "resume-queue", "set-clock",
	}
	idForm   = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)+$`)
	termForm = regexp.MustCompile(`^[a-z]+(_[a-z]+)+$`)
)

// Remedies lists the verbs that an agent can do.
func Remedies() []string { return slices.Clone(remedies) }

// placeholder is what a text may hold; see fault.Text.
var placeholder = regexp.MustCompile(`\{component\|([^{}|]*)\}`)

// reader turns files into a catalog and gathers what is wrong on the way.
type reader struct {
	catalog  *constatv1.Catalog
	file     string
	problems []error
	faults   map[string]*written // by id
	// References to faults and expressions, to be checked when all are read.
	references   []reference
	terms, rules []*expression
}

// written is a fault and where it stands.
type written struct {
	*constatv1.Catalog_Fault
	place
}

type place struct {
	file         string
	line, column int
}

type reference struct {
	place
	kind, from, to string
}

func (r *reader) read(f *file) {
	r.file = f.name
	switch {
	case f.size > maxFileSize:
		r.problem(scalar{line: 1, column: 1}, "larger than %d bytes; split the domain's faults", maxFileSize)
	case f.broken != nil && f.name == termsName:
		r.malformed(f.broken, term{})
	case f.broken != nil:
		r.malformed(f.broken, entry{})
	case f.name == termsName:
		for _, t := range f.terms {
			r.term(t)
		}
	case !slices.Contains(domains, f.domain):
		r.problem(scalar{line: 1, column: 1}, "unknown domain %q; expected a file named after one of %s, or %s", f.domain, strings.Join(domains, ", "), termsName)
	default:
		for _, e := range f.entries {
			r.fault(f.domain, e)
		}
	}
}

// malformed says what the YAML package found, and what an element of the file has.
func (r *reader) malformed(err error, element any) {
	at, text := scalar{line: 1, column: 1}, err.Error()
	if located := yaml.Error(nil); errors.As(err, &located) && located.GetToken() != nil {
		token := located.GetToken().Position
		at, text = scalar{line: token.Line, column: token.Column}, located.GetMessage()
	}
	r.problem(at, "%s; expected a list of which each has %s", text, fields(reflect.TypeOf(element)))
}

// fields are the keys of a message of the YAML, those below them in brackets.
func fields(t reflect.Type) string {
	var names []string
	for i := range t.NumField() {
		name, of := t.Field(i).Tag.Get("yaml"), t.Field(i).Type
		if of.Kind() == reflect.Slice {
			of = of.Elem()
		}
		if of.Kind() == reflect.Struct && of != reflect.TypeFor[scalar]() {
			name += " (" + fields(of) + ")"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

func (r *reader) problem(at scalar, format string, args ...any) {
	r.problems = append(r.problems, fmt.Errorf("%s:%d:%d: %s", r.file, max(at.line, 1), max(at.column, 1), fmt.Sprintf(format, args...)))
}

func (r *reader) term(t term) {
	switch {
	case !termForm.MatchString(t.Name.text):
		r.problem(t.Name, "a term's name is like gateway_answers, not %q", t.Name.text)
	case slices.ContainsFunc(r.catalog.Terms, func(x *constatv1.Catalog_Term) bool { return x.Name == t.Name.text }):
		r.problem(t.Name, "term %s is defined twice", t.Name.text)
	case t.Means.text == "" || t.Rule.text == "":
		r.problem(t.Name, "term %s: expected the keys means and rule", t.Name.text)
	default:
		made := &constatv1.Catalog_Term{Name: t.Name.text}
		r.catalog.Terms = append(r.catalog.Terms, made)
		r.terms = append(r.terms, &expression{scalar: t.Rule, file: r.file, variety: cel.BoolType, into: &made.Rule})
	}
}

func (r *reader) fault(domain string, e entry) {
	id := e.ID.text
	if !idForm.MatchString(id) {
		r.problem(e.ID, "expected an id like os-disk-full, found %q", id)
		return
	}
	if first, ok := r.faults[id]; ok {
		r.problem(e.ID, "fault %s is defined twice; first at %s:%d", id, first.file, first.line)
		return
	}
	f := &constatv1.Catalog_Fault{
		Id: id, Domain: domain,
		Urgency:     r.word(e.ID, e.Urgency, "urgency", urgencies),
		Title:       r.text(e.ID, e.Title, "title"),
		Explanation: r.text(e.ID, e.Explanation, "explanation"),
		User:        r.text(e.ID, e.Advice.User, "advice.user"),
		Technician:  r.text(e.ID, e.Advice.Technician, "advice.technician"),
		Source:      r.required(e.ID, e.Source, "source").text,
		ByChoice:    e.ByChoice,
		Wide:        e.Wide,
		Logged:      e.Logged,
	}
	r.faults[id] = &written{f, place{r.file, e.ID.line, e.ID.column}}
	r.catalog.Faults = append(r.catalog.Faults, f)
	for _, v := range append([]entryView{{e.Needs, e.Rule}}, e.Views...) {
		f.Views = append(f.Views, r.view(e.ID, v))
	}
	r.rule(r.required(e.ID, e.Decisive, "decisive"), cel.BoolType, nil, &f.Decisive)
	r.rule(e.Contradict, cel.BoolType, nil, &f.Contradicted)
	for _, v := range e.Remedies {
		f.Remedies = append(f.Remedies, r.word(e.ID, v, "remedy", remedies))
	}
	for _, x := range e.Explains {
		if slices.Contains(f.Explains, x.text) {
			r.problem(x, "fault %s: explains names %s twice", id, x.text)
		}
		f.Explains = append(f.Explains, x.text)
		r.refer("explains", id, x)
	}
	for _, l := range e.LookAlikes {
		f.LookAlikes = append(f.LookAlikes, &constatv1.Catalog_LookAlike{
			Fault: l.Fault.text, Check: r.text(e.ID, l.Check, "check of look-alike "+l.Fault.text),
		})
		r.refer("look_alikes", id, l.Fault)
	}
	if len(e.Evidence) == 0 {
		r.problem(e.ID, "fault %s: expected at least one line of evidence", id)
	}
	for _, line := range e.Evidence {
		f.Evidence = append(f.Evidence, r.line(e.ID, line))
	}
}

func (r *reader) view(id scalar, e entryView) *constatv1.Catalog_View {
	v := &constatv1.Catalog_View{}
	for _, n := range e.Needs {
		v.Needs = append(v.Needs, r.word(id, n, "group", fault.Groups()))
	}
	r.rules = append(r.rules, &expression{
		scalar: r.required(id, e.Rule, "rule"), file: r.file, variety: cel.BoolType, into: &v.Rule, fault: id.text, view: v,
	})
	return v
}

// rule remembers an expression, if there is one, to be checked later.
func (r *reader) rule(s scalar, variety, item *cel.Type, into *[]byte) {
	if s.text != "" {
		r.rules = append(r.rules, &expression{scalar: s, file: r.file, variety: variety, item: item, into: into})
	}
}

// required refuses a missing key at the entry's place.
func (r *reader) required(id, s scalar, key string) scalar {
	if strings.TrimSpace(s.text) == "" {
		if s.line == 0 {
			s.line, s.column = id.line, id.column
		}
		r.problem(s, "fault %s: expected text for %s", id.text, key)
	}
	return s
}

func (r *reader) text(id scalar, t entryText, key string) *constatv1.Catalog_Text {
	for i, s := range []scalar{t.EN, t.FR} {
		r.required(id, s, key+"."+languages[i])
		if strings.ContainsAny(placeholder.ReplaceAllString(s.text, ""), "{}") {
			r.problem(s, "fault %s: the only placeholder is {component|words to use where it is not known}", id.text)
		}
	}
	return &constatv1.Catalog_Text{En: strings.TrimSpace(t.EN.text), Fr: strings.TrimSpace(t.FR.text)}
}

func (r *reader) word(id, s scalar, kind string, allowed []string) string {
	if !slices.Contains(allowed, s.text) {
		if s.line == 0 {
			s.line, s.column = id.line, id.column
		}
		r.problem(s, "fault %s: unknown %s %q; expected one of %s", id.text, kind, s.text, strings.Join(allowed, ", "))
	}
	return s.text
}

func (r *reader) refer(kind, from string, to scalar) {
	r.references = append(r.references, reference{place{r.file, to.line, to.column}, kind, from, to.text})
}

func (r *reader) line(id scalar, e entryEvidence) *constatv1.Catalog_Line {
	made := &constatv1.Catalog_Line{Each: e.Each.text}
	fields := (*constatv1.Snapshot)(nil).ProtoReflect().Descriptor().Fields()
	shortest := 2 // not a whole group
	var item *cel.Type
	if e.Each.text != "" {
		way := r.path(id, e.Each, fields)
		if way == nil {
			return made
		}
		last := way[len(way)-1]
		item, shortest = fault.ElementType(last), 1
		switch {
		case last.Message() != nil && (len(way) > 1 || e.Component.text != ""):
			fields = last.Message().Fields()
		case last.IsList() && item == cel.StringType && len(e.Show) == 0:
			fields = nil // the names speak for themselves
		default:
			r.problem(e.Each, "fault %s: each expects the path of a list of messages, like network.links, of a message, like probes.http, or without show of a list of names, like updates.broken_packages", id.text)
			return made
		}
	}
	for _, s := range e.Show {
		if way := r.path(id, s, fields); way != nil && len(way) < shortest {
			r.problem(s, "fault %s: show expects facts, like load.memory.available_percent, not a whole group", id.text)
		}
		made.Show = append(made.Show, s.text)
	}
	r.rule(e.Where, cel.BoolType, item, &made.Where)
	r.rule(e.Component, cel.StringType, item, &made.Component)
	r.rule(e.Brand, cel.StringType, item, &made.Brand)
	r.rule(e.Since, cel.TimestampType, item, &made.Since)
	r.rule(e.Reaches, cel.BoolType, item, &made.Reaches)
	return made
}

// path finds the fields of a dotted path; nil when there is none such.
func (r *reader) path(id, s scalar, fields protoreflect.FieldDescriptors) []protoreflect.FieldDescriptor {
	way, err := fault.Path(fields, s.text)
	if err != nil {
		r.problem(s, "fault %s: %v", id.text, err)
	}
	return way
}

// resolve checks the references between faults: that they exist, and that no
// fault explains itself over any number of steps.
func (r *reader) resolve() {
	for _, ref := range r.references {
		r.file = ref.file
		if r.faults[ref.to] == nil {
			r.problem(scalar{line: ref.line, column: ref.column}, "fault %s: %s names %q; expected the id of a fault of this catalog", ref.from, ref.kind, ref.to)
		}
	}
	const (
		walking = iota + 1
		done
	)
	state := map[string]int{}
	var visit func(id string, way []string)
	visit = func(id string, way []string) {
		f := r.faults[id]
		if f == nil || state[id] == done {
			return
		}
		way = append(way, id)
		if state[id] == walking {
			start := slices.Index(way, id)
			r.file = f.file
			r.problem(scalar{line: f.line, column: f.column}, "cycle of explains: %s; a cause can't be its own symptom", strings.Join(way[start:], " → "))
			return
		}
		state[id] = walking
		for _, next := range f.Explains {
			visit(next, way)
		}
		state[id] = done
	}
	for _, f := range r.catalog.Faults {
		visit(f.GetId(), nil)
	}
}
