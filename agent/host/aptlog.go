package host

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// maxFailures is how many failed updates a snapshot tells of.
const maxFailures = 50

// updateLog is what the logs of apt tell: the updates that failed and did not
// succeed later, by name, and the last run that went well.
type updateLog struct {
	failures    map[string]*constatv1.UpdateFailure
	lastSuccess time.Time
}

func newUpdateLog() *updateLog {
	return &updateLog{failures: map[string]*constatv1.UpdateFailure{}}
}

// fail notes a failed attempt.
func (l *updateLog) fail(name, code string, at time.Time) {
	f := l.failures[name]
	if f == nil {
		if len(l.failures) == maxFailures {
			return
		}
		f = &constatv1.UpdateFailure{Name: set(name), Attempts: set(int32(0))}
		l.failures[name] = f
	}
	*f.Attempts++
	f.Code = set(code)
	if !at.IsZero() && (f.At == nil || at.After(f.At.AsTime())) {
		f.At = timestamppb.New(at)
	}
}

// sorted returns the failures by name.
func (l *updateLog) sorted() []*constatv1.UpdateFailure {
	var all []*constatv1.UpdateFailure
	for _, f := range l.failures {
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b *constatv1.UpdateFailure) int { return strings.Compare(a.GetName(), b.GetName()) })
	return all
}

// aptError is how apt's history ends a run in which dpkg or a hook failed:
// "Sub-process /usr/bin/dpkg returned an error code (1)".
var aptError = form(`^Sub-process (?:\S*/)?([\w.-]+) (?:returned an error code|received signal|received a segmentation fault)\D*(\d*)`)

// aptActions are the fields of apt's history that name packages which a run
// brought.
var aptActions = []string{"Install: ", "Upgrade: ", "Reinstall: ", "Downgrade: "}

// history reads apt's history.log, oldest run first; its times are in the
// machine's zone. Commands and the people who gave them are passed over. A run
// that failed on more than one package is told under the name "apt", because
// the history does not say which one it was.
func (l *updateLog) history(in io.Reader, zone *time.Location) error {
	return eachParagraph(in, func(p []byte) error {
		start, err := time.ParseInLocation("2006-01-02  15:04:05", string(fieldOf(p, "Start-Date: ")), zone)
		if err != nil {
			return nil
		}
		var names []string
		for _, action := range aptActions {
			names = append(names, historyNames(fieldOf(p, action))...)
		}
		if len(names) == 0 {
			return nil // packages went: nothing was updated
		}
		text := fieldOf(p, "Error: ")
		if text == nil {
			if fieldOf(p, "End-Date: ") == nil {
				return nil // under way, or the machine stopped: dpkg's database tells
			}
			for _, name := range append(names, "apt") {
				delete(l.failures, name)
			}
			l.lastSuccess = start
			return nil
		}
		code := "other"
		if parts := aptError().FindSubmatch(text); parts != nil {
			code = strings.TrimSpace(string(parts[1]) + " " + string(parts[2]))
		}
		name := "apt"
		if len(names) == 1 {
			name = names[0]
		}
		l.fail(name, code, start)
		return nil
	})
}

// historyNames takes the names out of "git:amd64 (1:2.39, 1:2.40), vim:amd64
// (2:9.0, automatic)".
func historyNames(list []byte) []string {
	var names []string
	for len(list) > 0 {
		item, rest, _ := bytes.Cut(list, []byte("), "))
		list = rest
		name, _, _ := bytes.Cut(item, []byte(" "))
		name, _, _ = bytes.Cut(name, []byte(":"))
		if len(name) > 0 {
			names = append(names, string(name))
		}
	}
	return names
}

// unattendedErrors are the ends of a run of unattended-upgrades that went
// wrong, as it logs them, and our words for them.
var unattendedErrors = []struct{ text, code string }{
	{"Cache has broken packages", "brokenCache"},
	{"Lock could not be acquired", "locked"},
	{"Installing the upgrades failed", "installFailed"},
	{"dpkg returned a error", "installFailed"},
	{"An error occurred", "other"},
}

// unattended reads the log of unattended-upgrades, whose lines start with
// "2026-11-22 06:25:41,123 ERROR ". A run that fails in several lines counts
// once.
func (l *updateLog) unattended(log []byte, zone *time.Location) {
	const name = "unattended-upgrades"
	failed := false
	for line := range bytes.Lines(log) {
		if len(line) < len("2006-01-02 15:04:05,000 ") {
			continue
		}
		at, err := time.ParseInLocation("2006-01-02 15:04:05", string(line[:19]), zone)
		if err != nil {
			continue
		}
		level, text, _ := strings.Cut(strings.TrimSpace(string(line[24:])), " ")
		switch {
		case strings.HasPrefix(text, "All upgrades installed"), strings.HasPrefix(text, "No packages found that can be upgraded unattended"):
			delete(l.failures, name)
			if strings.HasPrefix(text, "All") && at.After(l.lastSuccess) {
				l.lastSuccess = at
			}
		case strings.HasPrefix(text, "Starting unattended upgrades script"):
			failed = false
		case level == "ERROR" && !failed:
			failed = true
			i := slices.IndexFunc(unattendedErrors, func(e struct{ text, code string }) bool { return strings.HasPrefix(text, e.text) })
			code := "other"
			if i >= 0 {
				code = unattendedErrors[i].code
			}
			l.fail(name, code, at)
		}
	}
}

// lockHeld tells whether a process holds a lock on one of the files, given as
// "08:01:1234" (device and inode), by /proc/locks (proc_locks(5)). File systems
// without a device of their own (major 0), as btrfs, show files and locks under
// different minor numbers: there the inode decides.
func lockHeld(locks []byte, files []string) bool {
	const anonymous = "00:"
	for line := range bytes.Lines(locks) {
		for _, word := range strings.Fields(string(line)) {
			if slices.ContainsFunc(files, func(file string) bool {
				return word == file || strings.HasPrefix(word, anonymous) && strings.HasPrefix(file, anonymous) &&
					word[strings.LastIndex(word, ":"):] == file[strings.LastIndex(file, ":"):]
			}) {
				return true
			}
		}
	}
	return false
}
