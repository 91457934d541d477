package intake

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"constat/collector/desk"
	"constat/internal/identity"
	constatv1 "constat/proto/constat/v1"
)

const (
	// believed is how long a certificate's state is not looked up again.
	believed = 5 * time.Second
	// maxKnown bounds the states kept; beyond it all are forgotten and looked
	// up again, which costs one query each.
	maxKnown = 20_000
)

type peerKey struct{}

// admitted gives the endpoint whose call this is.
func admitted(ctx context.Context) (identity.Peer, error) {
	p, ok := ctx.Value(peerKey{}).(identity.Peer)
	if !ok {
		return identity.Peer{}, status.Error(codes.Unauthenticated, identity.ErrNoCertificate.Error())
	}
	return p, nil
}

// admit decides whether a call may go on and as whom.
func (in *Intake) admit(ctx context.Context, method string) (context.Context, error) {
	if method == constatv1.AgentService_Enroll_FullMethodName {
		return ctx, nil
	}
	p, err := in.authority.Peer(clientChain(ctx), in.options.Now())
	switch {
	case errors.Is(err, identity.ErrExpired) && method == constatv1.AgentService_Renew_FullMethodName:
		// Trading it in is the one thing an expired certificate is good for.
	case errors.Is(err, identity.ErrExpired):
		err = in.checkState(ctx, p) // revoked is the more important news
		if err == nil {
			err = status.Error(codes.FailedPrecondition, identity.ErrExpired.Error())
		}
		return nil, err
	case err != nil:
		return nil, status.Error(codes.Unauthenticated, err.Error())
	}
	if err := in.checkState(ctx, p); err != nil {
		return nil, err
	}
	return context.WithValue(ctx, peerKey{}, p), nil
}

func clientChain(ctx context.Context) []*x509.Certificate {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok {
		return nil
	}
	return info.State.PeerCertificates
}

// checkState refuses certificates that were revoked or that the database does
// not know.
func (in *Intake) checkState(ctx context.Context, p identity.Peer) error {
	now := in.options.Now()
	v, ok := in.admission.recall(p.Serial, now)
	if !ok {
		endpointID, revoked, err := in.desk.CertificateState(ctx, p.Serial)
		switch {
		case errors.Is(err, desk.ErrNotFound):
			v = verdict{unknown: true}
		case err != nil:
			return in.failed("look up the certificate", err)
		default:
			v = verdict{revoked: revoked, unknown: endpointID != p.EndpointID}
		}
		v.at = now
		in.admission.remember(p.Serial, v)
	}
	switch {
	case v.revoked:
		return errRevoked
	case v.unknown:
		return status.Error(codes.Unauthenticated, "this collector's database does not know the client certificate, perhaps since it was restored from an older backup: enrol this machine again")
	}
	return nil
}

var errRevoked = status.Error(codes.PermissionDenied, "this machine's certificate was revoked: it was retired, or a new system on the same hardware took its place; to come back, it enrols again")

// verdict is the state of a certificate at some time.
type verdict struct {
	revoked, unknown bool
	at               time.Time
}

// admission remembers verdicts for a short time.
type admission struct {
	mu    sync.Mutex
	known map[string]verdict
}

func (a *admission) recall(serial string, now time.Time) (verdict, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	v, ok := a.known[serial]
	if age := now.Sub(v.at); !ok || age < 0 || age > believed {
		return verdict{}, false
	}
	return v, true
}

func (a *admission) remember(serial string, v verdict) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.known) >= maxKnown {
		clear(a.known)
	}
	a.known[serial] = v
}

const (
	// freeFailures failed attempts to enrol are open to an address at once, and
	// one more every failureEvery. Successes are not counted: a whole site may
	// stand behind one address.
	freeFailures = 20
	failureEvery = 3 * time.Second
	// maxAddresses bounds the addresses kept.
	maxAddresses = 10_000
)

// attempts slows down who tries tokens. The tokens themselves have 128 random
// bits; this spares the database and the log.
type attempts struct {
	mu     sync.Mutex
	failed map[string]*rate.Limiter
}

func (a *attempts) allowed(address string, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	l, ok := a.failed[address]
	return !ok || l.TokensAt(now) >= 1
}

func (a *attempts) fail(address string, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l, ok := a.failed[address]
	if !ok {
		if len(a.failed) >= maxAddresses {
			clear(a.failed)
		}
		l = rate.NewLimiter(rate.Every(failureEvery), freeFailures)
		a.failed[address] = l
	}
	l.AllowN(now, 1)
}

// remoteAddress is what failures are counted by: an IPv4 address, or the /64 of
// an IPv6 address, which is one subscriber's.
func remoteAddress(ctx context.Context) string {
	host := callerHost(ctx)
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if ip = ip.Unmap().WithZone(""); ip.Is6() {
		if prefix, err := ip.Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return ip.String()
}

// callerHost is the address a call came from.
func callerHost(ctx context.Context) string {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return ""
	}
	host, _, err := net.SplitHostPort(p.Addr.String())
	if err != nil {
		return p.Addr.String()
	}
	return host
}
