package fault_test

import (
	"slices"
	"testing"

	"constat/internal/fault"
	"constat/internal/fault/fixture"
)

// expected is what the fault's own rule must say in each kind of case.
var expected = map[string]fault.Truth{
	fixture.Faulty: fault.True, fixture.Healthy: fault.False, fixture.LookAlike: fault.False, fixture.NotObserved: fault.Unknown,
}

func TestEveryFaultHasItsCases(t *testing.T) {
	c, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	have, err := fixture.Faults("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range have {
		if c.Lookup(id) == nil {
			t.Errorf("testdata/%s.txtar: no such fault in the catalog", id)
		}
	}
	for _, f := range c.Faults() {
		t.Run(f.ID, func(t *testing.T) {
			cases, err := fixture.Cases("testdata", f.ID)
			if err != nil {
				t.Fatal(err)
			}
			kinds := map[string]bool{}
			for _, k := range cases {
				kinds[k.Kind] = true
				testCase(t, c, f, k)
			}
			for kind := range expected {
				if !kinds[kind] {
					t.Errorf("%s: expected a case of the kind %s", f.ID, kind)
				}
			}
		})
	}
}

func testCase(t *testing.T, c *fault.Catalog, f *fault.Fault, k *fixture.Case) {
	found := f.Judge(c.Facts(k.Snapshot, fixture.Now))
	if want := expected[k.Kind]; found.Truth != want {
		t.Errorf("%s: the rule is %v (missing %v), want %v", k.Name, found.Truth, found.Missing, want)
	}
	if k.Missing != nil && !slices.Equal(found.Missing, k.Missing) {
		t.Errorf("%s: missing %v, want %v", k.Name, found.Missing, k.Missing)
	}
	if found.Truth != fault.True {
		return
	}
	if found.Component != k.Component || found.Brand != k.Brand {
		t.Errorf("%s: about %q of %q, want %q of %q", k.Name, found.Component, found.Brand, k.Component, k.Brand)
	}
	shown := map[string]string{}
	for _, e := range found.Evidence {
		shown[e.GetFact()] = e.GetValue()
		if e.GetSource() == "" || e.GetAt() == nil {
			t.Errorf("%s: evidence without source or time: %v", k.Name, e)
		}
	}
	if len(shown) == 0 || len(k.Evidence) == 0 {
		t.Errorf("%s: expected evidence, shown is %v", k.Name, shown)
	}
	for fact, value := range k.Evidence {
		if got, ok := shown[fact]; !ok || got != value {
			t.Errorf("%s: %s is shown as %q (%t), want %q; all: %v", k.Name, fact, got, ok, value, shown)
		}
	}
}

// In the healthy world every rule is decided, and none is true.
func TestHealthyWorldHasNoFault(t *testing.T) {
	c, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	world, err := fixture.World("testdata")
	if err != nil {
		t.Fatal(err)
	}
	facts := c.Facts(world, fixture.Now)
	for _, f := range c.Faults() {
		if found := f.Judge(facts); found.Truth != fault.False {
			t.Errorf("%s is %v: missing %v, evidence %v", f.ID, found.Truth, found.Missing, found.Evidence)
		}
	}
}
