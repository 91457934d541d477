package uplink

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	"constat/internal/durable"
	constatv1 "constat/proto/constat/v1"
)

// Files in the agent's directory, all readable by the agent only.
const (
	identityFile = "identity.json"
	policyFile   = "policy.binpb"
	sentFile     = "sent.json"
	twinFile     = "identity.twin.json"
)

// enrolment is what enrolling gave. It is one file, so that key and certificate
// always belong together, also after a renewal was cut short.
type enrolment struct {
	endpointID  string
	collectors  []string
	ca          *x509.Certificate
	certificate tls.Certificate
}

// keyKind is a key's PEM label (RFC 7468 section 10).
const keyKind = "PRIVATE KEY"

// enrolmentFile is its form on disk; the last three are PEM. The key is sealed
// where the system has something to seal it with.
type enrolmentFile struct {
	EndpointID  string   `json:"endpointId"`
	Collectors  []string `json:"collectors"`
	CA          string   `json:"ca"`
	Certificate string   `json:"certificate"`
	Key         string   `json:"key"`
}

func loadEnrolment(dir string) (*enrolment, error) {
	path := filepath.Join(dir, identityFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotEnrolled
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read this machine's identity: %w", err)
	}
	e, err := parseEnrolment(text)
	if err != nil {
		return nil, fmt.Errorf("this machine's identity in %s is damaged (%w): enrol again with `constat-agent enroll`", path, err)
	}
	return e, nil
}

func parseEnrolment(text []byte) (*enrolment, error) {
	var f enrolmentFile
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, err
	}
	if f.EndpointID == "" || len(f.Collectors) == 0 {
		return nil, errors.New("the endpoint or the collector is missing")
	}
	block, _ := pem.Decode([]byte(f.CA))
	if block == nil {
		return nil, errors.New("the CA is missing")
	}
	ca, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, err := openKey([]byte(f.Key))
	if err != nil {
		return nil, err
	}
	certificate, err := tls.X509KeyPair([]byte(f.Certificate), key)
	if err != nil {
		return nil, err
	}
	return &enrolment{endpointID: f.EndpointID, collectors: f.Collectors, ca: ca, certificate: certificate}, nil
}

func (e *enrolment) save(dir string) error {
	key, err := x509.MarshalPKCS8PrivateKey(e.certificate.PrivateKey)
	if err != nil {
		return fmt.Errorf("cannot encode this machine's key: %w", err)
	}
	kind, key, err := sealKey(key)
	if err != nil {
		return fmt.Errorf("cannot seal this machine's key: %w", err)
	}
	inPEM := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	text, err := json.MarshalIndent(enrolmentFile{
		EndpointID:  e.endpointID,
		Collectors:  e.collectors,
		CA:          inPEM("CERTIFICATE", e.ca.Raw),
		Certificate: inPEM("CERTIFICATE", e.certificate.Certificate[0]),
		Key:         inPEM(kind, key),
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot encode this machine's identity: %w", err)
	}
	return durable.Write(filepath.Join(dir, identityFile), append(text, '\n'), 0o600)
}

func keyPair(certificate *x509.Certificate, key *ecdsa.PrivateKey) tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: key, Leaf: certificate}
}

func loadPolicy(dir string) (*constatv1.Policy, error) {
	data, err := os.ReadFile(filepath.Join(dir, policyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p := new(constatv1.Policy)
	if err := proto.Unmarshal(data, p); err != nil {
		return nil, err
	}
	return p, nil
}

func savePolicy(dir string, p *constatv1.Policy) error {
	data, err := proto.Marshal(p)
	if err != nil {
		return fmt.Errorf("cannot encode the policy: %w", err)
	}
	return durable.Write(filepath.Join(dir, policyFile), data, 0o600)
}
