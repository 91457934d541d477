package fault

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// What a catalog's words may be.
var (
	domains   = []string{"cisco", "hardware", "network", "os", "printer", "software", "usb", "wifi"}
	languages = []string{"en", "fr"}
	urgencies = []string{"low", "normal", "high", "critical"}
	// remedies are the verbs that an agent can do.
	remedies = []string{
		"clear-stuck-job", "enable-device", "flush-dns", "renew-dhcp", "reset-usb",
		"restart-printing", "restart-wifi", "resume-queue", "set-clock",
	}
	idForm   = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)+$`)
	termForm = regexp.MustCompile(`^[a-z]+(_[a-z]+)+$`)
)

const (
	termsName   = "terms.yaml"
	maxFileSize = 1 << 20
)

// reader turns files into a catalog and gathers what is wrong on the way.
type reader struct {
	catalog  *Catalog
	file     string
	problems []error
	// References to faults, to be checked when all are known.
	references []reference
	places     map[string]place // of each fault's id
}

type place struct {
	file         string
	line, column int
}

type reference struct {
	place
	kind, from, to string
}

// read decodes all files and checks everything but the rules' own sense, which
// needs their compilation.
func read(fsys fs.FS) (*Catalog, error) {
	names, err := fs.Glob(fsys, "*.yaml")
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, errors.New("no catalog here: expected files named <domain>.yaml")
	}
	r := &reader{
		catalog: &Catalog{byID: map[string]*Fault{}, terms: map[string]*expression{}, env: &environment{schema: newSchema()}},
		places:  map[string]place{},
	}
	digest := sha256.New()
	files := make([]*file, len(names))
	var decoding sync.WaitGroup
	for i, name := range names { // Glob sorts
		content, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(digest, "%s %d\n%s", name, len(content), content)
		files[i] = &file{name: name, domain: strings.TrimSuffix(path.Base(name), ".yaml"), size: len(content)}
		decoding.Go(func() { files[i].decode(content) })
	}
	decoding.Wait()
	for _, f := range files {
		r.read(f)
	}
	r.resolve()
	if err := errors.Join(r.problems...); err != nil {
		return nil, err
	}
	r.catalog.version = hex.EncodeToString(digest.Sum(nil))[:12]
	r.catalog.sort()
	return r.catalog, nil
}

// file is one of the catalog's files. Decoding YAML is most of what reading a
// catalog costs, so the files are decoded side by side.
type file struct {
	name, domain string
	size         int

	terms   termsFile  // of terms.yaml
	entries domainFile // of <domain>.yaml
	broken  error
}

func (f *file) decode(content []byte) {
	switch {
	case f.size > maxFileSize: // refused by read
	case f.name == termsName:
		f.broken = unmarshal(content, &f.terms)
	case slices.Contains(domains, f.domain):
		f.broken = unmarshal(content, &f.entries)
	}
}

func (r *reader) read(f *file) {
	r.file = f.name
	switch {
	case f.size > maxFileSize:
		r.problem(scalar{line: 1, column: 1}, "larger than %d bytes; split the domain's faults", maxFileSize)
	case f.broken != nil:
		r.malformed(f.broken)
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

func (r *reader) malformed(err error) {
	var located yaml.Error
	if errors.As(err, &located) && located.GetToken() != nil {
		at := located.GetToken().Position
		r.problem(scalar{line: at.Line, column: at.Column}, "%s", located.GetMessage())
	} else {
		r.problem(scalar{line: 1, column: 1}, "%v", err)
	}
}

// unmarshal decodes strictly. The YAML package panics on some malformed input
// (a tag on a scalar where a list is wanted), and catalogs are uploaded.
func unmarshal(content []byte, into any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("malformed YAML (%v)", p)
		}
	}()
	return yaml.UnmarshalWithOptions(content, into, yaml.Strict())
}

func (r *reader) problem(at scalar, format string, args ...any) {
	r.problems = append(r.problems, fmt.Errorf("%s:%d:%d: %s", r.file, max(at.line, 1), max(at.column, 1), fmt.Sprintf(format, args...)))
}

func (r *reader) term(t term) {
	switch {
	case !termForm.MatchString(t.Name.text):
		r.problem(t.Name, "a term's name is like gateway_answers, not %q", t.Name.text)
	case r.catalog.terms[t.Name.text] != nil:
		r.problem(t.Name, "term %s is defined twice", t.Name.text)
	case t.Means.text == "" || t.Rule.text == "":
		r.problem(t.Name, "term %s: expected the keys means and rule", t.Name.text)
	default:
		r.catalog.terms[t.Name.text] = r.expression(t.Rule, cel.BoolType, nil)
		r.catalog.env.terms = append(r.catalog.env.terms, t.Name.text)
	}
}

func (r *reader) fault(domain string, e entry) {
	id := e.ID.text
	if !idForm.MatchString(id) {
		r.problem(e.ID, "expected an id like os-disk-full, found %q", id)
		return
	}
	if first, ok := r.places[id]; ok {
		r.problem(e.ID, "fault %s is defined twice; first at %s:%d", id, first.file, first.line)
		return
	}
	r.places[id] = place{r.file, e.ID.line, e.ID.column}
	f := &Fault{
		ID: id, Domain: domain,
		Urgency:     r.word(e.ID, e.Urgency, "urgency", urgencies),
		Title:       r.text(e.ID, e.Title, "title"),
		Explanation: r.text(e.ID, e.Explanation, "explanation"),
		User:        r.text(e.ID, e.Advice.User, "advice.user"),
		Technician:  r.text(e.ID, e.Advice.Technician, "advice.technician"),
		Source:      r.required(e.ID, e.Source, "source").text,
		ByChoice:    e.ByChoice,
		Origin:      fmt.Sprintf("%s:%d", r.file, e.ID.line),
		decisive:    r.expression(r.required(e.ID, e.Decisive, "decisive"), cel.BoolType, nil),
	}
	if e.Contradict.text != "" {
		f.contradicted = r.expression(e.Contradict, cel.BoolType, nil)
	}
	for _, v := range append([]entryView{{e.Needs, e.Rule}}, e.Views...) {
		f.views = append(f.views, r.view(e.ID, v))
		for _, group := range f.views[len(f.views)-1].needs {
			if !slices.Contains(f.Needs, group) {
				f.Needs = append(f.Needs, group)
			}
		}
	}
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
		f.LookAlikes = append(f.LookAlikes, LookAlike{l.Fault.text, r.text(e.ID, l.Check, "check of look-alike "+l.Fault.text)})
		r.refer("look_alikes", id, l.Fault)
	}
	if len(e.Evidence) == 0 {
		r.problem(e.ID, "fault %s: expected at least one line of evidence", id)
	}
	for _, line := range e.Evidence {
		if ev := r.evidence(e.ID, line); ev != nil {
			f.evidence = append(f.evidence, ev)
		}
	}
	r.catalog.faults = append(r.catalog.faults, f)
	r.catalog.byID[id] = f
}

func (r *reader) view(id scalar, e entryView) view {
	v := view{rule: r.expression(r.required(id, e.Rule, "rule"), cel.BoolType, nil)}
	for _, n := range e.Needs {
		v.needs = append(v.needs, r.word(id, n, "group", groupNames()))
	}
	return v
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

func (r *reader) text(id scalar, t entryText, key string) Text {
	for i, s := range []scalar{t.EN, t.FR} {
		r.required(id, s, key+"."+languages[i])
		if strings.ContainsAny(placeholder.ReplaceAllString(s.text, ""), "{}") {
			r.problem(s, "fault %s: the only placeholder is {component|words to use where it is not known}", id.text)
		}
	}
	return Text{EN: strings.TrimSpace(t.EN.text), FR: strings.TrimSpace(t.FR.text)}
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

func (r *reader) expression(s scalar, variety, item *cel.Type) *expression {
	return &expression{scalar: s, file: r.file, env: r.catalog.env, variety: variety, item: item}
}

func (r *reader) evidence(id scalar, e entryEvidence) *evidence {
	out := &evidence{}
	var base protoreflect.MessageDescriptor
	var item *cel.Type
	if e.Each.text != "" {
		out.each = r.path(id, e.Each, snapshotFields)
		if out.each == nil {
			return nil
		}
		last := out.each[len(out.each)-1]
		if !last.IsList() || last.Message() == nil {
			r.problem(e.Each, "fault %s: each expects the path of a list of messages, like network.links", id.text)
			return nil
		}
		base, item = last.Message(), elementType(last)
	}
	if e.Where.text != "" {
		out.where = r.expression(e.Where, cel.BoolType, item)
	}
	for _, s := range e.Show {
		fields := snapshotFields
		if base != nil {
			fields = base.Fields()
		}
		way := r.path(id, s, fields)
		switch {
		case way == nil:
		case base == nil && len(way) < 2:
			r.problem(s, "fault %s: show expects facts, like load.memory.available_percent, not a whole group", id.text)
		default:
			out.show = append(out.show, way)
		}
	}
	for _, named := range []struct {
		s    scalar
		t    *cel.Type
		into **expression
	}{{e.Component, cel.StringType, &out.component}, {e.Brand, cel.StringType, &out.brand}, {e.Since, cel.TimestampType, &out.since}} {
		if named.s.text != "" {
			*named.into = r.expression(named.s, named.t, item)
		}
	}
	return out
}

// path finds the fields of a dotted path.
func (r *reader) path(id, s scalar, fields protoreflect.FieldDescriptors) []protoreflect.FieldDescriptor {
	var way []protoreflect.FieldDescriptor
	for part := range strings.SplitSeq(s.text, ".") {
		var fd protoreflect.FieldDescriptor
		if fields != nil {
			fd = fields.ByName(protoreflect.Name(part))
		}
		if fd == nil {
			r.problem(s, "fault %s: unknown fact %q in %q; expected one of %s", id.text, part, s.text, fieldNames(fields))
			return nil
		}
		way = append(way, fd)
		fields = nil
		if fd.Message() != nil && fd.Message().FullName() != timestampName {
			fields = fd.Message().Fields()
		}
	}
	return way
}

func fieldNames(fields protoreflect.FieldDescriptors) string {
	if fields == nil {
		return "(nothing: the fact before it is a single value)"
	}
	var names []string
	for i := range fields.Len() {
		names = append(names, string(fields.Get(i).Name()))
	}
	return strings.Join(names, ", ")
}

// resolve checks the references between faults: that they exist, and that no
// fault explains itself over any number of steps.
func (r *reader) resolve() {
	for _, ref := range r.references {
		r.file = ref.file
		if r.catalog.byID[ref.to] == nil {
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
		f := r.catalog.byID[id]
		if f == nil || state[id] == done {
			return
		}
		way = append(way, id)
		if state[id] == walking {
			start := slices.Index(way, id)
			at := r.places[id]
			r.file = at.file
			r.problem(scalar{line: at.line, column: at.column}, "cycle of explains: %s; a cause can't be its own symptom", strings.Join(way[start:], " → "))
			return
		}
		state[id] = walking
		for _, next := range f.Explains {
			visit(next, way)
		}
		state[id] = done
	}
	for _, f := range r.catalog.faults {
		visit(f.ID, nil)
	}
}
