package desk_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"constat/collector/desk"
	"constat/collector/store/storetest"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

func TestSnapshots(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		pc := h.enroll(t, "pc-1")
		first := facts("pc-1.example.org", 8<<30)
		bare := &constatv1.SnapshotReport{Manifest: first.Manifest}
		got := h.ingest(t, pc, snapshotReport(bare))[0]
		if got.Status != "missing" || len(got.MissingHashes) != 2 {
			t.Fatalf("a manifest alone: %v", got)
		}
		if got := h.ingest(t, pc, snapshotReport(first))[0]; got.Status != "stored" {
			t.Fatalf("with payloads: %v", got)
		}
		other := h.enroll(t, "pc-2")
		theirs := proto.CloneOf(bare)
		if got := h.ingest(t, other, snapshotReport(theirs))[0]; got.Status != "missing" {
			t.Errorf("another endpoint claimed the payloads: %v", got)
		}

		second := facts("pc-1.example.org", 16<<30)
		second.Payloads = second.Payloads[:1] // hardware; host did not change
		if got := h.ingest(t, pc, snapshotReport(second))[0]; got.Status != "stored" {
			t.Fatalf("with what changed: %v", got)
		}
		endpoint, err := h.Endpoint(t.Context(), "PC-1.example.org")
		if err != nil {
			t.Fatal(err)
		}
		e := endpoint.Endpoint
		if got := strings.Join([]string{e.Hostname, e.OsName, e.Manufacturer, e.Model, e.Serial}, "|"); got != "pc-1.example.org|Debian GNU/Linux 12|Dell|Latitude|ABC123" {
			t.Errorf("the endpoint is described as %s", got)
		}
		if endpoint.Snapshot.GetHardware().GetMemoryBytes() != 16<<30 || endpoint.Snapshot.GetHost() == nil || len(endpoint.Snapshot.Manifest.Groups) != 3 {
			t.Errorf("its latest facts: %v", endpoint.Snapshot)
		}
		if len(endpoint.Changes) != 1 || endpoint.Changes[0].GetFact() != "memory_bytes" {
			t.Errorf("what changed: %v", endpoint.Changes)
		}
		old, err := h.Snapshot(t.Context(), first.Manifest.Id)
		if err != nil || old.GetHardware().GetMemoryBytes() != 8<<30 {
			t.Errorf("the first snapshot: %v (%v)", old, err)
		}
		_, err = h.Snapshot(t.Context(), "no\x00where")
		wantKind(t, err, desk.ErrNotFound)
	})
}

// Groups come in different snapshots, late, or by a clock that is a day off.
func TestLatestFacts(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		pc := h.enroll(t, "pc-1")
		at := func(memory int64, offset time.Duration) {
			s := facts("pc-1", memory)
			s.Manifest.TakenAt = timestamppb.New(time.Now().Add(offset))
			if got := h.ingest(t, pc, snapshotReport(s))[0]; got.Status != "stored" {
				t.Fatal(got)
			}
		}
		memory := func() int64 {
			endpoint, err := h.Endpoint(t.Context(), pc)
			if err != nil {
				t.Fatal(err)
			}
			return endpoint.Snapshot.GetHardware().GetMemoryBytes()
		}
		at(1, 24*time.Hour)
		at(2, 0)
		if got := memory(); got != 2 {
			t.Errorf("a snapshot from a clock a day ahead hides the one after it: %d", got)
		}
		at(3, -24*time.Hour)
		if got := memory(); got != 2 {
			t.Errorf("a snapshot of yesterday is the newest: %d", got)
		}
	})
}

func TestLatestDiagnoses(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		pc, other := h.enroll(t, "pc-1"), h.enroll(t, "pc-2")
		h.ingest(t, other, diagnosisReport(diskFull()))
		var last string
		for range 25 {
			found := diskFull()
			last = found.Id
			h.ingest(t, pc, diagnosisReport(found))
		}
		got, err := h.Endpoint(t.Context(), pc)
		if err != nil || len(got.Diagnoses) != 20 || got.Diagnoses[0].Id != last || got.Diagnoses[0].RootCauses[0].Title != "The disk is full" {
			t.Errorf("of 25 diagnoses: %d, the newest %v (%v)", len(got.GetDiagnoses()), got.GetDiagnoses()[0], err)
		}
	})
}

func TestEndpointsList(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, name := range []string{"b", "C", "a", "d_e"} {
			h.enroll(t, name)
		}
		var names []string
		after := ""
		for {
			list, err := h.Endpoints(t.Context(), &deskv1.ListEndpointsRequest{Limit: 2, After: after})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range list.Endpoints {
				names = append(names, e.Hostname)
			}
			if after = list.Next; after == "" {
				break
			}
		}
		if got := strings.Join(names, ""); got != "abCd_e" {
			t.Errorf("pages give %s", got)
		}
		list, err := h.Endpoints(t.Context(), &deskv1.ListEndpointsRequest{Query: "_"})
		if err != nil || len(list.Endpoints) != 1 {
			t.Errorf("%v (%v)", list, err)
		}
		_, err = h.Endpoints(t.Context(), &deskv1.ListEndpointsRequest{After: "garbage"})
		wantKind(t, err, desk.ErrInvalid)
	})
}

// An endpoint is online from its first stream to the end of its last, and as long
// as it gives signs of life.
func TestOnline(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		pc := h.enroll(t, "pc-1")
		online := func() bool {
			e, err := h.Endpoint(t.Context(), pc)
			if err != nil {
				t.Fatal(err)
			}
			return e.Endpoint.Online
		}
		for range 2 {
			if err := h.Connected(t.Context(), pc, "", &constatv1.Hello{}); err != nil {
				t.Fatal(err)
			}
		}
		h.Disconnected(t.Context(), pc)
		if !online() {
			t.Error("offline although its second stream is open")
		}
		h.SetClock(time.Now().Add(time.Hour))
		if online() {
			t.Error("online an hour after its last sign of life")
		}
		if err := h.Seen(t.Context(), pc); err != nil {
			t.Fatal(err)
		}
		if !online() {
			t.Error("offline although it was just seen")
		}
		h.Disconnected(t.Context(), pc)
		if online() {
			t.Error("online after its last stream ended")
		}
	})
}

func TestRefusedReports(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		pc, other := h.enroll(t, "pc-1"), h.enroll(t, "pc-2")
		spoil := func(how func(*constatv1.SnapshotReport)) *constatv1.Report {
			s := facts("pc-1", 1)
			how(s)
			return snapshotReport(s)
		}
		mar := func(how func(*constatv1.Diagnosis)) *constatv1.Report {
			d := diskFull()
			how(d)
			return diagnosisReport(d)
		}
		theirs := draft("theirs")
		h.ingest(t, other, ticketReport(theirs))
		bad := map[string]*constatv1.Report{
			"nothing this collector knows": {},
			"no manifest":                  snapshotReport(&constatv1.SnapshotReport{}),
			"not a UUIDv7":                 spoil(func(s *constatv1.SnapshotReport) { s.Manifest.Id = "7" }),
			"of another endpoint":          spoil(func(s *constatv1.SnapshotReport) { s.Manifest.EndpointId = other }),
			"cannot be the name":           spoil(func(s *constatv1.SnapshotReport) { s.Manifest.Groups[0].Group = "Host/../x" }),
			"for collectors to fill":       spoil(func(s *constatv1.SnapshotReport) { s.Manifest.Groups[0].Group = "fleet" }),
			"lists group host twice":       spoil(func(s *constatv1.SnapshotReport) { s.Manifest.Groups[0].Group = "host" }),
			"not the 32 of SHA-256":        spoil(func(s *constatv1.SnapshotReport) { s.Manifest.Groups[0].PayloadHash = []byte("x") }),
			"does not have the hash":       spoil(func(s *constatv1.SnapshotReport) { s.Payloads[0].Content = []byte("x") }),
			"not the one the manifest":     spoil(func(s *constatv1.SnapshotReport) { s.Payloads[0].Hash = []byte("x") }),
			"not in the manifest":          spoil(func(s *constatv1.SnapshotReport) { s.Payloads[0].Group = "usb" }),
			"is not a time":                spoil(func(s *constatv1.SnapshotReport) { s.Manifest.TakenAt.Nanos = -1 }),
			"groups, more than":            spoil(func(s *constatv1.SnapshotReport) { s.Manifest.Groups = make([]*constatv1.GroupEntry, 1000) }),
			"is of another endpoint":       mar(func(d *constatv1.Diagnosis) { d.EndpointId = other }),
			"the verdict is":               mar(func(d *constatv1.Diagnosis) { d.Verdict = "great" }),
			"name of a procedure":          mar(func(d *constatv1.Diagnosis) { d.Procedure = "" }),
			"snapshot is":                  mar(func(d *constatv1.Diagnosis) { d.SnapshotId = "x" }),
			"bytes, more than":             mar(func(d *constatv1.Diagnosis) { d.NextStep = strings.Repeat("x", 2<<20) }),
			"taken by a ticket of another": ticketReport(theirs),
			"id of the ticket":             ticketReport(&constatv1.TicketDraft{Text: "x"}),
		}
		for want, report := range bad {
			good := ticketReport(draft("fine"))
			receipts := h.ingest(t, pc, report, good)
			if receipts[0].Status != "refused" || !strings.Contains(receipts[0].Reason, want) {
				t.Errorf("want %q, got %v", want, receipts[0])
			}
			if receipts[1].Status != "stored" {
				t.Errorf("beside a report with %q a good one is %v", want, receipts[1])
			}
		}
		_, err := h.Ingest(t.Context(), newID(), nil)
		wantKind(t, err, desk.ErrNotFound)
		_, err = h.Ingest(t.Context(), pc, make([]*constatv1.Report, 100_000))
		wantKind(t, err, desk.ErrInvalid)
	})
}

// Whatever is sent, in whatever order, batches and repetitions: each ticket is
// there once, with its diagnosis once.
func TestIngestIsIdempotent(t *testing.T) {
	h, ctx := open(t, storetest.SQLite(t)), t.Context()
	rapid.Check(t, func(t *rapid.T) {
		pc, err := h.Enroll(ctx, h.token, &constatv1.EnrollRequest{Hostname: "pc"}, certificate)
		if errors.Is(err, desk.ErrTokenSpent) {
			t.Skip("enough")
		}
		if err != nil {
			t.Fatal(err)
		}
		var reports []*constatv1.Report
		for range rapid.IntRange(1, 3).Draw(t, "tickets") {
			found, d := diskFull(), draft("x")
			d.DiagnosisId = found.Id
			reports = append(reports, diagnosisReport(found), ticketReport(d), snapshotReport(facts("pc", 1)))
		}
		tickets := len(reports) / 3
		var order []*constatv1.Report
		for range rapid.IntRange(1, 3).Draw(t, "times") {
			order = append(order, rapid.Permutation(reports).Draw(t, "order")...)
		}
		for len(order) > 0 {
			n := rapid.IntRange(1, len(order)).Draw(t, "batch")
			if _, err := h.Ingest(ctx, pc, order[:n]); err != nil {
				t.Fatal(err)
			}
			order = order[n:]
		}
		list, err := h.Tickets(ctx, &deskv1.ListTicketsRequest{EndpointId: pc})
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Tickets) != tickets {
			t.Fatalf("%d tickets were sent and %d are there", tickets, len(list.Tickets))
		}
		for _, ticket := range list.Tickets {
			got, err := h.Ticket(ctx, ticket.Number)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Timeline) != 2 || ticket.RootCause == "" {
				t.Fatalf("ticket %d: %v", ticket.Number, got)
			}
		}
	})
}

// FuzzIngest sends what any bytes decode to: it is stored or refused with a
// reason, and nothing of it is an error of the database or a crash.
func FuzzIngest(f *testing.F) {
	h := open(f, storetest.SQLite(f))
	pc := h.enroll(f, "pc")
	for _, report := range []*constatv1.Report{ticketReport(draft("x\x00")), diagnosisReport(diskFull()), snapshotReport(facts("pc", 1)), {}} {
		seed, err := proto.Marshal(&constatv1.UploadRequest{Reports: []*constatv1.Report{report, report}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		var upload constatv1.UploadRequest
		if len(input) > 1<<20 || proto.Unmarshal(input, &upload) != nil {
			return
		}
		receipts, err := h.Ingest(t.Context(), pc, upload.Reports)
		if err != nil && !errors.Is(err, desk.ErrInvalid) {
			t.Fatal(err)
		}
		for i, receipt := range receipts {
			switch receipt.Status {
			case "stored":
			case "missing", "refused":
				if receipt.Reason == "" {
					t.Errorf("report %d is %s without a reason", i, receipt.Status)
				}
			default:
				t.Errorf("report %d is %q", i, receipt.Status)
			}
		}
	})
}
