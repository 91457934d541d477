package diagnosis

import (
	"slices"
	"testing"

	"constat/internal/fault/fixture"
	constatv1 "constat/proto/constat/v1"
)

func TestProceduresFitTheCatalog(t *testing.T) {
	c := builtinCatalog(t)
	groups := (&constatv1.Snapshot{}).ProtoReflect().Descriptor().Fields()
	seen := map[string]bool{}
	added := []string{"attachment", "fleet", "gear"} // by the collector
	for _, p := range append(Procedures(), Gear()) {
		if seen[p.ID] {
			t.Errorf("%s: defined twice", p.ID)
		}
		seen[p.ID] = true
		if p.Title.EN == "" || p.Title.FR == "" {
			t.Errorf("%s: expected a title in both languages", p.ID)
		}
		if !slices.IsSorted(p.Groups) {
			t.Errorf("%s: groups are not sorted: %v", p.ID, p.Groups)
		}
		for _, g := range p.Groups {
			if groups.ByTextName(g) == nil {
				t.Errorf("%s: no group %s in a snapshot", p.ID, g)
			}
		}
		if err := c.Condition(p.Works).Check(); err != nil {
			t.Errorf("%s: %v", p.ID, err)
		}
		for _, id := range p.Faults {
			if c.Lookup(id) == nil {
				t.Errorf("%s: no fault %s", p.ID, id)
			}
		}
		for _, f := range c.Faults() {
			for _, need := range f.Needs {
				if p.Concerns(f) && !slices.Contains(p.Groups, need) && !slices.Contains(added, need) && p != Gear() {
					t.Errorf("%s: fault %s needs the group %s, which is not observed", p.ID, f.ID, need)
				}
			}
		}
	}
}

func TestHealthyWorldIsHealthyForEveryComplaintItCanShow(t *testing.T) {
	c := builtinCatalog(t)
	world, err := fixture.World(fixtures)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range Procedures() {
		d := Judge(c, p, world, fixture.Now, "en")
		want := healthy
		if p.ID == "wifi" {
			want = undetermined // its radio is off on purpose, so nobody saw Wi-Fi work
		}
		if d.Verdict != want || len(d.RootCauses)+len(d.Unrelated)+len(d.Undetermined) > 0 {
			t.Errorf("%s: verdict %s, want %s; %v, %v, undetermined %v", p.ID, d.Verdict, want, d.RootCauses, d.Unrelated, d.Undetermined)
		}
	}
}

// What else is wrong with the machine stays apart from the complaint, unless it
// is what causes it.
func TestComplaintComesFirst(t *testing.T) {
	c := builtinCatalog(t)
	diskFull := caseOf(t, "os-disk-full", "faulty")
	for _, tt := range []struct {
		procedure       string
		root, unrelated string
	}{
		{"internet", "", "os-disk-full"},
		{"printing", "os-disk-full", ""}, // it explains that nothing can be spooled
		{"slow", "os-disk-full", ""},
		{"full", "os-disk-full", ""},
	} {
		d := Judge(c, procedure(t, tt.procedure), diskFull.Snapshot, fixture.Now, "en")
		if first(d.RootCauses) != tt.root || first(d.Unrelated) != tt.unrelated {
			t.Errorf("%s: root %v, unrelated %v; want %q, %q", tt.procedure, ids(d.RootCauses), ids(d.Unrelated), tt.root, tt.unrelated)
		}
	}
}

func caseOf(t *testing.T, id, name string) *fixture.Case {
	t.Helper()
	all, err := fixture.Cases(fixtures, id)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(k *fixture.Case) bool { return k.Name == id+": "+name })
	if i < 0 {
		t.Fatalf("%s has no case %q", id, name)
	}
	return all[i]
}

func first(roots []*constatv1.RootCause) string {
	if len(roots) == 0 {
		return ""
	}
	return roots[0].Fault
}
