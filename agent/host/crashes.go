package host

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/agent/journal"
	constatv1 "constat/proto/constat/v1"
)

// Limits of what a snapshot tells of crashes.
const (
	maxCrashes      = 100
	maxCrashAge     = 30 * 24 * time.Hour
	maxApportHeader = 256 << 10
)

// crashLog gathers what failed lately, from several places that may tell of the
// same event.
type crashLog struct {
	programs []*constatv1.Crash
	oom      []*constatv1.OutOfMemoryKill
	system   []*constatv1.SystemCrash
	refusals []*constatv1.Refusal
	failures []*constatv1.LaunchFailure
}

// kernel adds what the kernel's log tells of programs and the whole machine.
func (l *crashLog) kernel(events []kernelEvent) {
	for _, e := range events {
		at := timestamppb.New(e.at)
		switch e.kind {
		case kernelOOM:
			l.oom = append(l.oom, &constatv1.OutOfMemoryKill{Program: set(e.subject), At: at, Scope: set(e.detail)})
		case kernelFault:
			l.programs = append(l.programs, &constatv1.Crash{
				Program: set(e.subject), Module: filled(e.module), Code: set(e.detail), Kind: set("crash"), At: at,
			})
		case kernelRefusal:
			// Profiles refuse the same thing over and over: the last time is enough.
			l.refusals = slices.DeleteFunc(l.refusals, func(r *constatv1.Refusal) bool { return r.GetProgram() == e.subject && r.GetBy() == e.detail })
			l.refusals = append(l.refusals, &constatv1.Refusal{Program: set(e.subject), By: set(e.detail), At: at})
		case kernelGPU, kernelCheck, kernelStuck, kernelPower:
			l.system = append(l.system, &constatv1.SystemCrash{Kind: set(e.kind), Code: filled(e.detail), Module: filled(e.subject), At: at})
		}
	}
}

// launch adds programs that could not start: those that were not let are
// refusals.
func (l *crashLog) launch(failures []journal.Failure) {
	for _, f := range failures {
		at := timestamppb.New(f.At)
		if f.Kind == "permission" || f.Kind == "noexec" {
			l.refusals = append(l.refusals, &constatv1.Refusal{Program: filled(f.Program), By: set(f.Kind), At: at})
			continue
		}
		l.failures = append(l.failures, &constatv1.LaunchFailure{Program: filled(f.Program), Kind: set(f.Kind), Detail: filled(f.Detail), At: at})
	}
}

// parseLaunchFailures reads the lines of the verb "launch-failures".
func parseLaunchFailures(lines []byte) []journal.Failure {
	var list []journal.Failure
	for line := range bytes.Lines(lines) {
		parts := strings.Split(strings.TrimSuffix(string(line), "\n"), "\t")
		if len(parts) != 4 || parts[1] == "" || len(list) == maxCrashes {
			continue
		}
		if seconds, err := strconv.ParseInt(parts[0], 10, 64); err == nil && seconds > 0 && seconds < 1<<37 {
			list = append(list, journal.Failure{At: time.Unix(seconds, 0), Kind: parts[1], Program: parts[2], Detail: parts[3]})
		}
	}
	return list
}

// fill puts what was gathered into the message: newest first, nothing older
// than maxCrashAge, each event once, at most maxCrashes of a kind.
func (l *crashLog) fill(c *constatv1.Crashes, now time.Time) {
	c.Programs = latest(l.programs, now)
	c.OomKills = latest(l.oom, now)
	c.System = latest(l.system, now)
	c.Refusals = latest(l.refusals, now)
	c.LaunchFailures = latest(l.failures, now)
	// A crash is in the kernel's log and in the dump that was made of it.
	slices.SortStableFunc(c.Programs, newestFirst)
	merged := c.Programs[:0]
	for _, crash := range c.Programs {
		i := slices.IndexFunc(merged, func(seen *constatv1.Crash) bool { return sameCrash(seen, crash) })
		if i < 0 {
			merged = append(merged, crash)
			continue
		}
		seen := merged[i]
		seen.Version, seen.Module, seen.Code = or(seen.Version, crash.Version), or(seen.Module, crash.Module), or(seen.Code, crash.Code)
	}
	c.Programs = merged
}

// dated is an event of the crashes group.
type dated interface{ GetAt() *timestamppb.Timestamp }

func newestFirst[T dated](a, b T) int {
	return cmp.Compare(b.GetAt().AsTime().UnixNano(), a.GetAt().AsTime().UnixNano())
}

func latest[T dated](events []T, now time.Time) []T {
	events = slices.DeleteFunc(events, func(e T) bool { return now.Sub(e.GetAt().AsTime()) > maxCrashAge })
	slices.SortStableFunc(events, newestFirst)
	return events[:min(len(events), maxCrashes)]
}

// sameCrash tells whether two sources speak of one event: the same program
// within half a minute. The kernel cuts names at 15 bytes.
func sameCrash(a, b *constatv1.Crash) bool {
	const kernelName = 15
	x, y := a.GetProgram(), b.GetProgram()
	if len(x) == kernelName || len(y) == kernelName {
		x, y = x[:min(len(x), kernelName)], y[:min(len(y), kernelName)]
	}
	return x == y && a.GetAt().AsTime().Sub(b.GetAt().AsTime()).Abs() < 30*time.Second
}

// or is the first fact, the second where that is unknown.
func or[T any](first, second *T) *T {
	if first != nil {
		return first
	}
	return second
}

// parseCoredumpName reads the name that systemd-coredump(8) gives a dump:
// "core.NAME.UID.BOOT.PID.MICROSECONDS", and how it is packed; nil when it is
// none. The name may have dots in it, and escapes for what a file name cannot
// hold.
func parseCoredumpName(name string) *constatv1.Crash {
	rest, found := strings.CutPrefix(name, "core.")
	if !found {
		return nil
	}
	for _, packed := range []string{".zst", ".lz4", ".xz"} {
		rest = strings.TrimSuffix(rest, packed)
	}
	parts := strings.Split(rest, ".")
	if len(parts) < 5 {
		return nil
	}
	program, tail := strings.Join(parts[:len(parts)-4], "."), parts[len(parts)-4:]
	micros, err := strconv.ParseInt(tail[3], 10, 64)
	if err != nil || micros <= 0 || len(tail[1]) != 32 || program == "" {
		return nil
	}
	return &constatv1.Crash{Program: set(unescape(program)), Kind: set("crash"), At: timestamppb.New(time.UnixMicro(micros))}
}

// unescape undoes systemd's \xNN.
func unescape(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if strings.HasPrefix(text[i:], `\x`) && i+4 <= len(text) {
			if n, err := strconv.ParseUint(text[i+2:i+4], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// apportReport is what matters of a report of apport, Ubuntu's crash handler.
type apportReport struct {
	// problem is Crash, Hang, KernelCrash, KernelOops, Package, …
	problem, program, version, signal string
	at                                time.Time
}

// parseApport reads the head of a report (apport's doc/data-format): only the
// fields that it needs, never the command line, the environment or the memory.
func parseApport(head []byte, zone *time.Location) apportReport {
	var a apportReport
	for line := range bytes.Lines(head) {
		key, value, found := strings.Cut(strings.TrimRight(string(line), "\r\n"), ": ")
		if !found || strings.HasPrefix(key, " ") {
			continue
		}
		switch key {
		case "ProblemType":
			a.problem = value
		case "ExecutablePath":
			a.program = value[strings.LastIndex(value, "/")+1:]
		case "Package":
			_, version, _ := strings.Cut(value, " ")
			a.version, _, _ = strings.Cut(version, " ")
		case "Signal":
			if n, err := strconv.Atoi(value); err == nil {
				a.signal = signals[n]
			}
		case "Date":
			if at, err := time.ParseInLocation(time.ANSIC, value, zone); err == nil {
				a.at = at
			}
		}
	}
	return a
}

// Records of wtmp beside sessions (utmp(5)): starts, and changes of the run
// level, of which a shutdown is one.
const (
	utmpSeconds = 340
	runLevel    = 1
	bootTime    = 2
	maxWtmp     = 4 << 20
)

// brokenOff are the starts in a wtmp file before which the system was not shut
// down: the power went, or a reset was pressed. Of the first start in it nothing
// is known: what came before was put away.
func brokenOff(content []byte) []time.Time {
	var list []time.Time
	running := false // a start was seen, and no shutdown since
	for ; len(content) >= utmpSize; content = content[utmpSize:] {
		record := content[:utmpSize]
		user, _, _ := bytes.Cut(record[utmpUser:utmpUser+32], []byte{0})
		switch kind := binary.LittleEndian.Uint16(record); {
		case kind == bootTime:
			if running {
				list = append(list, time.Unix(int64(binary.LittleEndian.Uint32(record[utmpSeconds:])), 0))
			}
			running = true
		case kind == runLevel && string(user) == "shutdown":
			running = false
		}
	}
	return list
}

// losePower adds the starts after a power loss, but those that a crash of the
// machine explains.
func (l *crashLog) losePower(starts []time.Time) {
	for _, at := range starts {
		explained := slices.ContainsFunc(l.system, func(c *constatv1.SystemCrash) bool {
			before := at.Sub(c.GetAt().AsTime())
			return c.GetKind() == "panic" && before > -time.Minute && before < 15*time.Minute
		})
		if !explained {
			l.system = append(l.system, &constatv1.SystemCrash{Kind: set("powerLoss"), At: timestamppb.New(at)})
		}
	}
}

// signals by their number on Linux (signal(7), x86 and ARM).
var signals = map[int]string{
	3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 11: "SIGSEGV", 24: "SIGXCPU", 25: "SIGXFSZ", 31: "SIGSYS",
}

// report adds what a report of apport tells.
func (l *crashLog) report(a apportReport) {
	at := timestamppb.New(a.at)
	switch a.problem {
	case "KernelCrash", "KernelOops":
		l.system = append(l.system, &constatv1.SystemCrash{Kind: set("panic"), At: at})
	case "Crash", "Hang":
		kind := "crash"
		if a.problem == "Hang" {
			kind = "hang"
		}
		if a.program != "" {
			l.programs = append(l.programs, &constatv1.Crash{
				Program: set(a.program), Version: filled(a.version), Code: filled(a.signal), Kind: set(kind), At: at,
			})
		}
	}
}

// programDirectories are where apport finds programs, as it writes them in a
// report's name after the first "_".
var programDirectories = []string{"usr_bin_", "usr_sbin_", "usr_libexec_", "usr_local_bin_", "usr_games_", "bin_", "sbin_"}

// apportProgram takes the program out of a report's name, for reports that only
// their owner may read: "_usr_bin_gnome-shell.1000.crash". A path becomes a
// name with a "_" for each "/", so outside the directories of programs only
// what follows the last one is certain to tell no directory. A report whose
// name is no path is not of a program: "".
func apportProgram(name string) string {
	name, isPath := strings.CutPrefix(strings.TrimSuffix(name, ".crash"), "_")
	if !isPath {
		return ""
	}
	if at := strings.LastIndex(name, "."); at > 0 {
		name = name[:at] // the user's number
	}
	for _, dir := range programDirectories {
		if program, found := strings.CutPrefix(name, dir); found {
			return program
		}
	}
	return name[strings.LastIndex(name, "_")+1:]
}

// maxReports is how many dumps, reports or records are looked at in one
// directory.
const maxReports = 5000

// lastRecord is a record that the kernel kept: its name, and when its file says
// it was made.
type lastRecord struct {
	name string
	made time.Time
}

// crashed is when the crash was that this is a record of; zero for records of
// anything else.
func (l lastRecord) crashed() time.Time {
	if !strings.HasPrefix(l.name, "dmesg-") {
		return time.Time{}
	}
	if at := pstoreTime(l.name); !at.IsZero() {
		return at
	}
	return l.made
}

// parseLastWords reads a list of such records, as the privileged half makes it.
func parseLastWords(list []byte) []lastRecord {
	var records []lastRecord
	for line := range strings.Lines(string(list)) {
		made, name, found := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		seconds, err := strconv.ParseInt(made, 10, 64)
		if found && err == nil && seconds > 0 && seconds < 1<<37 && len(records) < maxReports {
			records = append(records, lastRecord{name, time.Unix(seconds, 0)})
		}
	}
	return records
}

// pstoreTime is when the kernel kept a record of its last words, by its name in
// /sys/fs/pstore; zero when the name does not tell, as on machines that keep
// them in memory. EFI's names end in a number that holds the seconds, the part
// and a count (fs/pstore, drivers/firmware/efi/efi-pstore.c).
func pstoreTime(name string) time.Time {
	at := strings.LastIndex(name, "-")
	if at < 0 || !strings.Contains(name, "efi") {
		return time.Time{}
	}
	id, err := strconv.ParseInt(name[at+1:], 10, 64)
	if err != nil || id < 1e14 {
		return time.Time{}
	}
	return time.Unix(id/100000, 0)
}
