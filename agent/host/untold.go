package host

import (
	"slices"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// untold are the facts that a system does not tell this agent, by group, several of one
// reason together.
type untold []struct {
	group, facts string
	why          error
}

// tell adds the gaps of a group, but where its reader gave a reason of its own.
func (list untold) tell(o *constatv1.Observation, group string) {
	for _, u := range list {
		for fact := range strings.FieldsSeq(u.facts) {
			if u.group == group && !slices.ContainsFunc(o.Gaps, func(g *constatv1.Gap) bool { return g.GetFact() == fact }) {
				gap(o, fact, u.why)
			}
		}
	}
}
