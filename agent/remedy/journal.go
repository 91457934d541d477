package remedy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/internal/durable"
	"constat/internal/fault"
	constatv1 "constat/proto/constat/v1"
)

// journalFile holds all: the requests that wait, the run under way, and the last
// results. It is written anew with each step.
const journalFile = "remedies"

// Bounds of the journal.
const (
	maxWaiting = 16
	maxResults = 100
	// maxLife is how long a request may wait for consent, whatever it says.
	maxLife = 24 * time.Hour
	maxFile = 4 << 20
)

// ErrUnknown says that no such request waits.
var ErrUnknown = errors.New("no such request waits: it was answered, or its time is over")

type journal struct {
	path    string
	content *constatv1.RemedyJournal
}

// Open reads the journal in a directory; without one ("") nothing is kept. What
// an agent that was ended left half-way is ended by Recover.
func (b *Bench) Open(dir string) error {
	b.journal.content = &constatv1.RemedyJournal{}
	if dir == "" {
		return nil
	}
	b.journal.path = filepath.Join(dir, journalFile)
	content, err := os.ReadFile(b.journal.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && len(content) <= maxFile {
		err = proto.Unmarshal(content, b.journal.content)
	}
	if err != nil {
		return fmt.Errorf("reading what remedies were done here: %w", err)
	}
	return nil
}

// edit changes the journal, on the disk first.
func (b *Bench) edit(change func(*constatv1.RemedyJournal)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.journal.content == nil {
		b.journal.content = &constatv1.RemedyJournal{}
	}
	next := proto.CloneOf(b.journal.content)
	change(next)
	if b.journal.path != "" {
		content, err := proto.Marshal(next)
		if err != nil {
			return err
		}
		if err := durable.Write(b.journal.path, content, 0o600); err != nil {
			return err
		}
	}
	b.journal.content = next
	return nil
}

// settle keeps a result, and forgets the run that it ends.
func (b *Bench) settle(result *constatv1.RemedyResult) *constatv1.RemedyResult {
	err := b.edit(func(j *constatv1.RemedyJournal) {
		if j.GetRunning().GetRequest().GetId() == result.GetId() {
			j.Running = nil
		}
		j.Results = append(j.Results, proto.CloneOf(result))
		j.Results = j.Results[max(0, len(j.Results)-maxResults):]
	})
	if err != nil {
		result.Reason = fault.Clip(result.GetReason() + "; it could not be written down: " + err.Error())
	}
	return result
}

// Results are the last runs, oldest first.
func (b *Bench) Results() []*constatv1.RemedyResult {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.journal.content.GetResults())
}

// Ask has a request wait for the consent of a person at this machine. One that
// waits already, or was answered, is not asked again.
func (b *Bench) Ask(request *constatv1.RemedyRequest) error {
	if _, known := Lookup(request.GetVerb()); !known {
		return fmt.Errorf("this agent knows no remedy %q: update it", fault.Clip(request.GetVerb()))
	}
	var full bool
	err := b.edit(func(j *constatv1.RemedyJournal) {
		same := func(r *constatv1.RemedyRequest) bool { return r.GetId() == request.GetId() }
		answered := func(r *constatv1.RemedyResult) bool { return r.GetId() == request.GetId() }
		if slices.ContainsFunc(j.GetWaiting(), same) || slices.ContainsFunc(j.GetResults(), answered) || same(j.GetRunning().GetRequest()) {
			return
		}
		if full = len(j.GetWaiting()) >= maxWaiting; full {
			return
		}
		kept := proto.CloneOf(request)
		if limit := time.Now().Add(maxLife); kept.GetExpiresAt() == nil || kept.GetExpiresAt().AsTime().After(limit) {
			kept.ExpiresAt = timestamppb.New(limit)
		}
		j.Waiting = append(j.Waiting, kept)
	})
	if full {
		return fmt.Errorf("%d requests wait for an answer here already", maxWaiting)
	}
	return err
}

// Waiting are the requests that a person may answer now, oldest first.
func (b *Bench) Waiting(now time.Time) []*constatv1.RemedyRequest {
	b.mu.Lock()
	defer b.mu.Unlock()
	var open []*constatv1.RemedyRequest
	for _, r := range b.journal.content.GetWaiting() {
		if now.Before(r.GetExpiresAt().AsTime()) {
			open = append(open, proto.CloneOf(r))
		}
	}
	return open
}

// take gives a request that waits, and has it wait no longer. While it is still
// on the disk as waiting, it is answered once only: that is what mu is for.
func (b *Bench) take(id string) (*constatv1.RemedyRequest, error) {
	var taken *constatv1.RemedyRequest
	err := b.edit(func(j *constatv1.RemedyJournal) {
		if i := slices.IndexFunc(j.GetWaiting(), func(r *constatv1.RemedyRequest) bool { return r.GetId() == id }); i >= 0 {
			taken = j.GetWaiting()[i]
			j.Waiting = slices.Delete(j.Waiting, i, i+1)
		}
	})
	if err != nil {
		return nil, err
	}
	if taken == nil {
		return nil, ErrUnknown
	}
	return taken, nil
}

// Consent does a request that waits. While another remedy is under way it goes
// on waiting.
func (b *Bench) Consent(ctx context.Context, id string, consent *constatv1.RemedyConsent) (*constatv1.RemedyResult, error) {
	b.mu.Lock()
	busy := b.journal.content.GetRunning() != nil
	doing := b.doing
	b.mu.Unlock()
	if busy {
		return nil, fmt.Errorf("another remedy is under way, %s: consent again when it has ended", doing)
	}
	request, err := b.take(id)
	if err != nil {
		return nil, err
	}
	return b.Run(ctx, request, consent), nil
}

// Decline turns a request down.
func (b *Bench) Decline(id, person string) (*constatv1.RemedyResult, error) {
	request, err := b.take(id)
	if err != nil {
		return nil, err
	}
	return b.settle(end(b.begin(request, nil), Refused, "declined by "+person)), nil
}

// Expire ends the requests whose time is over, and tells how.
func (b *Bench) Expire(now time.Time) []*constatv1.RemedyResult {
	b.mu.Lock()
	late := slices.DeleteFunc(slices.Clone(b.journal.content.GetWaiting()), func(r *constatv1.RemedyRequest) bool { return now.Before(r.GetExpiresAt().AsTime()) })
	b.mu.Unlock()
	var ended []*constatv1.RemedyResult
	for _, r := range late {
		request, err := b.take(r.GetId())
		if err != nil {
			continue // answered meanwhile, or tried again at the next look
		}
		ended = append(ended, b.settle(end(b.begin(request, nil), Expired, "nobody at the machine answered in time")))
	}
	return ended
}

// Recover ends what an agent that was ended in the middle left: where the fault
// is gone it is done, else it is taken back as far as it can be. Nil: there was
// nothing.
func (b *Bench) Recover(ctx context.Context) *constatv1.RemedyResult {
	b.mu.Lock()
	run := proto.CloneOf(b.journal.content.GetRunning())
	b.mu.Unlock()
	if run == nil {
		return nil
	}
	if !b.one.TryLock() {
		return nil
	}
	defer b.one.Unlock()
	result := run.GetResult()
	const cut = "the agent was ended in the middle"
	verb, known := Lookup(run.GetRequest().GetVerb())
	catalog, err := b.Catalog()
	if !known || err != nil {
		return b.settle(b.takeBack(ctx, run, NotFixed, cut))
	}
	candidates, err := concerned(catalog, verb, result.GetFault())
	if err != nil {
		return b.settle(b.takeBack(ctx, run, NotFixed, cut))
	}
	look := &looking{bench: b, catalog: catalog, verb: verb, candidates: candidates, person: run.GetConsent().GetBy()}
	if look.compare(ctx, run, false) == absent {
		return b.settle(end(result, Fixed, cut+", and it was done"))
	}
	return b.settle(b.takeBack(ctx, run, NotFixed, cut))
}
