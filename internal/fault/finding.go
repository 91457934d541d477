package fault

import (
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
	maxShownItems = 4
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
}

// evidence is one line of an entry's proof: which facts to show, of which
// elements of a list.
type evidence struct {
	each  []protoreflect.FieldDescriptor // way to the list; nil: show counts from the snapshot
	where *expression                    // condition on `it`, or without a list on the snapshot; nil: always
	show  [][]protoreflect.FieldDescriptor
	// Expressions on `it`, nil where the entry has none.
	component, brand, since *expression
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
	var components, brands []string
	for _, e := range f.evidence {
		for _, item := range e.items(facts) {
			for _, path := range e.show {
				found.add(facts, item, path)
			}
			components = append(components, e.name(e.component, facts, item))
			brands = append(brands, e.name(e.brand, facts, item))
			if t, ok := e.value(e.since, facts, item).(types.Timestamp); ok && found.Since.IsZero() {
				found.Since = t.Time
			}
		}
	}
	found.Component, found.Brand = enumerate(components), enumerate(brands)
	return found
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
		if _, known := v.(*node); !known {
			continue
		}
		if e.where != nil {
			if t, _ := e.where.truth(scope{facts, v}); t != True {
				continue
			}
		}
		if chosen = append(chosen, v); len(chosen) == maxShownItems {
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
	return clip(string(s))
}

// add shows the facts at the end of a path, from an element or a group on.
func (found *Finding) add(facts *Facts, item ref.Val, path []protoreflect.FieldDescriptor) {
	if item == nil {
		item, path = facts.root(path[0]), path[1:]
	}
	last := len(path) - 1
	for _, v := range walk(item, path[:last]) {
		n, ok := v.(*node)
		if !ok || len(found.Evidence) == maxEvidence {
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
		if !slices.ContainsFunc(found.Evidence, func(have *constatv1.Evidence) bool { return have.Fact == line.Fact }) {
			found.Evidence = append(found.Evidence, line)
		}
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
		return clip(text(v)), true
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
	return clip("[" + strings.Join(parts, ", ") + "]"), true
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

// clip keeps a text from outside short and printable, on one line.
func clip(s string) string {
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
