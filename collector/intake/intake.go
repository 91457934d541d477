// Package intake is the collector's door for agents: gRPC with mutual TLS, on
// top of package desk.
//
// Who an agent is stands in its certificate and nowhere else. Enroll is the only
// call without one. Each call is admitted first: certificate of our CA, not
// expired (but for Renew), known, not revoked. What is refused is refused in
// words that tell the agent's user what to do, with these codes, which package
// uplink acts on:
//
//	Unauthenticated     no certificate, a foreign or an unknown one, a token
//	                    that is not accepted: enrol
//	FailedPrecondition  expired: renew
//	PermissionDenied    revoked: stop
//	AlreadyExists       a copy of a machine that lives: put the identity aside
//	Aborted             another connection of the same endpoint took over
//	InvalidArgument     what was sent is no such message: do not send it again
//	ResourceExhausted   too large, or too many attempts
//	Internal            could not be stored: send it again later
package intake

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // agents compress what they upload
	protobuf "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/desk"
	"constat/internal/identity"
	constatv1 "constat/proto/constat/v1"
)

const (
	// maxMessageBytes bounds one message; agents know it.
	maxMessageBytes = 16 << 20
	// maxReports bounds one upload, which is one transaction.
	maxReports = 100
	// bufferBytes and windowBytes keep an idle stream small: tens of thousands
	// of them are held for days and say a word every five minutes.
	bufferBytes = 4 << 10
	windowBytes = 64 << 10
)

// Options are what an Intake needs besides its desk and its CA. The zero value
// of each field but Names is usable.
type Options struct {
	// Names are the host names and addresses by which agents reach this
	// collector; they go into its certificate.
	Names []string
	// Policy is sent to each agent that does not have it; nil: none.
	Policy *constatv1.Policy
	// CertificateLifetime is identity.ClientLifetime when zero.
	CertificateLifetime time.Duration
	// Now is time.Now when nil.
	Now func() time.Time
	// Log is slog.Default() when nil.
	Log *slog.Logger
}

// Intake serves agents.
type Intake struct {
	constatv1.UnimplementedAgentServiceServer
	desk      *desk.Desk
	authority *identity.Authority
	options   Options
	admission admission
	attempts  attempts

	mu      sync.Mutex
	streams map[string]*stream // by endpoint; the newest
}

var _ constatv1.AgentServiceServer = (*Intake)(nil)

// New makes an Intake; Server makes the gRPC server it is reached by.
func New(d *desk.Desk, a *identity.Authority, o Options) *Intake {
	if o.CertificateLifetime == 0 {
		o.CertificateLifetime = identity.ClientLifetime
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Intake{
		desk: d, authority: a, options: o,
		admission: admission{known: map[string]verdict{}},
		attempts:  attempts{failed: map[string]*rate.Limiter{}},
		streams:   map[string]*stream{},
	}
}

// Server makes a gRPC server with TLS, limits, keepalive and this service. Other
// services may be registered on it; they see connections without a client
// certificate, or with any, and have to know their callers by other means.
func (in *Intake) Server(more ...grpc.ServerOption) (*grpc.Server, error) {
	config, err := in.authority.ServerTLS(in.options.Names, in.options.Now)
	if err != nil {
		return nil, err
	}
	options := []grpc.ServerOption{
		grpc.Creds(credentials.NewTLS(config)),
		grpc.MaxRecvMsgSize(maxMessageBytes),
		grpc.MaxConcurrentStreams(100),
		grpc.MaxHeaderListSize(16 << 10),
		grpc.ConnectionTimeout(20 * time.Second),
		grpc.ReadBufferSize(0),
		grpc.WriteBufferSize(bufferBytes),
		grpc.InitialWindowSize(windowBytes),
		grpc.InitialConnWindowSize(windowBytes),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			// A connection that does nothing, not even hold a stream.
			MaxConnectionIdle: 5 * time.Minute,
			// Agents ping every two minutes; this finds those that are gone.
			Time: 5 * time.Minute, Timeout: 20 * time.Second,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Minute}),
		grpc.ChainUnaryInterceptor(in.survive),
		grpc.ChainStreamInterceptor(in.surviveStream),
	}
	options = append(options, grpc.ForceServerCodecV2(codec{encoding.GetCodecV2(protobuf.Name)}))
	s := grpc.NewServer(append(options, more...)...)
	s.RegisterService(in.service(), in)
	return s, nil
}

// Enroll trades a token for a certificate.
func (in *Intake) Enroll(ctx context.Context, r *constatv1.EnrollRequest) (*constatv1.EnrollResponse, error) {
	from := remoteAddress(ctx)
	if !in.attempts.allowed(from, in.options.Now()) {
		return nil, status.Error(codes.ResourceExhausted, "too many failed attempts to enrol came from this address: wait a minute")
	}
	response, err := in.enroll(ctx, r)
	if err != nil {
		in.attempts.fail(from, in.options.Now())
		in.options.Log.Warn("an enrolment was refused", "from", from, "hostname", r.GetHostname(), "error", err)
		return nil, err
	}
	in.options.Log.Info("enrolled", "endpoint", response.GetEndpointId(), "hostname", r.GetHostname(), "from", from)
	return response, nil
}

func (in *Intake) enroll(ctx context.Context, r *constatv1.EnrollRequest) (*constatv1.EnrollResponse, error) {
	token, err := identity.ParseToken(r.GetToken())
	if err != nil {
		return nil, status.Error(codes.Unauthenticated, err.Error())
	}
	if token.KeyHash != in.authority.KeyHash() {
		return nil, status.Error(codes.Unauthenticated, "the enrolment token was made by another collector")
	}
	response := &constatv1.EnrollResponse{
		CaCertificate: in.authority.Certificate().Raw,
		Now:           timestamppb.New(in.options.Now()),
	}
	var refused error
	response.EndpointId, err = in.desk.Enroll(ctx, token.SecretHash(), r, func(endpointID string) (string, time.Time, error) {
		c, err := in.authority.SignClient(r.GetCsr(), endpointID, in.options.Now(), in.options.CertificateLifetime)
		if err != nil {
			refused = err
			return "", time.Time{}, err
		}
		response.Certificate, response.NotAfter = c.Raw, timestamppb.New(c.NotAfter)
		return identity.Serial(c), c.NotAfter, nil
	})
	switch {
	case err == nil:
		return response, nil
	case refused != nil:
		return nil, status.Error(codes.InvalidArgument, refused.Error())
	case errors.Is(err, desk.ErrTokenUnknown), errors.Is(err, desk.ErrTokenExpired), errors.Is(err, desk.ErrTokenSpent):
		return nil, status.Error(codes.Unauthenticated, err.Error())
	}
	return nil, in.failed("enrol", err)
}

// Renew trades the caller's certificate for a new one.
func (in *Intake) Renew(ctx context.Context, r *constatv1.RenewRequest) (*constatv1.RenewResponse, error) {
	peer, err := admitted(ctx)
	if err != nil {
		return nil, err
	}
	c, err := in.authority.SignClient(r.GetCsr(), peer.EndpointID, in.options.Now(), in.options.CertificateLifetime)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	// Before it is handed out: an unknown certificate would not be admitted.
	if err := in.desk.RecordCertificate(ctx, peer.EndpointID, identity.Serial(c), c.NotAfter); err != nil {
		return nil, in.failed("renew the certificate", err)
	}
	return &constatv1.RenewResponse{
		Certificate: c.Raw, CaCertificate: in.authority.Certificate().Raw, NotAfter: timestamppb.New(c.NotAfter),
	}, nil
}

// ListPersonTickets gives what a person asked at the caller's endpoint.
func (in *Intake) ListPersonTickets(ctx context.Context, r *constatv1.ListPersonTicketsRequest) (*constatv1.ListPersonTicketsResponse, error) {
	peer, err := admitted(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := in.desk.PersonTickets(ctx, peer.EndpointID, r.GetAccount(), r.GetLanguage())
	if err != nil {
		return nil, in.failed("list a person's tickets", err)
	}
	return answer, nil
}

// Upload stores a batch of reports and answers after the commit.
func (in *Intake) Upload(ctx context.Context, r *constatv1.UploadRequest) (*constatv1.UploadResponse, error) {
	peer, err := admitted(ctx)
	if err != nil {
		return nil, err
	}
	if n := len(r.GetReports()); n > maxReports {
		return nil, status.Errorf(codes.InvalidArgument, "too many reports in one upload: %d, at most %d", n, maxReports)
	}
	receipts, err := in.desk.Ingest(ctx, peer.EndpointID, r.GetReports())
	if err != nil {
		return nil, in.failed("store the reports", err)
	}
	return &constatv1.UploadResponse{Receipts: receipts}, nil
}

// failed turns an error of the desk into an answer. What the database said is
// for the collector's log and not for agents.
func (in *Intake) failed(what string, err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, "the caller has gone")
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, "it took too long")
	case errors.Is(err, desk.ErrTwin):
		return status.Error(codes.AlreadyExists, err.Error())
	case errors.Is(err, desk.ErrInvalid):
		return status.Error(codes.InvalidArgument, err.Error())
	case errors.Is(err, desk.ErrForbidden):
		return status.Error(codes.PermissionDenied, err.Error())
	case errors.Is(err, desk.ErrNotFound):
		return status.Error(codes.NotFound, err.Error())
	}
	in.options.Log.Error("cannot "+what, "error", err)
	return status.Error(codes.Internal, "the collector cannot "+what+" now; its log says why")
}
