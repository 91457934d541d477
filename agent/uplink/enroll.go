package uplink

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"constat/internal/durable"
	"constat/internal/identity"
	constatv1 "constat/proto/constat/v1"
)

// enrolTimeout bounds one attempt at one address.
const enrolTimeout = 60 * time.Second

// Enroll trades a token for an identity and keeps it in dir, which is made where
// needed. collector is HOST:PORT, or several of them with commas between, which
// are tried in this order now and at every connection. about says what machine
// this is; its token and its request are filled in.
//
// The token is sent only to a server that has proved to be the collector which
// made it. A machine that is enrolled already gets a new certificate; whether it
// keeps its identity, the collector decides by about's machine hash.
func Enroll(ctx context.Context, collector, token, dir string, about *constatv1.EnrollRequest, options ...Option) error {
	s := settle(options)
	parsed, err := identity.ParseToken(token)
	if err != nil {
		return err
	}
	collectors, err := splitAddresses(collector)
	if err != nil {
		return err
	}
	// A token may be good for one use only: what can fail here fails first.
	if err := writable(dir); err != nil {
		return err
	}
	var problems []error
	for _, address := range collectors {
		e, err := enrollAt(ctx, s, address, parsed, about)
		if err == nil {
			e.collectors = collectors
			return e.keep(dir)
		}
		problems = append(problems, err)
		var said *answer
		if errors.As(err, &said) && !isUnreachable(err) {
			// The collector has answered, and another of the same would
			// answer the same.
			break
		}
	}
	return fmt.Errorf("cannot enrol: %w", errors.Join(problems...))
}

func enrollAt(ctx context.Context, s settings, address string, token identity.Token, about *constatv1.EnrollRequest) (*enrolment, error) {
	ctx, cancel := context.WithTimeout(ctx, enrolTimeout)
	defer cancel()
	host, err := serverName(address)
	if err != nil {
		return nil, err
	}
	key, csr, err := identity.NewRequest()
	if err != nil {
		return nil, err
	}
	d := &dialer{proxy: s.proxy}
	conn, err := d.connect(address, identity.EnrollTLS(token.KeyHash, host, s.now))
	if err != nil {
		return nil, err
	}
	defer closeQuietly(conn)
	request := proto.CloneOf(about)
	request.Token, request.Csr = token.Text(), csr
	response, err := constatv1.NewAgentServiceClient(conn).Enroll(ctx, request)
	if err != nil {
		return nil, d.explain(address, err)
	}
	ca, err := identity.ParseCA(response.GetCaCertificate(), token.KeyHash)
	if err != nil {
		return nil, err
	}
	certificate, err := identity.CheckIssued(response.GetCertificate(), ca, key)
	if err != nil {
		return nil, err
	}
	if response.GetNow().IsValid() {
		tellSkew(s.log, s.now().Sub(response.GetNow().AsTime()))
	}
	return &enrolment{endpointID: response.GetEndpointId(), ca: ca, certificate: keyPair(certificate, key)}, nil
}

// keep makes the new identity this machine's. What was remembered of another
// one's collector goes: it may be a collector that has nothing of this machine.
func (e *enrolment) keep(dir string) error {
	for _, name := range []string{sentFile, policyFile} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("cannot forget the former collector: %w", err)
		}
	}
	return e.save(dir)
}

// PutAside makes a machine one that was never enrolled: what it has is the
// identity of the machine that its disk was copied from. The file is kept under
// another name.
func PutAside(dir string) error {
	return os.Rename(filepath.Join(dir, identityFile), filepath.Join(dir, twinFile))
}

// renew trades this machine's certificate for a new one with a new key.
func (l *Link) renew(ctx context.Context, client constatv1.AgentServiceClient) error {
	ctx, cancel := context.WithTimeout(ctx, enrolTimeout)
	defer cancel()
	old := l.identity()
	key, csr, err := identity.NewRequest()
	if err != nil {
		return err
	}
	response, err := client.Renew(ctx, &constatv1.RenewRequest{Csr: csr})
	if err != nil {
		return err
	}
	certificate, err := identity.CheckIssued(response.GetCertificate(), old.ca, key)
	if err != nil {
		return err
	}
	renewed := *old
	renewed.certificate = keyPair(certificate, key)
	if err := l.takeCertificate(&renewed); err != nil {
		return err
	}
	l.log.Info("renewed this machine's certificate", "until", certificate.NotAfter)
	return nil
}

func splitAddresses(list string) ([]string, error) {
	var addresses []string
	for a := range strings.SplitSeq(list, ",") {
		a = strings.TrimSpace(a)
		if _, err := serverName(a); err != nil {
			return nil, err
		}
		addresses = append(addresses, a)
	}
	return addresses, nil
}

func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot keep an identity: %w", err)
	}
	probe := filepath.Join(dir, ".writable")
	if err := durable.Write(probe, nil, 0o600); err != nil {
		return fmt.Errorf("cannot keep an identity: %w", err)
	}
	if err := os.Remove(probe); err != nil {
		return fmt.Errorf("cannot keep an identity: %w", err)
	}
	return nil
}

// closeQuietly ends a connection that is not needed any more; how it ends
// matters to nobody.
func closeQuietly(conn *grpc.ClientConn) { _ = conn.Close() }
