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

// lockFile is held by the one process that may do remedies here.
const lockFile = journalFile + ".lock"

// ErrUnknown says that no such request waits, and ErrElsewhere that another
// process has this machine's journal.
var (
	ErrUnknown   = errors.New("no such request waits: it was answered, or its time is over")
	ErrElsewhere = errors.New("another constat-agent does a remedy on this machine: try again when it has ended")
)

type journal struct {
	path    string
	lock    *os.File
	content *constatv1.RemedyJournal
}

// Open takes the journal in a directory, until this process ends; without one
// ("") nothing is kept. It is ErrElsewhere where another process has it. What an
// agent that was ended left half-way is ended by Recover.
func (b *Bench) Open(dir string) error {
	b.journal.content = &constatv1.RemedyJournal{}
	if dir == "" {
		return nil
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		// Nothing can be written there, so nothing is begun either.
	case err != nil:
		return err
	default:
		if err := holdAlone(lock); err != nil {
			lock.Close()
			return err
		}
		b.journal.lock = lock // open, and so held
	}
	b.journal.path = filepath.Join(dir, journalFile)
	b.journal.content, err = read(b.journal.path)
	if err != nil {
		b.Close()
	}
	return err
}

// Close gives the journal free for another process.
func (b *Bench) Close() {
	if b.journal.lock != nil {
		b.journal.lock.Close()
		b.journal.lock = nil
	}
}

// Past are the last results in a directory, oldest first. It takes nothing.
func Past(dir string) ([]*constatv1.RemedyResult, error) {
	content, err := read(filepath.Join(dir, journalFile))
	return content.GetResults(), err
}

func read(path string) (*constatv1.RemedyJournal, error) {
	journal := &constatv1.RemedyJournal{}
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return journal, nil
	}
	if err == nil && len(content) <= maxFile {
		err = proto.Unmarshal(content, journal)
	}
	if err != nil {
		return journal, fmt.Errorf("reading what remedies were done here: %w", err)
	}
	return journal, nil
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

// settle keeps a result, until somebody was told as well, and forgets the run
// that it ends.
func (b *Bench) settle(result *constatv1.RemedyResult) *constatv1.RemedyResult {
	err := b.edit(func(j *constatv1.RemedyJournal) {
		if j.GetRunning().GetRequest().GetId() == result.GetId() {
			j.Running = nil
		}
		j.Results = append(j.Results, proto.CloneOf(result))
		j.Results = j.Results[max(0, len(j.Results)-maxResults):]
		j.Untold = append(j.Untold, result.GetId())
		j.Untold = j.Untold[max(0, len(j.Untold)-maxResults):]
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

// Untold are the results that the collector's spool does not have yet, oldest
// first: an agent may end between a result and its telling.
func (b *Bench) Untold() []*constatv1.RemedyResult {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.journal.content.GetResults()), func(r *constatv1.RemedyResult) bool {
		return !slices.Contains(b.journal.content.GetUntold(), r.GetId())
	})
}

// Told says that the spool has a result.
func (b *Bench) Told(id string) error {
	return b.edit(func(j *constatv1.RemedyJournal) {
		j.Untold = slices.DeleteFunc(j.Untold, func(other string) bool { return other == id })
	})
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

// take gives a request that waits, and has it wait no longer.
func (b *Bench) take(id string) (*constatv1.RemedyRequest, error) {
	var taken *constatv1.RemedyRequest
	err := b.edit(func(j *constatv1.RemedyJournal) { taken = withdraw(j, id) })
	if err == nil && taken == nil {
		err = ErrUnknown
	}
	return taken, err
}

// withdraw takes a request out of those that wait; nil: it does not wait.
func withdraw(j *constatv1.RemedyJournal, id string) *constatv1.RemedyRequest {
	i := slices.IndexFunc(j.GetWaiting(), func(r *constatv1.RemedyRequest) bool { return r.GetId() == id })
	if i < 0 {
		return nil
	}
	taken := j.GetWaiting()[i]
	j.Waiting = slices.Delete(j.Waiting, i, i+1)
	return taken
}

// Consent does a request that waits. While another remedy is under way it goes
// on waiting.
func (b *Bench) Consent(ctx context.Context, id string, consent *constatv1.RemedyConsent) (*constatv1.RemedyResult, error) {
	if !b.one.TryLock() {
		return nil, fmt.Errorf("another remedy is under way%s: consent again when it has ended", b.doing())
	}
	defer b.one.Unlock()
	// In one step on the disk: it waits, or it is under way.
	var run *constatv1.RemedyRun
	err := b.edit(func(j *constatv1.RemedyJournal) {
		if request := withdraw(j, id); request != nil {
			run = &constatv1.RemedyRun{Request: request, Consent: consent, Result: begin(request, consent)}
			j.Running = proto.CloneOf(run)
		}
	})
	if err == nil && run == nil {
		err = ErrUnknown
	}
	if err != nil {
		return nil, err
	}
	return b.carryOut(ctx, run), nil
}

// Decline turns a request down.
func (b *Bench) Decline(id, person string) (*constatv1.RemedyResult, error) {
	request, err := b.take(id)
	if err != nil {
		return nil, err
	}
	return b.settle(end(begin(request, nil), Refused, "declined by "+person, both("Declined by "+person+".", "Refusé par "+person+"."))), nil
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
		ended = append(ended, b.settle(end(begin(request, nil), Expired, "nobody at the machine answered in time", toldNobody)))
	}
	return ended
}

// Recover ends what an agent that was ended in the middle left: where the fault
// is gone it is done, else it is taken back as far as it can be. It is never done
// again. Nil: there was nothing.
func (b *Bench) Recover(ctx context.Context) *constatv1.RemedyResult {
	if !b.one.TryLock() {
		return nil // it is under way, and not cut short
	}
	defer b.one.Unlock()
	b.mu.Lock()
	run := proto.CloneOf(b.journal.content.GetRunning())
	b.mu.Unlock()
	if run == nil {
		return nil
	}
	result := run.GetResult()
	if run.GetBefore() == nil {
		return b.settle(end(result, Refused, "interrupted: the agent was ended before it was begun; nothing was done, ask again", toldCut))
	}
	const cut = "interrupted: the agent was ended in the middle"
	verb, known := Lookup(run.GetRequest().GetVerb())
	catalog, err := b.Catalog()
	if !known || err != nil {
		return b.settle(b.takeBack(ctx, run, NotFixed, cut, toldCut))
	}
	candidates, err := concerned(catalog, verb, result.GetFault())
	if err != nil {
		return b.settle(b.takeBack(ctx, run, NotFixed, cut, toldCut))
	}
	look := &looking{bench: b, catalog: catalog, verb: verb, candidates: candidates, person: run.GetConsent().GetBy()}
	if look.compare(ctx, run, false) == absent {
		return b.settle(end(result, Fixed, cut+", and it was done", fault.Text{}))
	}
	return b.settle(b.takeBack(ctx, run, NotFixed, cut, toldCut))
}
