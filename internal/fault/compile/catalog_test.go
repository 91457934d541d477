package compile

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"google.golang.org/protobuf/proto"

	"constat/internal/fault"
	"constat/internal/fault/fixture"
	constatv1 "constat/proto/constat/v1"
)

// written is the catalog as people write it, embedded what programs carry.
const (
	writtenDir   = "../catalog"
	embeddedFile = "../catalog.pb.zst"
	fixtures     = "../testdata"
)

var update = flag.Bool("update", false, "write the catalog that programs carry anew")

// A change of catalog/*.yaml is nothing before it was compiled.
func TestBuiltinIsWhatIsWritten(t *testing.T) {
	want, err := Compile(os.DirFS(writtenDir))
	if err != nil {
		t.Fatal(err)
	}
	// Compared as messages: another version may compress in another way.
	if have, err := unpacked(embeddedFile); err == nil && proto.Equal(have, want) {
		return
	}
	if !*update {
		t.Fatalf("the compiled catalog is not what catalog/*.yaml says; run: go generate ./internal/fault")
	}
	packed, err := Pack(want)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(embeddedFile, packed, 0o644); err != nil {
		t.Fatal(err)
	}
}

func unpacked(name string) (*constatv1.Catalog, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	c := &constatv1.Catalog{}
	return c, fault.Unpack(content, c)
}

func load(t testing.TB) *fault.Catalog {
	t.Helper()
	c, err := Load(os.DirFS(writtenDir))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What programs carry and what was read from YAML judge every fixture alike.
func TestBothFormsJudgeAlike(t *testing.T) {
	builtin, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	read := load(t)
	if len(builtin.Faults()) != len(read.Faults()) || builtin.Version() != read.Version() {
		t.Fatalf("%d faults of %s, %d of %s", len(builtin.Faults()), builtin.Version(), len(read.Faults()), read.Version())
	}
	for _, k := range cases(t) {
		one, other := builtin.Facts(k.Snapshot, fixture.Now), read.Facts(k.Snapshot, fixture.Now)
		for _, f := range read.Faults() {
			a, b := builtin.Lookup(f.ID).Judge(one), f.Judge(other)
			if !reflect.DeepEqual(a, b) {
				t.Errorf("%s, %s: %v, read from YAML %v", k.Name, f.ID, a, b)
			}
		}
	}
}

// cases are the fixtures of all faults.
func cases(t *testing.T) []*fixture.Case {
	t.Helper()
	all, err := everyCase()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var everyCase = sync.OnceValues(func() ([]*fixture.Case, error) {
	ids, err := fixture.Faults(fixtures)
	if err != nil {
		return nil, err
	}
	var all []*fixture.Case
	for _, id := range ids {
		these, err := fixture.Cases(fixtures, id)
		if err != nil {
			return nil, err
		}
		all = append(all, these...)
	}
	return all, nil
})

// Our evaluator gives what CEL's own gives, for every rule and every fixture:
// the same values, the same missing facts.
func TestEvaluationIsCELs(t *testing.T) {
	r, err := read(os.DirFS(writtenDir))
	if err != nil {
		t.Fatal(err)
	}
	r.check()
	env := &environment{}
	for _, term := range r.catalog.Terms {
		env.terms = append(env.terms, term.Name)
	}
	theirs := map[string]cel.Program{}
	for i, e := range slices.Concat(r.terms, r.rules) {
		if e.item != nil || e.variety != cel.BoolType {
			continue
		}
		checked, err := env.compile(e.text, e.variety, nil)
		if err != nil {
			t.Fatal(err)
		}
		program, err := env.base.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(fault.MaxCost))
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprint("rule ", i)
		r.catalog.Terms = append(r.catalog.Terms, &constatv1.Catalog_Term{Name: name, Rule: *e.into})
		theirs[name] = program
	}
	c, err := fault.Open(r.catalog)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range cases(t) {
		facts := c.Facts(k.Snapshot, fixture.Now)
		for name, program := range theirs {
			ours, missing := facts.Term(name)
			want, lacking := outcome(program, facts)
			if ours != want || !slices.Equal(missing, lacking) {
				t.Errorf("%s, %s: %v, missing %v; CEL says %v, missing %v", k.Name, name, ours, missing, want, lacking)
			}
		}
	}
}

func outcome(program cel.Program, facts *fault.Facts) (fault.Truth, []string) {
	v, _, err := program.Eval(facts)
	if err != nil {
		return fault.Unknown, []string{"(" + err.Error() + ")"}
	}
	switch v := v.(type) {
	case types.Bool:
		return map[bool]fault.Truth{true: fault.True, false: fault.False}[bool(v)], nil
	case *types.Unknown:
		var missing []string
		for _, id := range v.IDs() {
			trails, _ := v.GetAttributeTrails(id)
			for _, trail := range trails {
				missing = append(missing, trail.Variable())
			}
		}
		slices.Sort(missing)
		return fault.Unknown, slices.Compact(missing)
	}
	return fault.Unknown, nil
}

// A collector judges many snapshots at once, and the first of them plan the
// rules: the race detector watches.
func TestCatalogIsSharedByGoroutines(t *testing.T) {
	c := load(t) // nothing is planned yet
	world, err := fixture.World(fixtures)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			facts := c.Facts(world, time.Time{})
			for _, f := range c.Faults() {
				f.Judge(facts)
			}
			facts.Term("addresses_work")
		})
	}
	wg.Wait()
}

// What a collector pays for an upload.
func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		load(b)
	}
}
