// Package diagnosis goes from a snapshot to the root cause: it asks the catalog
// which faults are true, takes away those that others explain, and says how
// sure it is, what else would fit, what could not be seen, and what to do next.
//
// Everything here is pure: no clock, no I/O, and the same snapshot, catalog and
// time give the same bytes, on the agent and on the collector.
package diagnosis

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/internal/fault"
	constatv1 "constat/proto/constat/v1"
)

// Certainties, as the diagnosis spells them.
const (
	confirmed = "confirmed"
	probable  = "probable"
	possible  = "possible"
)

// Verdicts, as the diagnosis spells them.
const (
	healthy      = "healthy"
	faulty       = "fault"
	undetermined = "undetermined"
)

// Judge concludes from a snapshot what is wrong in the sense of a procedure,
// with texts in the catalog's language for lang ("en", "fr"). It fills all of the diagnosis but its id,
// endpoint, duration and trigger, which only who ran it knows. Facts that the
// snapshot lacks make faults undetermined, never false, and no snapshot makes
// it fail.
func Judge(c *fault.Catalog, p *Procedure, s *constatv1.Snapshot, now time.Time, lang string) *constatv1.Diagnosis {
	lang = fault.Language(lang)
	j := &judgement{catalog: c, procedure: p, snapshot: s, now: now, facts: c.Facts(s, now), lang: lang, findings: map[string]*finding{}, shared: s.GetFleet().GetShared()}
	for _, f := range c.Faults() {
		j.findings[f.ID] = &finding{Fault: f, Finding: f.Judge(j.facts)}
	}
	j.rate()
	j.explain()
	d := &constatv1.Diagnosis{
		SnapshotId:     s.GetManifest().GetId(),
		Procedure:      p.ID,
		StartedAt:      timestamppb.New(now),
		Language:       lang,
		CatalogVersion: c.Version(),
	}
	roots, unrelated := j.roots()
	roots, rivals := j.rivals(roots)
	for _, r := range roots {
		d.RootCauses = append(d.RootCauses, j.rootCause(r))
		d.Symptoms = append(d.Symptoms, r.explains...)
	}
	slices.Sort(d.Symptoms)
	d.Symptoms = slices.Compact(d.Symptoms)
	for _, r := range unrelated {
		d.Unrelated = append(d.Unrelated, j.rootCause(r))
	}
	d.Hypotheses = append(rivals, j.undecided(roots)...)
	sortHypotheses(d.Hypotheses)
	d.Undetermined = j.undetermined(roots)
	d.Unobserved = j.unobserved()
	d.Verdict = j.verdict(roots)
	d.NextStep = j.nextStep(d)
	return d
}

// judgement is the state of one Judge.
type judgement struct {
	catalog   *fault.Catalog
	procedure *Procedure
	snapshot  *constatv1.Snapshot
	now       time.Time
	facts     *fault.Facts
	lang      string
	findings  map[string]*finding // of every fault, by id
	shared    []*constatv1.SharedFinding
}

// finding is a fault with what was concluded about it.
type finding struct {
	*fault.Fault
	fault.Finding
	certainty string
	score     float64
	explains  []string // true faults that this one brings about, sorted
	explained bool
	// covered are the parts that some cause brings about: others may be left.
	covered []*fault.Part
}

// rank orders certainties; higher is surer.
var rank = map[string]int{confirmed: 3, probable: 2, possible: 1}

// rate gives every true fault its certainty. Confirmed needs proof that
// suffices by itself, nothing against it, and every look-alike's own rule to
// have been decided: what could not be told apart is probable at best.
func (j *judgement) rate() {
	for _, f := range j.findings {
		if f.Truth != fault.True {
			continue
		}
		switch {
		case f.Contradicted == fault.True:
			f.certainty = possible
		case f.Decisive == fault.True && len(j.openLookAlikes(f)) == 0:
			f.certainty = confirmed
		default:
			f.certainty = probable
		}
		f.score = score(f)
	}
}

// openLookAlikes are the faults that could be taken for f and could not be
// judged.
func (j *judgement) openLookAlikes(f *finding) []fault.LookAlike {
	var open []fault.LookAlike
	for _, l := range f.LookAlikes {
		if other := j.findings[l.Fault]; other != nil && other.Truth == fault.Unknown {
			open = append(open, l)
		}
	}
	return open
}

// Weights of the score. They only rank findings of one certainty, so their
// exact size means nothing.
const (
	decisiveWeight = 0.5
	evidenceWeight = 0.05 // per shown fact, for the first four
	urgencyWeight  = 0.05 // per step of urgency
)

var urgencies = []string{"low", "normal", "high", "critical"}

func score(f *finding) float64 {
	s := evidenceWeight*float64(min(len(f.Evidence), 4)) + urgencyWeight*float64(slices.Index(urgencies, f.Urgency))
	if f.Decisive == fault.True {
		s += decisiveWeight
	}
	if f.Contradicted == fault.Unknown {
		s -= evidenceWeight
	}
	return twoDecimals(max(s, 0))
}

// twoDecimals rounds a score, half up: no more is meant.
func twoDecimals(s float64) float64 { return float64(int(s*100+0.5)) / 100 }

// explain takes the symptoms away: a true fault that another true one brings
// about, over any number of steps, is no cause. What is only possible explains
// nothing, and what is about one component explains nothing of another: a
// finding of which parts are left is a cause by these.
func (j *judgement) explain() {
	sorted := slices.Sorted(maps.Keys(j.findings))
	reached := map[string][]string{} // by cause
	for _, id := range sorted {
		cause := j.findings[id]
		if rank[cause.certainty] < rank[probable] {
			continue
		}
		effects := j.effects(cause)
		for _, effect := range slices.Sorted(maps.Keys(effects)) {
			if f := j.findings[effect]; f.Truth == fault.True {
				f.cover(effects[effect])
				reached[id] = append(reached[id], effect)
			}
		}
	}
	for _, id := range sorted {
		cause := j.findings[id]
		for _, effect := range reached[id] {
			if j.findings[effect].explained {
				cause.explains = append(cause.explains, effect)
			}
		}
		// One more explained finding is one more reason to believe.
		cause.score = twoDecimals(min(1, cause.score+evidenceWeight*float64(min(len(cause.explains), 4))))
	}
	for _, f := range j.findings {
		if len(f.covered) > 0 && !f.explained {
			f.Finding = f.Without(f.covered)
		}
	}
}

// cover notes what a cause brings about of a finding.
func (f *finding) cover(r *reach) {
	for _, part := range r.parts {
		if !slices.Contains(f.covered, part) {
			f.covered = append(f.covered, part)
		}
	}
	f.explained = f.explained || r.whole || len(f.Parts) > 0 && len(f.covered) == len(f.Parts)
}

// reach is how far a cause comes with one fault: what of it the cause brings
// about, or would, if the fault could not be judged.
type reach struct {
	// whole: all of it, whatever it is about.
	whole bool
	parts []*fault.Part
	// wide and unseen say what the way from the cause here is worth: that it
	// passes what is not limited to its components; and that its last step was
	// not seen to be there.
	wide, unseen bool
}

// effects are all faults that a cause brings about, by what they are about.
//
// That a fault can bring another about does not say that this one did. A step is
// believed where both name what they are about and it is the same, and where it
// can't be compared because they are of different kinds: a dead link silences
// printers and servers, a full disk ends any service. It is not believed between
// two links, two printers, two programs: a program that crashes stops no print
// service, unless the print service runs it. The same holds over several steps,
// between each two and between the first and the last. What is known not to be
// there brings nothing about in its turn. What could not be judged may stand in
// the middle, but speaks for nobody: past it a cause reaches only what is about
// the same component, or is about the machine as a whole as both are.
func (j *judgement) effects(cause *finding) map[string]*reach {
	effects := map[string]*reach{}
	start := &reach{whole: len(cause.Parts) == 0, parts: spreading(cause.Parts), wide: cause.Wide}
	if !start.whole && len(start.parts) == 0 {
		return effects // all of it stays where it is
	}
	type step struct {
		from *reach
		to   string
	}
	var todo []step
	next := func(from *reach, f *finding) {
		for _, id := range f.Explains {
			todo = append(todo, step{from, id})
		}
	}
	for next(start, cause); len(todo) > 0; todo = todo[1:] {
		s := todo[0]
		f := j.findings[s.to]
		if f == nil || f.Truth == fault.False || f == cause {
			continue
		}
		here := &reach{whole: s.from.whole, parts: s.from.parts, wide: s.from.wide || f.Wide, unseen: true}
		if f.Truth == fault.True {
			here = f.reachedFrom(s.from, start)
		}
		if here == nil || !effects[s.to].grow(here) {
			continue
		}
		if effects[s.to] == nil {
			effects[s.to] = here
		}
		onward := *effects[s.to]
		if f.Truth == fault.True {
			onward.parts = spreading(onward.parts)
		}
		if onward.whole || len(onward.parts) > 0 {
			next(&onward, f)
		}
	}
	return effects
}

// spreading are the parts that bring something about.
func spreading(parts []*fault.Part) []*fault.Part {
	return slices.DeleteFunc(slices.Clone(parts), func(p *fault.Part) bool { return p.Local })
}

// grow adds what another way reaches, and tells whether that is more.
func (r *reach) grow(by *reach) bool {
	if r == nil {
		return true
	}
	more := by.whole && !r.whole || by.wide && !r.wide || r.unseen && !by.unseen
	r.whole, r.wide, r.unseen = r.whole || by.whole, r.wide || by.wide, r.unseen && by.unseen
	for _, part := range by.parts {
		if !slices.Contains(r.parts, part) {
			r.parts, more = append(r.parts[:len(r.parts):len(r.parts)], part), true
		}
	}
	return more
}

// reachedFrom is what of a true finding a step from a fault before it brings
// about, and the cause at the way's start; nil: nothing.
func (f *finding) reachedFrom(before, start *reach) *reach {
	if len(f.Parts) == 0 {
		if before.unseen && !before.whole && !before.wide {
			return nil
		}
		return &reach{whole: true, wide: before.wide || f.Wide}
	}
	here := &reach{wide: before.wide || f.Wide}
	for _, part := range f.Parts {
		if before.touches(part, here.wide) && start.touches(part, here.wide) {
			here.parts = append(here.parts, part)
		}
	}
	if len(here.parts) == 0 {
		return nil
	}
	return here
}

// touches tells whether what is about r's parts may be about this one. What is
// wide is not limited to its places, and yet no program is another.
func (r *reach) touches(part *fault.Part, wide bool) bool {
	if r.whole {
		return true
	}
	comparable, same := false, false
	for _, own := range r.parts {
		s, known := part.SameProgram(own)
		if !wide {
			s, known = part.Same(own)
		}
		comparable, same = comparable || known, same || s
	}
	return same || !comparable && (wide || !r.unseen)
}

// roots are the true faults that nothing explains, best first: those that have
// to do with the complaint, by themselves or by what they explain, and the
// others.
func (j *judgement) roots() (concerning, unrelated []*finding) {
	for _, f := range j.findings {
		if f.Truth != fault.True || f.explained {
			continue
		}
		if j.concerns(f) {
			concerning = append(concerning, f)
		} else {
			unrelated = append(unrelated, f)
		}
	}
	slices.SortFunc(concerning, better)
	slices.SortFunc(unrelated, better)
	return concerning, unrelated
}

func (j *judgement) concerns(f *finding) bool {
	return j.procedure.Concerns(f.Fault) || slices.ContainsFunc(f.explains, func(id string) bool {
		return j.procedure.Concerns(j.findings[id].Fault)
	})
}

// better orders findings best first; equal ones by id, so that the order is
// always the same.
func better(a, b *finding) int {
	return cmp.Or(
		-cmp.Compare(rank[a.certainty], rank[b.certainty]),
		-cmp.Compare(len(a.explains), len(b.explains)),
		-cmp.Compare(a.score, b.score),
		cmp.Compare(a.ID, b.ID),
	)
}

// rivals takes from the roots those that are only possible and easily taken
// for a surer one, or for what it explains: they are other readings of the same evidence, not second
// faults.
func (j *judgement) rivals(roots []*finding) (kept []*finding, rivals []*constatv1.Hypothesis) {
	for _, f := range roots {
		var surer *finding
		var check *fault.Text
		for _, k := range kept {
			if f.certainty == possible && k.certainty != possible && check == nil {
				surer, check = k, j.separatingCheck(k, f)
			}
		}
		if check == nil {
			kept = append(kept, f)
			continue
		}
		rivals = append(rivals, &constatv1.Hypothesis{
			Fault: f.ID, Certainty: f.certainty, Score: f.score, Title: f.Title.About(j.lang, f.Component),
			InsteadOf: surer.ID, Check: check.In(j.lang),
		})
	}
	return kept, rivals
}

// separatingCheck is what tells a cause, or one of its symptoms, from another
// fault; nil when they do not look alike.
func (j *judgement) separatingCheck(cause, other *finding) *fault.Text {
	check := separatingCheck(cause, other)
	for _, id := range cause.explains {
		if symptom := j.findings[id]; check == nil && symptom.certainty != possible {
			check = separatingCheck(symptom, other)
		}
	}
	return check
}

// separatingCheck is what either of two faults says about telling them apart;
// nil when they do not look alike.
func separatingCheck(a, b *finding) *fault.Text {
	for _, pair := range [2][2]*finding{{a, b}, {b, a}} {
		for _, l := range pair[0].LookAlikes {
			if l.Fault == pair[1].ID {
				return &l.Check
			}
		}
	}
	return nil
}

// undecided are the look-alikes of the roots that could not be judged.
func (j *judgement) undecided(roots []*finding) []*constatv1.Hypothesis {
	var open []*constatv1.Hypothesis
	for _, r := range roots {
		for _, l := range j.openLookAlikes(r) {
			other := j.findings[l.Fault]
			open = append(open, &constatv1.Hypothesis{
				Fault: l.Fault, Certainty: possible, Title: other.Title.In(j.lang),
				InsteadOf: r.ID, Check: l.Check.In(j.lang), Missing: other.Missing,
			})
		}
	}
	return open
}

func sortHypotheses(h []*constatv1.Hypothesis) {
	slices.SortFunc(h, func(a, b *constatv1.Hypothesis) int {
		return cmp.Or(-cmp.Compare(a.Score, b.Score), cmp.Compare(a.InsteadOf, b.InsteadOf), cmp.Compare(a.Fault, b.Fault))
	})
}

// undetermined are the faults of the procedure that met unknown facts, but for
// those that a root cause would explain anyway, and those that show only where
// nobody looked.
func (j *judgement) undetermined(roots []*finding) []*constatv1.Undetermined {
	moot := map[string]bool{}
	for _, r := range roots {
		if r.certainty != possible {
			for id := range j.effects(r) {
				moot[id] = true
			}
		}
	}
	var open []*constatv1.Undetermined
	for _, f := range j.catalog.Faults() { // sorted by id
		found := j.findings[f.ID]
		if found.Truth == fault.Unknown && !found.Unasked && j.procedure.Concerns(f) && !moot[f.ID] {
			open = append(open, &constatv1.Undetermined{Fault: f.ID, Missing: found.Missing})
		}
	}
	return open
}

// unobserved are the procedure's groups that are not there, and why.
func (j *judgement) unobserved() []*constatv1.Unobserved {
	var gone []*constatv1.Unobserved
	for _, g := range j.procedure.Groups { // sorted
		if !j.facts.Observed(g) {
			gone = append(gone, &constatv1.Unobserved{Group: g, Observation: j.facts.Observation(g)})
		}
	}
	return gone
}

// verdict is healthy only when it was seen that things work: no fault found is
// not enough, because what breaks may have no name yet or may not have been
// visible. A suspicion alone is neither a fault nor health.
func (j *judgement) verdict(roots []*finding) string {
	if slices.ContainsFunc(roots, func(f *finding) bool { return f.certainty != possible }) {
		return faulty
	}
	works, _ := j.facts.Term(j.procedure.Works)
	if len(roots) == 0 && works == fault.True {
		return healthy
	}
	return undetermined
}

func (j *judgement) rootCause(f *finding) *constatv1.RootCause {
	r := &constatv1.RootCause{
		Fault:     f.ID,
		Certainty: f.certainty,
		Score:     f.score,
		Title:     f.Title.About(j.lang, f.Component),
		Evidence:  f.Evidence,
		Explains:  f.explains,
		Remedies:  f.Remedies,
		Advice: &constatv1.Advice{
			User:       f.User.About(j.lang, f.Component),
			Technician: f.Technician.About(j.lang, f.Component),
		},
		Urgency:   f.Urgency,
		Component: f.Component,
		Brand:     f.Brand,
		Domain:    f.Domain,
	}
	j.date(f, r)
	for _, s := range j.shared {
		if s.GetFault() == f.ID {
			r.Shared = append(r.Shared, s)
		}
	}
	return r
}
