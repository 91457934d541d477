package uplink

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/internal/identity"
	constatv1 "constat/proto/constat/v1"
)

const testEndpoint = "01950000-0000-7000-8000-00000000e001"

// testCollector is a collector reduced to what a test scripts, behind real TLS
// and real gRPC on loopback. The real one is tried with this package in
// internal/lab.
type testCollector struct {
	constatv1.UnimplementedAgentServiceServer
	t         *testing.T
	authority *identity.Authority
	token     string
	address   string
	lifetime  time.Duration

	mu      sync.Mutex
	renewed int
	// answer gives the receipts of an upload; all stored when nil.
	answer func([]*constatv1.Report) ([]*constatv1.Receipt, error)
	// connect is what happens on a stream after the welcome; nothing when nil.
	connect func(context.Context, *constatv1.Hello, constatv1.AgentService_ConnectServer) error
	// skew is added to the collector's clock.
	skew time.Duration

	hellos   chan *constatv1.Hello
	results  chan *constatv1.CommandResult
	uploaded chan []*constatv1.Report
}

func startCollector(t *testing.T) *testCollector {
	t.Helper()
	authority, err := identity.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	token, err := identity.NewToken(authority.KeyHash())
	if err != nil {
		t.Fatal(err)
	}
	c := &testCollector{
		t: t, authority: authority, token: token.Text(), lifetime: identity.ClientLifetime,
		hellos: make(chan *constatv1.Hello, 100), results: make(chan *constatv1.CommandResult, 100),
		uploaded: make(chan []*constatv1.Report, 1000),
	}
	c.address, _ = c.serve("127.0.0.1:0")
	return c
}

// serve starts a server; stop ends it, which the end of the test does as well.
func (c *testCollector) serve(address string) (at string, stop func()) {
	c.t.Helper()
	config, err := c.authority.ServerTLS([]string{"127.0.0.1", "collector.test"}, time.Now)
	if err != nil {
		c.t.Fatal(err)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		c.t.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(config)))
	constatv1.RegisterAgentServiceServer(server, c)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // it ends when it is stopped
	}()
	stop = func() {
		server.Stop()
		<-done
	}
	c.t.Cleanup(stop)
	return listener.Addr().String(), stop
}

func (c *testCollector) script(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

// open enrols in a new directory and opens the link.
func (c *testCollector) open(options ...Option) *Link {
	c.t.Helper()
	dir := c.t.TempDir()
	options = append([]Option{Logger(slog.New(slog.DiscardHandler)), Proxy(Direct), Backoff(time.Millisecond, 20*time.Millisecond)}, options...)
	if err := Enroll(c.t.Context(), c.address, c.token, dir, &constatv1.EnrollRequest{Hostname: "pc"}, options...); err != nil {
		c.t.Fatal(err)
	}
	l, err := Open(dir, options...)
	if err != nil {
		c.t.Fatal(err)
	}
	return l
}

// run runs the link until the test ends and gives what Run returned.
func (c *testCollector) run(l *Link, h Handlers) <-chan error {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		ended <- l.Run(ctx, h)
	}()
	c.t.Cleanup(func() {
		cancel()
		<-finished
	})
	return ended
}

func (c *testCollector) Enroll(_ context.Context, r *constatv1.EnrollRequest) (*constatv1.EnrollResponse, error) {
	if r.GetToken() != c.token {
		return nil, status.Error(codes.Unauthenticated, "no such token")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	leaf, err := c.authority.SignClient(r.GetCsr(), testEndpoint, time.Now(), c.lifetime)
	if err != nil {
		return nil, err
	}
	return &constatv1.EnrollResponse{
		EndpointId: testEndpoint, Certificate: leaf.Raw, CaCertificate: c.authority.Certificate().Raw,
		NotAfter: timestamppb.New(leaf.NotAfter), Now: timestamppb.New(time.Now().Add(c.skew)),
	}, nil
}

func (c *testCollector) peer(ctx context.Context) (identity.Peer, error) {
	p, _ := peer.FromContext(ctx)
	return c.authority.Peer(p.AuthInfo.(credentials.TLSInfo).State.PeerCertificates, time.Now())
}

func (c *testCollector) Renew(ctx context.Context, r *constatv1.RenewRequest) (*constatv1.RenewResponse, error) {
	p, err := c.peer(ctx)
	if err != nil && p.EndpointID == "" {
		return nil, status.Error(codes.Unauthenticated, err.Error())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.renewed++
	leaf, err := c.authority.SignClient(r.GetCsr(), p.EndpointID, time.Now(), c.lifetime)
	if err != nil {
		return nil, err
	}
	return &constatv1.RenewResponse{Certificate: leaf.Raw}, nil
}

func (c *testCollector) Connect(stream constatv1.AgentService_ConnectServer) error {
	if _, err := c.peer(stream.Context()); err != nil {
		return status.Error(codes.FailedPrecondition, err.Error())
	}
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	c.mu.Lock()
	connect, skew := c.connect, c.skew
	c.mu.Unlock()
	err = stream.Send(&constatv1.ConnectResponse{Message: &constatv1.ConnectResponse_Welcome{
		Welcome: &constatv1.Welcome{Now: timestamppb.New(time.Now().Add(skew)), HeartbeatSeconds: 300},
	}})
	if err != nil {
		return err
	}
	c.hellos <- first.GetHello()
	if connect != nil {
		if err := connect(stream.Context(), first.GetHello(), stream); err != nil {
			return err
		}
	}
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		if r := m.GetResult(); r != nil {
			c.results <- r
		}
	}
}

func (c *testCollector) Upload(_ context.Context, r *constatv1.UploadRequest) (*constatv1.UploadResponse, error) {
	c.mu.Lock()
	answer := c.answer
	c.mu.Unlock()
	defer func() { c.uploaded <- r.GetReports() }()
	if answer == nil {
		answer = allStored
	}
	receipts, err := answer(r.GetReports())
	return &constatv1.UploadResponse{Receipts: receipts}, err
}

func allStored(reports []*constatv1.Report) ([]*constatv1.Receipt, error) {
	var receipts []*constatv1.Receipt
	for _, r := range reports {
		_, id := identify(r)
		receipts = append(receipts, &constatv1.Receipt{Id: id, Status: statusStored})
	}
	return receipts, nil
}

// within gives the next value, and fails the test instead of hanging.
func within[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}
