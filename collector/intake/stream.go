package intake

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/desk"
	"constat/internal/identity"
	constatv1 "constat/proto/constat/v1"
)

const (
	// helloTimeout is how long a new stream may be silent.
	helloTimeout = 30 * time.Second
	// A stream may say this much a second, and this much at once: what is
	// beyond is not heard. An agent beats every five minutes and tells progress
	// group by group.
	heardPerSecond = 10
	heardAtOnce    = 200
)

// stream is one agent's control stream.
type stream struct {
	intake *Intake
	agent  constatv1.AgentService_ConnectServer
	// sending keeps two messages from being sent at once.
	sending sync.Mutex
	peer    identity.Peer
	end     context.CancelCauseFunc
}

// errReplaced ends the older of two streams of one endpoint: after a network
// failure the agent is back before its former connection is found dead, and a
// command must not go there.
var errReplaced = status.Error(codes.Aborted, "another connection with this machine's identity took over; if this goes on, two machines share it (a cloned disk?): enrol one of them again")

// Connect is an agent's control stream, until one side ends it.
func (in *Intake) Connect(agent constatv1.AgentService_ConnectServer) error {
	peer, err := admitted(agent.Context())
	if err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(agent.Context())
	defer end(nil)
	s := &stream{intake: in, agent: agent, peer: peer, end: end}
	hello := make(chan *constatv1.Hello)
	go func() { end(s.receive(ctx, hello)) }()
	silence := time.NewTimer(helloTimeout)
	defer silence.Stop()
	select {
	case h := <-hello:
		silence.Stop()
		return s.serve(ctx, h)
	case <-silence.C:
		return status.Error(codes.InvalidArgument, "a stream begins with Hello, and none came")
	case <-ctx.Done():
		return reason(ctx)
	}
}

func (s *stream) serve(ctx context.Context, hello *constatv1.Hello) error {
	in, id := s.intake, s.peer.EndpointID
	if err := in.desk.Connected(ctx, id, callerHost(ctx), hello); err != nil {
		return in.failed("note the connection", err)
	}
	in.replace(s)
	defer in.forget(s)
	// The stream's context has ended by then.
	defer in.desk.Disconnected(context.WithoutCancel(ctx), id)
	if err := s.welcome(hello); err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	var knowing sync.WaitGroup
	defer knowing.Wait()
	defer end(nil)
	knowing.Go(func() {
		err := in.desk.Knowledge(ctx, id, hello.GetKnowledgeRevision(), func(k *constatv1.SignedKnowledge) error {
			return s.send(&constatv1.ConnectResponse{Message: &constatv1.ConnectResponse_Knowledge{Knowledge: k}})
		})
		if err != nil && ctx.Err() == nil {
			end(in.failed("give the team's knowledge", err))
		}
	})
	knowing.Go(func() {
		err := in.desk.Answered(ctx, id, func() error {
			return s.send(&constatv1.ConnectResponse{Message: &constatv1.ConnectResponse_Answered{Answered: true}})
		})
		if err != nil && ctx.Err() == nil {
			end(in.failed("tell of an answer", err))
		}
	})
	err := in.desk.Commands(ctx, id, func(c *constatv1.Command) error {
		return s.send(&constatv1.ConnectResponse{Message: &constatv1.ConnectResponse_Command{Command: c}})
	})
	switch {
	case ctx.Err() != nil:
		return reason(ctx)
	case errors.Is(err, desk.ErrForbidden):
		if err := s.send(&constatv1.ConnectResponse{Message: &constatv1.ConnectResponse_Revoked{
			Revoked: &constatv1.Revoked{Reason: err.Error()},
		}}); err != nil {
			return err
		}
	}
	return in.failed("fetch commands", err)
}

func (s *stream) send(m *constatv1.ConnectResponse) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	return s.agent.Send(m)
}

// reason is why the stream ended, as its status; an agent that went is no error.
func reason(ctx context.Context) error {
	err := context.Cause(ctx)
	if errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (s *stream) welcome(hello *constatv1.Hello) error {
	in := s.intake
	err := s.agent.Send(&constatv1.ConnectResponse{Message: &constatv1.ConnectResponse_Welcome{Welcome: &constatv1.Welcome{
		Now:              timestamppb.New(in.options.Now()),
		HeartbeatSeconds: int32(desk.HeartbeatInterval.Seconds()),
	}}})
	if err != nil || in.options.Policy == nil || in.options.Policy.GetRevision() == hello.GetPolicyRevision() {
		return err
	}
	return s.agent.Send(&constatv1.ConnectResponse{Message: &constatv1.ConnectResponse_Policy{Policy: in.options.Policy}})
}

// receive handles what the agent says until the stream ends. It hands the first
// message to hello.
func (s *stream) receive(ctx context.Context, hello chan<- *constatv1.Hello) error {
	first, err := s.agent.Recv()
	if err != nil {
		return err
	}
	if first.GetHello() == nil {
		return status.Error(codes.InvalidArgument, "a stream begins with Hello")
	}
	select {
	case hello <- first.GetHello():
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	heard := rate.NewLimiter(heardPerSecond, heardAtOnce)
	for {
		m, err := s.agent.Recv()
		if err != nil {
			return err
		}
		if m.GetResult() == nil && !heard.Allow() {
			continue
		}
		if s.intake.options.Now().After(s.peer.NotAfter) {
			return status.Error(codes.FailedPrecondition, identity.ErrExpired.Error())
		}
		if err := s.handle(ctx, m); err != nil {
			// The stream is worth more than one message on it.
			s.intake.options.Log.Warn("cannot take what an agent said", "endpoint", s.peer.EndpointID, "error", err)
		}
	}
}

func (s *stream) handle(ctx context.Context, m *constatv1.ConnectRequest) error {
	d, id := s.intake.desk, s.peer.EndpointID
	switch m := m.GetMessage().(type) {
	case *constatv1.ConnectRequest_Heartbeat:
		return d.Seen(ctx, id)
	case *constatv1.ConnectRequest_Progress:
		return d.Progress(ctx, id, m.Progress)
	case *constatv1.ConnectRequest_Result:
		return d.Finish(ctx, id, m.Result)
	}
	return nil // of a newer agent
}

// replace makes s the stream of its endpoint and ends the former one.
func (in *Intake) replace(s *stream) {
	in.mu.Lock()
	former := in.streams[s.peer.EndpointID]
	in.streams[s.peer.EndpointID] = s
	in.mu.Unlock()
	if former != nil {
		former.end(errReplaced)
	}
}

func (in *Intake) forget(s *stream) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.streams[s.peer.EndpointID] == s {
		delete(in.streams, s.peer.EndpointID)
	}
}
