package diagnosis

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"constat/internal/fault"
	"constat/internal/fault/fixture"
	constatv1 "constat/proto/constat/v1"
)

const fixtures = "../fault/testdata"

func builtinCatalog(t testing.TB) *fault.Catalog {
	t.Helper()
	c, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func procedure(t testing.TB, id string) *Procedure {
	t.Helper()
	p, ok := Lookup(id)
	if !ok {
		t.Fatalf("no procedure %s", id)
	}
	return p
}

// cases are the fixtures of all faults; whoever changes a snapshot clones it.
func cases(t testing.TB) []*fixture.Case {
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

// Every case of the catalog, judged as a whole: the right root, and nothing
// that the root explains beside it. What somebody may have chosen is judged by
// the procedure whose complaint it answers.
func TestRootCausesOfEveryCase(t *testing.T) {
	c := builtinCatalog(t)
	for _, k := range cases(t) {
		id, _, _ := strings.Cut(k.Name, ":")
		p := procedure(t, "full")
		switch {
		case k.OfGear:
			p = Gear()
		case c.Lookup(id).ByChoice:
			p = complaintOf(t, c.Lookup(id))
		}
		d := Judge(c, p, k.Snapshot, fixture.Now, "en")
		if k.Kind == fixture.NotObserved && k.Roots == nil {
			if slices.Contains(ids(d.RootCauses), id) {
				t.Errorf("%s: named as a root cause without having been seen", k.Name)
			}
			continue
		}
		if got := ids(d.RootCauses); !slices.Equal(got, k.Roots) && !(len(got) == 0 && len(k.Roots) == 0) {
			t.Errorf("%s: root causes %v (symptoms %v), want %v", k.Name, got, d.Symptoms, k.Roots)
			continue
		}
		if !slices.Equal(d.Symptoms, k.Symptoms) && len(d.Symptoms)+len(k.Symptoms) > 0 {
			t.Errorf("%s: symptoms %v, want %v", k.Name, d.Symptoms, k.Symptoms)
		}
		switch {
		case len(d.RootCauses) == 0 && d.Verdict == faulty:
			t.Errorf("%s: a fault without a root cause", k.Name)
		case k.Kind == fixture.Faulty && d.RootCauses[0].Certainty != k.Certainty:
			t.Errorf("%s: %s, want %s; hypotheses %v", k.Name, d.RootCauses[0].Certainty, k.Certainty, d.Hypotheses)
		case k.Kind == fixture.Healthy && d.Verdict != healthy:
			t.Errorf("%s: verdict %s, want healthy; undetermined %v, next: %s", k.Name, d.Verdict, d.Undetermined, d.NextStep)
		}
		if d.NextStep == "" {
			t.Errorf("%s: no next step", k.Name)
		}
	}
}

// complaintOf is the procedure whose complaint a fault answers.
func complaintOf(t *testing.T, f *fault.Fault) *Procedure {
	t.Helper()
	for _, p := range Procedures() {
		if p.Concerns(f) {
			return p
		}
	}
	t.Fatalf("%s concerns no procedure", f.ID)
	return nil
}

// A state that somebody may want is told to who complains of it, and does not
// make a machine unhealthy.
func TestWhatIsChosenIsNoFinding(t *testing.T) {
	c := builtinCatalog(t)
	for _, k := range cases(t) {
		id, _, _ := strings.Cut(k.Name, ":")
		if k.Kind != fixture.Faulty || !c.Lookup(id).ByChoice {
			continue
		}
		d := Judge(c, procedure(t, "full"), k.Snapshot, fixture.Now, "en")
		if d.Verdict != healthy || !slices.Contains(ids(d.Unrelated), id) {
			t.Errorf("%s: a check of everything says %s, roots %v, unrelated %v", k.Name, d.Verdict, ids(d.RootCauses), ids(d.Unrelated))
		}
	}
}

func ids(roots []*constatv1.RootCause) []string {
	var list []string
	for _, r := range roots {
		list = append(list, r.Fault)
	}
	return list
}

func TestJudgingIsDeterministic(t *testing.T) {
	c := builtinCatalog(t)
	marshal := proto.MarshalOptions{Deterministic: true}
	procedures := append(Procedures(), Gear())
	for i, k := range cases(t) {
		p := procedures[i%len(procedures)]
		first, err := marshal.Marshal(Judge(c, p, k.Snapshot, fixture.Now, "fr"))
		if err != nil {
			t.Fatal(err)
		}
		again, err := marshal.Marshal(Judge(c, p, k.Snapshot, fixture.Now, "fr"))
		if err != nil {
			t.Fatal(err)
		}
		if string(first) != string(again) {
			t.Fatalf("%s, %s: two runs differ", p.ID, k.Name)
		}
	}
}

// A computer has more packages than a rule reads; what was compared is known of all.
func TestDamageAmongManyPackages(t *testing.T) {
	for _, damaged := range [][]string{nil, {"z-tool"}} {
		s := &constatv1.Snapshot{
			Manifest: &constatv1.Manifest{Groups: []*constatv1.GroupEntry{{Group: "software", Observation: &constatv1.Observation{Status: "observed"}}}},
			Software: &constatv1.Software{DamagedPrograms: damaged},
		}
		for i := range 3000 {
			s.Software.Programs = append(s.Software.Programs, &constatv1.Program{Name: proto.String(fmt.Sprintf("p%04d", i)), Source: proto.String("dpkg")})
		}
		d := Judge(builtinCatalog(t), procedure(t, "software"), s, time.Unix(1772445600, 0), "en")
		unknown := slices.ContainsFunc(d.GetUndetermined(), func(u *constatv1.Undetermined) bool { return u.GetFault() == "sw-install-damaged" })
		if found := slices.Contains(ids(d.GetRootCauses()), "sw-install-damaged"); found != (damaged != nil) || unknown {
			t.Errorf("%v are damaged: named %t, unknown %t", damaged, found, unknown)
		}
	}
}
