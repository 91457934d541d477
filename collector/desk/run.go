package desk

import (
	"context"
	"slices"

	"google.golang.org/protobuf/proto"

	"constat/collector/store"
	"constat/collector/store/query"
	constatv1 "constat/proto/constat/v1"
)

const (
	maxRun      = 256 << 10
	maxRunSteps = 1000
)

// checkRun refuses a walk that no machine took, and gives a copy to store.
func checkRun(run *constatv1.ProcedureRun) (*constatv1.ProcedureRun, error) {
	if size := proto.Size(run); size > maxRun || len(run.GetSteps()) > maxRunSteps {
		return nil, problem(ErrInvalid, "the walk has %d bytes and %d steps, more than %d and %d", size, len(run.GetSteps()), maxRun, maxRunSteps)
	}
	run = proto.CloneOf(run)
	var err error
	if run.Id, err = checkID("the walk", run.GetId()); err != nil {
		return nil, err
	}
	if run.GetDiagnosisId() != "" {
		if run.DiagnosisId, err = checkID("the walk’s diagnosis", run.GetDiagnosisId()); err != nil {
			return nil, err
		}
	}
	if !word.MatchString(run.GetProcedure()) {
		return nil, problem(ErrInvalid, "%q cannot be the name of a procedure", line(run.GetProcedure(), 64))
	}
	if run.GetStartedAt() != nil && run.GetStartedAt().CheckValid() != nil {
		return nil, problem(ErrInvalid, "the walk’s time is not a time")
	}
	if !slices.Contains([]string{"solved", "support", "ended", "left"}, run.GetOutcome()) {
		return nil, problem(ErrInvalid, "%q is no way in which a walk ends", line(run.GetOutcome(), 64))
	}
	run.Trigger, run.Unclear = line(run.GetTrigger(), 64), line(run.GetUnclear(), 500)
	return run, nil
}

// takeRun stores a walk through a procedure.
func (in *intake) takeRun(ctx context.Context, run *constatv1.ProcedureRun) (*constatv1.Receipt, error) {
	content, err := store.PackMessage(run)
	if err != nil {
		return nil, err
	}
	asked := int32(0)
	for _, s := range run.GetSteps() {
		if s.GetBy() == "person" {
			asked++
		}
	}
	helped := ""
	if run.Helped != nil {
		helped = map[bool]string{true: "yes", false: "no"}[run.GetHelped()]
	}
	err = in.q.PutRun(ctx, query.PutRunParams{
		EndpointID: in.endpoint, ID: run.GetId(), Procedure: run.GetProcedure(), Version: max(run.GetVersion(), 0), StartedBy: run.GetTrigger(),
		StartedAt: store.Millis(run.GetStartedAt().AsTime()), ElapsedMs: max(run.GetElapsedMs(), 0), Steps: int32(len(run.GetSteps())), Asked: asked,
		Outcome: run.GetOutcome(), Helped: helped, DiagnosisID: run.GetDiagnosisId(), Content: content, ReceivedAt: store.Millis(in.desk.now()),
		Unclear: run.GetUnclear(),
	})
	if err == nil && run.GetUnclear() != "" {
		err = in.tellUnclearWalk(ctx, run)
	}
	return &constatv1.Receipt{Id: run.GetId(), Status: "stored"}, err
}

// tellUnclearWalk tells who owns a procedure what a person at a machine did not
// understand in it: of a version once of each machine.
func (in *intake) tellUnclearWalk(ctx context.Context, run *constatv1.ProcedureRun) error {
	machine, err := in.q.EndpointByID(ctx, in.endpoint)
	if err != nil {
		return err
	}
	all, err := in.desk.Procedures(ctx, System)
	if err != nil {
		return err
	}
	for _, use := range all {
		// A machine could name any version, and so be heard without end.
		if p := use.GetProcedure(); p.GetId() == run.GetProcedure() && run.GetVersion() <= p.GetVersion() {
			in.hints = append(in.hints, ticketSubject(0)) // the bell
			return in.desk.tellUnclear(ctx, in.q, Actor{Name: machine.Hostname, Role: "agent"}, unclearIn(p, run.GetVersion(), run.GetUnclear()))
		}
	}
	return nil
}
