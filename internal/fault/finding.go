package fault

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// Bounds of what one finding shows: enough for a proof, not a dump.
const (
	maxShownItems = 4 // of a line of evidence
	maxParts      = 64
	maxEvidence   = 12
	maxComponents = 3
	maxValueRunes = 160
)

// Finding is what a snapshot says about one fault.
type Finding struct {
	// Truth is the rule's value; Missing, sorted, the facts it lacked when it
	// is unknown.
	Truth   Truth
	Missing []string
	// Unasked is set when nobody looked where the fault shows: all its views
	// need a group of the collector that was not asked for.
	Unasked bool
	// Decisive is whether the evidence proves the fault by itself; Contradicted
	// whether something speaks against it. Both are judged for true faults only.
	Decisive, Contradicted Truth
	// Component is what the fault is about ("eth0"), Brand its maker's name,
	// Since when it began; empty and zero when not known.
	Component, Brand string
	Since            time.Time
	// Evidence is the facts that speak for it, as the entry lists them.
	Evidence []*constatv1.Evidence
	// Parts are the elements of lists that it is about: two dead links are two
	// parts of one finding. Empty where it is about the machine.
	Parts []*Part

	shown []*Part // what Component to Evidence are gathered from, in order
}

// Part is one element of a list that a finding is about.
type Part struct {
	name, brand string
	since       time.Time
	evidence    []*constatv1.Evidence
	// What it is, to tell whether another finding is about the same: its
	// message or list and its path in the snapshot, and the wholes it belongs to.
	of     protoreflect.FullName
	path   string
	wholes []whole
	// Local: it is a case of the fault, and brings nothing else about.
	Local bool
}

// Same tells whether two parts are of one and the same component; known only
// where both are of one kind, or belong to wholes of one kind.
func (p *Part) Same(q *Part) (same, known bool) {
	if same, known = p.SameProgram(q); known {
		return same, known
	}
	if p.of == q.of {
		return p.path == q.path, true
	}
	return p.share(q, func(kind string) bool { return kind != program })
}

// SameProgram compares two parts as programs only: one that crashed, the
// service that runs it, the package that it came in.
func (p *Part) SameProgram(q *Part) (same, known bool) {
	return p.share(q, func(kind string) bool { return kind == program })
}

func (p *Part) share(q *Part, asked func(kind string) bool) (same, known bool) {
	for _, a := range p.wholes {
		for _, b := range q.wholes {
			if a.kind == b.kind && asked(a.kind) {
				same, known = same || a.is(b), true
			}
		}
	}
	return same, known
}

// whole is what several lists of a snapshot tell of: a link has addresses, a
// radio and counters, a printer its queues, a host its name, its certificate
// and its service, a disk its mounts; and a program crashes, is killed and
// refused, and runs as a service.
type whole struct {
	kind, key string
	// family: the key names all whose names begin so, as a package's does of
	// what is in it (cups of cups-daemon); part: it names a library, which a
	// package holds, and which makes no two programs one.
	family, part bool
}

const program = "program"

// longestComm is where the kernel cuts the name of a process (TASK_COMM_LEN).
const longestComm = 15

// is tells whether two names of one kind name the same. A program's are told in
// several ways: cut by the kernel, and with the d of a daemon or without.
func (w whole) is(o whole) bool {
	if w.kind != program || w.part || o.part {
		return w.key == o.key && (!w.part || o.family) && (!o.part || w.family)
	}
	if w.key == o.key {
		return true
	}
	short, long := w.key, o.key
	if len(short) > len(long) {
		short, long = long, short
	}
	return long == short+"d" || len(short) == longestComm && strings.HasPrefix(long, short) ||
		(w.family || o.family) && strings.HasPrefix(long, short+"-")
}

// belonging is a field that names a whole; without a field the name itself does.
type belonging struct {
	kind         string
	field        protoreflect.Name
	family, part bool
}

// wholes says by which fields a message, or a list of names, is a whole or
// belongs to one; any other message with a field `link` belongs to that link.
var wholes = map[protoreflect.FullName][]belonging{
	"constat.v1.Link":                      {{kind: "link", field: "name"}},
	"constat.v1.Printer":                   {{kind: "printer", field: "id"}},
	"constat.v1.Queue":                     {{kind: "printer", field: "printer_id"}},
	"constat.v1.Attachment":                {{kind: "printer", field: "printer_id"}},
	"constat.v1.HostsEntry":                {{kind: "host", field: "name"}},
	"constat.v1.TlsProbe":                  {{kind: "host", field: "server_name"}},
	"constat.v1.HttpProbe":                 {{kind: "host", field: "url"}},
	"constat.v1.ServiceProbe":              {{kind: "host", field: "host"}},
	"constat.v1.Disk":                      {{kind: "disk", field: "name"}},
	"constat.v1.Mount":                     {{kind: "disk", field: "device"}},
	"constat.v1.Service":                   {{kind: program, field: "name"}, {kind: program, field: "program"}},
	"constat.v1.Spooler":                   {{kind: program, field: "kind"}},
	"constat.v1.Clock":                     {{kind: program, field: "service"}},
	"constat.v1.Crash":                     {{kind: program, field: "program"}, {kind: program, field: "module", part: true}},
	"constat.v1.OutOfMemoryKill":           {{kind: program, field: "program"}},
	"constat.v1.LaunchFailure":             {{kind: program, field: "program"}, {kind: program, field: "detail", part: true}},
	"constat.v1.Refusal":                   {{kind: program, field: "program"}},
	"constat.v1.AddIn":                     {{kind: program, field: "program"}},
	"constat.v1.Program":                   {{kind: program, field: "name", family: true}},
	"constat.v1.UpdateFailure":             {{kind: program, field: "name", family: true}},
	"constat.v1.Software.damaged_programs": {{kind: program, family: true}},
	"constat.v1.Updates.broken_packages":   {{kind: program, family: true}},
}

// keys spell the names of a kind alike; an empty key names nothing.
var keys = map[string]func(name string) string{
	"host": func(name string) string {
		if u, err := url.Parse(name); err == nil && u.Host != "" {
			name = u.Hostname()
		}
		return strings.ToLower(strings.TrimSuffix(name, "."))
	},
	"disk": diskOf,
	program: func(name string) string {
		name = strings.ToLower(name)
		if m := soname().FindStringSubmatch(name); m != nil {
			// A library's package is called by its name and version, with a
			// hyphen between two digits (Debian policy 8.1).
			if name = m[1] + m[2]; strings.ContainsAny(m[1][len(m[1])-1:], "0123456789") {
				name = m[1] + "-" + m[2]
			}
		}
		name = strings.TrimSuffix(name, "t64") // the libraries' second time (time_t of 64 bits)
		for _, suffix := range []string{".service", ".socket", ".exe"} {
			name = strings.TrimSuffix(name, suffix)
		}
		name, _, _ = strings.Cut(name, "@") // one instance of a template
		switch name {
		case "windows", "spoolsv": // the kind of a print service, and its program
			return "spooler"
		}
		return name
	},
}

// diskOf is the disk of a partition, by the names that Linux gives (sda1,
// nvme0n1p2, mmcblk0p1) and macOS (disk1s2). What lies on a volume manager or
// is encrypted does not tell by its name which disks are below it.
func diskOf(device string) string {
	name := strings.TrimPrefix(device, "/dev/")
	for _, scheme := range []*regexp.Regexp{lettered(), numbered()} {
		if m := scheme.FindStringSubmatch(name); m != nil {
			return m[1]
		}
	}
	return ""
}

var (
	lettered = form(`^([hsv]d[a-z]+|xvd[a-z]+)[0-9]*$`)
	soname   = form(`^(lib.+)\.so\.([0-9]+)`)
	numbered = form(`^(nvme[0-9]+n[0-9]+|mmcblk[0-9]+|disk[0-9]+)([ps][0-9]+)*$`)
)

func wholesOf(m protoreflect.Message) []whole {
	var all []whole
	rows, ok := wholes[m.Descriptor().FullName()]
	if !ok {
		rows = []belonging{{kind: "link", field: "link"}}
	}
	for _, row := range rows {
		fd := m.Descriptor().Fields().ByName(row.field)
		if fd == nil || fd.Kind() != protoreflect.StringKind || fd.IsList() || !m.Has(fd) {
			continue
		}
		all = row.add(all, m.Get(fd).String())
	}
	return all
}

// add spells a name as its kind is spelt, and leaves out what names nothing.
func (b belonging) add(all []whole, name string) []whole {
	if key := keys[b.kind]; key != nil {
		if name = key(name); name == "" {
			return all
		}
	}
	return append(all, whole{b.kind, name, b.family, b.part})
}

// evidence is one line of an entry's proof: which facts to show, of which
// elements of a list.
type evidence struct {
	each  []protoreflect.FieldDescriptor // way to the list; nil: show counts from the snapshot
	where *expression                    // condition on `it`, or without a list on the snapshot; nil: always
	show  [][]protoreflect.FieldDescriptor
	// Expressions on `it`, nil where the entry has none.
	component, brand, since, reaches *expression
}

// Judge evaluates the fault's rules over the facts, and gathers its proof when
// it is true.
func (f *Fault) Judge(facts *Facts) Finding {
	var found Finding
	found.look(f.views, facts)
	if found.Truth != True {
		return found
	}
	found.Decisive, _ = f.decisive.truth(facts)
	found.Contradicted = False
	if f.contradicted != nil {
		found.Contradicted, _ = f.contradicted.truth(facts)
	}
	for _, e := range f.evidence {
		for i, item := range e.items(facts) {
			p := &Part{name: e.name(e.component, facts, item), brand: e.name(e.brand, facts, item)}
			if t, ok := e.value(e.since, facts, item).(types.Timestamp); ok {
				p.since = t.Time
			}
			if e.component != nil && p.identify(e, item) {
				reaches, known := e.value(e.reaches, facts, item).(types.Bool)
				p.Local = known && !bool(reaches)
				found.Parts = append(found.Parts, p)
			}
			if i < maxShownItems {
				for _, path := range e.show {
					p.add(facts, item, path)
				}
				found.shown = append(found.shown, p)
			}
		}
	}
	found.gather()
	return found
}

// identify notes what a part is, of an element or of a name in a list.
func (p *Part) identify(e *evidence, item ref.Val) bool {
	switch item := item.(type) {
	case *node:
		p.of, p.path, p.wholes = item.message.Descriptor().FullName(), item.path(), wholesOf(item.message)
	case types.String:
		last := e.each[len(e.each)-1]
		p.of, p.path = last.FullName(), string(last.Name())+"["+string(item)+"]"
		for _, row := range wholes[p.of] {
			p.wholes = row.add(p.wholes, string(item))
		}
	default:
		return false // it stands for the whole snapshot
	}
	return true
}

// Without is the finding about its other parts only: these have another cause.
func (found Finding) Without(parts []*Part) Finding {
	gone := func(p *Part) bool { return slices.Contains(parts, p) }
	found.Parts = slices.DeleteFunc(slices.Clone(found.Parts), gone)
	found.shown = slices.DeleteFunc(slices.Clone(found.shown), gone)
	found.gather()
	return found
}

// gather sums up what is shown.
func (found *Finding) gather() {
	var components, brands []string
	found.Evidence, found.Since = nil, time.Time{}
	for _, p := range found.shown {
		components, brands = append(components, p.name), append(brands, p.brand)
		if found.Since.IsZero() {
			found.Since = p.since
		}
		for _, line := range p.evidence {
			if len(found.Evidence) < maxEvidence && !slices.ContainsFunc(found.Evidence, func(have *constatv1.Evidence) bool { return have.Fact == line.Fact }) {
				found.Evidence = append(found.Evidence, line)
			}
		}
	}
	found.Component, found.Brand = enumerate(components), enumerate(brands)
}

// look evaluates the rule of every view that was asked for; one that is true
// suffices.
func (found *Finding) look(views []view, facts *Facts) {
	found.Unasked = true
	var lacking []string // by what was asked, and of what was not
	for _, v := range views {
		if i := slices.IndexFunc(v.needs, facts.unasked); i >= 0 {
			lacking = append(lacking, v.needs[i])
			continue
		}
		truth, missing := v.rule.truth(facts)
		if found.Unasked {
			found.Unasked, found.Truth = false, False
		}
		switch truth {
		case True:
			found.Truth, found.Missing = True, nil
			return
		case Unknown:
			found.Truth, found.Missing = Unknown, append(found.Missing, missing...)
		}
	}
	if found.Unasked {
		found.Missing = lacking
	}
	slices.Sort(found.Missing)
	found.Missing = slices.Compact(found.Missing)
}

// items are the elements that the evidence is about; without a list, one item
// that stands for the whole snapshot.
func (e *evidence) items(facts *Facts) []ref.Val {
	if e.each == nil {
		if e.where != nil {
			if t, _ := e.where.truth(facts); t != True {
				return nil
			}
		}
		return []ref.Val{nil}
	}
	var chosen []ref.Val
	for _, v := range walk(facts.root(e.each[0]), e.each[1:]) {
		switch v.(type) {
		case *node, types.String:
		default:
			continue
		}
		if e.where != nil {
			if t, _ := e.where.truth(scope{facts, v}); t != True {
				continue
			}
		}
		if chosen = append(chosen, v); len(chosen) == maxParts {
			break
		}
	}
	return chosen
}

func (e *evidence) value(x *expression, facts *Facts, item ref.Val) ref.Val {
	switch {
	case x == nil:
		return nil
	case item == nil:
		return x.eval(facts)
	default:
		return x.eval(scope{facts, item})
	}
}

func (e *evidence) name(x *expression, facts *Facts, item ref.Val) string {
	s, _ := e.value(x, facts, item).(types.String)
	return Clip(string(s))
}

// add shows the facts at the end of a path, from an element or a group on.
func (p *Part) add(facts *Facts, item ref.Val, path []protoreflect.FieldDescriptor) {
	if item == nil {
		item, path = facts.root(path[0]), path[1:]
	}
	last := len(path) - 1
	for _, v := range walk(item, path[:last]) {
		n, ok := v.(*node)
		if !ok || len(p.evidence) == maxEvidence {
			continue
		}
		shown, known := show(n.get(path[last]))
		if !known {
			continue
		}
		group := n.root().label
		o := facts.Observation(group)
		at := o.GetAt()
		if at == nil {
			at = facts.snapshot.GetManifest().GetTakenAt()
		}
		line := &constatv1.Evidence{
			Fact: n.path() + "." + string(path[last].Name()), Value: shown, Source: o.GetSource(), At: valid(at),
		}
		p.evidence = append(p.evidence, line)
	}
}

// valid drops a time that no clock can show: a snapshot comes from outside.
func valid(t *timestamppb.Timestamp) *timestamppb.Timestamp {
	if t.CheckValid() != nil {
		return nil
	}
	return t
}

// show writes a value down; unknown values are not shown.
func show(v ref.Val) (string, bool) {
	list, ok := v.(traits.Lister)
	if !ok {
		if types.IsUnknownOrError(v) {
			return "", false
		}
		return Clip(text(v)), true
	}
	var parts []string
	for it := list.Iterator(); it.HasNext() == types.True && len(parts) < maxComponents*2; {
		if e := it.Next(); !types.IsUnknownOrError(e) {
			part := text(e)
			if n, ok := e.(*node); ok {
				part = strings.TrimSuffix(strings.TrimPrefix(n.label, n.plain+"["), "]") // its key
			}
			parts = append(parts, part)
		}
	}
	return Clip("[" + strings.Join(parts, ", ") + "]"), true
}

// root is a group's node, or unknown.
func (f *Facts) root(group protoreflect.FieldDescriptor) ref.Val {
	v, _ := f.ResolveName(string(group.Name()))
	return v.(ref.Val)
}

// walk follows fields from a value on, into every element of the lists on the
// way. Unknown ends of the way are left out.
func walk(from ref.Val, path []protoreflect.FieldDescriptor) []ref.Val {
	here := []ref.Val{from}
	for _, fd := range path {
		var next []ref.Val
		for _, v := range here {
			n, ok := v.(*node)
			if !ok {
				continue
			}
			v := n.get(fd)
			list, ok := v.(traits.Lister)
			if !ok {
				next = append(next, v)
				continue
			}
			for it := list.Iterator(); it.HasNext() == types.True && len(next) < maxElements; {
				next = append(next, it.Next())
			}
		}
		here = next
	}
	return here
}

// enumerate joins the different names, at most three of them.
func enumerate(names []string) string {
	var kept []string
	for _, n := range names {
		if n != "" && !slices.Contains(kept, n) && len(kept) < maxComponents {
			kept = append(kept, n)
		}
	}
	return strings.Join(kept, ", ")
}

// Clip keeps a text from outside short and printable, on one line.
func Clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if runes := []rune(s); len(runes) > maxValueRunes {
		return string(runes[:maxValueRunes-1]) + "…"
	}
	return s
}
