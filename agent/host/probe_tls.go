package host

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// handshakeLimit is how long a connected server may take for a handshake.
const handshakeLimit = time.Second

// errNoStore is a machine without certificate authorities: its verdict on any
// server would be worthless.
var errNoStore = errors.New("this machine has no certificate authorities; install its ca-certificates package or set SSL_CERT_FILE")

// checkStore loads the system's certificate store once.
var checkStore = sync.OnceValue(func() error {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return err
	}
	if pool.Equal(x509.NewCertPool()) {
		return errNoStore
	}
	return nil
})

// askTLS makes a handshake and verifies the certificate as a browser would: by
// the system's store, this machine's clock and the server's name. A target that
// must not be probed has no answer.
func (p *prober) askTLS(target *constatv1.ProbeTls) *constatv1.TlsProbe {
	address := withPort(target.GetAddress(), "443")
	t := &constatv1.TlsProbe{Address: &address, ServerName: set(hostOf(address)), Connected: set(false)}
	start := time.Now()
	conn, _, err := p.reach(p.ctx, address)
	if errors.Is(err, errForbidden) {
		p.withhold("tls", t.GetServerName(), err)
		return nil
	}
	if err != nil {
		t.Result = set(resultOf(err))
		return t
	}
	defer conn.Close()
	t.Connected, t.ConnectMs = set(true), p.patience.own(start)
	start = time.Now()
	leaf, err := p.handshake(conn, t.GetServerName())
	t.HandshakeMs = milliseconds(start)
	t.Result = set(handshakeResult(err, leaf, time.Now()))
	if leaf == nil {
		return t
	}
	t.Issuer = filled(issuerOf(leaf))
	t.NotBefore, t.NotAfter = timestamppb.New(leaf.NotBefore), timestamppb.New(leaf.NotAfter)
	key := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	t.SpkiSha256 = set(hex.EncodeToString(key[:]))
	if want := target.GetIssuer(); want != "" {
		t.IssuerExpected = set(want == leaf.Issuer.CommonName || want == leaf.Issuer.String() ||
			len(leaf.Issuer.Organization) > 0 && want == leaf.Issuer.Organization[0])
	}
	return t
}

// handshake returns the server's own certificate, also when it did not hold.
func (p *prober) handshake(conn net.Conn, name string) (*x509.Certificate, error) {
	ctx, cancel := p.patience.within(p.ctx, handshakeLimit)
	defer cancel()
	if err := checkStore(); err != nil {
		return nil, err
	}
	// Beside the handshake: it is given up at the same time as that.
	tried := make(chan struct{})
	doubt := time.AfterFunc(stall, func() {
		defer close(tried)
		p.narrow(p.ctx, conn, name)
	})
	c := tls.Client(conn, &tls.Config{ServerName: name})
	err := c.HandshakeContext(ctx)
	if !doubt.Stop() && err != nil && ctx.Err() != nil {
		<-tried
	}
	if err != nil && ctx.Err() != nil {
		return nil, context.DeadlineExceeded
	}
	if err != nil {
		return leafOf(err), err
	}
	return c.ConnectionState().PeerCertificates[0], nil
}

// issuerOf names who signed a certificate, the way people know it.
func issuerOf(c *x509.Certificate) string {
	switch {
	case c.Issuer.CommonName != "":
		return c.Issuer.CommonName
	case len(c.Issuer.Organization) > 0:
		return c.Issuer.Organization[0]
	default:
		return c.Issuer.String()
	}
}

// handshakeResult is the word for how a handshake on a connection ended.
func handshakeResult(err error, leaf *x509.Certificate, now time.Time) string {
	if err == nil {
		return "ok"
	}
	if errors.Is(err, errNoStore) {
		return "error"
	}
	word := resultOf(err)
	if word == "error" {
		word = ""
	}
	return cmp.Or(tlsResult(err, leaf, now), word, "handshakeFailed")
}

// tlsResult is the word for an error of TLS itself, "" for any other.
func tlsResult(err error, leaf *x509.Certificate, now time.Time) string {
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var alert tls.AlertError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		if leaf != nil && now.Before(leaf.NotBefore) {
			return "notYetValid"
		}
		return "expired"
	case errors.As(err, &name):
		return "nameMismatch"
	case errors.As(err, &authority), errors.As(err, &invalid):
		return "unknownAuthority"
	case errors.As(err, &alert), errors.As(err, &record):
		return "handshakeFailed"
	}
	return ""
}

// leafOf finds the server's certificate in a failed verification; nil when the
// error is another one.
func leafOf(err error) *x509.Certificate {
	var verification *tls.CertificateVerificationError
	if errors.As(err, &verification) && len(verification.UnverifiedCertificates) > 0 {
		return verification.UnverifiedCertificates[0]
	}
	return nil
}
