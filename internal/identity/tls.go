package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// ServerTLS is the collector's end, reached by these host names and addresses.
// Its certificate lives in memory only and is made anew at each start and before
// it ends, so a restart is all that changed names need.
//
// A client certificate is asked for and not judged here: Authority.Peer does
// that for each call, where a refusal can say in words what to do, which a TLS
// alert cannot.
func (a *Authority) ServerTLS(names []string, now func() time.Time) (*tls.Config, error) {
	s := &serverCertificate{authority: a, names: slices.Clone(names), now: now}
	// Names that cannot stand in a certificate are told at start, not to the
	// first agent.
	if _, err := s.get(nil); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS13,
		GetCertificate: s.get,
		ClientAuth:     tls.RequestClientCert,
		// Agents hold one connection for days: a session to resume is memory
		// for nothing, and would carry a peer past the handshake.
		SessionTicketsDisabled: true,
		NextProtos:             []string{"h2"},
		Time:                   now,
	}, nil
}

type serverCertificate struct {
	authority *Authority
	names     []string
	now       func() time.Time

	mu      sync.Mutex
	current *tls.Certificate
}

func (s *serverCertificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if s.current != nil && now.Before(RenewAt(s.current.Leaf)) {
		return s.current, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cannot make the collector's key: %w", err)
	}
	leaf, err := s.authority.signServer(s.names, &key.PublicKey, now)
	if err != nil {
		return nil, err
	}
	// The CA goes with it: an agent that enrols knows only its hash.
	s.current = &tls.Certificate{
		Certificate: [][]byte{leaf.Raw, s.authority.certificate.Raw},
		PrivateKey:  key,
		Leaf:        leaf,
	}
	return s.current, nil
}

// ForeignCollectorError says that the server is genuine to itself and not of the
// CA that was expected.
type ForeignCollectorError struct{ Reason string }

func (e *ForeignCollectorError) Error() string {
	return "the server is not the collector this machine trusts: " + e.Reason
}

// EnrollTLS is the agent's end while it has nothing but a token: the server must
// show a CA certificate with the token's key hash and a certificate made by it.
func EnrollTLS(caKeyHash [32]byte, serverName string, now func() time.Time) *tls.Config {
	c := clientTLS(serverName, now)
	c.VerifyConnection = func(state tls.ConnectionState) error {
		for _, candidate := range state.PeerCertificates {
			if candidate.IsCA && keyHash(candidate) == caKeyHash {
				return verifyCollector(candidate, state, serverName, now())
			}
		}
		return &ForeignCollectorError{"the token was made by another collector, or something between rewrites TLS; check the address and the token"}
	}
	return c
}

// ClientTLS is the agent's end once it is enrolled. certificate gives the
// present one at each handshake, so a renewed one counts from the next
// connection on.
func ClientTLS(ca *x509.Certificate, certificate func() *tls.Certificate, serverName string, now func() time.Time) *tls.Config {
	c := clientTLS(serverName, now)
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate(), nil }
	c.VerifyConnection = func(state tls.ConnectionState) error {
		return verifyCollector(ca, state, serverName, now())
	}
	return c
}

func clientTLS(serverName string, now func() time.Time) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		ServerName: serverName,
		NextProtos: []string{"h2"},
		Time:       now,
		// Not a waiver: crypto/tls would verify against the system's roots.
		// VerifyConnection, which runs on every handshake, verifies against
		// the one CA that counts.
		InsecureSkipVerify: true, //nolint:gosec // see above
	}
}

// verifyCollector checks in the order that gives the most useful error: who made
// the certificate, then for whom, then when. Dates come last and apart because
// they speak of this machine's clock only if the certificate is genuine.
func verifyCollector(ca *x509.Certificate, state tls.ConnectionState, name string, now time.Time) error {
	if len(state.PeerCertificates) == 0 {
		return &ForeignCollectorError{"it showed no certificate"}
	}
	leaf := state.PeerCertificates[0]
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots:       roots,
		CurrentTime: leaf.NotAfter,
		KeyUsages:   []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return &ForeignCollectorError{"its certificate was not made by the expected authority"}
	}
	if err := leaf.VerifyHostname(name); err != nil {
		var wrong x509.HostnameError
		if errors.As(err, &wrong) {
			return &ForeignCollectorError{fmt.Sprintf("its certificate is for %s and not for %s; use one of these, or start the collector with that name too", strings.Join(certificateNames(leaf), ", "), name)}
		}
		return &ForeignCollectorError{err.Error()}
	}
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return &ClockError{Now: now, NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter}
	}
	return nil
}

func certificateNames(c *x509.Certificate) []string {
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// NewRequest makes a key and a certificate request (PKCS #10, DER) for it.
func NewRequest() (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make a key: %w", err)
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make a certificate request: %w", err)
	}
	return key, request, nil
}

// CheckIssued verifies what a collector answered to a request: a certificate for
// key, made by ca. It gives the parsed certificate.
func CheckIssued(certificate []byte, ca *x509.Certificate, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	c, err := x509.ParseCertificate(certificate)
	if err != nil {
		return nil, fmt.Errorf("the collector's answer holds no certificate: %w", err)
	}
	if !key.PublicKey.Equal(c.PublicKey) {
		return nil, errors.New("the collector's answer holds a certificate for another key")
	}
	if err := c.CheckSignatureFrom(ca); err != nil {
		return nil, fmt.Errorf("the collector's answer holds a certificate of another authority: %w", err)
	}
	return c, nil
}

// ParseCA reads a CA certificate (DER) that a collector sent at enrolment and
// checks that it is the token's.
func ParseCA(der []byte, caKeyHash [32]byte) (*x509.Certificate, error) {
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("the collector's answer holds no CA certificate: %w", err)
	}
	if !ca.IsCA || keyHash(ca) != caKeyHash {
		return nil, errors.New("the collector's answer holds another CA than the token names")
	}
	return ca, nil
}
