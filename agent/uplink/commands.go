package uplink

import (
	"context"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

const (
	// queuedCommands is how many wait behind the one that runs.
	queuedCommands = 1
	// rememberedCommands is how many are known by id after their end, so that
	// one delivered again is answered and not run again.
	rememberedCommands = 64
	// progressBuffer holds what a fast procedure tells while the stream sends;
	// beyond it progress is dropped: it is to be seen live or not at all.
	progressBuffer = 64
	// storedTimeout is how long a finished command waits for its diagnosis to
	// be stored before it is called failed. The diagnosis itself waits for as
	// long as it takes.
	storedTimeout = 10 * time.Minute
)

// commands are what the collector asked for. They outlive a connection: what was
// begun is finished, and its result goes out with the next one.
type commands struct {
	queue    chan *constatv1.Command
	progress chan *constatv1.Progress
	finished chan struct{} // signalled when a result waits

	state *commandState
}

type commandState struct {
	mu      sync.Mutex
	known   []string // ids, oldest first
	results map[string]*constatv1.CommandResult
	unsent  []*constatv1.CommandResult
}

func newCommands() commands {
	return commands{
		queue:    make(chan *constatv1.Command, queuedCommands),
		progress: make(chan *constatv1.Progress, progressBuffer),
		finished: make(chan struct{}, 1),
		state:    &commandState{results: map[string]*constatv1.CommandResult{}},
	}
}

// take queues a command, once. One that was delivered before is answered with
// its result, or left to run. Beyond the bound it is refused.
func (c *commands) take(command *constatv1.Command) {
	id := command.GetId()
	c.state.mu.Lock()
	known := slices.Contains(c.state.known, id)
	result := c.state.results[id]
	if !known {
		c.state.remember(id)
	}
	c.state.mu.Unlock()
	if known {
		if result != nil {
			c.finish(result)
		}
		return
	}
	select {
	case c.queue <- command:
	default:
		c.finish(&constatv1.CommandResult{CommandId: id, Status: "refused",
			Reason: "this agent is busy: a command runs and another one waits; try again in a minute"})
	}
}

func (s *commandState) remember(id string) {
	s.known = append(s.known, id)
	if len(s.known) > rememberedCommands {
		delete(s.results, s.known[0])
		s.known = slices.Delete(s.known, 0, 1)
	}
}

// finish keeps a result until it is sent.
func (c *commands) finish(r *constatv1.CommandResult) {
	c.state.mu.Lock()
	if slices.Contains(c.state.known, r.GetCommandId()) {
		c.state.results[r.GetCommandId()] = r
	}
	c.state.unsent = append(c.state.unsent, r)
	c.state.mu.Unlock()
	select {
	case c.finished <- struct{}{}:
	default:
	}
}

// sendResults sends what is finished. What could not be sent is kept.
func (c *commands) sendResults(send func(*constatv1.ConnectRequest) error) error {
	for {
		c.state.mu.Lock()
		if len(c.state.unsent) == 0 {
			c.state.mu.Unlock()
			return nil
		}
		r := c.state.unsent[0]
		c.state.mu.Unlock()
		if err := send(&constatv1.ConnectRequest{Message: &constatv1.ConnectRequest_Result{Result: r}}); err != nil {
			return err
		}
		c.state.mu.Lock()
		c.state.unsent = slices.Delete(c.state.unsent, 0, 1)
		c.state.mu.Unlock()
	}
}

// tell passes progress on while someone listens.
func (c *commands) tell(p *constatv1.Progress) {
	select {
	case c.progress <- p:
	default:
	}
}

// work carries out commands, one at a time.
func (l *Link) work(ctx context.Context, h Handlers) {
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-l.commands.queue:
			result := l.carryOut(ctx, c, h)
			if ctx.Err() != nil {
				return // the collector delivers it again
			}
			result.CommandId = c.GetId()
			l.commands.finish(result)
		}
	}
}

func (l *Link) carryOut(ctx context.Context, c *constatv1.Command, h Handlers) *constatv1.CommandResult {
	if e := c.GetExpiresAt(); e.IsValid() && l.collectorTime().After(e.AsTime()) {
		return &constatv1.CommandResult{Status: "expired",
			Reason: "the command reached this agent after " + e.AsTime().Format(time.RFC3339) + ", when it had expired"}
	}
	if asked, known := askedOf(c, l.now()); known {
		l.trace.note(asked)
		if err := l.trace.save(); err != nil {
			l.log.Warn("cannot keep the trace of what was asked for", "error", err)
		}
	}
	if r := c.GetRemedy(); r != nil && h.Remedy != nil {
		return l.ask(ctx, c, h)
	}
	if c.GetDiagnose() == nil {
		return &constatv1.CommandResult{Status: "refused", Reason: "this agent does not know what it is asked to do: update it"}
	}
	l.log.Info("a diagnosis is asked for", "by", c.GetRequestedBy(), "procedure", c.GetDiagnose().GetProcedure())
	diagnosis, snapshot, err := h.Diagnose(ctx, c, func(p *constatv1.Progress) {
		p.CommandId = c.GetId()
		l.commands.tell(p)
	})
	if err != nil {
		return failed(err.Error())
	}
	diagnosis.CommandId = c.GetId()
	l.commands.tell(&constatv1.Progress{CommandId: c.GetId(), Phase: "uploading"})
	return l.deliver(ctx, diagnosis, snapshot, c.GetDiagnose().GetTicket() != 0)
}

// ask puts a technician's request before the person at this machine. The command
// ends with that; who answers and what comes of it is a report of its own.
func (l *Link) ask(ctx context.Context, c *constatv1.Command, h Handlers) *constatv1.CommandResult {
	now, r := time.Now(), c.GetRemedy()
	request := &constatv1.RemedyRequest{
		Id: c.GetId(), Verb: r.GetVerb(), Component: r.GetComponent(), Fault: r.GetFault(), Ticket: r.GetTicket(),
		RequestedBy: c.GetRequestedBy(), RequesterRole: "technician", RequestedAt: timestamppb.New(now),
	}
	if e := c.GetExpiresAt(); e.IsValid() {
		request.ExpiresAt = timestamppb.New(now.Add(e.AsTime().Sub(l.collectorTime())))
	}
	l.log.Info("a remedy is asked for", "by", c.GetRequestedBy(), "verb", r.GetVerb())
	if err := h.Remedy(ctx, request); err != nil {
		return &constatv1.CommandResult{Status: "refused", Reason: err.Error()}
	}
	return &constatv1.CommandResult{Status: "done"}
}

// deliver sends a diagnosis and its snapshot through the spool and waits until
// the collector has both, so that whoever hears of the result can read it.
func (l *Link) deliver(ctx context.Context, d *constatv1.Diagnosis, s *constatv1.Snapshot, forTicket bool) *constatv1.CommandResult {
	ctx, cancel := context.WithTimeout(ctx, storedTimeout)
	defer cancel()
	for _, r := range []*constatv1.Report{
		snapshotReport(s),
		{Content: &constatv1.Report_Diagnosis{Diagnosis: d}},
	} {
		_, id := identify(r)
		receipt, forget := l.Expect(id)
		defer forget()
		if err := l.spool.put(r, forTicket); err != nil {
			return failed("the result could not be kept on this machine: " + err.Error())
		}
		select {
		case answer := <-receipt:
			if answer.GetStatus() != statusStored {
				return failed("the collector refused the result: " + answer.GetReason())
			}
		case <-ctx.Done():
			return failed("the result is safe on this machine and was not taken by the collector yet")
		}
	}
	return &constatv1.CommandResult{Status: "done", DiagnosisId: d.GetId()}
}

func failed(reason string) *constatv1.CommandResult {
	return &constatv1.CommandResult{Status: "failed", Reason: reason}
}
