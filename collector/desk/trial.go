package desk

import (
	"context"
	"slices"
	"strings"

	"constat/internal/diagnosis"
	"constat/internal/fault"
	"constat/internal/procedure"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// CheckKnowledge says what is wrong with a change, a line for each problem with
// file, line and what was expected there. It looks at no machine, so it can be
// asked while somebody writes.
func (d *Desk) CheckKnowledge(ctx context.Context, a Actor, c *deskv1.KnowledgeChange) ([]string, error) {
	if err := a.require("check knowledge", staff...); err != nil {
		return nil, err
	}
	newest, err := d.revision(ctx, 0)
	if err != nil {
		return nil, err
	}
	files := changed(newest.GetFiles(), c)
	e, err := d.compileKnowledge(files)
	if err == nil {
		err = d.grown(newest.GetFiles(), files, e)
	}
	if err != nil {
		return strings.Split(err.Error(), "\n"), nil
	}
	return nil, nil
}

// Trial is a walk through a procedure that somebody is still writing.
type Trial struct {
	Procedure *constatv1.Procedure
	// Taken are the steps so far, with those that the machine answered itself.
	Taken []*constatv1.ProcedureRun_StepTaken
	// Step is what the person sees now; nil: the walk ended, as Outcome says.
	Step    *constatv1.Procedure_Step
	Outcome string
	// Machine is whose facts were looked at; empty: nothing is known.
	Machine string
	// Problems: the change can't be walked through.
	Problems []string
}

// TryProcedure takes the next step of a walk through a procedure of a change, as a
// machine's own agent would with the facts that are kept of it. Without a machine
// nothing is known, and everything is asked. It keeps nothing.
func (d *Desk) TryProcedure(ctx context.Context, a Actor, c *deskv1.KnowledgeChange, id, machine string, taken []*constatv1.ProcedureRun_StepTaken) (*Trial, error) {
	if err := a.require("preview knowledge", staff...); err != nil {
		return nil, err
	}
	newest, err := d.revision(ctx, 0)
	if err != nil {
		return nil, err
	}
	e, err := d.compileKnowledge(changed(newest.GetFiles(), c))
	if err != nil {
		return &Trial{Problems: strings.Split(err.Error(), "\n")}, nil
	}
	builtin, err := procedure.Builtin()
	if err != nil {
		return nil, err
	}
	all := procedure.Merge(builtin, e.knowledge.GetProcedures())
	i := slices.IndexFunc(all.GetProcedures(), func(p *constatv1.Procedure) bool { return p.GetId() == id })
	if i < 0 {
		return nil, problem(ErrNotFound, "there is no procedure %q", line(id, 64))
	}
	t := &Trial{Procedure: all.GetProcedures()[i], Taken: taken}
	seen := &procedure.Machine{Truth: func(string) fault.Truth { return fault.Unknown }}
	if machine != "" {
		found, err := d.Endpoint(ctx, machine)
		if err != nil {
			return nil, err
		}
		s := found.GetSnapshot()
		if s == nil {
			return nil, problem(ErrInvalid, "nothing was observed on %s yet: choose another machine", line(machine, maxName))
		}
		t.Machine = found.GetEndpoint().GetHostname()
		at := s.GetManifest().GetTakenAt().AsTime()
		complaint, known := diagnosis.Lookup(t.Procedure.GetComplaint())
		if !known {
			complaint, _ = diagnosis.Lookup("full")
		}
		judged := diagnosis.Judge(e.catalog, complaint, s, at, "en")
		seen = procedure.See(e.catalog, s, judged, at)
		t.Procedure = procedure.With(t.Procedure, e.catalog, judged, seen)
	}
	more, step, outcome := procedure.Advance(t.Procedure, seen, taken)
	t.Taken, t.Step, t.Outcome = append(slices.Clone(taken), more...), step, outcome
	return t, nil
}
