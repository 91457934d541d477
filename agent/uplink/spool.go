package uplink

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"constat/internal/durable"
	constatv1 "constat/proto/constat/v1"
)

// Spool keeps reports on disk until the collector has them. It is a directory
// with one file per report, so several processes may put reports into it at the
// same time, and nothing needs repair after a crash:
//
//	<order>.<kind>.<id>.report   a report that waits
//	<any of these>.bad           one that could not be read back
//	refused/                     those the collector will never take, each
//	                             beside a .reason
//	.*.tmp                       one being written, or left by a crash
//	reserve                      room for tickets on a disk that is full
//
// What is in the directory is the whole state. The methods may be called from
// several goroutines.
type Spool struct {
	dir    string
	limits SpoolLimits
	log    *slog.Logger
	// changed is signalled after a Put, to wake the sender.
	changed chan struct{}

	mu   sync.Mutex // one Put, or one eviction, at a time in this process
	last uint64     // order key given last
}

// SpoolLimits bound what waits. Beyond them the oldest snapshots go first, then
// the oldest walks through procedures, then the oldest diagnoses that belong to no
// ticket. Tickets, their diagnoses, replies and what came of remedies are never dropped,
// even if they alone exceed the limits.
type SpoolLimits struct {
	// Bytes is 64 MiB when zero.
	Bytes int64
	// Files is 2,000 when zero.
	Files int
}

const (
	defaultSpoolBytes = 64 << 20
	defaultSpoolFiles = 2000
	// maxReportBytes leaves room in an upload of 16 MiB for what is around one
	// report.
	maxReportBytes = 16<<20 - 64<<10
	// keptBad is how many unreadable files are kept for someone to look at.
	keptBad = 16
	// staleTemporary is the age beyond which an unfinished file is a crash's and
	// not one that another process is writing.
	staleTemporary = 10 * time.Minute

	// reserveBytes are held on the disk: somebody whose disk is full has a reason to
	// write, and is heard. A diagnosis is some 20 kB, a ticket its text and pictures.
	reserveBytes = 2 << 20
	reserveName  = "reserve"

	reportSuffix = ".report"
	badSuffix    = ".bad"
	refusedDir   = "refused"
	reasonSuffix = ".reason"
)

// ErrSpoolFull is Put's answer when what may not be dropped fills the spool, so
// that nothing less important can be kept.
var ErrSpoolFull = errors.New("the spool is full of tickets and diagnoses that wait for the collector, so this is not kept")

// OpenSpool opens the spool in dir, making the directory where needed, and
// clears what a crash left behind.
func OpenSpool(dir string, limits SpoolLimits, log *slog.Logger) (*Spool, error) {
	if limits.Bytes == 0 {
		limits.Bytes = defaultSpoolBytes
	}
	if limits.Files == 0 {
		limits.Files = defaultSpoolFiles
	}
	if err := os.MkdirAll(filepath.Join(dir, refusedDir), 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the spool: %w", err)
	}
	s := &Spool{dir: dir, limits: limits, log: log, changed: make(chan struct{}, 1)}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot read the spool: %w", err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), durable.TemporarySuffix) {
			continue
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > staleTemporary {
			// One that stays is looked at again at the next start.
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
	s.reserve()
	return s, nil
}

// reserve takes the room for what must be kept on a full disk, where that is not
// taken yet. While there is none, there is none.
func (s *Spool) reserve() {
	path := filepath.Join(s.dir, reserveName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		_ = durable.Write(path, make([]byte, reserveBytes), 0o600)
	}
}

// Put keeps a report and returns once it is on stable storage. Putting one that
// waits already changes nothing. A report without a UUID, and one too large to
// be ever accepted, are refused.
func (s *Spool) Put(r *constatv1.Report) error { return s.put(r, false) }

// put keeps a report. attached says that a diagnosis belongs to a ticket that is
// not in this spool: the collector asked for it there.
func (s *Spool) put(r *constatv1.Report, attached bool) error {
	kind, id := identify(r)
	if !isUUID(id) {
		return fmt.Errorf("cannot keep a report whose id %q is not a UUID", id)
	}
	data, err := encodeReport(r)
	if err != nil {
		return err
	}
	if len(data) > maxReportBytes {
		return fmt.Errorf("report too large: %d MB, at most 16 MiB", len(data)/1_000_000)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting, err := s.list()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(waiting, func(e spooled) bool { return e.id == id }) {
		return nil
	}
	switch {
	case kind == kindTicket:
		if err := s.attach(waiting, r.GetTicket().GetDiagnosisId()); err != nil {
			return err
		}
	case kind == kindDiagnosis && (attached || s.claimed(waiting, id)):
		kind = kindAttached
	}
	if err := s.makeRoom(waiting, kind, int64(len(data))); err != nil {
		return err
	}
	// The order is that of putting, even while the clock is set back.
	s.last = max(s.last+1, uint64(time.Now().UnixNano()))
	e := spooled{order: s.last, kind: kind, id: id}
	path := filepath.Join(s.dir, e.name())
	err = durable.Write(path, data, 0o600)
	if err != nil && kind != kindSnapshot && kind != kindRun && os.Remove(filepath.Join(s.dir, reserveName)) == nil {
		s.log.Warn("the room that was held for tickets is used", "why", err)
		err = durable.Write(path, data, 0o600)
	}
	if err != nil {
		return err
	}
	select {
	case s.changed <- struct{}{}:
	default: // a wake-up waits already
	}
	return nil
}

// attach marks the diagnosis of a ticket that is being put, so that it is no
// longer one of those that may be dropped, also after the ticket has left.
func (s *Spool) attach(waiting []spooled, diagnosisID string) error {
	for _, e := range waiting {
		if e.kind != kindDiagnosis || e.id != diagnosisID {
			continue
		}
		marked := e
		marked.kind = kindAttached
		err := os.Rename(filepath.Join(s.dir, e.name()), filepath.Join(s.dir, marked.name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // sent meanwhile
			return fmt.Errorf("cannot keep the ticket's diagnosis: %w", err)
		}
	}
	return nil
}

// claimed tells whether a waiting ticket names this diagnosis.
func (s *Spool) claimed(waiting []spooled, diagnosisID string) bool {
	for _, e := range waiting {
		if e.kind != kindTicket {
			continue
		}
		if r, err := s.read(e); err == nil && r.GetTicket().GetDiagnosisId() == diagnosisID {
			return true
		}
	}
	return false
}

// makeRoom drops what must go so that one more report fits.
func (s *Spool) makeRoom(waiting []spooled, kind string, size int64) error {
	files, bytes := len(waiting)+1, size
	for _, e := range waiting {
		bytes += e.size
	}
	for _, droppable := range []string{kindSnapshot, kindRun, kindDiagnosis} {
		for _, e := range waiting { // oldest first
			if files <= s.limits.Files && bytes <= s.limits.Bytes {
				return nil
			}
			if e.kind != droppable {
				continue
			}
			if err := os.Remove(filepath.Join(s.dir, e.name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("cannot make room in the spool: %w", err)
			}
			s.log.Warn("dropped an old report: the spool is full", "kind", e.kind, "report", e.id)
			files, bytes = files-1, bytes-e.size
		}
		if kind == droppable {
			// What would go next is what is being put.
			break
		}
	}
	if kind == kindTicket || kind == kindReply || kind == kindAttached || kind == kindRemedy || files <= s.limits.Files && bytes <= s.limits.Bytes {
		return nil
	}
	return ErrSpoolFull
}

// Said gives the tickets and replies that are not with the collector, oldest first:
// those that wait, and those that it will never take.
func (s *Spool) Said() (waiting, refused []*constatv1.Report, err error) {
	if waiting, err = s.saidIn(""); err != nil {
		return nil, nil, err
	}
	refused, err = s.saidIn(refusedDir)
	return waiting, refused, err
}

func (s *Spool) saidIn(folder string) (said []*constatv1.Report, err error) {
	all, err := s.listIn(folder)
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		if e.kind != kindTicket && e.kind != kindReply {
			continue
		}
		if r, err := s.readIn(folder, e); err == nil { // else it was sent meanwhile, or is told and set aside
			said = append(said, r)
		}
	}
	return said, nil
}

// Waiting counts the reports that are not yet with the collector.
func (s *Spool) Waiting() (int, error) {
	waiting, err := s.list()
	return len(waiting), err
}

// Refused counts the reports that the collector will never take. They lie in
// the spool's folder "refused", each beside a file with the reason.
func (s *Spool) Refused() (int, error) {
	entries, err := os.ReadDir(filepath.Join(s.dir, refusedDir))
	if err != nil {
		return 0, fmt.Errorf("cannot read the refused reports: %w", err)
	}
	n := 0
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), reportSuffix) {
			n++
		}
	}
	return n, nil
}

// list gives what waits, oldest first.
func (s *Spool) list() ([]spooled, error) { return s.listIn("") }

func (s *Spool) listIn(folder string) ([]spooled, error) {
	entries, err := os.ReadDir(filepath.Join(s.dir, folder))
	if err != nil {
		return nil, fmt.Errorf("cannot read the spool: %w", err)
	}
	var waiting []spooled
	for _, entry := range entries {
		e, ok := parseName(entry.Name())
		if !ok {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // sent meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the spool: %w", err)
		}
		e.size = info.Size()
		waiting = append(waiting, e)
	}
	slices.SortFunc(waiting, func(a, b spooled) int { return strings.Compare(a.name(), b.name()) })
	return waiting, nil
}

// read gives a report back. A damaged file is set aside, so that it is told
// once and does not stand in the way of the others.
func (s *Spool) read(e spooled) (*constatv1.Report, error) { return s.readIn("", e) }

func (s *Spool) readIn(folder string, e spooled) (*constatv1.Report, error) {
	path := filepath.Join(s.dir, folder, e.name())
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read a spooled report: %w", err)
	}
	r, err := decodeReport(data)
	if err == nil {
		if _, id := identify(r); id != e.id {
			err = errors.New("it is another report than its name says")
		}
	}
	if err == nil {
		return r, nil
	}
	err = fmt.Errorf("a spooled %s is damaged and was set aside as %s: %w", e.kind, path+badSuffix, err)
	s.log.Error("cannot send a report", "error", err)
	if renaming := os.Rename(path, path+badSuffix); renaming != nil {
		return nil, fmt.Errorf("a damaged report cannot be set aside: %w", renaming)
	}
	s.pruneBad()
	return nil, err
}

func (s *Spool) pruneBad() {
	bad, err := filepath.Glob(filepath.Join(s.dir, "*"+badSuffix))
	if err != nil {
		return // the pattern is a constant
	}
	slices.Sort(bad) // by order key
	for len(bad) > keptBad {
		// What stays is tried again next time.
		_ = os.Remove(bad[0])
		bad = bad[1:]
	}
}

// remove forgets a report that the collector has. One that is gone already, or
// that a crash brings back, is no harm: sending it again is.
func (s *Spool) remove(e spooled) error {
	err := os.Remove(filepath.Join(s.dir, e.name()))
	if errors.Is(err, fs.ErrNotExist) && e.kind == kindDiagnosis {
		// A ticket that was put meanwhile has marked it as its own.
		e.kind = kindAttached
		err = os.Remove(filepath.Join(s.dir, e.name()))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove a sent report: %w", err)
	}
	s.reserve()
	return nil
}

// refuse moves a report that the collector will never take out of the way, with
// the reason beside it.
func (s *Spool) refuse(e spooled, reason string) error {
	s.log.Error("the collector refused a report for good", "kind", e.kind, "report", e.id, "reason", reason, "kept", filepath.Join(s.dir, refusedDir))
	target := filepath.Join(s.dir, refusedDir, e.name())
	if err := durable.Write(target+reasonSuffix, []byte(reason+"\n"), 0o600); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(s.dir, e.name()), target); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot set a refused report aside: %w", err)
	}
	return nil
}

// identify gives a report's kind and id.
func identify(r *constatv1.Report) (kind, id string) {
	switch c := r.GetContent().(type) {
	case *constatv1.Report_Ticket:
		return kindTicket, c.Ticket.GetId()
	case *constatv1.Report_Reply:
		return kindReply, c.Reply.GetId()
	case *constatv1.Report_Run:
		return kindRun, c.Run.GetId()
	case *constatv1.Report_Diagnosis:
		return kindDiagnosis, c.Diagnosis.GetId()
	case *constatv1.Report_Remedy:
		return kindRemedy, c.Remedy.GetId()
	case *constatv1.Report_Snapshot:
		return kindSnapshot, c.Snapshot.GetManifest().GetId()
	}
	return "", ""
}

// Kinds of files. An attached diagnosis is one that belongs to a ticket.
const (
	kindTicket    = "ticket"
	kindReply     = "reply"
	kindRun       = "run"
	kindAttached  = "attached"
	kindDiagnosis = "diagnosis"
	kindSnapshot  = "snapshot"
	kindRemedy    = "remedy"
)

// spooled is a report's file.
type spooled struct {
	order uint64 // grows with each Put
	kind  string
	id    string
	size  int64
}

func (e spooled) name() string {
	return fmt.Sprintf("%016x.%s.%s%s", e.order, e.kind, e.id, reportSuffix)
}

func parseName(name string) (spooled, bool) {
	parts := strings.Split(name, ".")
	if len(parts) != 4 || "."+parts[3] != reportSuffix {
		return spooled{}, false
	}
	order, err := strconv.ParseUint(parts[0], 16, 64)
	e := spooled{order: order, kind: parts[1], id: parts[2]}
	known := slices.Contains([]string{kindTicket, kindReply, kindAttached, kindDiagnosis, kindSnapshot, kindRun, kindRemedy}, e.kind)
	return e, err == nil && known && isUUID(e.id) && e.name() == name
}

// isUUID tells whether s is a UUID in the lower-case form that all of Constat
// writes; it makes the id safe as part of a file name.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
