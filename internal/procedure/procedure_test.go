package procedure

import (
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"constat/internal/fault"
	constatv1 "constat/proto/constat/v1"
)

// world is a machine of which this much is known.
func world(truths map[string]fault.Truth, causes map[string]string) *Machine {
	return &Machine{Truth: func(name string) fault.Truth { return truths[name] }, Causes: causes, OS: "linux", Brands: []string{"hp"}}
}

var names = []string{"a", "b", "c", "d"}

func drawMachine(t *rapid.T, label string) *Machine {
	truths, causes := map[string]fault.Truth{}, map[string]string{}
	for _, n := range names {
		truths[n] = rapid.SampledFrom([]fault.Truth{fault.Unknown, fault.False, fault.True}).Draw(t, label+n)
		if truths[n] == fault.True {
			causes[n] = rapid.SampledFrom([]string{"", "possible", "probable", "confirmed"}).Draw(t, label+"cause of "+n)
		}
	}
	return world(truths, causes)
}

// drawProcedure draws any procedure at all: with loops, with steps that are not
// there, with one id twice. None of them was checked.
func drawProcedure(t *rapid.T) *constatv1.Procedure {
	p := &constatv1.Procedure{}
	n := rapid.IntRange(0, 12).Draw(t, "steps")
	id := func(label string) string { return fmt.Sprint("s", rapid.IntRange(0, 13).Draw(t, label)) }
	for i := range n {
		s := &constatv1.Procedure_Step{
			Id: fmt.Sprint("s", i), Kind: rapid.SampledFrom([]string{"check", "question", "manual", "remedy", "article"}).Draw(t, "kind"),
			About: rapid.SliceOfN(rapid.SampledFrom(names), 0, 2).Draw(t, "about"), Cost: rapid.Int32Range(0, 600).Draw(t, "cost"),
			Aside: rapid.Bool().Draw(t, "aside"),
		}
		if rapid.Bool().Draw(t, "for a brand") {
			s.Selector = &constatv1.Procedure_Selector{Brands: []string{rapid.SampledFrom([]string{"HP", "Canon"}).Draw(t, "brand")}}
		}
		for range rapid.IntRange(0, 1).Draw(t, "after") {
			s.After = append(s.After, id("after"))
			s.Instead = append(s.Instead, id("instead"))
		}
		for a := range rapid.IntRange(0, 3).Draw(t, "answers") {
			to := rapid.SampledFrom([]string{Next, Done, Support, ""}).Draw(t, "to")
			if to == "" {
				to = id("to")
			}
			when := rapid.SampledFrom([]string{"", "", "a", "!b", "!!", "x"}).Draw(t, "when")
			s.Answers = append(s.Answers, &constatv1.Procedure_Answer{Id: fmt.Sprint("a", a), LeadsTo: to, When: when})
		}
		p.Steps = append(p.Steps, s)
	}
	return p
}

// Whatever is written and whatever is answered: a walk ends, takes no step
// twice, and asks nothing that the machine knows.
func TestEveryWalkEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, m := drawProcedure(t), drawMachine(t, "")
		var taken []*constatv1.ProcedureRun_StepTaken
		for turn := 0; ; turn++ {
			if turn > len(p.Steps) {
				t.Fatalf("no end after %d turns", turn)
			}
			before := proto.Clone(p)
			more, step, outcome := Advance(p, m, taken)
			again, same, end := Advance(p, m, taken)
			if len(again) != len(more) || same != step || end != outcome || !proto.Equal(before, p) {
				t.Fatal("not the same twice")
			}
			taken = append(taken, more...)
			if (step == nil) == (outcome == "") {
				t.Fatalf("step %v and outcome %q", step, outcome)
			}
			if step == nil {
				if !slices.Contains([]string{Solved, Handed, Ended}, outcome) {
					t.Fatalf("outcome %q", outcome)
				}
				break
			}
			for _, a := range step.Answers {
				if (&walk{machine: m}).given(&constatv1.Procedure_Step{Kind: "question", Answers: []*constatv1.Procedure_Answer{a}}) != "" {
					t.Fatalf("asked %s although the machine answers %s", step.Id, a.Id)
				}
			}
			if step.Kind == "check" {
				t.Fatalf("a person was asked to check %s", step.Id)
			}
			answer := rapid.SampledFrom([]string{"a0", "a1", "a2", "none"}).Draw(t, "answer")
			taken = append(taken, Answered(step, answer, 0))
			if rapid.Bool().Draw(t, "look again") {
				m = drawMachine(t, "again ") // the world may change under the walk
			}
		}
		seen := map[string]bool{}
		for _, s := range taken {
			if seen[s.Step] {
				t.Fatalf("step %s twice: %v", s.Step, taken)
			}
			seen[s.Step] = true
		}
	})
}

func step(id, kind string, cost int32, about ...string) *constatv1.Procedure_Step {
	return &constatv1.Procedure_Step{Id: id, Kind: kind, Cost: cost, About: about, Answers: tried}
}

func firstOf(t *testing.T, p *constatv1.Procedure, m *Machine) string {
	t.Helper()
	_, s, _ := Advance(p, m, nil)
	return s.GetId()
}

func TestCheapAndDecisiveComesFirst(t *testing.T) {
	p := &constatv1.Procedure{Steps: []*constatv1.Procedure_Step{
		step("slow", "manual", 300, "a"), step("quick", "question", 10, "b", "c"), step("general", "manual", 100), step("ruled-out", "question", 1, "d"),
	}}
	known := map[string]fault.Truth{"d": fault.False}
	if first := firstOf(t, p, world(known, nil)); first != "quick" {
		t.Errorf("nothing is known: %s", first)
	}
	known["a"] = fault.True
	if first := firstOf(t, p, world(known, map[string]string{"a": "possible"})); first != "quick" {
		t.Errorf("a suspicion does not outweigh five minutes: %s", first)
	}
	p.Steps[0].Cost = 120
	if first := firstOf(t, p, world(known, map[string]string{"a": "confirmed"})); first != "slow" {
		t.Errorf("the cause is known: %s", first)
	}
	p.Steps[0].After = []string{"general"}
	if first := firstOf(t, p, world(known, map[string]string{"a": "confirmed"})); first == "slow" {
		t.Error("the document says what comes before it")
	}
}

func TestMachineAnswersWhatItKnows(t *testing.T) {
	q := &constatv1.Procedure_Step{Id: "q", Kind: "question", Answers: []*constatv1.Procedure_Answer{
		{Id: "yes", LeadsTo: Next, When: "!a"}, {Id: "no", LeadsTo: "fix", When: "a"},
	}}
	fix := step("fix", "manual", 60)
	fix.Aside = true
	p := &constatv1.Procedure{Steps: []*constatv1.Procedure_Step{q, fix}}
	for truth, want := range map[fault.Truth]string{fault.True: "fix", fault.False: "", fault.Unknown: "q"} {
		more, s, outcome := Advance(p, world(map[string]fault.Truth{"a": truth}, nil), nil)
		if s.GetId() != want || (truth != fault.Unknown) != (len(more) == 1 && more[0].By == "machine") || (outcome == Ended) != (want == "") {
			t.Errorf("%v: %v, then %v, %s", truth, more, s, outcome)
		}
	}
}

func TestBrandsOwnStepTakesThePlaceOfTheGeneralOne(t *testing.T) {
	own := step("own", "manual", 60, "a")
	own.Selector, own.Instead = &constatv1.Procedure_Selector{Brands: []string{"HP"}}, []string{"any"}
	p := &constatv1.Procedure{Steps: []*constatv1.Procedure_Step{own, step("any", "manual", 60, "a")}}
	m := world(nil, nil)
	_, s, _ := Advance(p, m, nil)
	_, then, outcome := Advance(p, m, []*constatv1.ProcedureRun_StepTaken{Answered(s, Not, 0)})
	if s.GetId() != "own" || then != nil || outcome != Ended {
		t.Errorf("HP: %v, then %v", s, then)
	}
	m.Brands = []string{"canon"}
	if _, s, _ = Advance(p, m, nil); s.GetId() != "any" {
		t.Errorf("Canon: %v", s)
	}
}

func TestSeenIsNotAskedAfterwards(t *testing.T) {
	s := step("s", "manual", 60, "a")
	is := func(truth fault.Truth) *Machine { return world(map[string]fault.Truth{"a": truth}, nil) }
	for _, tt := range []struct {
		before, after fault.Truth
		want          string
	}{
		{fault.True, fault.False, Helped}, {fault.True, fault.True, Not}, {fault.True, fault.Unknown, ""}, {fault.Unknown, fault.False, ""}, {fault.False, fault.False, ""},
	} {
		if got := Changed(s, is(tt.before), is(tt.after)); got != tt.want {
			t.Errorf("%v, then %v: %q, expected %q", tt.before, tt.after, got, tt.want)
		}
	}
}

// A crash stays in the log when its cause was mended: only the person can tell then.
func TestWhatALogTellsIsAsked(t *testing.T) {
	s := step("s", "manual", 60, "a", "b")
	is := func(a, b fault.Truth) *Machine {
		m := world(map[string]fault.Truth{"a": a, "b": b}, nil)
		m.Logged = func(id string) bool { return id == "a" }
		return m
	}
	for _, tt := range []struct {
		before, after *Machine
		sees          bool
		want          string
	}{
		{is(fault.True, fault.False), is(fault.True, fault.False), false, ""},
		{is(fault.True, fault.False), is(fault.False, fault.False), false, Helped},
		{is(fault.True, fault.True), is(fault.True, fault.False), true, ""},
		{is(fault.True, fault.True), is(fault.True, fault.True), true, ""},
		{is(fault.False, fault.True), is(fault.False, fault.True), true, Not},
	} {
		if got := Changed(s, tt.before, tt.after); got != tt.want || tt.before.Sees(s) != tt.sees {
			t.Errorf("%q, and it sees: %v; expected %q, %v", got, tt.before.Sees(s), tt.want, tt.sees)
		}
	}
}

func TestChooseTakesTheNarrowest(t *testing.T) {
	all := &constatv1.Procedures{Procedures: []*constatv1.Procedure{
		{Id: "any", Complaint: "printing"},
		{Id: "canon", Complaint: "printing", Selector: &constatv1.Procedure_Selector{Brands: []string{"Canon"}}},
		{Id: "hp", Complaint: "printing", Selector: &constatv1.Procedure_Selector{Brands: []string{"HP"}}},
	}}
	if p := Choose(all, "printing", world(nil, nil)); p.GetId() != "hp" {
		t.Errorf("chose %v", p)
	}
	if p := Choose(all, "any", world(nil, nil)); p.GetId() != "any" {
		t.Errorf("by its id: %v", p)
	}
	if p := Choose(all, "sound", world(nil, nil)); p != nil {
		t.Errorf("chose %v for what nobody wrote", p)
	}
}
