package uplink

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/internal/identity"
	"constat/internal/snapshot"
	constatv1 "constat/proto/constat/v1"
)

func TestEnrollKeepsAnIdentityThatOnlyTheAgentReads(t *testing.T) {
	c := startCollector(t)
	l := c.open()
	if l.EndpointID() != testEndpoint {
		t.Errorf("enrolled as %q", l.EndpointID())
	}
	info, err := os.Stat(filepath.Join(l.dir, identityFile))
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the identity has permissions %v", info.Mode())
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, ErrNotEnrolled) {
		t.Errorf("opening an empty directory: %v", err)
	}
	if err := os.WriteFile(filepath.Join(l.dir, identityFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(l.dir); err == nil || !strings.Contains(err.Error(), "enrol again") {
		t.Errorf("opening a damaged identity: %v", err)
	}
}

func TestEnrollErrorsSayWhatToDo(t *testing.T) {
	c, other := startCollector(t), startCollector(t)
	unknown, err := identity.NewToken(c.authority.KeyHash())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	inTheWay := filepath.Join(dir, "file")
	if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	at := func(off time.Duration) Option { return Clock(func() time.Time { return time.Now().Add(off) }) }
	for name, r := range map[string]struct {
		collector, token, dir string
		option                Option
		want                  string
	}{
		"typo":            {c.address, c.token[:30] + "1" + c.token[31:], dir, unchanged, "mistyped"},
		"unknown":         {c.address, unknown.Text(), dir, unchanged, "no such token"},
		"other collector": {other.address, c.token, dir, unchanged, "made by another collector"},
		"no port":         {"127.0.0.1", c.token, dir, unchanged, "HOST:PORT"},
		"nobody there":    {"127.0.0.1:1", c.token, dir, unchanged, "refused"},
		"directory":       {c.address, c.token, inTheWay, unchanged, "cannot keep an identity"},
		"clock behind":    {c.address, c.token, dir, at(-241 * time.Hour), "10 days behind"},
		"clock ahead":     {c.address, c.token, dir, at(200 * 24 * time.Hour), "ahead"},
	} {
		err := Enroll(t.Context(), r.collector, r.token, r.dir, &constatv1.EnrollRequest{}, Proxy(Direct), r.option)
		if err == nil || !strings.Contains(err.Error(), r.want) {
			t.Errorf("%s: error is %v, want one with %q", name, err, r.want)
		}
	}
	if _, err := Open(dir); !errors.Is(err, ErrNotEnrolled) {
		t.Errorf("a failed enrolment left an identity: %v", err)
	}
	// The first address is dead, the second alive; a day off is no obstacle.
	if err := Enroll(t.Context(), "127.0.0.1:1, "+c.address, c.token, dir, &constatv1.EnrollRequest{}, Proxy(Direct), at(-24*time.Hour)); err != nil {
		t.Error(err)
	}
}

// unchanged is an option that changes nothing, for tables.
var unchanged = Proxy(Direct)

func TestReportsAreSentAndForgotten(t *testing.T) {
	c := startCollector(t)
	l := c.open()
	for n := range 250 {
		if err := l.Spool().Put(diagnosisReport(n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Spool().Put(ticketReport(900, "")); err != nil {
		t.Fatal(err)
	}
	receipt, cancel := l.Expect(testID(249))
	defer cancel()
	c.run(l, Handlers{})
	if hello := within(t, c.hellos, "hello"); hello.GetSpooled() != 251 || hello.GetOsFamily() != runtime.GOOS {
		t.Errorf("hello is %v", hello)
	}
	first := within(t, c.uploaded, "the first upload")
	if len(first) != maxBatchReports || first[0].GetTicket().GetId() != testID(900) {
		t.Errorf("the first batch has %d reports and begins with %v; want %d and the ticket", len(first), first[0], maxBatchReports)
	}
	if r := within(t, receipt, "the last receipt"); r.GetStatus() != statusStored {
		t.Errorf("receipt %v", r)
	}
	if n, err := l.Spool().Waiting(); n != 0 || err != nil {
		t.Errorf("%d wait after the last receipt, %v", n, err)
	}
}

func fullSnapshot(n int, hostname string, uptime uint64) *constatv1.Snapshot {
	at := timestamppb.New(time.UnixMilli(1_700_000_000_000))
	observed := &constatv1.Observation{Status: "observed", At: at}
	return &constatv1.Snapshot{
		Manifest: &constatv1.Manifest{Id: testID(n), TakenAt: at, Groups: []*constatv1.GroupEntry{
			{Group: "clock", Observation: observed}, {Group: "host", Observation: observed},
		}},
		Host:  &constatv1.Host{Hostname: &hostname},
		Clock: &constatv1.Clock{Source: proto.String(fmt.Sprint("zone ", uptime))},
	}
}

func payloadGroups(r *constatv1.Report) []string {
	var groups []string
	for _, p := range r.GetSnapshot().GetPayloads() {
		groups = append(groups, p.GetGroup())
	}
	return groups
}

func TestPayloadsAreSentOnceAndAgainWhenAskedFor(t *testing.T) {
	c := startCollector(t)
	l := c.open()
	c.run(l, Handlers{})
	within(t, c.hellos, "hello")
	send := func(s *constatv1.Snapshot) []string {
		t.Helper()
		receipt, cancel := l.Expect(s.GetManifest().GetId())
		defer cancel()
		if err := l.PutSnapshot(s); err != nil {
			t.Fatal(err)
		}
		reports := within(t, c.uploaded, "the upload")
		if r := within(t, receipt, "the receipt"); r.GetStatus() != statusStored {
			t.Fatalf("receipt %v", r)
		}
		return payloadGroups(reports[0])
	}
	if got := send(fullSnapshot(1, "pc", 1)); !slices.Equal(got, []string{"clock", "host"}) {
		t.Errorf("first: %v", got)
	}
	if got := send(fullSnapshot(2, "pc", 1)); len(got) != 0 {
		t.Errorf("nothing changed: %v", got)
	}
	if got := send(fullSnapshot(3, "pc", 2)); !slices.Equal(got, []string{"clock"}) {
		t.Errorf("one group changed: %v", got)
	}
	// The collector was restored from a backup and lost the payloads.
	asked := 0
	c.script(func() {
		c.answer = func(reports []*constatv1.Report) ([]*constatv1.Receipt, error) {
			m := reports[0].GetSnapshot()
			if asked++; asked == 1 {
				return []*constatv1.Receipt{{Id: m.GetManifest().GetId(), Status: statusMissing,
					MissingHashes: [][]byte{m.GetManifest().GetGroups()[1].GetPayloadHash()}}}, nil
			}
			if _, err := snapshot.Assemble(m.GetManifest(), m.GetPayloads()); err != nil {
				t.Errorf("sent again and still not whole: %v", err)
			}
			return allStored(reports)
		}
	})
	if got := send(fullSnapshot(4, "pc", 2)); len(got) != 0 {
		t.Errorf("before it was asked for: %v", got)
	}
	if got := payloadGroups(within(t, c.uploaded, "the second upload")[0]); !slices.Equal(got, []string{"clock", "host"}) {
		t.Errorf("asked for: %v", got)
	}
}

func TestOneBadReportStopsNoOther(t *testing.T) {
	c := startCollector(t)
	l := c.open()
	c.script(func() {
		c.answer = func(reports []*constatv1.Report) ([]*constatv1.Receipt, error) {
			for _, r := range reports {
				switch _, id := identify(r); id {
				case testID(3):
					return nil, status.Error(codes.Internal, "the database does not like it")
				case testID(5):
					return nil, status.Error(codes.InvalidArgument, "no such complaint")
				}
			}
			return allStored(reports)
		}
	})
	last, cancel := l.Expect(testID(9))
	defer cancel()
	for n := range 10 {
		if err := l.Spool().Put(ticketReport(n, "")); err != nil {
			t.Fatal(err)
		}
	}
	c.run(l, Handlers{})
	within(t, last, "the last ticket's receipt")
	if ids, _ := contents(t, l.Spool()); !slices.Equal(ids, []string{testID(3)}) {
		t.Errorf("%v wait, want the one the collector failed on", ids)
	}
	if n, err := l.Spool().Refused(); n != 1 || err != nil {
		t.Errorf("%d refused, %v; want the one that is wrong for good", n, err)
	}
}

func TestTheLinkComesBackAfterTheCollectorDid(t *testing.T) {
	c := startCollector(t)
	address, stop := c.serve("127.0.0.1:0")
	l := c.open()
	l.enrolled.collectors = []string{address}
	c.run(l, Handlers{})
	within(t, c.hellos, "hello")
	stop()
	if err := l.Spool().Put(ticketReport(1, "")); err != nil {
		t.Fatal(err)
	}
	c.serve(address)
	within(t, c.hellos, "hello after the restart")
	if got := within(t, c.uploaded, "the ticket"); got[0].GetTicket().GetId() != testID(1) {
		t.Errorf("uploaded %v", got)
	}
	connected := make(chan *constatv1.GetStatusResponse, 1)
	go func() {
		for tick := time.NewTicker(time.Millisecond); t.Context().Err() == nil; <-tick.C {
			if s := l.Status(); s.GetConnected() {
				connected <- s
				return
			}
		}
	}()
	if s := within(t, connected, "the connection"); s.GetCollector() != address || s.GetProblem() != "" {
		t.Errorf("status is %v", s)
	}
}

func TestAnExpiredCertificateIsRenewed(t *testing.T) {
	c := startCollector(t)
	c.lifetime = time.Nanosecond
	l := c.open()
	c.script(func() { c.lifetime = identity.ClientLifetime })
	before := identity.Serial(l.certificate().Leaf)
	c.run(l, Handlers{})
	within(t, c.hellos, "hello with a renewed certificate")
	again, err := Open(l.dir)
	if err != nil {
		t.Fatal(err)
	}
	if identity.Serial(again.certificate().Leaf) == before {
		t.Error("the renewed certificate was not kept")
	}
}

func TestACertificateThatOnlyTheCollectorHoldsForExpiredIsRenewed(t *testing.T) {
	c := startCollector(t)
	c.lifetime = time.Nanosecond
	l := c.open(Clock(func() time.Time { return time.Now().Add(-24 * time.Hour) }))
	c.script(func() { c.lifetime = identity.ClientLifetime })
	c.run(l, Handlers{})
	within(t, c.hellos, "hello with a renewed certificate")
}

func TestRevokedEndsTheLink(t *testing.T) {
	for name, connect := range map[string]func(context.Context, *constatv1.Hello, constatv1.AgentService_ConnectServer) error{
		"on a live stream": func(_ context.Context, _ *constatv1.Hello, s constatv1.AgentService_ConnectServer) error {
			return s.Send(&constatv1.ConnectResponse{Message: &constatv1.ConnectResponse_Revoked{Revoked: &constatv1.Revoked{Reason: "stolen"}}})
		},
		"at the door": func(context.Context, *constatv1.Hello, constatv1.AgentService_ConnectServer) error {
			return status.Error(codes.PermissionDenied, "stolen")
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := startCollector(t)
			c.connect = connect
			l := c.open()
			err := within(t, c.run(l, Handlers{}), "the end")
			if !errors.Is(err, ErrRevoked) || !strings.Contains(err.Error(), "stolen") || !strings.Contains(err.Error(), "enrol again") {
				t.Errorf("ended with %v", err)
			}
			if s := l.Status(); s.GetConnected() || !strings.Contains(s.GetProblem(), "revoked") {
				t.Errorf("status is %v", s)
			}
		})
	}
}

func TestPolicyIsKeptAndItsCollectorsComeFirst(t *testing.T) {
	c := startCollector(t)
	second, _ := c.serve("127.0.0.1:0")
	policy := &constatv1.Policy{Revision: "7", Collectors: []string{second}}
	c.connect = func(_ context.Context, h *constatv1.Hello, s constatv1.AgentService_ConnectServer) error {
		if h.GetPolicyRevision() == "7" {
			return nil
		}
		return s.Send(&constatv1.ConnectResponse{Message: &constatv1.ConnectResponse_Policy{Policy: policy}})
	}
	l := c.open()
	told := make(chan *constatv1.Policy, 1)
	c.run(l, Handlers{Policy: func(p *constatv1.Policy) { told <- p }})
	if got := within(t, told, "the policy"); !proto.Equal(got, policy) {
		t.Errorf("told %v", got)
	}
	l, err := Open(l.dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := l.addresses(); !slices.Equal(got, []string{second, c.address}) {
		t.Errorf("collectors are %v", got)
	}
}
