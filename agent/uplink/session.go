package uplink

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/internal/identity"
	"constat/internal/version"
	constatv1 "constat/proto/constat/v1"
)

const (
	// welcomeTimeout is how long a collector may take to answer Hello.
	welcomeTimeout = 30 * time.Second
	// shortestHeartbeat and longestHeartbeat bound what a collector may ask for.
	shortestHeartbeat = 10 * time.Second
	longestHeartbeat  = time.Hour
)

// errRenewed ends a session whose certificate was just replaced: the next one
// uses the new.
var errRenewed = errors.New("reconnecting with the renewed certificate")

// Run keeps the link up until ctx ends, then returns nil: it connects, sends what
// is spooled, beats, renews the certificate and carries out commands. A lost or
// refused connection is tried again after a random pause that grows up to the
// limit. It returns ErrRevoked or ErrTwin when the collector says so.
func (l *Link) Run(ctx context.Context, h Handlers) error {
	ctx, cancel := context.WithCancel(ctx)
	var working sync.WaitGroup
	working.Go(func() { l.work(ctx, h) })
	defer working.Wait()
	defer cancel()
	for failures := 0; ctx.Err() == nil; {
		welcomed, err := l.attempt(ctx, h)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errRenewed):
			failures = 0
			continue
		case isFinal(err):
			l.setProblem(err)
			return err
		case welcomed:
			failures = 0
		}
		if l.setProblem(err) {
			l.log.Warn("no connection to the collector", "error", err)
		}
		l.pause(ctx, failures)
		failures++
	}
	return nil
}

// pause waits a random time up to a limit that doubles with each failure. The
// whole span is random: after a collector's restart, its agents must not come
// back at once.
func (l *Link) pause(ctx context.Context, failures int) {
	limit := l.longest
	if failures < 32 {
		limit = min(limit, l.shortest<<failures)
	}
	timer := time.NewTimer(rand.N(max(limit, 1)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// attempt tries the collectors in order until one lets this machine in, and
// returns when that connection has ended.
func (l *Link) attempt(ctx context.Context, h Handlers) (welcomed bool, err error) {
	var problems []error
	for _, address := range l.addresses() {
		welcomed, err = l.session(ctx, address, h)
		if welcomed || ctx.Err() != nil || errors.Is(err, errRenewed) || isFinal(err) {
			return welcomed, err
		}
		problems = append(problems, err)
	}
	return false, errors.Join(problems...)
}

// session is one connection to one collector, from dialling to its end. A
// connection that another one with this identity displaced does not count as
// welcomed: two clones of a machine must not fight at full speed.
func (l *Link) session(ctx context.Context, address string, h Handlers) (welcomed bool, err error) {
	host, err := serverName(address)
	if err != nil {
		return false, err
	}
	d := &dialer{proxy: l.proxy}
	conn, err := d.connect(address, identity.ClientTLS(l.identity().ca, l.certificate, host, l.now))
	if err != nil {
		return false, err
	}
	defer closeQuietly(conn)
	client := constatv1.NewAgentServiceClient(conn)
	if !l.now().Before(identity.RenewAt(l.certificate().Leaf)) {
		if err := l.renew(ctx, client); err == nil {
			return false, errRenewed
		} else if err := l.judge(d.explain(address, err)); isFinal(err) || isUnreachable(err) {
			return false, err
		} else {
			l.log.Warn("cannot renew this machine's certificate yet", "error", err, "good until", l.certificate().Leaf.NotAfter)
		}
	}
	s := &session{link: l, client: client, address: address, handlers: h}
	err = s.run(ctx)
	if status.Code(err) == codes.FailedPrecondition {
		// The collector's clock says expired where this machine's does not.
		if l.renew(ctx, client) == nil {
			return false, errRenewed
		}
	}
	return s.welcomed && status.Code(err) != codes.Aborted, l.judge(d.explain(address, err))
}

// judge tells what the collector's refusal means for the link. The codes are
// those of package intake.
func (l *Link) judge(err error) error {
	if status.Code(err) == codes.PermissionDenied {
		return fmt.Errorf("%w (%s)", ErrRevoked, status.Convert(err).Message())
	}
	if status.Code(err) == codes.AlreadyExists {
		return fmt.Errorf("%w (%s)", ErrTwin, status.Convert(err).Message())
	}
	return err
}

func isFinal(err error) bool { return errors.Is(err, ErrRevoked) || errors.Is(err, ErrTwin) }

// isUnreachable tells whether a call did not get to a collector.
func isUnreachable(err error) bool {
	var said *answer
	if !errors.As(err, &said) {
		return true
	}
	code := said.status.Code()
	return code == codes.Unavailable || code == codes.DeadlineExceeded || code == codes.Canceled
}

// session is a connection that stands.
type session struct {
	link     *Link
	client   constatv1.AgentServiceClient
	address  string
	handlers Handlers
	welcomed bool
}

func (s *session) run(ctx context.Context) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	stream, err := s.client.Connect(ctx)
	if err != nil {
		return err
	}
	silence := time.AfterFunc(welcomeTimeout, func() { end(errors.New("the collector does not answer")) })
	heartbeat, err := s.greet(stream)
	silence.Stop()
	if err != nil {
		return causeOr(ctx, err)
	}

	var parts sync.WaitGroup
	defer parts.Wait()
	defer end(nil)
	s.link.setClient(s.client)
	defer s.link.setClient(nil)
	s.answered()
	parts.Go(func() { end(s.receive(stream)) })
	parts.Go(func() { s.link.drain(ctx, s.client) })

	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		err := s.link.commands.sendResults(stream.Send)
		if err != nil {
			return s.sendFailed(ctx, err)
		}
		var message *constatv1.ConnectRequest
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.link.commands.finished:
			continue
		case p := <-s.link.commands.progress:
			message = &constatv1.ConnectRequest{Message: &constatv1.ConnectRequest_Progress{Progress: p}}
		case <-beat.C:
			if !s.link.now().Before(identity.RenewAt(s.link.certificate().Leaf)) {
				// The next session begins with the renewal.
				return errRenewed
			}
			message = &constatv1.ConnectRequest{Message: &constatv1.ConnectRequest_Heartbeat{
				Heartbeat: &constatv1.Heartbeat{Spooled: s.link.spooled()},
			}}
		}
		if err := stream.Send(message); err != nil {
			return s.sendFailed(ctx, err)
		}
	}
}

// sendFailed gives the reason why a message could not be sent: gRPC tells it to
// the receiver.
func (s *session) sendFailed(ctx context.Context, err error) error {
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return err
	}
}

func causeOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// greet says hello and waits for the welcome.
func (s *session) greet(stream constatv1.AgentService_ConnectClient) (heartbeat time.Duration, err error) {
	l := s.link
	hostname, err := os.Hostname()
	if err != nil {
		hostname = "" // the collector knows it from the last snapshot
	}
	sent := l.now()
	err = stream.Send(&constatv1.ConnectRequest{Message: &constatv1.ConnectRequest_Hello{Hello: &constatv1.Hello{
		AgentVersion:   version.Version,
		OsFamily:       runtime.GOOS,
		Hostname:       hostname,
		PolicyRevision: l.Policy().GetRevision(),
		CatalogVersion: s.handlers.CatalogVersion,
		Now:            timestamppb.New(sent),
		Spooled:        l.spooled(),

		KnowledgeRevision: l.revision(),
		HardwareHash:      l.hardware(stream.Context()),
		Instance:          l.instance,
	}}})
	// When sending fails, receiving tells why.
	first, receiving := stream.Recv()
	switch {
	case receiving != nil:
		return 0, receiving
	case err != nil:
		return 0, err
	case first.GetRevoked() != nil:
		return 0, fmt.Errorf("%w (%s)", ErrRevoked, first.GetRevoked().GetReason())
	case first.GetWelcome() == nil:
		return 0, errors.New("the collector does not begin with a welcome: is it newer than this agent?")
	}
	var off time.Duration
	if first.GetWelcome().GetNow().IsValid() {
		// Half of the way there and back is the collector's.
		off = sent.Add(l.now().Sub(sent) / 2).Sub(first.GetWelcome().GetNow().AsTime())
	}
	tellSkew(l.log, off)
	l.setConnected(s.address, off)
	s.welcomed = true
	l.log.Info("connected", "collector", s.address, "endpoint", l.EndpointID())
	asked := time.Duration(first.GetWelcome().GetHeartbeatSeconds()) * time.Second
	return min(max(asked, shortestHeartbeat), longestHeartbeat), nil
}

// receive handles what the collector says, until the stream ends.
func (s *session) receive(stream constatv1.AgentService_ConnectClient) error {
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		s.link.heard()
		switch m := m.GetMessage().(type) {
		case *constatv1.ConnectResponse_Command:
			s.link.commands.take(m.Command)
		case *constatv1.ConnectResponse_Policy:
			s.link.takePolicy(m.Policy, s.handlers.Policy)
		case *constatv1.ConnectResponse_Knowledge:
			s.link.takeKnowledge(m.Knowledge, s.handlers.Knowledge)
		case *constatv1.ConnectResponse_Answered:
			s.answered()
		case *constatv1.ConnectResponse_Revoked:
			return fmt.Errorf("%w (%s)", ErrRevoked, m.Revoked.GetReason())
		}
	}
}

func (s *session) answered() {
	if s.handlers.Answered != nil {
		s.handlers.Answered()
	}
}

// spooled counts what waits, for the collector to show; a spool that cannot be
// read is told where it is drained.
func (l *Link) spooled() int32 {
	n, err := l.spool.Waiting()
	if err != nil {
		return 0
	}
	return int32(n)
}
