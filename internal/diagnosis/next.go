package diagnosis

import (
	"strings"

	"constat/internal/fault"
	constatv1 "constat/proto/constat/v1"
)

// The sentences of the next step that no fault's advice can give.
var (
	nothingToDo = fault.Text{
		EN: "Nothing needs to be done: what was checked works.",
		FR: "Il n’y a rien à faire : tout ce qui a été contrôlé fonctionne.",
	}
	lookAgain = fault.Text{
		EN: "No known fault was found, but it could not be seen that everything works; not visible: {component|some of the facts}. A technician should look further.",
		FR: "Aucune panne connue n’a été trouvée, mais rien ne prouve que tout fonctionne ; non visible : {component|une partie des informations}. Un technicien doit poursuivre.",
	}
	seenNotWorking = fault.Text{
		EN: "No known fault was found, although something does not answer as it should. A technician should look further.",
		FR: "Aucune panne connue n’a été trouvée, et pourtant quelque chose ne répond pas comme il faut. Un technicien doit poursuivre.",
	}
	separate = fault.Text{
		EN: "To be sure:",
		FR: "Pour en être sûr :",
	}
)

// nextStep says in one sentence what to do: what the best cause advises, or,
// while two readings compete, the check that separates them.
func (j *judgement) nextStep(d *constatv1.Diagnosis) string {
	if len(d.RootCauses) == 0 {
		return j.withoutCause(d)
	}
	best := d.RootCauses[0]
	if best.Certainty != confirmed {
		for _, h := range d.Hypotheses {
			if h.InsteadOf == best.Fault && h.Check != "" {
				return best.Advice.User + " " + separate.In(j.lang) + " " + h.Check
			}
		}
	}
	return best.Advice.User
}

func (j *judgement) withoutCause(d *constatv1.Diagnosis) string {
	if d.Verdict == healthy {
		return nothingToDo.In(j.lang)
	}
	works, missing := j.facts.Term(j.procedure.Works)
	if works == fault.False {
		return seenNotWorking.In(j.lang)
	}
	return lookAgain.About(j.lang, strings.Join(missing[:min(len(missing), 4)], ", "))
}
