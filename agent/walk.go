package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"constat/agent/local"
	"constat/agent/remedy"
	"constat/agent/uplink"
	"constat/internal/fault"
	"constat/internal/procedure"
	constatv1 "constat/proto/constat/v1"
)

// maxTaken bounds the steps of one walk that a local program may claim.
const maxTaken = 1000

// Walk gives the next step of a procedure to a local user.
func (c *counter) Walk(ctx context.Context, r *constatv1.WalkRequest) (*constatv1.WalkResponse, error) {
	user, ok := local.Peer(ctx)
	if !ok {
		return nil, status.Error(codes.PermissionDenied, "who is asking is unknown")
	}
	return c.walkFor(user, r)
}

func (c *counter) walkFor(user local.User, r *constatv1.WalkRequest) (*constatv1.WalkResponse, error) {
	if len(r.GetTaken()) > maxTaken {
		return nil, status.Errorf(codes.InvalidArgument, "a walk has at most %d steps", maxTaken)
	}
	catalog, all, revision, err := c.observer.known()
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	if r.GetDiagnosisId() == "" {
		p := procedure.Choose(all, r.GetProcedure(), &procedure.Machine{})
		if i := slices.IndexFunc(all.GetProcedures(), func(p *constatv1.Procedure) bool { return p.GetId() == r.GetProcedure() }); i >= 0 {
			p = all.GetProcedures()[i]
		}
		if p == nil {
			return nil, status.Errorf(codes.NotFound, "there is no procedure %q", r.GetProcedure())
		}
		return &constatv1.WalkResponse{Procedure: header(p), KnowledgeRevision: revision}, nil
	}
	now, ok := c.find(user, r.GetDiagnosisId())
	if !ok {
		return nil, status.Errorf(codes.NotFound, "there is no diagnosis %s of yours: run it again", r.GetDiagnosisId())
	}
	machine := now.seen(catalog)
	p := procedure.Choose(all, r.GetProcedure(), machine)
	if p == nil {
		return nil, status.Errorf(codes.NotFound, "there is no procedure %q for this computer", r.GetProcedure())
	}
	if r.GetBeforeDiagnosisId() != "" {
		before, ok := c.find(user, r.GetBeforeDiagnosisId())
		if !ok {
			return nil, status.Errorf(codes.NotFound, "there is no diagnosis %s of yours: run it again", r.GetBeforeDiagnosisId())
		}
		had := before.seen(catalog)
		step := stepOf(procedure.With(p, catalog, before.diagnosis, had), r.GetStep())
		saw := procedure.Changed(step, had, machine)
		if saw == "" && step.GetKind() == "remedy" {
			saw = c.mended(step, before.diagnosis.GetStartedAt().AsTime())
		}
		return &constatv1.WalkResponse{Procedure: header(p), Seen: saw}, nil
	}
	p = procedure.With(p, catalog, now.diagnosis, machine)
	more, step, outcome := procedure.Advance(p, machine, r.GetTaken())
	answer := &constatv1.WalkResponse{Procedure: header(p), More: more, Step: step, Outcome: outcome, KnowledgeRevision: revision}
	answer.Visible = machine.Sees(step)
	for _, d := range all.GetDrawings() {
		if step.GetDrawing() != "" && d.GetName() == step.GetDrawing() {
			answer.Drawing, answer.DrawingSvg = d.GetTitle(), d.GetSvg()
			break // a team's own come first
		}
	}
	for _, cause := range now.diagnosis.GetRootCauses() {
		if answer.Fault == "" && slices.Contains(step.GetAbout(), cause.GetFault()) {
			answer.Fault, answer.Component = cause.GetFault(), cause.GetComponent()
			if step.GetKind() == "remedy" { // one thing after the other
				answer.Component, _, _ = strings.Cut(answer.Component, ", ")
			}
		}
	}
	if verb, ok := remedy.Lookup(step.GetVerb()); ok {
		answer.Consent = &constatv1.WalkResponse_Consent{
			En: verb.Consent.About("en", answer.Component), Fr: verb.Consent.About("fr", answer.Component),
		}
	}
	return answer, nil
}

// mended is what a step's remedy, which was done since, saw afterwards of its
// fault. It looks at the one thing that was mended, and to the end, where a
// diagnosis of the whole machine may not come so far. Empty: it saw nothing.
func (c *counter) mended(step *constatv1.Procedure_Step, since time.Time) string {
	b, err := c.bench()
	if err != nil {
		return ""
	}
	for _, done := range slices.Backward(b.Results()) {
		switch {
		case done.GetVerb() != step.GetVerb() || done.GetAt().AsTime().Before(since) || !slices.Contains(step.GetAbout(), done.GetFault()):
		case done.GetOutcome() == remedy.Fixed:
			return procedure.Helped
		case done.GetAfter().GetState() == "present":
			return procedure.Not
		default:
			return ""
		}
	}
	return ""
}

// seen is what a kept diagnosis tells a procedure.
func (k kept) seen(c *fault.Catalog) *procedure.Machine {
	return procedure.See(c, k.snapshot, k.diagnosis, k.diagnosis.GetStartedAt().AsTime())
}

// header is a procedure without its steps.
func header(p *constatv1.Procedure) *constatv1.Procedure {
	return &constatv1.Procedure{
		Id: p.GetId(), Version: p.GetVersion(), Owner: p.GetOwner(), Review: p.GetReview(), Complaint: p.GetComplaint(), Title: p.GetTitle(),
	}
}

func stepOf(p *constatv1.Procedure, id string) *constatv1.Procedure_Step {
	for _, s := range p.GetSteps() {
		if s.GetId() == id {
			return s
		}
	}
	return nil
}

// EndWalk keeps what came of a walk until the collector has it.
func (c *counter) EndWalk(ctx context.Context, r *constatv1.EndWalkRequest) (*constatv1.EndWalkResponse, error) {
	user, ok := local.Peer(ctx)
	if !ok {
		return nil, status.Error(codes.PermissionDenied, "who is asking is unknown")
	}
	return c.endWalkFor(user, r.GetRun())
}

func (c *counter) endWalkFor(user local.User, run *constatv1.ProcedureRun) (*constatv1.EndWalkResponse, error) {
	link := c.link.Load()
	if link == nil {
		return &constatv1.EndWalkResponse{}, nil
	}
	if len(run.GetSteps()) > maxTaken || uuid.Validate(run.GetId()) != nil {
		return nil, status.Errorf(codes.InvalidArgument, "a walk has an id, and at most %d steps", maxTaken)
	}
	if k, ok := c.find(user, run.GetDiagnosisId()); ok {
		if err := c.spoolDiagnosis(k.diagnosis, k.snapshot); err != nil {
			return nil, status.Error(codes.Unavailable, err.Error())
		}
	}
	if err := link.Spool().Put(&constatv1.Report{Content: &constatv1.Report_Run{Run: run}}); err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	return &constatv1.EndWalkResponse{Kept: true}, nil
}

// known are the faults and procedures in force, and which revision of the team's
// knowledge is in them.
func (o *observer) known() (*fault.Catalog, *constatv1.Procedures, int64, error) {
	team := o.team()
	all, err := procedure.Builtin()
	if err != nil {
		return nil, nil, 0, err
	}
	catalog := o.catalog
	if catalog == nil {
		catalog, err = openCatalog(team)
	}
	return catalog, procedure.Merge(all, team.GetProcedures()), team.GetRevision(), err
}

// team is what the team of this machine's collector wrote. What cannot be read, or
// is not this organisation's, is not used: the program's own knowledge is always
// there, and the link's log says why.
func (o *observer) team() *constatv1.Knowledge {
	team, err := uplink.Knowledge(o.dir)
	if err != nil {
		return nil
	}
	return team
}

// openCatalog reads the catalog in this program anew, with what a team wrote;
// whoever drops it has its memory back, which is not so with fault.Builtin.
func openCatalog(team *constatv1.Knowledge) (*fault.Catalog, error) {
	base, err := fault.Compiled()
	if err != nil {
		return nil, err
	}
	return fault.Open(fault.Merge(base, team.GetCatalog(), team.GetRevision()))
}

// usable tells whether what a team wrote can be used by this program.
func usable(team *constatv1.Knowledge) error {
	_, err := openCatalog(team)
	return err
}

// newRun begins the record of a walk.
func newRun(p *constatv1.Procedure, d *constatv1.Diagnosis, revision int64) *constatv1.ProcedureRun {
	return &constatv1.ProcedureRun{
		Id: uuid.Must(uuid.NewV7()).String(), Procedure: p.GetId(), Version: p.GetVersion(), Trigger: d.GetTrigger(),
		StartedAt: d.GetStartedAt(), DiagnosisId: d.GetId(), KnowledgeRevision: revision,
	}
}

// lasted notes how long a walk took.
func lasted(run *constatv1.ProcedureRun) {
	run.ElapsedMs = int32(min(time.Since(run.GetStartedAt().AsTime()).Milliseconds(), 1<<31-1))
}
