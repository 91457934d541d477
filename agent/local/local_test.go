package local

import (
	"context"
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	constatv1 "constat/proto/constat/v1"
)

// echo answers with the name of who asked.
type echo struct {
	constatv1.UnimplementedLocalServiceServer
}

func (echo) GetStatus(ctx context.Context, _ *constatv1.GetStatusRequest) (*constatv1.GetStatusResponse, error) {
	u, ok := Peer(ctx)
	if !ok {
		return nil, status.Error(codes.Internal, "no peer")
	}
	return &constatv1.GetStatusResponse{EndpointId: u.Name}, nil
}

func serve(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "agent.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, echo{}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return path
}

func TestPeerIsTheKernelsWord(t *testing.T) {
	path := serve(t)
	conn, err := Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	got, err := constatv1.NewLocalServiceClient(conn).GetStatus(t.Context(), &constatv1.GetStatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if got.EndpointId != me.Username {
		t.Errorf("peer is %q, want %q", got.EndpointId, me.Username)
	}
}

func TestNoAgent(t *testing.T) {
	if _, err := Dial(t.Context(), filepath.Join(t.TempDir(), "agent.sock")); !errors.Is(err, ErrNotRunning) {
		t.Errorf("got %v, want ErrNotRunning", err)
	}
}

func TestSecondAgentIsRefusedAndALeftSocketReplaced(t *testing.T) {
	path := serve(t)
	_, err := Listen(path)
	if err == nil || !strings.Contains(err.Error(), "another agent already listens") {
		t.Errorf("second agent: %v", err)
	}
	left := filepath.Join(t.TempDir(), "agent.sock")
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Listen(left)
	if err != nil {
		t.Fatalf("a left socket stopped a new agent: %v", err)
	}
	l.Close()
}

func TestLargeMessageIsRefused(t *testing.T) {
	conn, err := Dial(t.Context(), serve(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = constatv1.NewLocalServiceClient(conn).SubmitTicket(t.Context(),
		&constatv1.SubmitTicketRequest{Text: strings.Repeat("x", maxMessage+1)})
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("got %v, want ResourceExhausted", err)
	}
}
