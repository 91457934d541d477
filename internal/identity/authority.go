package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"time"
)

// Authority is the organisation's CA. Its methods may be called from several
// goroutines.
type Authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// NewAuthority makes a CA that is good for ten years from now.
func NewAuthority(now time.Time) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cannot make the CA's key: %w", err)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		// The serial tells apart the CAs of two collectors in a list of
		// certificates.
		Subject:               pkix.Name{CommonName: "Constat CA " + serialText(serial)[:8]},
		NotBefore:             now.Add(-Backdate),
		NotAfter:              now.Add(authorityLifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("cannot sign the CA's certificate: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("cannot read back the CA's certificate: %w", err)
	}
	return &Authority{certificate: certificate, key: key}, nil
}

// Marshal gives the CA with its private key as PEM, to be sealed before it is
// stored anywhere.
func (a *Authority) Marshal() ([]byte, error) {
	key, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the CA's key: %w", err)
	}
	return append(
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...), nil
}

// ParseAuthority reads what Marshal gave.
func ParseAuthority(text []byte) (*Authority, error) {
	certBlock, rest := pem.Decode(text)
	keyBlock, _ := pem.Decode(rest)
	if certBlock == nil || keyBlock == nil {
		return nil, errors.New("the stored CA is not a certificate and a key in PEM")
	}
	certificate, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return nil, fmt.Errorf("cannot read the CA's certificate: %w", err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, fmt.Errorf("cannot read the CA's key: %w", err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(certificate.PublicKey) {
		return nil, errors.New("the stored CA's key does not belong to its certificate")
	}
	return &Authority{certificate: certificate, key: key}, nil
}

// Certificate is the CA's own, for agents to keep. It is not to be changed.
func (a *Authority) Certificate() *x509.Certificate { return a.certificate }

// KeyHash is what tokens carry of the CA.
func (a *Authority) KeyHash() [32]byte { return keyHash(a.certificate) }

func keyHash(c *x509.Certificate) [32]byte { return sha256.Sum256(c.RawSubjectPublicKeyInfo) }

// maxRequestBytes is several times what a certificate request for a P-256 key
// takes.
const maxRequestBytes = 8 << 10

// SignClient turns a certificate request (PKCS #10, DER) into a certificate for
// one endpoint, good for lifetime from now. Of the request only its key counts,
// which must be ECDSA P-256 and have signed it.
func (a *Authority) SignClient(request []byte, endpointID string, now time.Time, lifetime time.Duration) (*x509.Certificate, error) {
	if len(request) > maxRequestBytes {
		return nil, fmt.Errorf("the certificate request has %d bytes, at most %d are accepted", len(request), maxRequestBytes)
	}
	csr, err := x509.ParseCertificateRequest(request)
	if err != nil {
		return nil, fmt.Errorf("the certificate request cannot be read: %w", err)
	}
	key, ok := csr.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("the certificate request's key is not ECDSA P-256")
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, fmt.Errorf("the certificate request is not signed by its own key: %w", err)
	}
	if endpointID == "" {
		return nil, errors.New("a certificate needs an endpoint")
	}
	return a.sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: endpointID},
		URIs:        []*url.URL{endpointURI(endpointID)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, key, now, lifetime)
}

// signServer makes a certificate for a collector that is reached by these host
// names and addresses.
func (a *Authority) signServer(names []string, key *ecdsa.PublicKey, now time.Time) (*x509.Certificate, error) {
	if len(names) == 0 {
		return nil, errors.New("a collector's certificate needs at least one name or address")
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "Constat collector"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	return a.sign(template, key, now, serverLifetime)
}

func (a *Authority) sign(template *x509.Certificate, key *ecdsa.PublicKey, now time.Time, lifetime time.Duration) (*x509.Certificate, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	template.NotBefore = now.Add(-Backdate)
	template.NotAfter = now.Add(lifetime)
	if template.NotAfter.After(a.certificate.NotAfter) {
		template.NotAfter = a.certificate.NotAfter
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.BasicConstraintsValid = true
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key, a.key)
	if err != nil {
		return nil, fmt.Errorf("cannot sign a certificate: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("cannot read back a certificate: %w", err)
	}
	return certificate, nil
}

// Peer is who presented a client certificate.
type Peer struct {
	EndpointID string
	// Serial as stored with the endpoint: hexadecimal, lower case.
	Serial   string
	NotAfter time.Time
}

// Reasons why a client certificate is not accepted.
var (
	ErrNoCertificate = errors.New("no client certificate was presented: enrol this machine first")
	ErrForeign       = errors.New("the client certificate was not made by this collector's authority: enrol this machine with a token of this collector")
	ErrExpired       = errors.New("the client certificate has expired: renew it")
)

// Peer checks a presented chain, leaf first, and says whose it is. With
// ErrExpired the peer is set all the same: such a one may renew, for a year, and
// do nothing else. Revocation is not known here.
func (a *Authority) Peer(chain []*x509.Certificate, now time.Time) (Peer, error) {
	if len(chain) == 0 {
		return Peer{}, ErrNoCertificate
	}
	leaf := chain[0]
	roots := x509.NewCertPool()
	roots.AddCert(a.certificate)
	// Dates are judged below: expired and foreign are different news.
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots:       roots,
		CurrentTime: leaf.NotAfter,
		KeyUsages:   []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return Peer{}, ErrForeign
	}
	peer := Peer{EndpointID: leaf.Subject.CommonName, Serial: serialText(leaf.SerialNumber), NotAfter: leaf.NotAfter}
	if len(leaf.URIs) != 1 || leaf.URIs[0].String() != endpointURI(peer.EndpointID).String() {
		return Peer{}, ErrForeign
	}
	switch {
	case now.After(leaf.NotAfter.Add(renewalGrace)):
		return Peer{}, fmt.Errorf("the client certificate expired on %s, too long ago to be renewed: enrol this machine again", leaf.NotAfter.UTC().Format(time.DateOnly))
	case now.After(leaf.NotAfter):
		return peer, ErrExpired
	case now.Before(leaf.NotBefore):
		return Peer{}, fmt.Errorf("the client certificate is good from %s only: the collector's clock seems to be %s", leaf.NotBefore.UTC().Format(time.RFC3339), Skew(now.Sub(leaf.NotBefore.Add(Backdate))))
	}
	return peer, nil
}

// Serial is a certificate's serial number as Peer gives it.
func Serial(c *x509.Certificate) string { return serialText(c.SerialNumber) }

// RenewAt is when a certificate should be renewed: after two thirds of the time
// from its making to its end.
func RenewAt(c *x509.Certificate) time.Time {
	life := c.NotAfter.Sub(c.NotBefore.Add(Backdate))
	return c.NotAfter.Add(-life / 3)
}

// endpointURI names an endpoint inside a certificate, in a form that no name of
// a server can take.
func endpointURI(id string) *url.URL { return &url.URL{Scheme: "constat", Opaque: "endpoint:" + id} }

func newSerial() (*big.Int, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return nil, fmt.Errorf("cannot draw a serial number: %w", err)
	}
	// RFC 5280, 4.1.2.2: positive and not zero.
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b[:]), nil
}

func serialText(n *big.Int) string { return hex.EncodeToString(n.Bytes()) }
