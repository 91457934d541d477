// Package uplink is the agent's link to its collector: enrolment, the control
// stream, and the spool through which every report goes.
//
// Nothing is sent that was not on disk first. A report is put into the spool,
// which returns when it is durable; it leaves the spool when the collector has
// answered that it is committed. Between the two the agent, the collector or
// the network may fail at any point: reports have ids made by the agent, so
// sending one twice is harmless.
package uplink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/internal/identity"
	"constat/internal/snapshot"
	"constat/internal/version"
	constatv1 "constat/proto/constat/v1"
)

// ErrNotEnrolled is Open's answer in a directory without an identity.
var ErrNotEnrolled = errors.New("this machine is not enrolled: get a token from your administrator and run `constat-agent enroll`")

// ErrRevoked ends Run: the collector no longer wants this machine.
var ErrRevoked = errors.New("the collector has revoked this machine's certificate: what waits is kept; enrol again with `constat-agent enroll`")

// ErrTwin ends Run: this machine's disk is a copy of another one's, whose
// identity it is. PutAside makes room for its own.
var ErrTwin = errors.New("this machine carries a copy of another one's identity")

// Option changes how a link works.
type Option func(*settings)

type settings struct {
	proxy             string
	log               *slog.Logger
	now               func() time.Time
	shortest, longest time.Duration
	spool             SpoolLimits
	hardware          func(context.Context) string
}

func settle(options []Option) settings {
	s := settings{log: slog.Default(), now: time.Now, shortest: time.Second, longest: 5 * time.Minute, hardware: func(context.Context) string { return "" }}
	for _, o := range options {
		o(&s)
	}
	return s
}

// Proxy names the HTTP proxy through which collectors are reached, as a URL that
// may carry a user and a password; it is then used for every address. Direct
// means none. Without this option HTTPS_PROXY and NO_PROXY decide.
func Proxy(url string) Option { return func(s *settings) { s.proxy = url } }

// Direct is the Proxy that is none.
const Direct = "direct"

// Logger is where the link tells what it does; slog.Default otherwise.
func Logger(log *slog.Logger) Option { return func(s *settings) { s.log = log } }

// Clock gives the time; time.Now otherwise.
func Clock(now func() time.Time) Option { return func(s *settings) { s.now = now } }

// Backoff bounds the pauses between attempts to connect; 1 s and 5 min
// otherwise.
func Backoff(shortest, longest time.Duration) Option {
	return func(s *settings) { s.shortest, s.longest = shortest, longest }
}

// Limits bound the spool.
func Limits(l SpoolLimits) Option { return func(s *settings) { s.spool = l } }

// Hardware gives EnrollRequest.hardware_hash, asked for at each connection; none
// otherwise.
func Hardware(hash func(context.Context) string) Option {
	return func(s *settings) { s.hardware = hash }
}

// Handlers is what the agent does for its collector.
type Handlers struct {
	// Diagnose runs a procedure. The diagnosis and the snapshot it was judged
	// from have their ids; Diagnose need not store them. Progress may be told at
	// any time; its command id is filled in.
	Diagnose func(ctx context.Context, c *constatv1.Command, progress func(*constatv1.Progress)) (*constatv1.Diagnosis, *constatv1.Snapshot, error)
	// Remedy keeps a technician's request until a person at this machine
	// answers; its end is by this machine's clock. The result is a report.
	Remedy func(context.Context, *constatv1.RemedyRequest) error
	// Policy is told of each new policy, after it was kept; may be nil.
	Policy func(*constatv1.Policy)
	// Knowledge says whether what the team wrote can be used, before it is kept;
	// may be nil.
	Knowledge func(*constatv1.Knowledge) error
	// Answered is told when the collector is there again, and when a technician
	// did something in a ticket of this machine; may be nil.
	Answered func()
	// CatalogVersion is that of the catalog in force.
	CatalogVersion string
}

// Link is an enrolled agent's side of the connection. All methods may be called
// from several goroutines; Run at most once at a time.
type Link struct {
	settings
	dir      string
	instance string
	spool    *Spool
	commands commands
	receipts receipts
	trace    *trace

	mu        sync.Mutex
	enrolled  *enrolment
	policy    *constatv1.Policy
	client    constatv1.AgentServiceClient // of the connection that stands
	collector string
	connected bool
	contact   time.Time
	problem   error
	clockOff  time.Duration // this machine's clock less the collector's
}

// Open opens the identity and the spool in dir. It does not connect.
func Open(dir string, options ...Option) (*Link, error) {
	e, err := loadEnrolment(dir)
	if err != nil {
		return nil, err
	}
	s := settle(options)
	spool, err := OpenSpool(filepath.Join(dir, "spool"), s.spool, s.log)
	if err != nil {
		return nil, err
	}
	policy, err := loadPolicy(dir)
	if err != nil {
		// The collector sends it again: an unreadable one is none.
		s.log.Warn("the kept policy cannot be read", "error", err)
	}
	return &Link{settings: s, dir: dir, instance: uuid.NewString(), spool: spool, enrolled: e, policy: policy, commands: newCommands(), trace: openTrace(dir)}, nil
}

// EndpointID is this machine's identity at its collector.
func (l *Link) EndpointID() string { return l.identity().endpointID }

// Spool is where reports are put.
func (l *Link) Spool() *Spool { return l.spool }

// PutSnapshot puts a snapshot into the spool.
func (l *Link) PutSnapshot(s *constatv1.Snapshot) error {
	return l.spool.Put(snapshotReport(s))
}

func snapshotReport(s *constatv1.Snapshot) *constatv1.Report {
	payloads := snapshot.Payloads(s) // before the manifest is used: it fills the hashes
	return &constatv1.Report{Content: &constatv1.Report_Snapshot{Snapshot: &constatv1.SnapshotReport{
		Manifest: s.GetManifest(), Payloads: payloads,
	}}}
}

// Expect gives the collector's final word on a report, stored or refused, once
// it comes. It is to be called before the report is put; the channel stays open
// and silent when the wait is cancelled, which must be done in any case.
func (l *Link) Expect(reportID string) (receipt <-chan *constatv1.Receipt, cancel func()) {
	return l.receipts.expect(reportID)
}

// Policy is what the collector wants of this agent; nil until it has told.
func (l *Link) Policy() *constatv1.Policy {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.policy
}

// ErrNotConnected says that the collector can't be asked just now.
var ErrNotConnected = errors.New("there is no connection to the collector")

// Tickets asks the collector what a person of this machine, by the name of their
// account, asked for here, and what is known and planned there, in their language.
func (l *Link) Tickets(ctx context.Context, account, language string) (*constatv1.ListPersonTicketsResponse, error) {
	l.mu.Lock()
	client := l.client
	l.mu.Unlock()
	if client == nil {
		return nil, ErrNotConnected
	}
	answer, err := client.ListPersonTickets(ctx, &constatv1.ListPersonTicketsRequest{Account: account, Language: language})
	if err != nil {
		return nil, fmt.Errorf("asking for tickets: %w", err)
	}
	return answer, nil
}

func (l *Link) setClient(c constatv1.AgentServiceClient) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.client = c
}

// Status is how the link stands.
func (l *Link) Status() *constatv1.GetStatusResponse {
	waiting, err := l.spool.Waiting()
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &constatv1.GetStatusResponse{
		AgentVersion:         version.Version,
		Enrolled:             true,
		EndpointId:           l.enrolled.endpointID,
		Collector:            l.collector,
		Connected:            l.connected,
		Spooled:              int32(waiting),
		CertificateExpiresAt: timestamppb.New(l.enrolled.certificate.Leaf.NotAfter),
	}
	if s.Collector == "" {
		s.Collector = l.enrolled.collectors[0]
	}
	if !l.contact.IsZero() {
		s.LastContactAt = timestamppb.New(l.contact)
	}
	switch {
	case err != nil:
		s.Problem = err.Error()
	case l.connected:
	case l.problem != nil:
		s.Problem = l.problem.Error()
	default:
		s.Problem = "not yet connected"
	}
	return s
}

func (l *Link) identity() *enrolment {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.enrolled
}

func (l *Link) certificate() *tls.Certificate { return &l.identity().certificate }

// addresses are the collectors to try, in order: the policy's, then the one this
// machine enrolled at, so that a policy with a mistake does not cut it off.
func (l *Link) addresses() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for _, a := range append(slices.Clone(l.policy.GetCollectors()), l.enrolled.collectors...) {
		if !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}

func (l *Link) setConnected(collector string, clockOff time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.collector, l.connected, l.problem, l.clockOff = collector, true, nil, clockOff
	l.contact = l.now()
}

func (l *Link) heard() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.contact = l.now()
}

// setProblem notes why there is no connection and tells whether that is news.
func (l *Link) setProblem(err error) (news bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	news = l.connected || l.problem == nil || l.problem.Error() != err.Error()
	l.connected, l.problem = false, err
	return news
}

// collectorTime is the collector's clock, as far as this machine can tell.
func (l *Link) collectorTime() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now().Add(-l.clockOff)
}

// takePolicy keeps a policy the collector sent.
func (l *Link) takePolicy(p *constatv1.Policy, told func(*constatv1.Policy)) {
	if err := savePolicy(l.dir, p); err != nil {
		// It holds until the agent ends, and is sent again after that.
		l.log.Warn("the policy cannot be kept", "error", err)
	}
	l.mu.Lock()
	l.policy = p
	l.mu.Unlock()
	if told != nil {
		told(p)
	}
}

// takeCertificate replaces this machine's certificate, on disk first.
func (l *Link) takeCertificate(e *enrolment) error {
	if err := e.save(l.dir); err != nil {
		return fmt.Errorf("cannot keep the renewed certificate: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.enrolled = e
	return nil
}

// tellSkew says in the log when the two clocks differ by so much that times in
// tickets would mislead.
func tellSkew(log *slog.Logger, off time.Duration) {
	if off.Abs() > tolerableSkew {
		log.Warn("this machine's clock differs from the collector's: it is "+identity.Skew(off), "seconds", int(off.Seconds()))
	}
}

// tolerableSkew is more than time zones' leap seconds and slow networks make,
// and less than what breaks Kerberos (5 min).
const tolerableSkew = 2 * time.Minute
