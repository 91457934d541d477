package fault

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// maxElements bounds every list of a snapshot. What lies beyond it counts as
// unknown, so a hostile snapshot of a million links costs no more than this. A
// stack of nine switches has some 500 ports.
const maxElements = 640

// Facts is a snapshot as rules see it: groups by name, every fact with its
// path, and what is not known as unknown instead of zero.
//
// It keeps what it has read, so that many faults can be judged cheaply, and is
// therefore for one goroutine at a time.
type Facts struct {
	snapshot     *constatv1.Snapshot
	now          time.Time
	observations map[string]*constatv1.Observation
	groups       map[string]ref.Val
	terms        map[string]ref.Val
	catalog      *Catalog
	unknowns     map[string]*types.Unknown
	gearAlone    *bool // once it was asked
}

// Facts makes a snapshot readable for the rules of c. Rules that compare times
// take now as the present.
func (c *Catalog) Facts(s *constatv1.Snapshot, now time.Time) *Facts {
	f := &Facts{
		snapshot:     s,
		now:          now,
		catalog:      c,
		observations: map[string]*constatv1.Observation{},
		groups:       map[string]ref.Val{},
		terms:        map[string]ref.Val{},
		unknowns:     map[string]*types.Unknown{},
	}
	for _, g := range s.GetManifest().GetGroups() {
		if g.GetObservation() != nil {
			f.observations[g.GetGroup()] = g.GetObservation()
		}
	}
	return f
}

// Observed tells whether the group's payload is there.
func (f *Facts) Observed(group string) bool {
	fd := snapshotFields.ByName(protoreflect.Name(group))
	return fd != nil && f.snapshot.ProtoReflect().Has(fd)
}

// Observation is how a group was obtained; nil when it was not asked for.
func (f *Facts) Observation(group string) *constatv1.Observation { return f.observations[group] }

// collectorGroups are what only a collector adds to a snapshot. An agent's own
// has none of them, and that is no gap of it.
var collectorGroups = []string{"attachment", "fleet", "gear", "polled"}

// unasked tells that nobody looked for the group: it is the collector's, and no
// collector did, or an agent's, and the snapshot is of gear, which has no agent.
func (f *Facts) unasked(group string) bool {
	return !f.known(group) && (slices.Contains(collectorGroups, group) || f.ofGear())
}

// known tells that the group was asked for.
func (f *Facts) known(group string) bool { return f.observations[group] != nil || f.Observed(group) }

// ofGear tells that the snapshot is a poll of a device, with nothing of a computer.
func (f *Facts) ofGear() bool {
	if f.gearAlone == nil {
		alone := f.known("gear")
		for i := range snapshotFields.Len() {
			name := string(snapshotFields.Get(i).Name())
			alone = alone && (name == "manifest" || slices.Contains(collectorGroups, name) || !f.known(name))
		}
		f.gearAlone = &alone
	}
	return *f.gearAlone
}

// ResolveName gives CEL a variable: a group, a term of the catalog, or now.
func (f *Facts) ResolveName(name string) (any, bool) {
	if v, ok := f.groups[name]; ok {
		return v, true
	}
	if fd := snapshotFields.ByName(protoreflect.Name(name)); fd != nil {
		v := f.group(fd)
		f.groups[name] = v
		return v, true
	}
	if name == NowVariable {
		return types.Timestamp{Time: f.now}, true
	}
	if v, ok := f.terms[name]; ok {
		return v, true
	}
	if t, ok := f.catalog.terms[name]; ok {
		f.terms[name] = f.unknown("(term " + name + " asks itself)") // until it is known
		v := t.eval(f)
		f.terms[name] = v
		return v, true
	}
	return nil, false
}

// Term evaluates a condition that the catalog names (terms.yaml), and lists the
// facts it misses when it is unknown, sorted.
func (f *Facts) Term(name string) (Truth, []string) {
	if v, ok := f.ResolveName(name); ok && f.terms[name] != nil {
		return truthOf(v.(ref.Val))
	}
	return Unknown, []string{"(no term " + name + ")"}
}

// Parent ends CEL's search for variables here.
func (f *Facts) Parent() interpreter.Activation { return nil }

func (f *Facts) group(fd protoreflect.FieldDescriptor) ref.Val {
	name := string(fd.Name())
	m := f.snapshot.ProtoReflect()
	if !m.Has(fd) {
		return f.unknown(name)
	}
	n := &node{facts: f, label: name, message: m.Get(fd).Message()}
	for _, g := range f.observations[name].GetGaps() {
		n.gaps = append(n.gaps, g.GetFact())
	}
	return n
}

// unknown is the value of a fact that is not known. It carries the fact's path
// through every operator that can't do without it.
func (f *Facts) unknown(path string) ref.Val {
	u, ok := f.unknowns[path]
	if !ok {
		u = types.NewUnknown(int64(len(f.unknowns)+1), types.NewAttributeTrail(path))
		f.unknowns[path] = u
	}
	return u
}

// node is a message of a snapshot with the way that leads to it.
type node struct {
	facts   *Facts
	parent  *node
	label   string // as it stands in the path: "network", "links[eth0]"
	plain   string // the same without the key: "links"
	message protoreflect.Message
	gaps    []string // of the group; only at its root
	fields  map[protoreflect.FieldNumber]ref.Val
}

// path is the fact's name as evidence shows it: "network.links[eth0]".
func (n *node) path() string {
	if n.parent == nil {
		return n.label
	}
	return n.parent.path() + "." + n.label
}

// within is the path inside the group, with and without the keys of lists.
func (n *node) within() (keyed, plain string) {
	if n.parent == nil {
		return "", ""
	}
	keyed, plain = n.parent.within()
	return join(keyed, n.label), join(plain, n.plain)
}

func (n *node) root() *node {
	for n.parent != nil {
		n = n.parent
	}
	return n
}

// gap tells whether the observation says that this field could not be read
// (fully).
func (n *node) gap(field string) bool {
	gaps := n.root().gaps
	if len(gaps) == 0 {
		return false
	}
	keyed, plain := n.within()
	for _, g := range gaps {
		for _, p := range [2]string{join(keyed, field), join(plain, field)} {
			if p == g || strings.HasPrefix(p, g+".") || strings.HasPrefix(p, g+"[") {
				return true
			}
		}
	}
	return false
}

// get reads a field: its value, a node, a list, or unknown.
func (n *node) get(fd protoreflect.FieldDescriptor) ref.Val {
	if v, ok := n.fields[fd.Number()]; ok {
		return v
	}
	v := n.read(fd)
	if n.fields == nil {
		n.fields = map[protoreflect.FieldNumber]ref.Val{}
	}
	n.fields[fd.Number()] = v
	return v
}

func (n *node) read(fd protoreflect.FieldDescriptor) ref.Val {
	name := string(fd.Name())
	if fd.IsList() {
		return n.list(fd)
	}
	if !n.message.Has(fd) {
		return n.facts.unknown(n.path() + "." + name)
	}
	if fd.Kind() == protoreflect.MessageKind && fd.Message().FullName() != timestampName {
		return &node{facts: n.facts, parent: n, label: name, plain: name, message: n.message.Get(fd).Message()}
	}
	return literal(fd, n.message.Get(fd))
}

// list is a repeated field. Where the reader says that it could not read it to
// the end, one unknown element stands for the rest: `exists` is then true or
// unknown, `all` false or unknown.
func (n *node) list(fd protoreflect.FieldDescriptor) ref.Val {
	name := string(fd.Name())
	list := n.message.Get(fd).List()
	partial := n.gap(name)
	if partial && list.Len() == 0 {
		return n.facts.unknown(n.path() + "." + name)
	}
	count := min(list.Len(), maxElements)
	values := make([]ref.Val, 0, count+1)
	for i := range count {
		if fd.Kind() != protoreflect.MessageKind {
			values = append(values, literal(fd, list.Get(i)))
			continue
		}
		m := list.Get(i).Message()
		values = append(values, &node{
			facts: n.facts, parent: n, label: name + "[" + Clip(keyOf(m, i)) + "]", plain: name, message: m,
		})
	}
	if partial || count < list.Len() {
		values = append(values, n.facts.unknown(n.path()+"."+name))
	}
	return types.NewRefValList(types.DefaultTypeAdapter, values)
}

// has tells whether a field is known: set, and for lists not empty.
func (n *node) has(fd protoreflect.FieldDescriptor) bool { return n.message.Has(fd) }

// keyFields tell the elements of a list apart, where one field of the general
// list below does not.
var keyFields = map[protoreflect.FullName][]protoreflect.Name{
	"constat.v1.DnsProbe":      {"server", "name", "type"},
	"constat.v1.TlsProbe":      {"address", "server_name"},
	"constat.v1.Route":         {"destination", "link"},
	"constat.v1.UsbInterface":  {"number"},
	"constat.v1.UsbDevice":     {"path"},
	"constat.v1.Job":           {"id"},
	"constat.v1.BusDevice":     {"address"},
	"constat.v1.GearNeighbour": {"remote_system", "remote_port"},
	"constat.v1.Forwarding":    {"mac", "vlan"},
	"constat.v1.StackMember":   {"number"},
	"constat.v1.MemoryPool":    {"pool"},
	"constat.v1.GearEvent":     {"mnemonic"},
	"constat.v1.SharedFinding": {"fault", "scope_id"},
	"constat.v1.Attachment":    {"printer_id"},
}

// generalKeys are tried in this order on every other message.
var generalKeys = []protoreflect.Name{
	"name", "path", "mount_point", "id", "address", "cidr", "locator", "connector", "destination", "link", "disk", "user", "program", "server", "target", "kind",
}

// keyOf names an element of a list within it; without a key of its own it is
// its position.
func keyOf(m protoreflect.Message, position int) string {
	fields := m.Descriptor().Fields()
	var parts []string
	for _, name := range keyFields[m.Descriptor().FullName()] {
		if fd := fields.ByName(name); fd != nil && m.Has(fd) {
			parts = append(parts, text(literal(fd, m.Get(fd))))
		}
	}
	if len(parts) > 0 {
		return strings.Join(parts, " ")
	}
	for _, name := range generalKeys {
		fd := fields.ByName(name)
		if fd != nil && !fd.IsList() && fd.Kind() != protoreflect.MessageKind && m.Has(fd) {
			return text(literal(fd, m.Get(fd)))
		}
	}
	return strconv.Itoa(position)
}

// literal is a proto value in CEL's types.
func literal(fd protoreflect.FieldDescriptor, v protoreflect.Value) ref.Val {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return types.Bool(v.Bool())
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		return types.Int(v.Int())
	case protoreflect.DoubleKind:
		return types.Double(v.Float())
	case protoreflect.StringKind:
		return types.String(v.String())
	case protoreflect.BytesKind:
		return types.Bytes(v.Bytes())
	default: // timestamps; other kinds have no CEL type here, so no rule asks
		t, ok := v.Message().Interface().(*timestamppb.Timestamp)
		if !ok || t.CheckValid() != nil {
			return types.NewErr("no valid time in %s", fd.FullName())
		}
		return types.Timestamp{Time: t.AsTime()}
	}
}

// text is a value as evidence shows it, the same in every language.
func text(v ref.Val) string {
	switch v := v.(type) {
	case types.String:
		if v == "" {
			return `""`
		}
		return string(v)
	case types.Bool:
		return strconv.FormatBool(bool(v))
	case types.Int:
		return strconv.FormatInt(int64(v), 10)
	case types.Double:
		// Evidence is read by people: three decimals are plenty.
		return strconv.FormatFloat(math.Round(float64(v)*1000)/1000, 'f', -1, 64)
	case types.Timestamp:
		return v.Time.UTC().Format(time.RFC3339)
	default:
		return ""
	}
}

func join(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}

// snapshotFields are the groups a rule can name.
var snapshotFields = (*constatv1.Snapshot)(nil).ProtoReflect().Descriptor().Fields()

var timestampName = proto.MessageName((*timestamppb.Timestamp)(nil))
