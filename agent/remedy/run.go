package remedy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/agent/privileged"
	"constat/internal/fault"
	constatv1 "constat/proto/constat/v1"
)

// Outcomes of a run, as RemedyResult spells them.
const (
	Fixed    = "fixed"
	NotFixed = "notFixed"
	Refused  = "refused"
	Expired  = "expired"
	Failed   = "failed"
	Undone   = "undone"
)

// States of a check.
const (
	present = "present"
	absent  = "absent"
	unknown = "unknown"
)

// settleTime is how long after a verb the fault may still be seen to go, and
// settlePause the time between two looks.
const (
	settleTime  = 15 * time.Second
	settlePause = 2 * time.Second
)

// Bench is where remedies are done: what looks at this machine, knows the faults
// and has the rights, and where the journal lies.
type Bench struct {
	// Look observes groups of this machine; it knows which there are.
	// Of a program that is named the files are compared to the end, and of no
	// other; without a name of as many as the time is enough for.
	Look func(ctx context.Context, groups []string, program string) *constatv1.Snapshot
	// Catalog gives the catalog of faults in force.
	Catalog func() (*fault.Catalog, error)
	// Do asks the privileged half.
	Do func(ctx context.Context, verb, argument string) ([]byte, error)

	// one keeps runs apart: the second is refused.
	one     sync.Mutex
	phase   atomic.Value // of the one that is under way
	mu      sync.Mutex
	journal journal
}

// Run does what was asked for and consented to, and tells how it went. It never
// fails: what could not be done is a result as well.
func (b *Bench) Run(ctx context.Context, request *constatv1.RemedyRequest, consent *constatv1.RemedyConsent) *constatv1.RemedyResult {
	run := &constatv1.RemedyRun{Request: request, Consent: consent, Result: begin(request, consent)}
	if !b.one.TryLock() {
		return b.settle(end(run.GetResult(), Refused, "another remedy is under way"+b.doing()+": try again when it has ended", toldBusy))
	}
	defer b.one.Unlock()
	if err := b.note(run); err != nil {
		return b.settle(end(run.GetResult(), Failed, "not begun, as it could not be written down: "+err.Error(), toldUnwritten))
	}
	return b.carryOut(ctx, run)
}

// Phase is how far the one is that is under way: looking, doing, checking; empty: none
// is.
func (b *Bench) Phase() string {
	phase, _ := b.phase.Load().(string)
	return phase
}

// carryOut does what stands on the disk as under way.
func (b *Bench) carryOut(ctx context.Context, run *constatv1.RemedyRun) *constatv1.RemedyResult {
	begun := time.Now() // and not by At: a remedy sets the clock
	b.phase.Store("looking")
	defer b.phase.Store("")
	result := b.run(ctx, run)
	result.ElapsedMs = int32(time.Since(begun).Milliseconds())
	return b.settle(result)
}

// note writes down how far a run is: whoever is ended in the middle ends it at
// the next start.
func (b *Bench) note(run *constatv1.RemedyRun) error {
	return b.edit(func(j *constatv1.RemedyJournal) { j.Running = proto.CloneOf(run) })
}

// doing is what is under way, behind a comma.
func (b *Bench) doing() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if verb := b.journal.content.GetRunning().GetRequest().GetVerb(); verb != "" {
		return ", " + verb
	}
	return ""
}

// begin is a result of which the outcome is still to come.
func begin(request *constatv1.RemedyRequest, consent *constatv1.RemedyConsent) *constatv1.RemedyResult {
	return &constatv1.RemedyResult{
		Id: request.GetId(), Verb: request.GetVerb(), Component: request.GetComponent(), Fault: request.GetFault(), Ticket: request.GetTicket(),
		RequestedBy: request.GetRequestedBy(), ConsentedBy: consent.GetBy(), ConsentedAt: consent.GetAt(), At: timestamppb.Now(),
	}
}

// end says how it went: why for technicians, and told to a person.
func end(result *constatv1.RemedyResult, outcome, reason string, told fault.Text) *constatv1.RemedyResult {
	result.Outcome, result.Reason = outcome, reason
	if told != (fault.Text{}) {
		result.Told = &constatv1.RemedyText{En: told.EN, Fr: told.FR}
	}
	return result
}

func (b *Bench) run(ctx context.Context, run *constatv1.RemedyRun) *constatv1.RemedyResult {
	request, consent, result := run.GetRequest(), run.GetConsent(), run.GetResult()
	verb, known := Lookup(request.GetVerb())
	late := func() bool {
		over := func(t *timestamppb.Timestamp) bool { return t != nil && time.Now().After(t.AsTime()) }
		return over(consent.GetExpiresAt()) || over(request.GetExpiresAt())
	}
	switch {
	case !known:
		return end(result, Refused, fmt.Sprintf("this agent knows no remedy %q", fault.Clip(request.GetVerb())), toldUnknown)
	case consent.GetBy() == "":
		return end(result, Refused, "nobody at the machine consented", toldNobody)
	case late():
		return end(result, Expired, "the consent came, or was used, after its time: ask again", toldLate)
	case strings.ContainsAny(request.GetComponent(), "\n\x00") || len(request.GetComponent()) > 255:
		return end(result, Refused, "what it is to be done to has no name that a machine gives", toldNameless)
	}
	catalog, err := b.Catalog()
	if err != nil {
		return end(result, Failed, err.Error(), toldUnknown)
	}
	candidates, err := concerned(catalog, verb, request.GetFault())
	if err != nil {
		return end(result, Refused, err.Error(), toldUnknown)
	}
	look := &looking{bench: b, catalog: catalog, verb: verb, candidates: candidates, component: request.GetComponent(), person: consent.GetBy()}
	var before *scene
	result.Before, before = look.once(ctx)
	switch result.GetBefore().GetState() {
	case absent:
		return end(result, Refused, "not needed: the fault is not there", toldNeedless)
	case unknown:
		return end(result, Refused, "not begun: whether the fault is there could not be seen; run a diagnosis", toldUnseen)
	}
	result.Fault = result.GetBefore().GetFault()
	result.Component = before.component
	to, err := verb.target(before)
	if err != nil {
		return end(result, Refused, err.Error(), obstructed(err))
	}
	if late() { // the machine slept while it looked: whoever agreed may be doing something else now
		return end(result, Expired, "the consent was over before it could be used: ask again", toldLate)
	}
	was := verb.measure(before)
	run.Argument, run.UndoVerb, run.UndoArgument = to.argument, to.undoVerb, to.undoArgument
	run.Before = &constatv1.RemedyText{En: was.EN, Fr: was.FR}
	if err := b.note(run); err != nil {
		return end(result, Failed, "not begun, as it could not be written down: "+err.Error(), toldUnwritten)
	}
	return b.act(ctx, look, run, to)
}

// act does the verb and looks what came of it.
func (b *Bench) act(ctx context.Context, look *looking, run *constatv1.RemedyRun, to target) *constatv1.RemedyResult {
	result := run.GetResult()
	b.phase.Store("doing")
	done, err := b.Do(ctx, run.GetRequest().GetVerb(), to.argument)
	b.phase.Store("checking")
	switch {
	case errors.Is(err, privileged.ErrTakenBack):
		look.compare(ctx, run, false)
		return end(result, Undone, err.Error(), look.verb.Failed)
	case errors.Is(err, fs.ErrPermission):
		return end(result, Refused, err.Error(), toldForbidden)
	case errors.Is(err, fs.ErrNotExist):
		return end(result, Refused, "this machine has nothing that it could be done with: "+err.Error(), toldNothing)
	case err != nil:
		look.compare(ctx, run, false)
		return b.takeBack(ctx, run, Failed, err.Error(), look.verb.Failed)
	}
	result.Action = fault.Clip(string(done))
	switch look.compare(ctx, run, true) {
	case absent:
		return end(result, Fixed, "", fault.Text{})
	case present:
		return b.takeBack(ctx, run, NotFixed, "it was done, and the fault is still there", toldStill)
	}
	return end(result, NotFixed, "it was done, and whether the fault is gone could not be seen", toldUnclear)
}

// takeBack undoes what did not help, where that can be undone.
func (b *Bench) takeBack(ctx context.Context, run *constatv1.RemedyRun, outcome, reason string, told fault.Text) *constatv1.RemedyResult {
	if run.GetUndoVerb() == "" {
		return end(run.GetResult(), outcome, reason, told)
	}
	// Also where whoever asked is gone: nothing stays half-done.
	if _, err := b.Do(context.WithoutCancel(ctx), run.GetUndoVerb(), run.GetUndoArgument()); err != nil {
		return end(run.GetResult(), outcome, reason+"; it could not be taken back: "+err.Error(), toldHalf)
	}
	return end(run.GetResult(), Undone, reason+"; it was taken back", told)
}

// concerned are the faults that a remedy is for.
func concerned(catalog *fault.Catalog, verb *Verb, id string) ([]*fault.Fault, error) {
	var found []*fault.Fault
	for _, f := range catalog.Faults() {
		if slices.Contains(f.Remedies, verb.ID) && (id == "" || f.ID == id) {
			found = append(found, f)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("the catalog has no fault %s that %s is for", fault.Clip(id), verb.ID)
	}
	return found, nil
}

// looking is how the fault of a run is looked for.
type looking struct {
	bench             *Bench
	catalog           *fault.Catalog
	verb              *Verb
	candidates        []*fault.Fault
	component, person string
}

// once observes what the faults need, and judges them.
func (l *looking) once(ctx context.Context) (*constatv1.RemedyCheck, *scene) {
	groups := slices.Clone(l.verb.groups)
	for _, f := range l.candidates {
		groups = append(groups, f.Needs...)
	}
	slices.Sort(groups)
	s := l.bench.Look(ctx, slices.Compact(groups), l.program())
	now := time.Now()
	check, sc := &constatv1.RemedyCheck{State: absent, At: timestamppb.New(now)}, &scene{Snapshot: s, component: l.component, person: l.person}
	facts := l.catalog.Facts(s, now)
	for _, f := range l.candidates {
		found := f.Judge(facts)
		switch found.Truth {
		case fault.True:
			parts := strings.Split(found.Component, ", ")
			if l.component != "" && l.verb.Subject != "" && found.Component != "" && !l.about(parts) {
				continue // the same fault of something else
			}
			if sc.component == "" && l.verb.Subject != "" {
				sc.component = parts[0]
			}
			check.State, check.Fault, check.Evidence = present, f.ID, found.Evidence
			check.Certainty = "probable"
			if found.Contradicted == fault.True {
				check.Certainty = "possible"
			} else if found.Decisive == fault.True {
				check.Certainty = "confirmed"
			}
			return check, sc
		case fault.Unknown:
			if !found.Unasked {
				check.State = unknown
			}
		}
	}
	return check, sc
}

// program is the package that it is about, if it is about one that is known.
func (l *looking) program() string {
	if l.verb.Subject != "package" {
		return ""
	}
	return l.component
}

// about tells whether one of these is what the verb is to be done to. A link is
// not always what its fault is about: that may be a router or a name server.
func (l *looking) about(parts []string) bool {
	return l.verb.ID == "renew-dhcp" || slices.Contains(parts, l.component)
}

// compare looks again after the verb, more than once where it may take time, and
// writes both into the proof. It returns what it saw.
func (l *looking) compare(ctx context.Context, run *constatv1.RemedyRun, patient bool) string {
	result := run.GetResult()
	l.component = result.GetComponent()
	l.candidates = slices.DeleteFunc(slices.Clone(l.candidates), func(f *fault.Fault) bool { return f.ID != result.GetFault() })
	ctx = context.WithoutCancel(ctx)
	for begun := time.Now(); ; {
		var after *scene
		result.After, after = l.once(ctx)
		is := l.verb.measure(after)
		was := run.GetBefore()
		result.Proof = &constatv1.RemedyText{
			En: sentence(is.EN, l.component) + "; before: " + was.GetEn() + ".",
			Fr: sentence(is.FR, l.component) + " ; avant : " + was.GetFr() + ".",
		}
		if state := result.GetAfter().GetState(); state == absent || !patient || time.Since(begun) > settleTime {
			return state
		}
		time.Sleep(settlePause)
	}
}

// sentence begins a text with a capital, unless it begins with a name.
func sentence(text, name string) string {
	if first, _, _ := strings.Cut(text, " "); text == "" || first == name || strings.ContainsAny(first, "0123456789-_.") {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
