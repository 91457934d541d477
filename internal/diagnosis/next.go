package diagnosis

import (
	"fmt"
	"slices"
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
	noneFound = fault.Text{
		EN: "No known fault was found, but it could not be seen that everything works.",
		FR: "Aucune panne connue n’a été trouvée, mais rien ne prouve que tout fonctionne.",
	}
	seenNotWorking = fault.Text{
		EN: "No known fault was found, although something does not answer as it should. A technician should look further.",
		FR: "Aucune panne connue n’a été trouvée, et pourtant quelque chose ne répond pas comme il faut. Un technicien doit poursuivre.",
	}
	lookFurther = fault.Text{EN: "A technician should look further.", FR: "Un technicien doit poursuivre."}
	separate    = fault.Text{EN: "To be sure:", FR: "Pour en être sûr :"}
	decidesMost = fault.Text{EN: "This could not be seen well enough: %s.", FR: "Ceci n’a pas pu être assez bien vu : %s."}
)

// again says how to see what was not seen, by its observation's status.
var again = map[string]fault.Text{
	"denied": {EN: "Run the diagnosis again with administrator rights.", FR: "Relancez le diagnostic avec les droits d’administrateur."},
	"failed": {EN: "Reading it failed; run the diagnosis again.", FR: "La lecture a échoué ; relancez le diagnostic."},
	"":       {EN: "Nobody looked at it; run this diagnosis on the computer itself.", FR: "Personne ne l’a examiné ; lancez ce diagnostic sur l’ordinateur lui-même."},
}

// byHand are the checks that a person can do where a group can't be seen.
var byHand = map[string]fault.Text{
	"probes":      {EN: "Meanwhile, open two different web pages and note the exact message.", FR: "En attendant, ouvrez deux pages web différentes et notez le message exact."},
	"network":     {EN: "Meanwhile, look whether the cable is in and its light is on, or the Wi-Fi is on.", FR: "En attendant, regardez si le câble est branché et son voyant allumé, ou si le Wi-Fi est en marche."},
	"wifi":        {EN: "Meanwhile, see whether a phone gets along with the same Wi-Fi in the same place.", FR: "En attendant, voyez si un téléphone fonctionne sur le même Wi-Fi au même endroit."},
	"printing":    {EN: "Meanwhile, print the test page at the printer’s own panel.", FR: "En attendant, imprimez la page de test depuis le panneau de l’imprimante."},
	"usb":         {EN: "Meanwhile, try another socket of the computer itself, then another computer.", FR: "En attendant, essayez une autre prise de l’ordinateur même, puis un autre ordinateur."},
	"peripherals": {EN: "Meanwhile, try the device at another computer.", FR: "En attendant, essayez l’appareil sur un autre ordinateur."},
	"power":       {EN: "Meanwhile, look whether the charger’s light is on, and try another socket.", FR: "En attendant, regardez si le voyant du chargeur est allumé, et essayez une autre prise."},
	"load":        {EN: "Meanwhile, look in the system’s task list at what uses processor and memory.", FR: "En attendant, regardez dans le moniteur du système ce qui occupe le processeur et la mémoire."},
	"space":       {EN: "Meanwhile, look at how much room the disk has left.", FR: "En attendant, regardez la place qui reste sur le disque."},
	"sign_in":     {EN: "Meanwhile, try the same account at another computer.", FR: "En attendant, essayez le même compte sur un autre ordinateur."},
	"crashes":     {EN: "Meanwhile, start the program again and note the exact message.", FR: "En attendant, relancez le logiciel et notez le message exact."},
}

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

// withoutCause names what would decide most: the group that keeps the most
// faults undetermined, how to get to see it, and what a person can look at
// instead.
func (j *judgement) withoutCause(d *constatv1.Diagnosis) string {
	if d.Verdict == healthy {
		return nothingToDo.In(j.lang)
	}
	works, missing := j.facts.Term(j.procedure.Works)
	if works == fault.False {
		return seenNotWorking.In(j.lang)
	}
	group := j.mostWanted(d, missing)
	if group == "" {
		return noneFound.In(j.lang) + " " + lookFurther.In(j.lang)
	}
	parts := []string{noneFound.In(j.lang), fmt.Sprintf(decidesMost.In(j.lang), GroupName(group, j.lang))}
	if !j.facts.Observed(group) {
		if way, ok := again[j.facts.Observation(group).GetStatus()]; ok {
			parts = append(parts, way.In(j.lang))
		}
	}
	if check, ok := byHand[group]; ok {
		parts = append(parts, check.In(j.lang))
	} else {
		parts = append(parts, lookFurther.In(j.lang))
	}
	return strings.Join(parts, " ")
}

// mostWanted is the group that most of what is undetermined misses; what the
// proof of health misses counts as much as all the rest.
func (j *judgement) mostWanted(d *constatv1.Diagnosis, health []string) string {
	count := map[string]int{}
	add := func(missing []string, weight int) {
		seen := map[string]bool{}
		for _, fact := range missing {
			group, _, _ := strings.Cut(fact, ".")
			if slices.Contains(j.procedure.Groups, group) && !seen[group] {
				seen[group] = true
				count[group] += weight
			}
		}
	}
	for _, u := range d.Undetermined {
		add(u.GetMissing(), 1)
	}
	add(health, len(d.Undetermined)+1)
	best := ""
	for _, group := range j.procedure.Groups { // sorted
		if count[group] > 0 && (best == "" || count[group] > count[best]) {
			best = group
		}
	}
	return best
}
