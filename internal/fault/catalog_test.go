package fault

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

// What an agent pays at start.
func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		if _, err := openBuiltin(); err != nil {
			b.Fatal(err)
		}
	}
}

// What its first diagnosis pays besides, if it asks every rule.
func BenchmarkPlan(b *testing.B) {
	for b.Loop() {
		c, err := openBuiltin()
		if err != nil {
			b.Fatal(err)
		}
		for _, e := range expressions(c) {
			if _, err := e.plan(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// Every rule of the catalog can be planned: no function is missing here that
// the checker knows.
func TestEveryRuleIsPlanned(t *testing.T) {
	c, err := openBuiltin()
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range expressions(c) {
		if _, err := e.plan(); err != nil {
			t.Errorf("expression %d: %v", i, err)
		}
	}
}

// Where a person is offered something to agree to, they are not told that there is
// nothing for them to do, or that others are at it.
func TestAdviceFitsRemedies(t *testing.T) {
	c, err := openBuiltin()
	if err != nil {
		t.Fatal(err)
	}
	idle := regexp.MustCompile(`(?i)need not do|nothing to do|we repair it|rien à faire|nous réparons\.`)
	for _, f := range c.Faults() {
		for _, lang := range []string{"en", "fr"} {
			if said := f.User.In(lang); len(f.Remedies) > 0 && idle.MatchString(said) {
				t.Errorf("%s offers %v and says: %s", f.ID, f.Remedies, said)
			}
		}
	}
}

// A site's own catalog is pushed in this form: whatever it holds, an error or
// unknown at worst.
func FuzzOpen(f *testing.F) {
	small := &constatv1.Catalog{}
	if err := Unpack(compiled, small); err != nil {
		f.Fatal(err)
	}
	small.Faults, small.Terms = small.Faults[:3], small.Terms[:2]
	content, err := proto.Marshal(small)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content)
	f.Fuzz(func(t *testing.T, content []byte) {
		m := &constatv1.Catalog{}
		if proto.Unmarshal(content, m) != nil {
			return
		}
		c, err := Open(m)
		if err != nil {
			return
		}
		facts := c.Facts(&constatv1.Snapshot{Network: &constatv1.Network{Links: []*constatv1.Link{{}}}}, time.Time{})
		for _, fault := range c.Faults() {
			fault.Judge(facts)
		}
	})
}

func expressions(c *Catalog) []*expression {
	var all []*expression
	for _, t := range c.terms {
		all = append(all, t)
	}
	for _, f := range c.faults {
		for _, v := range f.views {
			all = append(all, v.rule)
		}
		all = append(all, f.decisive, f.contradicted)
		for _, e := range f.evidence {
			all = append(all, e.where, e.component, e.brand, e.since)
		}
	}
	return slices.DeleteFunc(all, func(e *expression) bool { return e == nil })
}
