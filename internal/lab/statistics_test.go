package lab

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"constat/internal/fault"
	"constat/internal/fault/fixture"
	constatv1 "constat/proto/constat/v1"
)

// share is how many of so many.
type share struct{ is, of int }

func (s *share) add(yes bool) {
	s.of++
	if yes {
		s.is++
	}
}

// wilson is the 95 % score interval of a share (Wilson 1927), in percent. It
// holds for few cases and at the edges, where the usual one says 100 ± 0.
func (s share) wilson() (low, high float64) {
	if s.of == 0 {
		return 0, 100
	}
	const z = 1.959964
	n, p := float64(s.of), float64(s.is)/float64(s.of)
	middle := p + z*z/(2*n)
	spread := z * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return 100 * max(0, (middle-spread)/(1+z*z/n)), 100 * min(1, (middle+spread)/(1+z*z/n))
}

// String is "95.0 % (57 of 60; 86.3 to 98.3)".
func (s share) String() string {
	if s.of == 0 {
		return "none run"
	}
	low, high := s.wilson()
	return fmt.Sprintf("%.1f %% (%d of %d; %.1f to %.1f)", 100*float64(s.is)/float64(s.of), s.is, s.of, low, high)
}

func TestWilson(t *testing.T) {
	// Values of Newcombe 1998, table I, method 3.
	for _, c := range []struct {
		share
		low, high float64
	}{{share{81, 263}, 25.53, 36.62}, {share{15, 148}, 6.24, 16.05}, {share{0, 20}, 0, 16.11}, {share{1, 29}, 0.61, 17.18}} {
		if low, high := c.wilson(); math.Abs(low-c.low) > 0.01 || math.Abs(high-c.high) > 0.01 {
			t.Errorf("%d of %d: %.2f to %.2f, want %.2f to %.2f", c.is, c.of, low, high, c.low, c.high)
		}
	}
}

// reading is what somebody concluded from a run: the agent, or another judge
// who got the same facts.
type reading struct {
	Run
	// sure: a fault was named as more than possible; well: all was seen to be.
	sure, well bool
	roots      []rootNamed
}

type rootNamed struct{ fault, certainty string }

func (r reading) place(id string) int {
	return slices.IndexFunc(r.roots, func(n rootNamed) bool { return n.fault == id })
}

func (r reading) has(certainty string) bool {
	return slices.ContainsFunc(r.roots, func(n rootNamed) bool { return n.certainty == certainty })
}

// answers tells that a reading is one: something was named as more than possible.
// Of a fault that by its entry is never more, a mere correlation in time, to be
// told as the first place to look is the answer.
func (r reading) answers() bool {
	return r.sure || r.Fault != "" && slices.Contains(neverSure(), r.Fault) && r.place(r.Fault) == 0
}

// neverSure are the faults that the catalog's own cases call possible at most.
var neverSure = sync.OnceValue(func() (ids []string) {
	faults, err := fixture.Faults(fixtures)
	if err != nil {
		panic(err) // the catalog's own tests say more
	}
	for _, id := range faults {
		cases, err := fixture.Cases(fixtures, id)
		if err != nil {
			panic(err)
		}
		own := slices.DeleteFunc(cases, func(c *fixture.Case) bool {
			return c.Kind != fixture.Faulty || len(c.Roots) != 1 || c.Roots[0] != id
		})
		if len(own) > 0 && !slices.ContainsFunc(own, func(c *fixture.Case) bool { return c.Certainty != "possible" }) {
			ids = append(ids, id)
		}
	}
	return ids
})

// readingOf takes a diagnosis for what was concluded from a run.
func readingOf(run Run) reading {
	r := reading{Run: run, sure: run.Diagnosis.GetVerdict() == "fault", well: run.Diagnosis.GetVerdict() == "healthy"}
	for _, c := range run.Diagnosis.GetRootCauses() {
		r.roots = append(r.roots, rootNamed{c.Fault, c.Certainty})
	}
	return r
}

// ownWords are what the agent itself said.
func ownWords(runs []Run) (all []reading) {
	for _, run := range runs {
		all = append(all, readingOf(run))
	}
	return all
}

func (r Run) wrong() string { return readingOf(r).wrong() }

func (r Run) said() string { return readingOf(r).said() }

// wrong says what is wrong with a reading; "": nothing.
func (r reading) wrong() string {
	switch {
	case r.Fault == "undetermined" && r.sure:
		return "named what nothing can prove"
	case r.Fault == "undetermined":
		return ""
	case r.Fault == "" && r.sure:
		return "false alarm"
	case r.Fault == "" && !r.well:
		return "healthy, and not seen to be"
	case r.Fault == "":
		return ""
	case !r.answers():
		return "no answer"
	case len(r.Faults) > 1:
		for _, id := range r.Faults {
			if r.place(id) < 0 {
				return "did not name " + id
			}
		}
		return ""
	case r.place(r.Fault) < 0:
		return "not named"
	case r.place(r.Fault) > 0:
		return "not named first"
	}
	return ""
}

// said is the reading in short.
func (r reading) said() string {
	var named []string
	for _, n := range r.roots {
		named = append(named, n.fault+" ("+n.certainty+")")
	}
	return cmp.Or(strings.Join(named, ", "), r.Diagnosis.GetVerdict())
}

// why is what became of each injected fault that was not named: the reason of a
// miss as far as the diagnosis tells it.
func (r reading) why() string {
	ids := r.Faults
	if len(ids) == 0 {
		ids = []string{r.Fault}
	}
	text := ""
	for _, id := range ids {
		if id == "" || id == "undetermined" || r.place(id) >= 0 {
			continue
		}
		text += "; " + id + " "
		d := r.Diagnosis
		open := slices.IndexFunc(d.GetUndetermined(), func(u *constatv1.Undetermined) bool { return u.Fault == id })
		switch {
		case slices.Contains(d.GetSymptoms(), id):
			i := slices.IndexFunc(d.GetRootCauses(), func(c *constatv1.RootCause) bool { return slices.Contains(c.Explains, id) })
			text += "was taken for a symptom of " + d.GetRootCauses()[max(i, 0)].GetFault()
		case open >= 0:
			text += "could not be judged without " + strings.Join(d.GetUndetermined()[open].Missing, ", ")
		case slices.ContainsFunc(d.GetHypotheses(), func(h *constatv1.Hypothesis) bool { return h.Fault == id }):
			text += "stayed another reading"
		case slices.ContainsFunc(d.GetUnrelated(), func(c *constatv1.RootCause) bool { return c.Fault == id }):
			text += "was kept apart from the complaint"
		default:
			text += "did not hold on what was seen"
		}
	}
	return text
}

// statistics are the figures over many readings.
type statistics struct {
	first, three, symptom, abstained share // of runs with one fault
	both                             share // of runs with two
	alarmsConfirmed, alarmsProbable  share // of healthy runs
	seenWell                         share
	left                             share // of those that nothing can prove
	bands                            map[string]*share
	elapsed                          []int    // of live runs, sorted
	ids                              []string // distinct faults injected
	misses                           []string
}

// count makes the figures. An abstention is a miss.
func count(readings []reading) statistics {
	s := statistics{bands: map[string]*share{"confirmed": {}, "probable": {}, "possible": {}}}
	for _, r := range readings {
		if r.Live {
			s.elapsed = append(s.elapsed, r.ElapsedMs)
		}
		if wrong := r.wrong(); wrong != "" {
			s.misses = append(s.misses, fmt.Sprintf("%s | %s | %s: %s%s",
				cmp.Or(strings.Join(r.Faults, ", "), r.Fault, "healthy"), r.How, wrong, r.said(), r.why()))
		}
		injected := r.Faults
		switch {
		case r.Fault == "undetermined":
			s.left.add(!r.sure)
			continue // no name would be right or wrong
		case r.Fault == "":
			s.alarmsConfirmed.add(r.has("confirmed"))
			s.alarmsProbable.add(r.has("probable"))
			s.seenWell.add(r.well)
		case len(r.Faults) > 1:
			s.both.add(r.sure && r.place(r.Faults[0]) >= 0 && r.place(r.Faults[1]) >= 0)
		default:
			injected = []string{r.Fault}
			place := r.place(r.Fault)
			s.first.add(r.answers() && place == 0)
			s.three.add(r.answers() && place >= 0 && place < 3)
			s.symptom.add(r.sure && slices.ContainsFunc(r.roots, func(n rootNamed) bool {
				return n.certainty != "possible" && slices.Contains(broughtAbout(r.Fault), n.fault)
			}))
			s.abstained.add(!r.answers())
		}
		s.ids = append(s.ids, injected...)
		for _, n := range r.roots {
			if band := s.bands[n.certainty]; band != nil {
				band.add(slices.Contains(injected, n.fault))
			}
		}
	}
	slices.Sort(s.elapsed)
	slices.Sort(s.ids)
	s.ids = slices.Compact(s.ids)
	slices.Sort(s.misses)
	return s
}

// broughtAbout are the faults that a fault explains, over any number of steps.
func broughtAbout(id string) []string {
	catalog, err := fault.Builtin()
	if err != nil {
		panic(err) // the catalog's own tests say more
	}
	var all []string
	for todo := []string{id}; len(todo) > 0; todo = todo[1:] {
		if f := catalog.Lookup(todo[0]); f != nil {
			for _, e := range f.Explains {
				if !slices.Contains(all, e) {
					all, todo = append(all, e), append(todo, e)
				}
			}
		}
	}
	return all
}

// percentile of sorted numbers, by the nearest rank.
func percentile(sorted []int, p float64) int {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(0, int(math.Ceil(p/100*float64(len(sorted))))-1)]
}

// figures are the rows of the report, in its order.
func (s statistics) figures() [][2]string {
	rows := [][2]string{
		{"named first", s.first.String()},
		{"among the first three", s.three.String()},
		{"a symptom named as a root", s.symptom.String()},
		{"no answer (counts as a miss)", s.abstained.String()},
		{"both roots of a double fault", s.both.String()},
		{"healthy: confirmed false alarm", s.alarmsConfirmed.String()},
		{"healthy: probable false alarm", s.alarmsProbable.String()},
		{"healthy: seen to be well", s.seenWell.String()},
		{"unprovable: left undetermined", s.left.String()},
	}
	for _, c := range []string{"confirmed", "probable", "possible"} {
		rows = append(rows, [2]string{"right of what was called " + c, s.bands[c].String()})
	}
	return rows
}

// String is the figures for a terminal.
func (s statistics) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d distinct faults; answer after %d ms (median), %d ms (95th percentile)\n", len(s.ids), percentile(s.elapsed, 50), percentile(s.elapsed, 95))
	for _, row := range s.figures() {
		fmt.Fprintf(&b, "%-34s %s\n", row[0], row[1])
	}
	for _, m := range s.misses {
		fmt.Fprintf(&b, "  %s\n", m)
	}
	return b.String()
}

func TestNeverSure(t *testing.T) {
	if got := neverSure(); !slices.Equal(got, []string{"cam-in-use", "cisco-config-change-suspect", "sw-outdated-known-fixed"}) {
		t.Errorf("never more than possible: %q", got)
	}
}
