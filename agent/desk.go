package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/agent/local"
	"constat/agent/remedy"
	"constat/agent/trigger"
	"constat/agent/uplink"
	"constat/internal/diagnosis"
	"constat/internal/snapshot"
	"constat/internal/version"
	constatv1 "constat/proto/constat/v1"
)

const (
	// maxText is what a person types, with room to paste an error message.
	maxText = 64 << 10
	// keptDiagnoses is how many results wait for their ticket: one a complaint
	// for several users at once.
	keptDiagnoses = 16
	// maxWait is how long a local program may wait for a ticket's number.
	maxWait = time.Minute
)

// counter is the agent's side of the desk's counter: it serves the machine's
// users over the local link.
type counter struct {
	constatv1.UnimplementedLocalServiceServer
	observer *observer
	// link is nil while the machine is not enrolled: unjoined says why. joined is
	// closed when it is, and tried after the first attempt.
	link     atomic.Pointer[uplink.Link]
	joined   chan struct{}
	tried    chan struct{}
	unjoined atomic.Pointer[string]
	// ownProbes: this machine's configuration names its probe targets itself.
	ownProbes bool
	// one keeps diagnoses from running side by side, which would measure each
	// other, and guards the observer's configuration.
	one sync.Mutex
	// pace keeps what the collector commands apart.
	pace pace

	mu   sync.Mutex
	kept []kept
	// triggers bounds what is looked into without being asked; refused are the
	// devices that can't be used, nil before the first look; found is what was
	// found, newest last, and foundMore that it is more than what is remembered;
	// held is what waits to be looked into.
	triggers  trigger.Policy
	refused   []string
	held      []trigger.Held
	found     []*constatv1.Finding
	foundMore bool
	remedies  *remedy.Bench // nil until bench makes it

	people people
}

// kept is a diagnosis that its user may attach to a ticket.
type kept struct {
	user      local.User
	diagnosis *constatv1.Diagnosis
	snapshot  *constatv1.Snapshot
}

// run is a diagnosis, one at a time.
func (c *counter) run(ctx context.Context, p *diagnosis.Procedure, language, trigger string, progress func(*constatv1.Progress)) (*constatv1.Diagnosis, *constatv1.Snapshot) {
	c.one.Lock()
	defer c.one.Unlock()
	defer rest()
	return c.observer.diagnose(ctx, p, language, trigger, progress)
}

// rest gives memory back once what was seen has been sent: the next look may be
// an hour away.
func rest() { time.AfterFunc(10*time.Second, debug.FreeOSMemory) }

// look observes the whole machine, one look at a time.
func (c *counter) look(ctx context.Context) *constatv1.Snapshot {
	c.one.Lock()
	defer c.one.Unlock()
	defer rest()
	all := groups()
	if c.link.Load() == nil {
		// Only what is compared later: nobody is told of the rest.
		all = slices.DeleteFunc(all, func(group string) bool { return !snapshot.Stable(group) })
	}
	s := c.observer.observe(ctx, c.observer.config, all)
	c.noteDevices(s.GetUsb())
	return s
}

// GetStatus says how the agent stands.
func (c *counter) GetStatus(ctx context.Context, r *constatv1.GetStatusRequest) (*constatv1.GetStatusResponse, error) {
	link := c.link.Load()
	if link == nil {
		problem := enrolling
		if p := c.unjoined.Load(); p != nil {
			problem = *p
		}
		return &constatv1.GetStatusResponse{AgentVersion: version.Version, Problem: problem, Found: c.findings(time.Now(), r.GetLanguage()), Held: c.heldBack()}, nil
	}
	st := link.Status()
	st.Phone = link.Policy().GetPhone()
	st.Found, st.Held = c.findings(time.Now(), r.GetLanguage()), c.heldBack()
	if user, ok := local.Peer(ctx); ok && r.GetPlanned() {
		ctx, cancel := context.WithTimeout(ctx, plannedTimeout)
		defer cancel()
		said, _ := c.asks(ctx, user, r.GetLanguage())
		st.Planned = said.GetPlanned()
	}
	return st, nil
}

// What a machine without an identity says of itself.
var (
	enrolling     = "enrolling"
	notConfigured = "not enrolled: diagnoses stay on this machine; join it with constat-agent enroll"
)

// RunDiagnosis runs a procedure for a local user.
func (c *counter) RunDiagnosis(r *constatv1.RunDiagnosisRequest, stream grpc.ServerStreamingServer[constatv1.RunDiagnosisResponse]) error {
	user, ok := local.Peer(stream.Context())
	if !ok {
		return status.Error(codes.PermissionDenied, "who is asking is unknown")
	}
	p, err := procedureByName(r.Procedure)
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	language := (&options{language: r.Language}).lang()
	defer c.people.works(user)()
	d, s := c.run(stream.Context(), p, language, "user", func(p *constatv1.Progress) {
		_ = stream.Send(&constatv1.RunDiagnosisResponse{Event: &constatv1.RunDiagnosisResponse_Progress{Progress: p}})
	})
	if err := stream.Context().Err(); err != nil {
		return err
	}
	c.keep(kept{user, d, s})
	return stream.Send(&constatv1.RunDiagnosisResponse{
		Event: &constatv1.RunDiagnosisResponse_Diagnosis{Diagnosis: d}, Causes: c.words(d, language),
	})
}

// words is what the catalog says of the root causes of a diagnosis.
func (c *counter) words(d *constatv1.Diagnosis, language string) map[string]*constatv1.RunDiagnosisResponse_Cause {
	catalog, _, _, err := c.observer.known()
	if err != nil {
		return nil // the diagnosis says enough by itself
	}
	said := map[string]*constatv1.RunDiagnosisResponse_Cause{}
	for _, cause := range d.GetRootCauses() {
		one := &constatv1.RunDiagnosisResponse_Cause{Began: diagnosis.Began(cause, language, time.Now())}
		if f := catalog.Lookup(cause.GetFault()); f != nil {
			one.Explanation = f.Explanation.In(language)
		}
		said[cause.GetFault()] = one
	}
	return said
}

func (c *counter) keep(k kept) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept = append(c.kept, k)
	if len(c.kept) > keptDiagnoses {
		c.kept = slices.Delete(c.kept, 0, 1)
	}
}

// find returns a kept diagnosis of this user; another user's does not exist.
func (c *counter) find(user local.User, id string) (kept, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.kept, func(k kept) bool { return k.user.ID == user.ID && k.diagnosis.Id == id })
	if i < 0 {
		return kept{}, false
	}
	return c.kept[i], true
}

// SubmitTicket makes a ticket durable, and waits for its number if asked.
func (c *counter) SubmitTicket(ctx context.Context, r *constatv1.SubmitTicketRequest) (*constatv1.SubmitTicketResponse, error) {
	user, ok := local.Peer(ctx)
	if !ok {
		return nil, status.Error(codes.PermissionDenied, "who is asking is unknown")
	}
	return c.submitFor(ctx, user, r)
}

func (c *counter) submitFor(ctx context.Context, user local.User, r *constatv1.SubmitTicketRequest) (_ *constatv1.SubmitTicketResponse, err error) {
	switch {
	case c.link.Load() == nil:
		return nil, status.Error(codes.FailedPrecondition, "this machine is not enrolled, so there is nobody to send a ticket to: ask your administrator for an enrolment token and run \"constat-agent enroll\"")
	case r.GetReplyTo() == "" && !slices.Contains(complaints(), r.Complaint):
		return nil, status.Errorf(codes.InvalidArgument, "there is no complaint %q; choose one of %s", r.Complaint, strings.Join(complaints(), ", "))
	case len(r.Text) > maxText || !utf8.ValidString(r.Text):
		return nil, status.Errorf(codes.InvalidArgument, "the text must be UTF-8 of at most %d bytes", maxText)
	}
	if r.GetReplyTo() != "" {
		return c.reply(ctx, user, r)
	}
	pictures, err := bare(r.GetPictures())
	if err != nil {
		return nil, err
	}
	now := timestamppb.Now()
	draft := &constatv1.TicketDraft{
		Id:         uuid.Must(uuid.NewV7()).String(),
		Complaint:  r.Complaint,
		Text:       r.Text,
		Requester:  &constatv1.Person{Id: user.ID, Name: user.Name},
		OccurredAt: now,
		Language:   (&options{language: r.Language}).lang(),
		Channel:    "agent",
		Pictures:   pictures,
	}
	if r.DiagnosisId != "" {
		k, ok := c.find(user, r.DiagnosisId)
		if !ok {
			return nil, status.Errorf(codes.NotFound, "there is no diagnosis %s of yours: run it again", r.DiagnosisId)
		}
		if k, err = k.without(r.GetLeaveOut()); err != nil {
			return nil, err
		}
		draft.DiagnosisId = k.diagnosis.Id
		draft.OccurredAt = k.diagnosis.StartedAt
		if err := c.spoolDiagnosis(k.diagnosis, k.snapshot); err != nil {
			return nil, spoolError(err)
		}
	}
	number, err := c.submit(ctx, draft.Id, &constatv1.Report{Content: &constatv1.Report_Ticket{Ticket: draft}}, waitOf(r))
	if err != nil {
		return nil, spoolError(err)
	}
	return &constatv1.SubmitTicketResponse{Id: draft.Id, Number: number}, nil
}

// spoolDiagnosis makes a diagnosis durable, and what it was judged from where there is
// room for that: the diagnosis has its evidence itself.
func (c *counter) spoolDiagnosis(d *constatv1.Diagnosis, s *constatv1.Snapshot) error {
	link := c.link.Load()
	d.EndpointId = link.EndpointID()
	if err := link.PutSnapshot(s); err != nil {
		slog.Error("what a diagnosis was judged from can't be kept for the collector", "error", err)
	}
	return link.Spool().Put(&constatv1.Report{Content: &constatv1.Report_Diagnosis{Diagnosis: d}})
}

func spoolError(err error) error {
	if status.Code(err) == codes.Aborted {
		return err
	}
	return status.Error(codes.Unavailable, fmt.Sprintf("the ticket could not be kept on this machine: %v; nothing was sent", err))
}

func waitOf(r *constatv1.SubmitTicketRequest) time.Duration {
	return min(max(time.Duration(r.GetWaitSeconds())*time.Second, 0), maxWait)
}

// submit spools a ticket or a reply and waits for the collector to number it; 0:
// not yet.
func (c *counter) submit(ctx context.Context, id string, report *constatv1.Report, wait time.Duration) (int32, error) {
	link := c.link.Load()
	receipt, cancel := link.Expect(id)
	defer cancel()
	if err := link.Spool().Put(report); err != nil {
		return 0, err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case r := <-receipt:
		if r.GetStatus() == "refused" {
			return 0, status.Errorf(codes.Aborted, "the collector refused it: %s", r.GetReason())
		}
		return r.GetTicketNumber(), nil
	case <-timer.C:
	case <-ctx.Done():
	}
	return 0, nil
}
