package intake

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/bus"
	"constat/collector/desk"
	"constat/collector/store"
	"constat/internal/fault"
	"constat/internal/identity"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// door is a collector's door on loopback, with the real desk behind it.
type door struct {
	t         testing.TB
	desk      *desk.Desk
	authority *identity.Authority
	address   string
	// off is added to the collector's clock, in nanoseconds.
	off atomic.Int64
}

func (d *door) now() time.Time { return time.Now().Add(time.Duration(d.off.Load())) }

func openDoor(t testing.TB, o Options) *door {
	t.Helper()
	dir := t.TempDir()
	s, err := store.Open(t.Context(), "sqlite:"+filepath.Join(dir, "constat.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	hints, err := bus.Embedded(t.Context(), bus.Cluster{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hints.Close)
	catalog, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	authority, _, err := OpenAuthority(t.Context(), s, filepath.Join(dir, "key"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	d := &door{t: t, desk: desk.New(s, hints, catalog), authority: authority}
	o.Names, o.Now, o.Log = []string{"127.0.0.1"}, d.now, slog.New(slog.DiscardHandler)
	server, err := New(d.desk, authority, o).Server()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.address = listener.Addr().String()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // until it is stopped
	}()
	t.Cleanup(func() {
		server.Stop()
		<-done
	})
	return d
}

// dial connects as whoever holds the certificate; nil: as a stranger.
func (d *door) dial(certificate *tls.Certificate, options ...grpc.DialOption) constatv1.AgentServiceClient {
	d.t.Helper()
	config := identity.EnrollTLS(d.authority.KeyHash(), "127.0.0.1", d.now)
	if certificate != nil {
		config.Certificates = []tls.Certificate{*certificate}
	}
	conn, err := grpc.NewClient("passthrough:///"+d.address, append(options, grpc.WithTransportCredentials(credentials.NewTLS(config)))...)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { conn.Close() })
	return constatv1.NewAgentServiceClient(conn)
}

func (d *door) token(uses int, expires time.Time) string {
	d.t.Helper()
	text, err := NewToken(d.t.Context(), d.desk, d.authority, uses, expires, "test", "")
	if err != nil {
		d.t.Fatal(err)
	}
	return text
}

// enrol enrols a machine and gives its id and its certificate.
func (d *door) enrol(hostname string) (string, *tls.Certificate) {
	d.t.Helper()
	key, csr, err := identity.NewRequest()
	if err != nil {
		d.t.Fatal(err)
	}
	r, err := d.dial(nil).Enroll(d.t.Context(), &constatv1.EnrollRequest{
		Token: d.token(1, time.Now().Add(time.Hour)), Csr: csr, Hostname: hostname, MachineHash: "hash of " + hostname, OsFamily: "linux",
	})
	if err != nil {
		d.t.Fatal(err)
	}
	leaf, err := identity.CheckIssued(r.GetCertificate(), d.authority.Certificate(), key)
	if err != nil {
		d.t.Fatal(err)
	}
	return r.GetEndpointId(), &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
}

// refused fails the test unless err has the code and the words.
func refused(t *testing.T, what string, err error, code codes.Code, words string) {
	t.Helper()
	if status.Code(err) != code || !strings.Contains(status.Convert(err).Message(), words) {
		t.Errorf("%s: %v, want %v with %q", what, err, code, words)
	}
}

var administrator = desk.Actor{ID: "1", Name: "Ana", Role: "administrator"}

func TestEnrollmentTokens(t *testing.T) {
	d, other := openDoor(t, Options{}), openDoor(t, Options{})
	spent := d.token(1, time.Now().Add(time.Hour))
	unknown, err := identity.NewToken(d.authority.KeyHash())
	if err != nil {
		t.Fatal(err)
	}
	enrol := func(token string, change func(*constatv1.EnrollRequest)) error {
		_, csr, err := identity.NewRequest()
		if err != nil {
			t.Fatal(err)
		}
		r := &constatv1.EnrollRequest{Token: token, Csr: csr, Hostname: "pc", MachineHash: "hash"}
		if change != nil {
			change(r)
		}
		_, err = d.dial(nil).Enroll(t.Context(), r)
		return err
	}
	if err := enrol(spent, nil); err != nil {
		t.Fatal(err)
	}
	good := d.token(3, time.Now().Add(time.Hour))
	refused(t, "spent", enrol(spent, nil), codes.Unauthenticated, "used")
	refused(t, "unknown", enrol(unknown.Text(), nil), codes.Unauthenticated, "not known")
	moment := time.Now().Add(20 * time.Millisecond)
	expired := d.token(1, moment)
	for !time.Now().After(moment.Add(time.Millisecond)) {
		runtime.Gosched() // the desk's clock cannot be set
	}
	refused(t, "expired", enrol(expired, nil), codes.Unauthenticated, "expired")
	refused(t, "another collector's", enrol(other.token(1, time.Now().Add(time.Hour)), nil), codes.Unauthenticated, "another collector")
	refused(t, "mistyped", enrol(good[:40]+"1"+good[41:], nil), codes.Unauthenticated, "mistyped")
	refused(t, "no request", enrol(good, func(r *constatv1.EnrollRequest) { r.Csr = nil }), codes.InvalidArgument, "certificate request")
	// A refused request has not spent the token.
	for range 3 {
		if err := enrol(good, nil); err != nil {
			t.Errorf("a good token: %v", err)
		}
	}
	refused(t, "used three times", enrol(good, nil), codes.Unauthenticated, "used")
}

func TestTryingTokensIsSlowedDown(t *testing.T) {
	d := openDoor(t, Options{})
	client := d.dial(nil)
	for range freeFailures {
		_, err := client.Enroll(t.Context(), &constatv1.EnrollRequest{Token: "constat1_x"})
		refused(t, "a wrong token", err, codes.Unauthenticated, "")
	}
	_, err := client.Enroll(t.Context(), &constatv1.EnrollRequest{Token: "constat1_x"})
	refused(t, "one too many", err, codes.ResourceExhausted, "wait a minute")
	d.off.Store(int64(failureEvery))
	_, err = client.Enroll(t.Context(), &constatv1.EnrollRequest{Token: "constat1_x"})
	refused(t, "after a pause", err, codes.Unauthenticated, "")
}

func TestOnlyOwnCertificatesAreAdmitted(t *testing.T) {
	d, other := openDoor(t, Options{}), openDoor(t, Options{})
	_, foreign := other.enrol("pc")
	call := func(c *tls.Certificate) error {
		_, err := d.dial(c).Upload(t.Context(), &constatv1.UploadRequest{})
		return err
	}
	refused(t, "no certificate", call(nil), codes.Unauthenticated, "enrol this machine")
	refused(t, "foreign certificate", call(foreign), codes.Unauthenticated, "not made by this collector")
	_, err := d.dial(foreign).Renew(t.Context(), &constatv1.RenewRequest{})
	refused(t, "renewing a foreign certificate", err, codes.Unauthenticated, "not made by this collector")

	key, csr, err := identity.NewRequest()
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := d.authority.SignClient(csr, "01950000-0000-7000-8000-000000000001", time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	forged := &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}
	refused(t, "a certificate that no database knows", call(forged), codes.Unauthenticated, "enrol this machine again")

	id, mine := d.enrol("pc")
	if err := call(mine); err != nil {
		t.Errorf("an own certificate: %v", err)
	}
	if err := d.desk.RevokeEndpoint(t.Context(), administrator, id, "stolen"); err != nil {
		t.Fatal(err)
	}
	d.off.Store(int64(2 * believed))
	refused(t, "revoked", call(mine), codes.PermissionDenied, "revoked")
	_, err = d.dial(mine).Renew(t.Context(), &constatv1.RenewRequest{Csr: csr})
	refused(t, "renewing a revoked certificate", err, codes.PermissionDenied, "revoked")
}

// A machine that was off for a year comes back by itself.
func TestExpiredCertificatesMayRenewAndNothingElse(t *testing.T) {
	for name, off := range map[string]time.Duration{"just run out": identity.ClientLifetime + time.Hour, "off for a year": 366 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) { renews(t, off) })
	}
}

func renews(t *testing.T, off time.Duration) {
	d := openDoor(t, Options{})
	id, old := d.enrol("pc")
	d.off.Store(int64(off))
	_, err := d.dial(old).Upload(t.Context(), &constatv1.UploadRequest{})
	refused(t, "upload", err, codes.FailedPrecondition, "renew")
	key, csr, err := identity.NewRequest()
	if err != nil {
		t.Fatal(err)
	}
	r, err := d.dial(old).Renew(t.Context(), &constatv1.RenewRequest{Csr: csr})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := identity.CheckIssued(r.GetCertificate(), d.authority.Certificate(), key)
	if err != nil {
		t.Fatal(err)
	}
	if leaf.Subject.CommonName != id {
		t.Errorf("renewed as %s, want %s", leaf.Subject.CommonName, id)
	}
	if _, err := d.dial(&tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}).Upload(t.Context(), &constatv1.UploadRequest{}); err != nil {
		t.Errorf("with the renewed certificate: %v", err)
	}
}

func TestUploadTooLarge(t *testing.T) {
	d := openDoor(t, Options{})
	_, mine := d.enrol("pc")
	huge := &constatv1.UploadRequest{Reports: []*constatv1.Report{{Content: &constatv1.Report_Ticket{
		Ticket: &constatv1.TicketDraft{Text: strings.Repeat("x", 100<<20)},
	}}}}
	_, err := d.dial(mine).Upload(t.Context(), huge)
	refused(t, "100 MiB", err, codes.ResourceExhausted, "larger than max (104857615 vs. 16777216)")
	_, err = d.dial(mine).Upload(t.Context(), huge, grpc.UseCompressor("gzip"))
	refused(t, "100 MiB that compress well", err, codes.ResourceExhausted, "larger than max 16777216")
	_, err = d.dial(mine).Upload(t.Context(), &constatv1.UploadRequest{Reports: make([]*constatv1.Report, maxReports+1)})
	refused(t, "101 reports", err, codes.InvalidArgument, "at most 100")
	_, err = d.dial(nil).Upload(t.Context(), huge)
	refused(t, "100 MiB of a stranger", err, codes.Unauthenticated, "")
}

// rawCodec sends bytes as they are.
type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error) { return v.([]byte), nil }
func (rawCodec) Unmarshal([]byte, any) error   { return nil }
func (rawCodec) Name() string                  { return "proto" }
func (d *door) raw(c *tls.Certificate) *grpc.ClientConn {
	d.t.Helper()
	config := identity.EnrollTLS(d.authority.KeyHash(), "127.0.0.1", d.now)
	config.Certificates = []tls.Certificate{*c}
	conn, err := grpc.NewClient("passthrough:///"+d.address, grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(rawCodec{})))
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { conn.Close() })
	return conn
}

var _ encoding.Codec = rawCodec{}

func TestGarbage(t *testing.T) {
	d := openDoor(t, Options{})
	_, mine := d.enrol("pc")
	conn := d.raw(mine)
	garbage := []byte("\xff\xff\xff\xffnothing that protobuf could be")
	for _, method := range []string{
		constatv1.AgentService_Enroll_FullMethodName,
		constatv1.AgentService_Renew_FullMethodName,
		constatv1.AgentService_Upload_FullMethodName,
	} {
		refused(t, method, conn.Invoke(t.Context(), method, garbage, nil), codes.InvalidArgument, "no such message")
	}
	stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, constatv1.AgentService_Connect_FullMethodName)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SendMsg(garbage); err != nil {
		t.Fatal(err)
	}
	refused(t, "the stream", stream.RecvMsg(nil), codes.InvalidArgument, "no such message")
	if _, err := d.dial(mine).Upload(t.Context(), &constatv1.UploadRequest{}); err != nil {
		t.Errorf("after all that: %v", err)
	}
}

// greet opens a stream and waits for its welcome.
func greet(t *testing.T, client constatv1.AgentServiceClient) constatv1.AgentService_ConnectClient {
	t.Helper()
	stream, err := client.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	say(t, stream, &constatv1.ConnectRequest{Message: &constatv1.ConnectRequest_Hello{Hello: &constatv1.Hello{Hostname: "pc", Now: timestamppb.Now()}}})
	m, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if w := m.GetWelcome(); w.GetHeartbeatSeconds() != int32(desk.HeartbeatInterval.Seconds()) || !w.GetNow().IsValid() {
		t.Errorf("welcomed with %v", m)
	}
	return stream
}

func say(t *testing.T, stream constatv1.AgentService_ConnectClient, m *constatv1.ConnectRequest) {
	t.Helper()
	if err := stream.Send(m); err != nil {
		t.Fatal(err)
	}
}

func TestACommandGoesDownAndItsResultComesUp(t *testing.T) {
	d := openDoor(t, Options{Policy: &constatv1.Policy{Revision: "3"}})
	id, mine := d.enrol("pc")
	stream := greet(t, d.dial(mine))
	if m, err := stream.Recv(); err != nil || m.GetPolicy().GetRevision() != "3" {
		t.Fatalf("after the welcome: %v, %v; want the policy", m, err)
	}
	commandID, err := d.desk.Diagnose(t.Context(), administrator, &deskv1.DiagnoseRequest{EndpointId: id, Procedure: "full"})
	if err != nil {
		t.Fatal(err)
	}
	m, err := stream.Recv()
	if err != nil || m.GetCommand().GetId() != commandID || m.GetCommand().GetDiagnose().GetProcedure() != "full" {
		t.Fatalf("received %v, %v; want the command %s", m, err, commandID)
	}
	say(t, stream, &constatv1.ConnectRequest{Message: &constatv1.ConnectRequest_Progress{
		Progress: &constatv1.Progress{CommandId: commandID, Phase: "observing", Group: "host", Done: 1, Total: 2}}})
	say(t, stream, &constatv1.ConnectRequest{Message: &constatv1.ConnectRequest_Heartbeat{}})
	var progress bool
	err = d.desk.Follow(t.Context(), commandID, func(r *deskv1.DiagnoseResponse) error {
		if r.GetProgress().GetGroup() == "host" && !progress {
			progress = true
			// Of a command that has ended nobody is told how far it was.
			say(t, stream, &constatv1.ConnectRequest{Message: &constatv1.ConnectRequest_Result{
				Result: &constatv1.CommandResult{CommandId: commandID, Status: "failed", Reason: "out of paper"}}})
		}
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "out of paper") {
		t.Errorf("the command ended with %v", err)
	}
	if !progress {
		t.Error("its progress was not to be seen")
	}
}

func TestAStreamBeginsWithHello(t *testing.T) {
	d := openDoor(t, Options{})
	_, mine := d.enrol("pc")
	stream, err := d.dial(mine).Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	say(t, stream, &constatv1.ConnectRequest{Message: &constatv1.ConnectRequest_Heartbeat{}})
	_, err = stream.Recv()
	refused(t, "a heartbeat first", err, codes.InvalidArgument, "Hello")
}

func TestRevokingEndsALiveStream(t *testing.T) {
	d := openDoor(t, Options{})
	id, mine := d.enrol("pc")
	stream := greet(t, d.dial(mine))
	if err := d.desk.RevokeEndpoint(t.Context(), administrator, id, "stolen"); err != nil {
		t.Fatal(err)
	}
	m, err := stream.Recv()
	if err != nil || m.GetRevoked() == nil {
		t.Fatalf("received %v, %v; want to be told", m, err)
	}
	_, err = stream.Recv()
	refused(t, "the end", err, codes.PermissionDenied, "revoked")
}

func TestAStreamDoesNotOutliveItsCertificate(t *testing.T) {
	d := openDoor(t, Options{})
	_, mine := d.enrol("pc")
	stream := greet(t, d.dial(mine))
	d.off.Store(int64(identity.ClientLifetime + time.Hour))
	say(t, stream, &constatv1.ConnectRequest{Message: &constatv1.ConnectRequest_Heartbeat{}})
	_, err := stream.Recv()
	refused(t, "the next heartbeat", err, codes.FailedPrecondition, "renew")
}

func TestTheNewerConnectionWins(t *testing.T) {
	d := openDoor(t, Options{})
	id, mine := d.enrol("pc")
	older := greet(t, d.dial(mine))
	newer := greet(t, d.dial(mine))
	_, err := older.Recv()
	refused(t, "the older", err, codes.Aborted, "took over")
	commandID, err := d.desk.Diagnose(t.Context(), administrator, &deskv1.DiagnoseRequest{EndpointId: id, Procedure: "full"})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := newer.Recv(); err != nil || m.GetCommand().GetId() != commandID {
		t.Errorf("the newer received %v, %v", m, err)
	}
}

func TestAPanicEndsOneCallOnly(t *testing.T) {
	in := New(nil, nil, Options{Log: slog.New(slog.DiscardHandler)})
	_, err := in.survive(context.Background(), nil, &grpc.UnaryServerInfo{}, func(context.Context, any) (any, error) { panic("oh") })
	refused(t, "a unary call", err, codes.Internal, "its log")
	err = in.surviveStream(nil, nil, &grpc.StreamServerInfo{}, func(any, grpc.ServerStream) error { panic("oh") })
	refused(t, "a stream", err, codes.Internal, "its log")
}
