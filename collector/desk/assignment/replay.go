package assignment

import (
	"slices"
	"time"
)

// Past is a ticket of the past, for Replay.
type Past struct {
	Number int32
	Matter Matter
	At     time.Time
	// Done is when it was solved; zero: not yet.
	Done time.Time
}

// Replay gives out tickets of the past, oldest first, to a team that begins with
// no open ones, and tells who would have had each: "" for nobody. Two teams
// replayed on the same tickets differ by the teams alone.
func Replay(team []Technician, past []Past) []string {
	team = slices.Clone(team)
	for i := range team {
		team[i].Open, team[i].Last = 0, time.Time{}
	}
	all := members(team)
	type held struct {
		by   int
		done time.Time
	}
	var open []held
	names := make([]string, len(past))
	for i, p := range past {
		open = slices.DeleteFunc(open, func(h held) bool {
			if h.done.IsZero() || h.done.After(p.At) {
				return false
			}
			team[h.by].Open--
			return true
		})
		if by := first(all, p.Matter, p.At); by >= 0 {
			names[i] = team[by].Name
			team[by].Open++
			team[by].Last = p.At
			open = append(open, held{by, p.Done})
		}
	}
	return names
}
