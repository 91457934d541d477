// Package journal reads in systemd's journal which programs could not start, and
// why: a class of a fixed list, the program's name and the library, port or
// system file it named. No message leaves it. It opens the files themselves: the
// program that reads them for others is a process of its own, and searches all
// there is for each question.
package journal

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Failure is a program that could not start, or ended at once.
type Failure struct {
	At time.Time
	// Kind is missingLibrary, configCorrupt, instanceLock, portInUse or
	// incompatible; permission or noexec where it was refused.
	Kind string
	// Program is its name, "" where that cannot be told; Detail the library, port
	// or base name of a file that is no user's, "" where there is none.
	Program, Detail string
}

// Directories are where journals are kept, below a machine's id: over restarts,
// and where that is not wanted.
var Directories = []string{"/var/log/journal", "/run/log/journal"}

// Limits of one look.
const (
	// Window is how far back a look goes.
	Window = 48 * time.Hour
	// maxMessages is how many different messages are looked at, newest first.
	maxMessages = 40000
	maxFiles    = 64
	maxFailures = 100
)

// Failures looks through the journals in directories for what programs said when
// they could not start, newest first. It is an error if there is none to look
// through.
func Failures(directories []string, now time.Time) ([]Failure, error) {
	files, err := journals(directories, now)
	if len(files) == 0 {
		return nil, cmp.Or(err, error(fs.ErrNotExist))
	}
	l := look{since: now.Add(-Window), until: now.Add(time.Minute), left: maxMessages}
	for _, one := range files {
		// A journal is written to while it is read, and may be damaged: what it
		// told so far counts.
		if err := l.file(one); err != nil {
			l.broken = err
		}
	}
	found := l.failures()
	for _, one := range files {
		one.close()
	}
	if len(found) == 0 && l.broken != nil {
		return nil, l.broken
	}
	return found, nil
}

// openFile is a journal and how to close it.
type openFile struct {
	*file
	close func()
}

// journals opens the journals with entries of the window, the newest first.
func journals(directories []string, now time.Time) (files []openFile, err error) {
	for _, directory := range directories {
		if _, statErr := os.Stat(directory); statErr != nil && !errors.Is(statErr, fs.ErrNotExist) {
			err = statErr
		}
		names, _ := filepath.Glob(filepath.Join(directory, "*", "*.journal")) // the pattern is well formed
		for _, name := range names {
			one, openErr := openJournal(name)
			if openErr != nil {
				err = openErr
				continue
			}
			if one.newest.Before(now.Add(-Window)) {
				one.close()
				if err == nil {
					err = errNothingNew
				}
				continue
			}
			files = append(files, one)
		}
	}
	slices.SortFunc(files, func(a, b openFile) int { return b.newest.Compare(a.newest) })
	for _, one := range files[min(len(files), maxFiles):] {
		one.close()
	}
	return files[:min(len(files), maxFiles)], err
}

var errNothingNew = errors.New("nothing was written to the journal of late")

// The numbers of messages of systemd's that matter here (sd-messages.h).
const (
	spawnFailed = "MESSAGE_ID=641257651c1b4ec9a8624d7a40a9e1e7"
	processExit = "MESSAGE_ID=98e322203f7a4ed290d09fe03c09fe15"
)

// said is a message that may tell why a program ended.
type said struct {
	Failure
	unit string
	// certain: it says by itself that the program ended; others count where it
	// did.
	certain bool
}

// exit is the end of a unit's process with an error.
type exit struct {
	at   time.Time
	unit string
}

// look is one under way.
type look struct {
	since, until time.Time
	left         int // messages that may still be looked at
	said         []said
	exits        []exit
	broken       error
}

func (l *look) within(at time.Time) bool { return at.After(l.since) && at.Before(l.until) }

// file looks through one journal.
func (l *look) file(f openFile) error {
	if err := l.each(f, "MESSAGE_ID", 2000, l.event); err != nil {
		return err
	}
	most := l.left
	return l.each(f, "MESSAGE", most, l.message)
}

// each shows the data of a field, the newest first.
func (l *look) each(f openFile, field string, most int, show func(openFile, data) error) error {
	at, err := f.field(field)
	if err != nil {
		return err
	}
	for ; at != 0 && most > 0; most-- {
		d, err := f.data(at)
		if err != nil {
			return err
		}
		at = d.next
		if err := show(f, d); err != nil {
			return err
		}
	}
	return nil
}

// event takes systemd's word of programs that it could not start, and of
// processes that ended with an error.
func (l *look) event(f openFile, d data) error {
	id := string(d.text)
	if id != spawnFailed && id != processExit {
		return nil
	}
	offsets, err := f.entries(d, maxEntriesTaken)
	if err != nil {
		return err
	}
	for _, offset := range offsets {
		at, fields, err := f.entry(offset, "UNIT", "USER_UNIT", "EXIT_STATUS", "EXECUTABLE", "ERRNO")
		if err != nil {
			return err
		}
		unit := cmp.Or(fields["UNIT"], fields["USER_UNIT"])
		switch {
		case !l.within(at):
		case id == spawnFailed:
			if kind, detail := spawnKind(fields["ERRNO"], fields["EXECUTABLE"]); kind != "" {
				l.said = append(l.said, said{Failure{at, kind, programName(fields["EXECUTABLE"], "", unit), detail}, unit, true})
			}
		case fields["EXIT_STATUS"] != "0" && unit != "":
			l.exits = append(l.exits, exit{at, unit})
		}
	}
	return nil
}

// message takes a program's own word.
func (l *look) message(f openFile, d data) error {
	l.left--
	text, found := strings.CutPrefix(string(d.text), "MESSAGE=")
	if !found {
		return nil
	}
	kind, program, detail, certain := classify(text)
	if kind == "" {
		return nil
	}
	offsets, err := f.entries(d, 1) // the last time it was said
	if err != nil {
		return err
	}
	for _, offset := range offsets {
		at, fields, err := f.entry(offset, "_SYSTEMD_UNIT", "_SYSTEMD_USER_UNIT", "_COMM", "SYSLOG_IDENTIFIER", "_TRANSPORT", "MESSAGE_ID")
		if err != nil {
			return err
		}
		// The kernel's log is read elsewhere, and systemd's own words by their number.
		if !l.within(at) || fields["_TRANSPORT"] == "kernel" || "MESSAGE_ID="+fields["MESSAGE_ID"] == spawnFailed || fields["_COMM"] == "systemd" {
			continue
		}
		unit := cmp.Or(fields["_SYSTEMD_USER_UNIT"], fields["_SYSTEMD_UNIT"])
		name := programName(program, cmp.Or(fields["_COMM"], fields["SYSLOG_IDENTIFIER"]), unit)
		l.said = append(l.said, said{Failure{at, kind, name, detail}, unit, certain})
	}
	return nil
}

// soon is how long after its last words a program ends that ends for that.
const soon = 10 * time.Second

// failures are those that are certain, and those whose program ended with an
// error right after; each once, as of the last time.
func (l *look) failures() []Failure {
	var list []Failure
	for _, one := range l.said {
		ended := slices.ContainsFunc(l.exits, func(e exit) bool {
			after := e.at.Sub(one.At)
			return one.unit != "" && e.unit == one.unit && after >= -time.Second && after <= soon
		})
		if one.certain || ended {
			list = append(list, one.Failure)
		}
	}
	slices.SortStableFunc(list, func(a, b Failure) int { return b.At.Compare(a.At) })
	seen := map[Failure]bool{}
	list = slices.DeleteFunc(list, func(one Failure) bool {
		one.At = time.Time{}
		again := seen[one]
		seen[one] = true
		return again
	})
	return list[:min(len(list), maxFailures)]
}
