package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/agent/journal"
	constatv1 "constat/proto/constat/v1"
)

func readCrashes(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("kernel log, systemd's journal, /var/lib/systemd/coredump, /var/crash, /sys/fs/pstore, /var/log/wtmp")
	c := &constatv1.Crashes{}
	var l crashLog
	events, err := r.kernelLog(ctx)
	if err != nil {
		gap(o, "oom_kills", err)
		gap(o, "refusals", err)
	} else if r.anyExists([]string{"/run/auditd.pid", "/var/run/auditd.pid"}) {
		gap(o, "refusals", fmt.Errorf("auditd keeps them for itself, and its log is not read: %w", errors.ErrUnsupported))
	}
	l.kernel(events)
	if err := reported(r, &l, err); err != nil {
		gap(o, "programs", err)
	}
	if err := lastWords(ctx, r, &l); err != nil {
		gap(o, "system", err)
	}
	if content, err := r.tail("/var/log/wtmp", maxWtmp/utmpSize*utmpSize); err != nil {
		gap(o, "system", fmt.Errorf("no record of starts and shutdowns: %w", err))
	} else {
		l.losePower(brokenOff(content))
	}
	if failures, err := launchFailures(ctx, r); err != nil {
		err = fmt.Errorf("systemd's journal, where programs say why they can't start: %w", err)
		gap(o, "launch_failures", err)
		gap(o, "refusals", err)
	} else {
		l.launch(failures)
	}
	l.fill(c, time.Now())
	return c, o
}

// ProgramCrashes are the crashes of programs alone that are on record, newest
// first; an error where none can be.
func ProgramCrashes(ctx context.Context, config Config) ([]*constatv1.Crash, error) {
	r := newReader(ctx, config)
	var l crashLog
	events, err := r.kernelLog(ctx)
	l.kernel(events)
	if err := reported(r, &l, err); err != nil {
		return nil, err
	}
	c := &constatv1.Crashes{}
	l.fill(c, time.Now())
	return c.Programs, nil
}

// reported adds the crashes that were written down as files, beside those of the
// kernel's log, which could be read unless there is an error.
func reported(r *reader, l *crashLog, err error) error {
	dumps, dumpsErr := r.names("/var/lib/systemd/coredump")
	for _, name := range dumps[:min(len(dumps), maxReports)] {
		if crash := parseCoredumpName(name); crash != nil {
			crash.Code = coredumpSignal(r.path("/var/lib/systemd/coredump/" + name))
			l.programs = append(l.programs, crash)
		}
	}
	reports, reportsErr := r.names("/var/crash")
	zone := r.zone()
	for _, name := range reports[:min(len(reports), maxReports)] {
		if strings.HasSuffix(name, ".crash") {
			l.report(apport(r, "/var/crash/"+name, zone))
		}
	}
	// One place that keeps dumps is enough; the kernel's log knows of faults
	// without a dump.
	if dumpsErr != nil && reportsErr != nil && err != nil {
		if !errors.Is(dumpsErr, fs.ErrNotExist) {
			err = dumpsErr
		}
		return err
	}
	return nil
}

// launchFailures reads what systemd's journal tells of programs that could not
// start, by the process that holds the rights.
func launchFailures(ctx context.Context, r *reader) ([]journal.Failure, error) {
	if r.Root != "" {
		directories := slices.Clone(journal.Directories)
		for i, directory := range directories {
			directories[i] = r.path(directory)
		}
		return journal.Failures(directories, time.Now())
	}
	lines, err := r.ask(ctx, "launch-failures", "")
	return parseLaunchFailures(lines), err
}

// coredumpSignal is the signal that systemd-coredump(8) notes beside a dump, for
// who may read the dump; its content is never opened.
func coredumpSignal(file string) *string {
	var text [8]byte
	n, err := unix.Lgetxattr(file, "user.coredump.signal", text[:])
	if err != nil || n > len(text) {
		return nil
	}
	number, err := strconv.Atoi(string(text[:n]))
	if err != nil {
		return nil
	}
	return filled(signals[number])
}

// apport reads the head of a report, as much of it as this process may.
func apport(r *reader, name string, zone *time.Location) apportReport {
	// Everybody may put files there: no links, and no pipes that nobody feeds.
	info, err := os.Lstat(r.path(name))
	if err != nil || !info.Mode().IsRegular() {
		return apportReport{}
	}
	a := apportReport{problem: "Crash", program: apportProgram(path.Base(name)), at: info.ModTime()}
	f, err := os.OpenFile(r.path(name), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return a
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, maxApportHeader))
	if err != nil {
		return a
	}
	read := parseApport(head, zone)
	if read.problem == "" {
		return a
	}
	if read.at.IsZero() {
		read.at = a.at
	}
	return read
}

// lastWords adds the crashes of the whole machine that the kernel kept a record
// of, over the restart, in the firmware's or in reserved memory. Systemd puts the
// firmware's away in directories that are named by their time, the others as
// they are.
func lastWords(ctx context.Context, r *reader, l *crashLog) error {
	const away = "/var/lib/systemd/pstore"
	seen := map[int64]bool{} // one crash has many parts
	add := func(at time.Time) {
		if !at.IsZero() && !seen[at.Unix()/60] {
			seen[at.Unix()/60] = true
			l.system = append(l.system, &constatv1.SystemCrash{Kind: set("panic"), At: timestamppb.New(at)})
		}
	}
	names, awayErr := r.names(away)
	for _, name := range names {
		if seconds, err := strconv.ParseInt(name, 10, 64); err == nil && seconds > 1e9 {
			add(time.Unix(seconds, 0))
		}
	}
	for _, record := range r.records(away, names) {
		add(record.crashed())
	}
	kept, err := r.lastRecords(ctx)
	for _, record := range kept {
		add(record.crashed())
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("this kernel keeps no record of its crashes: %w", err)
	case err == nil && !errors.Is(awayErr, fs.ErrNotExist):
		return awayErr
	}
	return err
}

// lastRecords are the records that the kernel keeps. Only root may list them.
func (r *reader) lastRecords(ctx context.Context) ([]lastRecord, error) {
	const kept = "/sys/fs/pstore"
	names, err := r.names(kept)
	if errors.Is(err, fs.ErrPermission) && r.Privileged != nil {
		list, err := r.Privileged(ctx, "last-words", "")
		return parseLastWords(list), err
	}
	return r.records(kept, names), err
}

// records are the files of these names, those that are there.
func (r *reader) records(dir string, names []string) []lastRecord {
	var records []lastRecord
	for _, name := range names[:min(len(names), maxReports)] {
		if info, err := r.stat(dir + "/" + name); err == nil && info.Mode().IsRegular() {
			records = append(records, lastRecord{name, info.ModTime()})
		}
	}
	return records
}
