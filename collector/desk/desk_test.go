package desk_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/account"
	"constat/collector/bus"
	"constat/collector/desk"
	"constat/collector/store"
	"constat/collector/store/storetest"
	"constat/internal/fault"
	"constat/internal/snapshot"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// house is a desk with one technician and some enrolled machines.
type house struct {
	*desk.Desk
	store *store.Store
	token []byte
}

var tech = desk.Actor{ID: "1", Name: "Léa", Role: "technician"}

func open(t testing.TB, s *store.Store) *house {
	t.Helper()
	b, err := bus.Embedded(t.Context(), bus.Cluster{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	catalog, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	h := &house{desk.New(s, b, catalog), s, []byte("a token's hash")}
	if err := h.NewEnrolmentToken(t.Context(), h.token, 1000, time.Now().Add(time.Hour), "tests"); err != nil {
		t.Fatal(err)
	}
	if _, err := account.New(s).Create(t.Context(), tech.Name, "", "technician", ""); err != nil {
		t.Fatal(err)
	}
	// Who gets tickets by themselves is another matter.
	if _, err := h.SetTechnician(t.Context(), desk.System, &deskv1.SetTechnicianRequest{Technician: &deskv1.Technician{Name: tech.Name}}); err != nil {
		t.Fatal(err)
	}
	return h
}

// each runs the test on a desk over either engine.
func each(t *testing.T, test func(*testing.T, *house)) {
	storetest.Each(t, func(t *testing.T, s *store.Store) { test(t, open(t, s)) })
}

func (h *house) enroll(t testing.TB, hostname string) string {
	t.Helper()
	id, err := h.Enroll(t.Context(), h.token, &constatv1.EnrollRequest{Hostname: hostname, MachineHash: "hash of " + hostname, OsFamily: "linux"},
		func(string) (string, time.Time, error) { return newID(), time.Now().Add(time.Hour), nil })
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// ingest sends reports and gives the receipts, which must not fail as a whole.
func (h *house) ingest(t testing.TB, endpoint string, reports ...*constatv1.Report) []*constatv1.Receipt {
	t.Helper()
	receipts, err := h.Ingest(t.Context(), endpoint, reports)
	if err != nil {
		t.Fatal(err)
	}
	if len(receipts) != len(reports) {
		t.Fatalf("%d receipts for %d reports", len(receipts), len(reports))
	}
	return receipts
}

func (h *house) ticket(t testing.TB, number int32) *deskv1.GetTicketResponse {
	t.Helper()
	ticket, err := h.Ticket(t.Context(), number)
	if err != nil {
		t.Fatal(err)
	}
	return ticket
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

func draft(text string) *constatv1.TicketDraft {
	return &constatv1.TicketDraft{
		Id: newID(), Complaint: "printing", Text: text, Language: "en",
		Requester: &constatv1.Person{Name: "alice", Mail: "alice@example.org"},
	}
}

func ticketReport(d *constatv1.TicketDraft) *constatv1.Report {
	return &constatv1.Report{Content: &constatv1.Report_Ticket{Ticket: d}}
}

func diagnosisReport(d *constatv1.Diagnosis) *constatv1.Report {
	return &constatv1.Report{Content: &constatv1.Report_Diagnosis{Diagnosis: d}}
}

// diskFull is a diagnosis with a root cause that no catalog has to know.
func diskFull() *constatv1.Diagnosis {
	return &constatv1.Diagnosis{
		Id: newID(), Procedure: "slow", Verdict: "fault", StartedAt: timestamppb.Now(), Language: "en",
		RootCauses: []*constatv1.RootCause{{Fault: "tests-disk-full", Certainty: "confirmed", Title: "The disk is full", Urgency: "high"}},
	}
}

// facts is a sealed snapshot of a machine with this name and memory.
func facts(hostname string, memory int64) *constatv1.SnapshotReport {
	s := &constatv1.Snapshot{
		Manifest: &constatv1.Manifest{Id: newID(), TakenAt: timestamppb.Now(), Groups: []*constatv1.GroupEntry{
			{Group: "hardware", Observation: &constatv1.Observation{Status: "observed"}},
			{Group: "host", Observation: &constatv1.Observation{Status: "observed"}},
			{Group: "wifi", Observation: &constatv1.Observation{Status: "unsupported", Reason: "no Wi-Fi here"}},
		}},
		Host: &constatv1.Host{Hostname: &hostname, OsName: proto.String("Debian GNU/Linux"), OsVersion: proto.String("12")},
		Hardware: &constatv1.Hardware{MemoryBytes: &memory, System: &constatv1.System{
			Manufacturer: proto.String("Dell Inc."), Brand: proto.String("Dell"), Model: proto.String("Latitude"), Serial: proto.String("ABC123"),
		}},
	}
	return &constatv1.SnapshotReport{Payloads: snapshot.Payloads(s), Manifest: s.Manifest}
}

func snapshotReport(s *constatv1.SnapshotReport) *constatv1.Report {
	return &constatv1.Report{Content: &constatv1.Report_Snapshot{Snapshot: s}}
}

func wantKind(t testing.TB, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("error %v, want the kind %v", err, kind)
	}
}

// within bounds a wait for what must come soon.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}
