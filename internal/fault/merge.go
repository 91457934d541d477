package fault

import (
	"fmt"

	constatv1 "constat/proto/constat/v1"
)

// Merge adds to a catalog what a team wrote, which takes the place of what has
// the same id or name. The version names both.
func Merge(base, team *constatv1.Catalog, revision int64) *constatv1.Catalog {
	if len(team.GetFaults())+len(team.GetTerms()) == 0 {
		return base
	}
	merged := &constatv1.Catalog{Version: fmt.Sprintf("%s+%d", base.GetVersion(), revision)}
	own := map[string]bool{}
	for _, f := range team.GetFaults() {
		own["fault "+f.GetId()] = true
	}
	for _, t := range team.GetTerms() {
		own["term "+t.GetName()] = true
	}
	for _, f := range base.GetFaults() {
		if !own["fault "+f.GetId()] {
			merged.Faults = append(merged.Faults, f)
		}
	}
	for _, t := range base.GetTerms() {
		if !own["term "+t.GetName()] {
			merged.Terms = append(merged.Terms, t)
		}
	}
	merged.Faults = append(merged.Faults, team.GetFaults()...)
	merged.Terms = append(merged.Terms, team.GetTerms()...)
	return merged
}
