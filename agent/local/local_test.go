package local

import (
	"context"
	"errors"
	"os/user"
	"strings"
	"sync"
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
	path := Socket(t.TempDir())
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
	// An account of this computer's own goes without the computer's name.
	want := me.Username[strings.LastIndex(me.Username, `\`)+1:]
	if got.EndpointId != want {
		t.Errorf("peer is %q, want %q", got.EndpointId, want)
	}
}

func TestNoAgent(t *testing.T) {
	if _, err := Dial(t.Context(), Socket(t.TempDir())); !errors.Is(err, ErrNotRunning) {
		t.Errorf("got %v, want ErrNotRunning", err)
	}
}

func TestSecondAgentIsRefused(t *testing.T) {
	_, err := Listen(serve(t))
	if err == nil || !strings.Contains(err.Error(), "another agent already listens") {
		t.Errorf("second agent: %v", err)
	}
}

// TestManyAtOnce: everybody is answered, and who comes and goes without a word
// stops nobody.
func TestManyAtOnce(t *testing.T) {
	path := serve(t)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if c, err := dial(t.Context(), path); err == nil {
				c.Close()
			}
			conn, err := Dial(t.Context(), path)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			if _, err := constatv1.NewLocalServiceClient(conn).GetStatus(t.Context(), &constatv1.GetStatusRequest{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
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
