package uplink

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"constat/internal/durable"
	constatv1 "constat/proto/constat/v1"
)

const (
	traceFile = "trace"
	// keptTrace is how much of it is kept: a few days of what goes by itself.
	keptTrace = 300
)

// Sent is something that left this machine, or that a technician asked it for.
type Sent struct {
	At time.Time `json:"at"`
	// Kind is that of ListSentResponse.Sent.
	Kind string `json:"kind"`
	// Of facts the groups; of a diagnosis, a walk and a wish the procedure or the
	// verb; of a ticket and a reply the ticket's number.
	About []string `json:"about,omitempty"`
	// By is who asked.
	By string `json:"by,omitempty"`
}

// trace is what left this machine, oldest first. It is for its people to read,
// and nothing works by it: a lost one is a shorter list.
type trace struct {
	path string

	mu      sync.Mutex
	sent    []Sent
	changed bool
}

func openTrace(dir string) *trace {
	t := &trace{path: filepath.Join(dir, traceFile)}
	if text, err := os.ReadFile(t.path); err == nil {
		_ = json.Unmarshal(text, &t.sent)
	}
	return t
}

// Trace is what left this machine, and what technicians asked it for, newest
// first.
func (l *Link) Trace() []Sent {
	l.trace.mu.Lock()
	defer l.trace.mu.Unlock()
	all := slices.Clone(l.trace.sent)
	slices.Reverse(all)
	return all
}

func (t *trace) note(s Sent) {
	if s.Kind == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent = append(t.sent, s)
	t.sent = t.sent[max(0, len(t.sent)-keptTrace):]
	t.changed = true
}

func (t *trace) save() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.changed {
		return nil
	}
	text, err := json.Marshal(t.sent)
	if err != nil {
		return err
	}
	t.changed = false
	return durable.Write(t.path, text, 0o600)
}

// sentOf is what a report that the collector has told it. A snapshot without
// anything new told nothing.
func sentOf(r *constatv1.Report, receipt *constatv1.Receipt, now time.Time) Sent {
	s := Sent{At: now}
	number := strconv.Itoa(int(receipt.GetTicketNumber()))
	switch c := r.GetContent().(type) {
	case *constatv1.Report_Snapshot:
		for _, p := range c.Snapshot.GetPayloads() {
			s.Kind, s.About = "facts", append(s.About, p.GetGroup())
		}
	case *constatv1.Report_Diagnosis:
		s.Kind, s.About = "diagnosis", []string{c.Diagnosis.GetProcedure()}
	case *constatv1.Report_Ticket:
		s.Kind, s.About = "ticket", []string{number}
	case *constatv1.Report_Reply:
		s.Kind, s.About = "reply", []string{number}
	case *constatv1.Report_Remedy:
		s.Kind, s.About, s.By = "remedy", []string{c.Remedy.GetVerb()}, c.Remedy.GetRequestedBy()
	case *constatv1.Report_Run:
		s.Kind, s.About = "walk", []string{c.Run.GetProcedure()}
	}
	return s
}

// askedOf is what a command asks for.
func askedOf(c *constatv1.Command, now time.Time) (Sent, bool) {
	s := Sent{At: now, Kind: "asked", By: c.GetRequestedBy()}
	switch {
	case c.GetRemedy() != nil:
		s.About = []string{c.GetRemedy().GetVerb()}
	case c.GetDiagnose() != nil:
		s.About = []string{c.GetDiagnose().GetProcedure()}
	}
	return s, len(s.About) > 0
}
