package fault

import (
	_ "embed"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	constatv1 "constat/proto/constat/v1"
)

// Catalog is a set of faults that was checked together.
type Catalog struct {
	faults  []*Fault
	byID    map[string]*Fault
	terms   map[string]*expression
	version string
}

//go:generate go test ./compile -run TestBuiltinIsWhatIsWritten -update

// compiled is what package compile made of catalog/*.yaml.
//
//go:embed catalog.pb.zst
var compiled []byte

// Builtin is the catalog in the binary, the same one at each call.
func Builtin() (*Catalog, error) { return builtin() }

var builtin = sync.OnceValues(openBuiltin)

func openBuiltin() (*Catalog, error) {
	c, err := Compiled()
	if err != nil {
		return nil, err
	}
	return Open(c)
}

// Compiled is the catalog in the binary with its rules as trees, for who shows
// them to people.
func Compiled() (*constatv1.Catalog, error) {
	c := &constatv1.Catalog{}
	if err := Unpack(compiled, c); err != nil {
		return nil, fmt.Errorf("reading the catalog in this program: %w", err)
	}
	return c, nil
}

// Unpack reads a message that a program carries, as compile.Pack made it.
func Unpack(packed []byte, into proto.Message) error {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	if err != nil {
		return err
	}
	defer d.Close()
	content, err := d.DecodeAll(packed, nil)
	if err != nil {
		return err
	}
	return proto.Unmarshal(content, into)
}

// Open makes a compiled catalog ready to judge with. Its rules are planned when
// they are first asked: an agent that starts must not pay for those it does not
// ask, and one whose fact or function this program does not know is unknown.
func Open(compiled *constatv1.Catalog) (*Catalog, error) {
	c := &Catalog{version: compiled.GetVersion(), byID: map[string]*Fault{}, terms: map[string]*expression{}}
	for _, t := range compiled.GetTerms() {
		if rule := newExpression(t.GetRule()); rule != nil {
			c.terms[t.GetName()] = rule
		}
	}
	for _, entry := range compiled.GetFaults() {
		f, err := open(entry)
		if err != nil {
			return nil, fmt.Errorf("fault %s: %w", entry.GetId(), err)
		}
		c.faults = append(c.faults, f)
		c.byID[f.ID] = f
	}
	sort.Slice(c.faults, func(i, j int) bool { return c.faults[i].ID < c.faults[j].ID })
	return c, nil
}

// Faults lists all faults, sorted by id.
func (c *Catalog) Faults() []*Fault { return c.faults }

// Lookup finds a fault by id; nil when there is none.
func (c *Catalog) Lookup(id string) *Fault { return c.byID[id] }

// HasTerm tells whether the catalog names a condition so.
func (c *Catalog) HasTerm(name string) bool { return c.terms[name] != nil }

// Version names the content: two catalogs with one version judge alike.
func (c *Catalog) Version() string { return c.version }

func open(e *constatv1.Catalog_Fault) (*Fault, error) {
	f := &Fault{
		ID: e.GetId(), Domain: e.GetDomain(), Urgency: e.GetUrgency(),
		Title: textOf(e.GetTitle()), Explanation: textOf(e.GetExplanation()),
		User: textOf(e.GetUser()), Technician: textOf(e.GetTechnician()),
		Explains: e.GetExplains(), Remedies: e.GetRemedies(), ByChoice: e.GetByChoice(), Wide: e.GetWide(), Logged: e.GetLogged(), Source: e.GetSource(),
		decisive: newExpression(e.GetDecisive()), contradicted: newExpression(e.GetContradicted()),
	}
	if f.decisive == nil || len(e.GetViews()) == 0 {
		return nil, errors.New("expected a rule and what is decisive")
	}
	needed := map[string]bool{}
	for _, v := range e.GetViews() {
		if len(v.GetRule()) == 0 {
			return nil, errors.New("expected a rule in every view")
		}
		f.views = append(f.views, view{needs: v.GetNeeds(), rule: newExpression(v.GetRule())})
		for _, group := range v.GetNeeds() {
			if !needed[group] {
				needed[group] = true
				f.Needs = append(f.Needs, group)
			}
		}
	}
	for _, l := range e.GetLookAlikes() {
		f.LookAlikes = append(f.LookAlikes, LookAlike{Fault: l.GetFault(), Check: textOf(l.GetCheck())})
	}
	for _, line := range e.GetEvidence() {
		ev, err := openLine(line)
		if err != nil {
			return nil, err
		}
		f.evidence = append(f.evidence, ev)
	}
	return f, nil
}

func textOf(t *constatv1.Catalog_Text) Text { return Text{EN: t.GetEn(), FR: t.GetFr()} }

func openLine(line *constatv1.Catalog_Line) (*evidence, error) {
	e := &evidence{
		where: newExpression(line.GetWhere()), component: newExpression(line.GetComponent()),
		brand: newExpression(line.GetBrand()), since: newExpression(line.GetSince()), reaches: newExpression(line.GetReaches()),
	}
	fields := snapshotFields
	if line.GetEach() != "" {
		var err error
		if e.each, err = Path(fields, line.GetEach()); err != nil {
			return nil, err
		}
		last := e.each[len(e.each)-1]
		switch {
		case last.Message() != nil:
			fields = last.Message().Fields()
		case last.IsList() && last.Kind() == protoreflect.StringKind:
			fields = nil
		default:
			return nil, fmt.Errorf("%s holds no messages and no names", line.GetEach())
		}
	}
	for _, path := range line.GetShow() {
		way, err := Path(fields, path)
		if err != nil {
			return nil, err
		}
		e.show = append(e.show, way)
	}
	return e, nil
}

// Path finds the fields of a dotted path, from the fields of a message on. The
// error says what would have been right.
func Path(fields protoreflect.FieldDescriptors, path string) ([]protoreflect.FieldDescriptor, error) {
	var way []protoreflect.FieldDescriptor
	for part := range strings.SplitSeq(path, ".") {
		var fd protoreflect.FieldDescriptor
		if fields != nil {
			fd = fields.ByName(protoreflect.Name(part))
		}
		if fd == nil {
			return nil, fmt.Errorf("unknown fact %q in %q; expected one of %s", part, path, fieldNames(fields))
		}
		way = append(way, fd)
		fields = nil
		if fd.Message() != nil && fd.Message().FullName() != timestampName {
			fields = fd.Message().Fields()
		}
	}
	return way, nil
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
