// Package procedure walks through written procedures: what an experienced
// technician does for a complaint, as far as a machine can do it, asking a
// person only what it cannot see.
//
// A procedure is a file of shipped/, or one of a team's own: Markdown that
// package compile checks and turns into the form embedded here (see README.md).
// Walking is pure: the procedure, what the machine knows and the answers so far
// go in, the next step comes out. So a walk can go on in another process, and
// every way through a procedure can be tried.
package procedure

import (
	"cmp"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"

	"constat/internal/fault"
	constatv1 "constat/proto/constat/v1"
)

//go:generate go test ./compile -run TestBuiltinIsWhatIsWritten -update

// compiled is what package compile made of shipped/*.md.
//
//go:embed procedures.pb.zst
var compiled []byte

// Builtin reads the procedures in the binary anew.
func Builtin() (*constatv1.Procedures, error) {
	all := &constatv1.Procedures{}
	if err := fault.Unpack(compiled, all); err != nil {
		return nil, fmt.Errorf("reading the procedures in this program: %w", err)
	}
	return all, nil
}

// Merge adds to procedures what a team wrote, which takes the place of what has the
// same id.
func Merge(base, team *constatv1.Procedures) *constatv1.Procedures {
	all := &constatv1.Procedures{Version: base.GetVersion(), Procedures: slices.Clone(team.GetProcedures()), Drawings: slices.Concat(team.GetDrawings(), base.GetDrawings())}
	for _, p := range base.GetProcedures() {
		if !slices.ContainsFunc(team.GetProcedures(), func(own *constatv1.Procedure) bool { return own.GetId() == p.GetId() }) {
			all.Procedures = append(all.Procedures, p)
		}
	}
	slices.SortFunc(all.Procedures, func(a, b *constatv1.Procedure) int { return cmp.Compare(a.GetId(), b.GetId()) })
	return all
}

// Machine is what is known of a machine, as a procedure asks it.
type Machine struct {
	// Truth judges a fault or a term of the catalog.
	Truth func(name string) fault.Truth
	// Logged tells of a fault that it is known from what was written down when it
	// happened, and so goes on being told for a while after it was mended; nil: none is.
	Logged func(id string) bool
	// Causes are the faults that a diagnosis named, and how sure it is of each:
	// confirmed, probable or possible.
	Causes map[string]string
	// OS is linux, windows or darwin; empty where it is not known. Brands, Models
	// and Products are names in lower case.
	OS                       string
	Brands, Models, Products []string
}

// See tells what a snapshot and its diagnosis say. It is for one goroutine.
func See(c *fault.Catalog, s *constatv1.Snapshot, d *constatv1.Diagnosis, now time.Time) *Machine {
	facts := c.Facts(s, now)
	known := map[string]fault.Truth{}
	m := &Machine{Causes: map[string]string{}, OS: s.GetHost().GetOsFamily()}
	m.Truth = func(name string) fault.Truth {
		truth, ok := known[name]
		if !ok {
			if f := c.Lookup(name); f != nil {
				truth = f.Judge(facts).Truth
			} else {
				truth, _ = facts.Term(name)
			}
			known[name] = truth
		}
		return truth
	}
	m.Logged = func(id string) bool {
		f := c.Lookup(id)
		return f != nil && f.Logged
	}
	for _, r := range d.GetRootCauses() {
		m.Causes[r.GetFault()] = r.GetCertainty()
	}
	for _, h := range d.GetHypotheses() {
		if _, ok := m.Causes[h.GetFault()]; !ok {
			m.Causes[h.GetFault()] = "possible"
		}
	}
	m.name(s, d)
	return m
}

// name gathers what the thing that the complaint is about is called: an HP
// computer with a Canon printer prints like any Canon.
func (m *Machine) name(s *constatv1.Snapshot, d *constatv1.Diagnosis) {
	called := func(brand, maker, model string) {
		m.Brands, m.Models = append(m.Brands, brand, maker), append(m.Models, model)
	}
	switch d.GetProcedure() {
	case "printing":
		for _, r := range d.GetRootCauses() {
			called(r.GetBrand(), "", "")
		}
		if !slices.ContainsFunc(m.Brands, func(b string) bool { return b != "" }) {
			for _, p := range s.GetPrinting().GetPrinters() {
				called(p.GetBrand(), p.GetManufacturer(), p.GetModel())
			}
			for _, d := range s.GetUsb().GetDevices() {
				called(d.GetIeee1284Make(), "", d.GetIeee1284Model())
			}
		}
	case "peripheral":
		for _, d := range s.GetUsb().GetDevices() {
			called(d.GetBrand(), d.GetVendor(), d.GetProduct())
		}
		for _, d := range s.GetPeripherals().GetDevices() {
			called(d.GetBrand(), "", d.GetModel())
		}
		for _, d := range s.GetPeripherals().GetAbsent() {
			called(d.GetBrand(), "", d.GetName())
		}
		for _, d := range s.GetPeripherals().GetBluetoothDevices() {
			called(d.GetName(), "", d.GetName())
		}
	default:
		system := s.GetHardware().GetSystem()
		called(system.GetBrand(), system.GetManufacturer(), system.GetModel())
	}
	for _, p := range s.GetSoftware().GetPrograms() {
		m.Products = append(m.Products, p.GetName())
	}
	for _, names := range []*[]string{&m.Brands, &m.Models, &m.Products} {
		for i, n := range *names {
			(*names)[i] = strings.ToLower(n)
		}
	}
}

// Suits tells whether something is meant for the machine. What is not known to
// be there is not meant.
func (m *Machine) Suits(s *constatv1.Procedure_Selector) bool {
	part := func(words, names []string) bool {
		return len(words) == 0 || slices.ContainsFunc(words, func(w string) bool {
			w = strings.ToLower(w)
			return slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, w) })
		})
	}
	return (len(s.GetOs()) == 0 || m.OS == "" || slices.Contains(s.GetOs(), m.OS)) &&
		part(s.GetBrands(), m.Brands) && part(s.GetModels(), m.Models) && part(s.GetProducts(), m.Products)
}

// Choose finds the procedure of that id, or else, of those for that complaint
// that suit the machine, the one that is meant for the fewest others. Nil: none.
func Choose(all *constatv1.Procedures, name string, m *Machine) *constatv1.Procedure {
	var best *constatv1.Procedure
	narrow := func(s *constatv1.Procedure_Selector) int {
		n := 0
		for i, words := range [][]string{s.GetOs(), s.GetBrands(), s.GetProducts(), s.GetModels()} {
			if len(words) > 0 {
				n += 1 << i
			}
		}
		return n
	}
	for _, p := range all.GetProcedures() {
		if p.GetId() == name && m.Suits(p.GetSelector()) {
			best = p
		}
	}
	for _, p := range all.GetProcedures() { // sorted
		if p.GetComplaint() == name && m.Suits(p.GetSelector()) && (best == nil || narrow(p.GetSelector()) > narrow(best.GetSelector())) {
			best = p
		}
	}
	return best
}

// With adds to a procedure what a diagnosis found and no step is about: the
// catalog's own advice, and the remedies that it names.
func With(p *constatv1.Procedure, c *fault.Catalog, d *constatv1.Diagnosis, m *Machine) *constatv1.Procedure {
	var first []*constatv1.Procedure_Step
	about := func(id, verb string) bool {
		return slices.ContainsFunc(p.GetSteps(), func(s *constatv1.Procedure_Step) bool {
			return slices.Contains(s.GetAbout(), id) && (verb == "" || s.GetVerb() == verb) && m.Suits(s.GetSelector())
		})
	}
	for _, r := range d.GetRootCauses() {
		f := c.Lookup(r.GetFault())
		if f == nil || r.GetCertainty() == "possible" {
			continue
		}
		for _, verb := range f.Remedies {
			if !about(f.ID, verb) {
				first = append(first, &constatv1.Procedure_Step{
					Id: "remedy-" + verb + "-" + f.ID, Kind: "remedy", Verb: verb, About: []string{f.ID}, Cost: 30, Answers: tried,
				})
			}
		}
		if len(f.Remedies) == 0 && !about(f.ID, "") { // its advice may be that a technician is needed
			first = append(first, &constatv1.Procedure_Step{
				Id: "advice-" + f.ID, Kind: "article", About: []string{f.ID}, Cost: 60,
				Text: text(f.User, r.GetComponent()), Answers: read,
			})
		}
	}
	if len(first) == 0 {
		return p
	}
	added := &constatv1.Procedure{
		Id: p.GetId(), Version: p.GetVersion(), Owner: p.GetOwner(), Review: p.GetReview(), Complaint: p.GetComplaint(),
		Selector: p.GetSelector(), Title: p.GetTitle(), Steps: append(first, p.GetSteps()...),
	}
	return added
}

func text(t fault.Text, component string) *constatv1.Procedure_Text {
	return &constatv1.Procedure_Text{En: t.About("en", component), Fr: t.About("fr", component)}
}

// tried are the answers to a step that only asks whether it helped.
var tried = []*constatv1.Procedure_Answer{
	{Id: Helped, LeadsTo: Done, Label: &constatv1.Procedure_Text{En: "It works now", Fr: "Ça marche maintenant"}},
	{Id: Not, LeadsTo: Next, Label: &constatv1.Procedure_Text{En: "Still not", Fr: "Toujours pas"}},
	{Id: "skipped", LeadsTo: Next, Label: &constatv1.Procedure_Text{En: "I can’t do that", Fr: "Je ne peux pas faire cela"}},
}

// read are the answers to an advice.
var read = []*constatv1.Procedure_Answer{
	tried[0],
	{Id: Not, LeadsTo: Next, Label: &constatv1.Procedure_Text{En: "Go on", Fr: "Continuer"}},
}

// Where an answer leads, beside a step.
const (
	Next    = "next"
	Done    = "done"
	Support = "support"
)

// Answers that a machine gives where it can see what a step has changed.
const (
	Helped = "helped"
	Not    = "not"
)

// Who gave an answer.
const (
	byMachine = "machine"
	byPerson  = "person"
)

// How a walk ends.
const (
	Solved = "solved"
	Handed = "support"
	Ended  = "ended" // nothing is left to try
	Left   = "left"  // the person went away
)

// Passed is the answer of a check that shows nothing.
const Passed = "nothing"

// Advance goes on from the answers so far to the next step that a person has to
// do or say something for. What the machine can answer itself it answers: more
// are those answers, to be put behind taken. At the end there is no step, and
// outcome says which end. No step comes twice, so every walk ends.
func Advance(p *constatv1.Procedure, m *Machine, taken []*constatv1.ProcedureRun_StepTaken) (more []*constatv1.ProcedureRun_StepTaken, step *constatv1.Procedure_Step, outcome string) {
	w := &walk{procedure: p, machine: m, seen: map[string]bool{}}
	goal := Next
	for _, t := range taken {
		w.seen[t.GetStep()] = true
		goal = w.leads(t)
	}
	for {
		switch goal {
		case Done:
			return more, nil, Solved
		case Support:
			return more, nil, Handed
		}
		var meant bool
		step, meant = w.to(goal)
		switch {
		case step == nil:
			return more, nil, Ended
		case !meant && step.GetKind() != "check" && w.settled(step):
			return more, nil, Handed
		}
		answer := w.given(step)
		if answer == "" {
			return more, step, ""
		}
		t := &constatv1.ProcedureRun_StepTaken{Step: step.GetId(), Answer: answer, By: byMachine}
		more = append(more, t)
		w.seen[step.GetId()] = true
		goal = w.leads(t)
	}
}

// Answered is what a person said at a step.
func Answered(s *constatv1.Procedure_Step, answer string, elapsed time.Duration) *constatv1.ProcedureRun_StepTaken {
	return &constatv1.ProcedureRun_StepTaken{Step: s.GetId(), Answer: answer, By: byPerson, ElapsedMs: int32(elapsed.Milliseconds())}
}

// Sees tells whether the machine may see by itself what comes of a step: one of its
// faults is there, and is more than a line in a log. A remedy has seen for itself.
func (m *Machine) Sees(s *constatv1.Procedure_Step) bool {
	return slices.ContainsFunc(s.GetAbout(), func(id string) bool {
		return m.Truth(id) == fault.True && (s.GetKind() == "remedy" || !m.logged(id))
	})
}

func (m *Machine) logged(id string) bool { return m.Logged != nil && m.Logged(id) }

// Changed is what a machine saw of a step that was done, before and after: the
// answer, or empty where only a person can tell.
func Changed(s *constatv1.Procedure_Step, before, after *Machine) string {
	had, has, open := false, false, false
	for _, id := range s.GetAbout() {
		had = had || before.Truth(id) == fault.True
		told := after.Truth(id)
		if told == fault.True && after.logged(id) {
			told = fault.Unknown // the log tells what was, also where it was mended since
		}
		has = has || told == fault.True
		open = open || before.Truth(id) == fault.True && told == fault.Unknown
	}
	switch {
	case !had || open:
		return ""
	case has:
		return Not
	}
	return Helped
}

// Seen is the answer of a machine to a step that it did or that was done.
func Seen(s *constatv1.Procedure_Step, answer string, elapsed time.Duration) *constatv1.ProcedureRun_StepTaken {
	t := Answered(s, answer, elapsed)
	t.By = byMachine
	return t
}

// walk is the state of one Advance.
type walk struct {
	procedure *constatv1.Procedure
	machine   *Machine
	seen      map[string]bool
}

// leads is where an answer leads; a step or an answer that is not there, of an
// older version of the procedure, leads on.
func (w *walk) leads(t *constatv1.ProcedureRun_StepTaken) string {
	if s := w.find(t.GetStep()); s != nil {
		for _, a := range s.GetAnswers() {
			if a.GetId() == t.GetAnswer() {
				return a.GetLeadsTo()
			}
		}
	}
	return Next
}

func (w *walk) find(id string) *constatv1.Procedure_Step {
	for _, s := range w.procedure.GetSteps() {
		if s.GetId() == id {
			return s
		}
	}
	return nil
}

// to is the step that a goal means: the named one where it is still to be taken
// and suits the machine, else, not meant by it, the best of those that are open.
func (w *walk) to(goal string) (step *constatv1.Procedure_Step, meant bool) {
	if s := w.find(goal); s != nil {
		if other := w.replaced(s); other != nil {
			s = other
		}
		if !w.seen[s.GetId()] && w.machine.Suits(s.GetSelector()) {
			return s, true
		}
	}
	var open []*constatv1.Procedure_Step
	for _, s := range w.procedure.GetSteps() {
		if w.open(s) {
			open = append(open, s)
		}
	}
	open = slices.DeleteFunc(open, func(s *constatv1.Procedure_Step) bool {
		return slices.ContainsFunc(s.GetAfter(), func(id string) bool {
			return slices.ContainsFunc(open, func(o *constatv1.Procedure_Step) bool { return o.GetId() == id })
		})
	})
	if len(open) == 0 {
		return nil, false
	}
	return slices.MinFunc(open, func(a, b *constatv1.Procedure_Step) int { // the first of equal ones
		return -cmp.Compare(w.worth(a), w.worth(b))
	}), false
}

// open tells whether a step is still to be taken without being asked for by an
// answer.
func (w *walk) open(s *constatv1.Procedure_Step) bool {
	return (!s.GetAside() || w.found(s)) && !w.seen[s.GetId()] && w.machine.Suits(s.GetSelector()) && !w.ruledOut(s) && w.replaced(s) == nil
}

// found tells that one of the faults that the step is about was named.
func (w *walk) found(s *constatv1.Procedure_Step) bool {
	return slices.ContainsFunc(s.GetAbout(), func(id string) bool {
		return w.machine.Truth(id) == fault.True && worths[w.machine.Causes[id]] > worths["possible"]
	})
}

// settled tells that the cause is known for sure, and that what can be done about
// it was done: what another step would ask tells nothing more.
func (w *walk) settled(next *constatv1.Procedure_Step) bool {
	sure := false
	for id, certainty := range w.machine.Causes {
		sure = sure || certainty == "confirmed" && w.machine.Truth(id) == fault.True
	}
	return sure && !w.found(next) && !slices.ContainsFunc(w.procedure.GetSteps(), func(s *constatv1.Procedure_Step) bool { return w.open(s) && w.found(s) })
}

// replaced is the step that is taken instead of this one on this machine; nil:
// none.
func (w *walk) replaced(s *constatv1.Procedure_Step) *constatv1.Procedure_Step {
	for _, o := range w.procedure.GetSteps() {
		if slices.Contains(o.GetInstead(), s.GetId()) && w.machine.Suits(o.GetSelector()) {
			return o
		}
	}
	return nil
}

// ruledOut tells that all faults that the step is about are known not to be.
func (w *walk) ruledOut(s *constatv1.Procedure_Step) bool {
	return len(s.GetAbout()) > 0 && !slices.ContainsFunc(s.GetAbout(), func(id string) bool { return w.machine.Truth(id) != fault.False })
}

// What a step is worth by the faults that it is about. Only the order counts: a
// named cause beats any number of faults that could not be judged, unless its
// step takes far longer.
var worths = map[string]float64{"confirmed": 100, "probable": 50, "possible": 10}

const (
	worthUnknown = 0.3 // could not be judged
	worthTrue    = 0.2 // there, and explained by something else
	worthGeneral = 0.5 // about no fault in particular
	leastCost    = 5   // seconds; below that nobody feels a difference
)

// worth is what a step may settle for each second that it takes. A check takes
// none and always comes first.
func (w *walk) worth(s *constatv1.Procedure_Step) float64 {
	if s.GetKind() == "check" {
		return 1e6
	}
	sum := 0.0
	for _, id := range s.GetAbout() {
		switch truth := w.machine.Truth(id); {
		case truth == fault.Unknown && w.machine.Causes[id] == "":
			sum += worthUnknown
		case truth == fault.False:
		case w.machine.Causes[id] == "":
			sum += worthTrue
		default:
			sum += worths[w.machine.Causes[id]]
		}
	}
	if len(s.GetAbout()) == 0 {
		sum = worthGeneral
	}
	return sum / float64(max(s.GetCost(), leastCost))
}

// given is the answer that the machine knows by itself; empty: a person has to
// say.
func (w *walk) given(s *constatv1.Procedure_Step) string {
	for _, a := range s.GetAnswers() {
		name, negated := strings.CutPrefix(a.GetWhen(), "!")
		if name == "" {
			continue
		}
		if truth := w.machine.Truth(name); truth == fault.True && !negated || truth == fault.False && negated {
			return a.GetId()
		}
	}
	if s.GetKind() == "check" {
		return Passed
	}
	return ""
}
