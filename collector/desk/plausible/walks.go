package plausible

import (
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/store"
	"constat/collector/store/query"
	"constat/internal/procedure"
	constatv1 "constat/proto/constat/v1"
)

// recast is how long ago the procedures became what they are now; walks before went
// through the version that was there then.
const recast = 90 * 24 * time.Hour

// unclear is what people said was missing.
var unclear = [2][]string{
	{"My printer has no screen.", "Which button?", "I was on the train, there is no box.", "I don’t have the password of the Wi-Fi."},
	{"Mon imprimante n’a pas d’écran.", "Quel bouton ?", "J’étais dans le train, il n’y a pas de box.", "Je n’ai pas le mot de passe du Wi-Fi."},
}

// walks adds how somebody was led through the procedure: this time in vain, and
// another day, or somebody else, so that no ticket came of it.
func (d *draft) walks(p *pages, told *constatv1.Diagnosis) {
	m := d.maker
	if m.versions[told.GetProcedure()] == 0 {
		return
	}
	if m.chance(55) {
		p.runs = append(p.runs, d.walk(told, procedure.Handed))
	}
	if m.chance(40) {
		earlier := proto.CloneOf(told)
		at := told.GetStartedAt().AsTime().Add(-time.Duration(m.IntN(48)) * time.Hour)
		earlier.Id, earlier.StartedAt = m.id(at), timestamppb.New(at)
		p.runs = append(p.runs, d.walk(earlier, procedure.Solved))
	}
}

// walk is one walk after a diagnosis, and how it ended.
func (d *draft) walk(told *constatv1.Diagnosis, outcome string) query.ProcedureRun {
	m, at := d.maker, told.GetStartedAt().AsTime()
	version := m.versions[told.GetProcedure()]
	solved := outcome == procedure.Solved
	if m.now.Sub(at) > recast {
		version = max(1, version-1)
		if solved && m.chance(25) { // it led to fewer ends then
			outcome, solved = procedure.Ended, false
		}
	}
	run := &constatv1.ProcedureRun{
		Id: m.id(at), Procedure: told.GetProcedure(), Version: version, Trigger: told.GetTrigger(), StartedAt: told.GetStartedAt(),
		ElapsedMs: int32(20_000 + m.IntN(220_000)), Outcome: outcome, DiagnosisId: told.GetId(),
	}
	row := query.ProcedureRun{
		EndpointID: d.EndpointID, ID: run.GetId(), Procedure: run.GetProcedure(), Version: version, StartedBy: run.GetTrigger(), StartedAt: store.Millis(at),
		ElapsedMs: run.GetElapsedMs(), Asked: int32(1 + m.IntN(5)), Outcome: outcome, DiagnosisID: run.GetDiagnosisId(), ReceivedAt: store.Millis(at.Add(5 * time.Minute)),
	}
	row.Steps = row.Asked + int32(m.IntN(3))
	switch {
	case solved && m.chance(90):
		run.Helped, row.Helped = proto.Bool(true), "yes"
	case m.chance(60):
		run.Helped, row.Helped = proto.Bool(false), "no"
		if m.chance(10) {
			run.Unclear = one(m, unclear[d.fr])
			row.Unclear = run.GetUnclear()
		}
	}
	row.Content = packed(run)
	return row
}
