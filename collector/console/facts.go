package console

import (
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// factGroup is one group of a snapshot, ready to be read.
type factGroup struct {
	Name        string
	Observation *constatv1.Observation
	Observed    bool
	// Open: shown unfolded from the start.
	Open  bool
	Facts facts
}

// facts are those of one message: single values, then messages inside it, then
// lists. Unknown names what could have been there and was not read.
type facts struct {
	Pairs    []pair
	Sections []section
	Lists    []list
	Unknown  string
}

// pair is one fact.
type pair struct{ Label, Value string }

// section is a message inside a message.
type section struct {
	Label string
	Facts facts
}

// list is many of a kind: a table where each is flat, else one record each.
type list struct {
	Label   string
	Count   int
	Columns []string
	Rows    [][]string
	Records []section
	// Unknown names the facts that are known of none of them.
	Unknown string
}

// openGroups are shown unfolded: what a technician looks for first.
var openGroups = map[string]bool{"host": true, "hardware": true}

// maxColumns is how wide a table may be before records read better.
const maxColumns = 8

// nameFields tell one thing of a list from the others, best first; stateFields
// say in a word how it is.
var (
	nameFields  = []protoreflect.Name{"name", "link", "mount_point", "address", "server", "hostname", "locator", "disk", "path", "program", "user", "url", "destination", "cidr", "model", "kind", "id"}
	stateFields = []protoreflect.Name{"oper_status", "state", "result", "neighbour", "status"}
)

const timestampName = protoreflect.FullName("google.protobuf.Timestamp")

// factGroups renders a snapshot, group by group as its manifest lists them. It
// knows no group by name: what the schema gains shows by itself.
func (s *speech) factGroups(snapshot *constatv1.Snapshot) []factGroup {
	fields := snapshot.ProtoReflect().Descriptor().Fields()
	var groups []factGroup
	for _, entry := range snapshot.GetManifest().GetGroups() {
		group := factGroup{Name: entry.GetGroup(), Observation: entry.GetObservation(), Open: openGroups[entry.GetGroup()]}
		field := fields.ByName(protoreflect.Name(entry.GetGroup()))
		if field != nil && field.Message() != nil && snapshot.ProtoReflect().Has(field) {
			group.Observed = true
			group.Facts = s.facts(snapshot.ProtoReflect().Get(field).Message())
		}
		groups = append(groups, group)
	}
	return groups
}

// facts renders one message.
func (s *speech) facts(m protoreflect.Message) facts {
	var f facts
	var unknown []string
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		label := s.label(string(field.Name()))
		switch {
		case field.IsList() && isFacts(field):
			if many := m.Get(field).List(); many.Len() > 0 {
				f.Lists = append(f.Lists, s.list(label, many))
			}
		case !m.Has(field) && field.IsList():
			// An empty list may be none or unknown; gaps say which.
		case !m.Has(field):
			unknown = append(unknown, label)
		case isFacts(field):
			f.Sections = append(f.Sections, section{Label: label, Facts: s.facts(m.Get(field).Message())})
		default:
			f.Pairs = append(f.Pairs, pair{Label: label, Value: s.value(m, field)})
		}
	}
	f.Unknown = strings.Join(unknown, ", ")
	return f
}

// isFacts tells a message of facts from a value.
func isFacts(field protoreflect.FieldDescriptor) bool {
	return field.Message() != nil && field.Message().FullName() != timestampName
}

// list renders like things: as a table of what is known of any of them, or as
// records where they hold more than a line can.
func (s *speech) list(label string, many protoreflect.List) list {
	l := list{Label: label, Count: many.Len()}
	fields := many.Get(0).Message().Descriptor().Fields()
	var columns []protoreflect.FieldDescriptor
	var unknown []string
	nested := false
	for i := range fields.Len() {
		field := fields.Get(i)
		known := false
		for j := range many.Len() {
			known = known || many.Get(j).Message().Has(field)
		}
		switch {
		case known && isFacts(field):
			nested = true
		case known:
			columns = append(columns, field)
		case !field.IsList() && !isFacts(field):
			unknown = append(unknown, s.label(string(field.Name())))
		}
	}
	if nested || len(columns) > maxColumns {
		for j := range many.Len() {
			m := many.Get(j).Message()
			l.Records = append(l.Records, section{Label: s.nameOf(m), Facts: s.facts(m)})
		}
		return l
	}
	for _, field := range columns {
		l.Columns = append(l.Columns, s.label(string(field.Name())))
	}
	for j := range many.Len() {
		m := many.Get(j).Message()
		var row []string
		for _, field := range columns {
			row = append(row, s.value(m, field))
		}
		l.Rows = append(l.Rows, row)
	}
	l.Unknown = strings.Join(unknown, ", ")
	return l
}

// nameOf is the line that stands for one thing of a list: its name and state.
func (s *speech) nameOf(m protoreflect.Message) string {
	var words []string
	for _, names := range [][]protoreflect.Name{nameFields, stateFields} {
		for _, name := range names {
			field := m.Descriptor().Fields().ByName(name)
			if field != nil && !isFacts(field) && m.Has(field) && s.value(m, field) != "" {
				words = append(words, s.value(m, field))
				break
			}
		}
	}
	if len(words) == 0 {
		return s.say("facts.notKnown")
	}
	return strings.Join(words, " · ")
}

// value writes a fact with its unit; "" when it is not set.
func (s *speech) value(m protoreflect.Message, field protoreflect.FieldDescriptor) string {
	if !m.Has(field) {
		return ""
	}
	if !field.IsList() {
		return s.scalar(field, m.Get(field))
	}
	var words []string
	for i := range m.Get(field).List().Len() {
		words = append(words, s.scalar(field, m.Get(field).List().Get(i)))
	}
	return strings.Join(words, ", ")
}

func (s *speech) scalar(field protoreflect.FieldDescriptor, v protoreflect.Value) string {
	unit := unitOf(string(field.Name()))
	switch field.Kind() {
	case protoreflect.BoolKind:
		return s.yesNo(v.Bool())
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		return s.quantity(unit, float64(v.Int()))
	case protoreflect.DoubleKind:
		return s.quantity(unit, v.Float())
	case protoreflect.MessageKind:
		t := &timestamppb.Timestamp{}
		proto.Merge(t, v.Message().Interface())
		return localTime(t.AsTime())
	case protoreflect.StringKind:
		if v.String() == "" {
			return s.say("facts.none")
		}
		return v.String()
	default:
		return v.String()
	}
}

func (s *speech) yesNo(b bool) string {
	if b {
		return s.say("facts.yes")
	}
	return s.say("facts.no")
}

func localTime(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

// factLabel words a fact's path as rules write it: "probes.dns[192.0.2.53].rcode"
// is "DNS question 192.0.2.53 › Answer code".
func (s *speech) factLabel(path string) string {
	segments := splitPath(path)
	if len(segments) > 1 && segments[0].key == "" && s.word("group", segments[0].name) != segments[0].name {
		segments = segments[1:]
	}
	words := make([]string, len(segments))
	for i, segment := range segments {
		words[i] = s.label(segment.name)
		if segment.key != "" {
			words[i] = s.elementLabel(segment.name) + " " + segment.key
		}
	}
	return strings.Join(words, " › ")
}

// factValue words a fact's value as it stands in evidence, where everything is
// text.
func (s *speech) factValue(path, value string) string {
	segments := splitPath(path)
	unit := unitOf(segments[len(segments)-1].name)
	if v, err := strconv.ParseFloat(value, 64); err == nil && unit != "" {
		return s.quantity(unit, v)
	}
	if b, err := strconv.ParseBool(value); err == nil && len(value) > 1 {
		return s.yesNo(b)
	}
	if t, err := time.Parse(time.RFC3339Nano, value); err == nil {
		return localTime(t)
	}
	return value
}

// changeLabel words what a change is about: its group, its owner, its fact.
func (s *speech) changeLabel(c *constatv1.Change) string {
	label := s.word("group", c.GetGroup())
	if c.GetOwner() != "" && !strings.Contains(c.GetFact(), c.GetOwner()) {
		label += " › " + c.GetOwner()
	}
	if fact := s.factLabel(c.GetFact()); fact != "" && fact != label {
		label += " › " + fact
	}
	return label
}

// pathSegment is one step of a fact's path, with the key of a list's element.
type pathSegment struct{ name, key string }

// splitPath cuts a path at the dots outside of brackets. A key ends at the
// bracket that a dot or the end follows: "tcp[[2001:db8::1]:443].result". A path
// that breaks the rules is cut as far as it keeps them; the result is never
// empty.
func splitPath(path string) []pathSegment {
	var segments []pathSegment
	for {
		var segment pathSegment
		end := strings.IndexAny(path, ".[")
		if end < 0 {
			return append(segments, pathSegment{name: path})
		}
		segment.name = path[:end]
		rest := path[end:]
		if rest[0] == '[' {
			closing := strings.Index(rest, "].")
			if closing < 0 && strings.HasSuffix(rest, "]") {
				closing = len(rest) - 1
			}
			if closing < 0 {
				return append(segments, pathSegment{name: path})
			}
			segment.key, rest = strings.Trim(rest[1:closing], `"'`), rest[closing+1:]
		}
		segments = append(segments, segment)
		rest, more := strings.CutPrefix(rest, ".")
		if !more {
			return segments
		}
		path = rest
	}
}
