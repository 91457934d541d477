package compile

import (
	"slices"
	"strings"
	"testing"

	"constat/internal/diagnosis"
	"constat/internal/fault"
	"constat/internal/fault/fixture"
	"constat/internal/procedure"
	constatv1 "constat/proto/constat/v1"
)

const fixtures = "../../fault/testdata"

// For every fault that a fixture shows, and every complaint that it concerns, the
// first thing that a person is led to is about what was found.
func TestWhatIsFoundComesFirst(t *testing.T) {
	c := catalog(t)
	all := shipped(t)
	ids, err := fixture.Faults(fixtures)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if c.Lookup(id).Domain == "cisco" {
			continue // of the network's devices: nobody at a machine mends them
		}
		cases, err := fixture.Cases(fixtures, id)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range cases {
			if k.Kind != fixture.Faulty {
				continue
			}
			for _, complaint := range diagnosis.Procedures() {
				if !complaint.Concerns(c.Lookup(id)) {
					continue
				}
				d := diagnosis.Judge(c, complaint, k.Snapshot, fixture.Now, "en")
				if len(d.GetRootCauses()) == 0 || d.GetRootCauses()[0].GetCertainty() == "possible" {
					continue
				}
				m := procedure.See(c, k.Snapshot, d, fixture.Now)
				p := procedure.Choose(all, complaint.ID, m)
				p = procedure.With(p, c, d, m)
				_, step, outcome := procedure.Advance(p, m, nil)
				var roots []string
				for _, r := range d.GetRootCauses() {
					roots = append(roots, r.GetFault())
				}
				if step == nil || !slices.ContainsFunc(step.GetAbout(), func(a string) bool { return slices.Contains(roots, a) }) {
					t.Errorf("%s, %s, %s: %v was found, and the first step is %s %s about %v", id, k.Name, complaint.ID, roots, step.GetId(), outcome, step.GetAbout())
				}
				if testing.Verbose() && slices.Contains([]string{"wifi", "printing", "software"}, complaint.ID) {
					t.Logf("%s: %s\n%s", complaint.ID, id, transcript(p, m))
				}
			}
		}
	}
}

// transcript is a walk of somebody whom nothing helps, in both languages.
func transcript(p *constatv1.Procedure, m *procedure.Machine) string {
	var out strings.Builder
	var taken []*constatv1.ProcedureRun_StepTaken
	for {
		more, step, outcome := procedure.Advance(p, m, taken)
		taken = append(taken, more...)
		if step == nil {
			out.WriteString("    = " + outcome + "\n")
			return out.String()
		}
		out.WriteString("    " + step.GetKind() + " " + step.GetId() + "\n      " + step.GetText().GetEn() + "\n      " + step.GetText().GetFr() + "\n")
		answer := step.GetAnswers()[0].GetId()
		for _, a := range step.GetAnswers() {
			if a.GetId() == procedure.Not || a.GetId() == "no" {
				answer = a.GetId()
			}
		}
		taken = append(taken, procedure.Answered(step, answer, 0))
	}
}

// A program that nothing is known to be wrong with is in the end installed anew, in
// the way of the system it runs on, and no other system's way is offered.
func TestReinstallIsThatOfTheSystem(t *testing.T) {
	var p *constatv1.Procedure
	for _, q := range shipped(t).Procedures {
		if q.GetId() == "software" {
			p = q
		}
	}
	for system, want := range map[string]string{"linux": "reinstall-linux", "windows": "reinstall-windows", "darwin": "reinstall-apple"} {
		for _, program := range []string{"firefox", "chrome", "other"} {
			m := &procedure.Machine{OS: system, Truth: func(string) fault.Truth { return fault.False }}
			var taken []*constatv1.ProcedureRun_StepTaken
			var ids []string
			for {
				more, step, _ := procedure.Advance(p, m, taken)
				taken = append(taken, more...)
				if step == nil {
					break
				}
				ids = append(ids, step.GetId())
				answer := "not"
				switch step.GetId() {
				case "what":
					answer = "starts"
				case "which":
					answer = program
				case "server":
					answer = "no"
				}
				taken = append(taken, procedure.Answered(step, answer, 0))
			}
			if !slices.Contains(ids, want) || len(slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !strings.HasPrefix(id, "reinstall-") })) != 1 {
				t.Errorf("%s, %s: the way is %v; expected %s and no other reinstallation", system, program, ids, want)
			}
		}
	}
}
