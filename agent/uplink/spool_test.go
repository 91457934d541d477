package uplink

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"constat/internal/durable"
	constatv1 "constat/proto/constat/v1"
)

// testID makes a UUID that sorts as n does.
func testID(n int) string { return fmt.Sprintf("01950000-0000-7000-8000-%012x", n) }

func ticketReport(n int, diagnosis string) *constatv1.Report {
	return &constatv1.Report{Content: &constatv1.Report_Ticket{Ticket: &constatv1.TicketDraft{
		Id: testID(n), Text: fmt.Sprintf("ticket %d", n), DiagnosisId: diagnosis,
	}}}
}

func diagnosisReport(n int) *constatv1.Report {
	return &constatv1.Report{Content: &constatv1.Report_Diagnosis{Diagnosis: &constatv1.Diagnosis{Id: testID(n)}}}
}

func bareSnapshot(n, size int) *constatv1.Report {
	return &constatv1.Report{Content: &constatv1.Report_Snapshot{Snapshot: &constatv1.SnapshotReport{
		Manifest: &constatv1.Manifest{Id: testID(n)},
		Payloads: []*constatv1.Payload{{Group: "host", Content: make([]byte, size)}},
	}}}
}

func openSpool(t interface {
	Helper()
	Fatal(...any)
}, dir string, limits SpoolLimits) *Spool {
	t.Helper()
	s, err := OpenSpool(dir, limits, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// contents gives the ids and kinds that wait, oldest first, and fails on an id
// that is there twice.
func contents(t interface {
	Helper()
	Fatal(...any)
}, s *Spool) (ids []string, kinds map[string]string) {
	t.Helper()
	waiting, err := s.list()
	if err != nil {
		t.Fatal(err)
	}
	kinds = map[string]string{}
	for _, e := range waiting {
		if _, twice := kinds[e.id]; twice {
			t.Fatal("twice in the spool: " + e.id)
		}
		ids, kinds[e.id] = append(ids, e.id), e.kind
	}
	return ids, kinds
}

func TestSpoolGivesBackWhatWasPut(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, dir, SpoolLimits{})
	reports := []*constatv1.Report{ticketReport(3, ""), bareSnapshot(1, 100), diagnosisReport(2)}
	for _, r := range reports {
		if err := s.Put(r); err != nil {
			t.Fatal(err)
		}
		if err := s.Put(r); err != nil { // again
			t.Fatal(err)
		}
	}
	s = openSpool(t, dir, SpoolLimits{})
	waiting, err := s.list()
	if err != nil || len(waiting) != len(reports) {
		t.Fatalf("%d wait, %v; want %d", len(waiting), err, len(reports))
	}
	for i, e := range waiting {
		got, err := s.read(e)
		if err != nil || !proto.Equal(got, reports[i]) {
			t.Errorf("report %d came back as %v, %v", i, got, err)
		}
		if err := s.remove(e); err != nil {
			t.Error(err)
		}
		if err := s.remove(e); err != nil {
			t.Errorf("removing again: %v", err)
		}
	}
	if n, err := s.Waiting(); n != 0 || err != nil {
		t.Errorf("%d wait after all were removed, %v", n, err)
	}
}

func TestSpoolRefusesWhatCanNeverBeSent(t *testing.T) {
	s := openSpool(t, t.TempDir(), SpoolLimits{})
	for name, r := range map[string]*constatv1.Report{
		"nothing":   {},
		"no id":     {Content: &constatv1.Report_Ticket{Ticket: &constatv1.TicketDraft{}}},
		"path":      {Content: &constatv1.Report_Ticket{Ticket: &constatv1.TicketDraft{Id: "../../../etc/cron.d/x"}}},
		"too large": bareSnapshot(1, 17<<20),
	} {
		if err := s.Put(r); err == nil {
			t.Errorf("%s: kept", name)
		}
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil || len(entries) != 2 { // the folder of refused ones, and the reserve
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestSpoolDropsSnapshotsFirstAndTicketsNever(t *testing.T) {
	s := openSpool(t, t.TempDir(), SpoolLimits{Files: 4})
	put := func(r *constatv1.Report) {
		t.Helper()
		if err := s.Put(r); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want ...int) {
		t.Helper()
		ids, _ := contents(t, s)
		var wanted []string
		for _, n := range want {
			wanted = append(wanted, testID(n))
		}
		if !slices.Equal(ids, wanted) {
			t.Errorf("in the spool: %v, want %v", ids, wanted)
		}
	}
	put(diagnosisReport(1))
	put(bareSnapshot(2, 10))
	put(bareSnapshot(3, 10))
	put(diagnosisReport(4))
	expect(1, 2, 3, 4)
	put(ticketReport(5, testID(4))) // the oldest snapshot goes; diagnosis 4 is this ticket's
	expect(1, 3, 4, 5)
	put(bareSnapshot(6, 10)) // a snapshot displaces a snapshot, never a diagnosis
	expect(1, 4, 5, 6)
	put(diagnosisReport(7))
	expect(1, 4, 5, 7)
	put(diagnosisReport(8)) // no snapshot is left: the oldest that belongs to no ticket
	expect(4, 5, 7, 8)
	put(ticketReport(9, ""))
	put(ticketReport(10, ""))
	expect(4, 5, 9, 10)
	if err := s.Put(bareSnapshot(11, 10)); !errors.Is(err, ErrSpoolFull) {
		t.Errorf("a snapshot into a spool full of tickets: %v", err)
	}
	put(ticketReport(12, testID(13))) // beyond the limit: it is kept all the same
	put(diagnosisReport(13))          // and so is its diagnosis
	expect(4, 5, 9, 10, 12, 13)
}

func TestSpoolIsBoundedInBytes(t *testing.T) {
	s := openSpool(t, t.TempDir(), SpoolLimits{Bytes: 10_000})
	for n := range 50 {
		if err := s.Put(bareSnapshot(n, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	ids, _ := contents(t, s)
	if len(ids) != 9 || ids[8] != testID(49) {
		t.Errorf("kept %v, want the last 9", ids)
	}
}

func TestSpoolSetsDamagedFilesAside(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, dir, SpoolLimits{})
	for n := range 3 {
		if err := s.Put(ticketReport(n, "")); err != nil {
			t.Fatal(err)
		}
	}
	waiting, err := s.list()
	if err != nil {
		t.Fatal(err)
	}
	// A disk that lost the second half, and one that brought back zeros.
	for i, damage := range []func([]byte) []byte{
		func(b []byte) []byte { return b[:len(b)/2] },
		func(b []byte) []byte { return make([]byte, len(b)) },
	} {
		path := filepath.Join(dir, waiting[i].name())
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, damage(data), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.read(waiting[i]); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("a damaged file: %v", err)
		}
		if _, err := os.Stat(path + badSuffix); err != nil {
			t.Errorf("not set aside: %v", err)
		}
	}
	if ids, _ := contents(t, s); !slices.Equal(ids, []string{testID(2)}) {
		t.Errorf("%v wait, want the undamaged one", ids)
	}
}

func TestSpoolKeepsRefusedReportsWithTheReason(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, dir, SpoolLimits{})
	if err := s.Put(ticketReport(1, "")); err != nil {
		t.Fatal(err)
	}
	waiting, err := s.list()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.refuse(waiting[0], "no such complaint"); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Refused(); n != 1 || err != nil {
		t.Errorf("%d refused, %v", n, err)
	}
	reason, err := os.ReadFile(filepath.Join(dir, refusedDir, waiting[0].name()+reasonSuffix))
	if err != nil || string(reason) != "no such complaint\n" {
		t.Errorf("the reason is %q, %v", reason, err)
	}
	if n, err := s.Waiting(); n != 0 || err != nil {
		t.Errorf("%d still wait, %v", n, err)
	}
	if waits, refused, err := s.Said(); len(waits) != 0 || len(refused) != 1 || refused[0].GetTicket() == nil || err != nil {
		t.Errorf("whose it is reads of %v and %v, %v", waits, refused, err)
	}
}

func TestSpoolClearsUnfinishedFiles(t *testing.T) {
	dir := t.TempDir()
	openSpool(t, dir, SpoolLimits{})
	old, fresh := filepath.Join(dir, ".a"+durable.TemporarySuffix), filepath.Join(dir, ".b"+durable.TemporarySuffix)
	for _, path := range []string{old, fresh} {
		if err := os.WriteFile(path, []byte("CSP1 half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hourAgo := time.Now().Add(-time.Hour)
	if err := os.Chtimes(old, hourAgo, hourAgo); err != nil {
		t.Fatal(err)
	}
	s := openSpool(t, dir, SpoolLimits{})
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a crash's file is still there: %v", err)
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Errorf("a file that another process may be writing is gone: %v", err)
	}
	if n, err := s.Waiting(); n != 0 || err != nil {
		t.Errorf("%d wait, %v", n, err)
	}
}

// copyDir copies a spool as a crash would leave it: each file as it is at some
// moment during the copy.
func copyDir(t interface{ Fatal(...any) }, from, to string) {
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		data, err := os.ReadFile(filepath.Join(from, e.Name()))
		if errors.Is(err, os.ErrNotExist) {
			continue // renamed or removed meanwhile, as it may be
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, e.Name()), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// inMemory gives a directory in memory where the system has one: thousands of
// flushes to a busy disk take a minute and try the disk, not the spool.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "constat")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// TestSpoolLosesNothing plays random histories of puts, acknowledgements and
// crashes against a collector that stores by id. Whatever Put has returned for
// is in the collector or in the spool, unless it may be dropped; nothing that
// was settled without a crash comes again; a ticket is never dropped.
func TestSpoolLosesNothing(t *testing.T) {
	root := inMemory(t)
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		life := 0
		newDir := func() string {
			life++
			return filepath.Join(root, fmt.Sprintf("%d-%d", run, life))
		}
		limits := SpoolLimits{Files: rapid.IntRange(3, 12).Draw(t, "limit")}
		dir := newDir()
		s := openSpool(t, dir, limits)
		put, stored, settled := map[string]string{}, map[string]bool{}, map[string]bool{}
		next := 0
		draw := func() *constatv1.Report {
			next++
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0:
				return bareSnapshot(next, 20)
			case 1:
				return diagnosisReport(next)
			case 2: // a ticket with the diagnosis just put, if it was one
				return ticketReport(next, testID(next-1))
			}
			return ticketReport(next, "")
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				r := draw()
				kind, id := identify(r)
				err := s.Put(r)
				if err == nil {
					put[id] = kind
				} else if !errors.Is(err, ErrSpoolFull) || kind == kindTicket {
					t.Fatal(err)
				}
			},
			"acknowledge": func(t *rapid.T) {
				waiting, err := s.list()
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range waiting[:rapid.IntRange(0, len(waiting)).Draw(t, "acknowledged")] {
					if _, err := s.read(e); err != nil {
						t.Fatal(err)
					}
					stored[e.id] = true
					if rapid.Bool().Draw(t, "killed before removing") {
						continue
					}
					if err := s.remove(e); err != nil {
						t.Fatal(err)
					}
					settled[e.id] = true
				}
			},
			"crash while putting": func(t *rapid.T) {
				reports := []*constatv1.Report{draw(), draw(), draw()}
				copied := newDir()
				var writing sync.WaitGroup
				writing.Go(func() {
					for _, r := range reports {
						_ = s.Put(r) // it is killed: nobody heard of success
					}
				})
				copyDir(t, dir, copied)
				writing.Wait()
				torn := rapid.SliceOfN(rapid.Byte(), 0, 30).Draw(t, "torn")
				if err := os.WriteFile(filepath.Join(copied, ".x.report.1"+durable.TemporarySuffix), torn, 0o600); err != nil {
					t.Fatal(err)
				}
				dir = copied
				s = openSpool(t, dir, limits)
				// What the killed process had put may have arrived and may
				// have displaced others: only what is there counts as put.
				_, kinds := contents(t, s)
				for _, r := range reports {
					if kind, id := identify(r); kinds[id] != "" {
						put[id] = kind
					}
				}
			},
			"": func(t *rapid.T) {
				_, waiting := contents(t, s)
				for id, kind := range put {
					if kind == kindTicket && !stored[id] && waiting[id] == "" {
						t.Fatalf("lost ticket %s", id)
					}
				}
				for id := range waiting {
					if put[id] == "" {
						t.Fatalf("%s waits and was never put", id)
					}
				}
				for id := range maps.Keys(settled) {
					if waiting[id] != "" {
						t.Fatalf("%s came back", id)
					}
				}
			},
		})
	})
}

func FuzzDecodeReport(f *testing.F) {
	for _, r := range []*constatv1.Report{ticketReport(1, testID(2)), diagnosisReport(2), bareSnapshot(3, 10)} {
		data, err := encodeReport(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)-1])
	}
	f.Add([]byte(spoolMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decodeReport(data)
		if err != nil {
			return
		}
		again, err := encodeReport(r)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := decodeReport(again); err != nil || !proto.Equal(back, r) {
			t.Errorf("a report does not come back: %v", err)
		}
	})
}

func FuzzParseName(f *testing.F) {
	f.Add(spooled{order: 7, kind: kindTicket, id: testID(1)}.name())
	f.Add("0000000000000007.ticket.x.report")
	f.Fuzz(func(t *testing.T, name string) {
		if e, ok := parseName(name); ok && e.name() != name {
			t.Errorf("%q was read as %q", name, e.name())
		}
	})
}
