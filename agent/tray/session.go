package main

import (
	"context"
	"fmt"
	"sync"

	"google.golang.org/grpc/status"

	"constat/agent/local"
	constatv1 "constat/proto/constat/v1"
)

// session is the conversation of one user with the agent.
type session struct {
	socket string
	// changed redraws the menu.
	changed func(state)

	mu    sync.Mutex
	state state
}

func (s *session) update(f func(*state)) {
	s.mu.Lock()
	f(&s.state)
	now := s.state
	s.mu.Unlock()
	s.changed(now)
}

// begin marks the session busy; false: it already is.
func (s *session) begin() bool {
	started := false
	s.update(func(st *state) {
		started = !st.running
		st.running = true
	})
	return started
}

// diagnose runs a procedure and shows its result.
func (s *session) diagnose(ctx context.Context, procedure string) {
	if !s.begin() {
		return
	}
	d, err := s.run(ctx, procedure)
	s.update(func(st *state) {
		st.running = false
		st.problem = problem(err)
		if err == nil {
			st.last, st.ticket = d, 0
		}
	})
}

func (s *session) run(ctx context.Context, procedure string) (*constatv1.Diagnosis, error) {
	conn, err := local.Dial(ctx, s.socket)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stream, err := constatv1.NewLocalServiceClient(conn).RunDiagnosis(ctx,
		&constatv1.RunDiagnosisRequest{Procedure: procedure, Language: s.state.language})
	if err != nil {
		return nil, err
	}
	for {
		m, err := stream.Recv()
		if err != nil {
			return nil, err
		}
		if d := m.GetDiagnosis(); d != nil {
			return d, nil
		}
	}
}

// send makes a ticket of the last diagnosis.
func (s *session) send(ctx context.Context) {
	if !s.begin() {
		return
	}
	number, err := s.submit(ctx)
	s.update(func(st *state) {
		st.running = false
		st.problem = problem(err)
		if err == nil {
			st.ticket = number
		}
	})
}

func (s *session) submit(ctx context.Context) (int32, error) {
	conn, err := local.Dial(ctx, s.socket)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	s.mu.Lock()
	last := s.state.last
	s.mu.Unlock()
	if last == nil {
		return 0, fmt.Errorf("there is no diagnosis to send yet")
	}
	answer, err := constatv1.NewLocalServiceClient(conn).SubmitTicket(ctx, &constatv1.SubmitTicketRequest{
		Complaint: last.Procedure, DiagnosisId: last.Id, Language: s.state.language, WaitSeconds: 10,
	})
	switch {
	case err != nil:
		return 0, err
	case answer.Number == 0:
		return -1, nil
	}
	return answer.Number, nil
}

// problem is an error as the menu shows it.
func problem(err error) string {
	if err == nil {
		return ""
	}
	if st, ok := status.FromError(err); ok {
		return st.Message()
	}
	return err.Error()
}
