// Package host reads this machine. It is the only place with code that knows an
// operating system: every fact that Constat judges enters here, as a group of a
// snapshot, with word of how it was obtained.
//
// Reading never fails as a whole. A source that hangs, is forbidden or is not
// there costs its own group only, and the manifest says why.
//
// Files named *_linux.go, *_windows.go and *_darwin.go only acquire; what
// parses lives in files without such a suffix, so that one machine tests all.
package host

import (
	"context"
	"errors"
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/internal/snapshot"
	constatv1 "constat/proto/constat/v1"
)

// Config says how this machine is read. The zero value reads all that an
// ordinary user may.
type Config struct {
	// Root is put before the path of every file that is read, for fixtures and
	// for machines that are not the running one; "" reads the machine itself.
	Root string
	// Probes are the targets that may be asked over the network; nil:
	// DefaultProbes.
	Probes *constatv1.ProbePolicy
	// PolicyProbes: Probes come from a collector, not from this machine's own
	// configuration. They can't reach this machine, its own link or a cloud's
	// metadata service, and are bounded in number.
	PolicyProbes bool
	// CUPS is the print server: a socket's path or host:port. "": the
	// environment's CUPS_SERVER, else /run/cups/cups.sock, else localhost:631.
	CUPS string
	// Privileged asks the process that holds the rights for one fixed verb
	// ("smbios"). nil: facts that need rights are reported as denied.
	Privileged func(ctx context.Context, verb, arg string) ([]byte, error)
	// Announced is what switches said of themselves, see OpenAnnouncements; nil:
	// the network group has no neighbours, and says why.
	Announced *Announcements
	// Packages keeps the reading of the package database between processes, see
	// OpenPackages; nil: each process reads it once.
	Packages *Packages
	// Printers are the UUIDs of network printers by the address ("host:port")
	// they answered at last. It may be nil.
	Printers map[string]string
	// Verify has the files of installed programs compared with what their packages
	// brought, which takes seconds.
	Verify bool
	// VerifyProgram is the one program whose files are compared, to the end, and the
	// only one that is listed; "": as many as the time is enough for.
	VerifyProgram string
	// AgentVersion and EndpointID go into the manifest as they are.
	AgentVersion, EndpointID string
	// Record is given what was read, as it came: the content of a file by its path,
	// the output of a program by its words. It may be called by several at a time. It
	// may be nil.
	Record func(source string, content []byte)
	// Progress is told when a group is done, with what was seen until then, which is
	// its own for as long as the call takes; calls never overlap. It may be nil.
	Progress func(s *constatv1.Snapshot, group, status string, done, total int)
}

// source reads one group on this operating system; the table `sources` of
// sources_GOOS.go lists them.
type source struct {
	group string
	// limit is how long the group may take before it counts as failed.
	limit time.Duration
	// read returns the group and how it was obtained. A nil message goes with
	// any status but observed.
	read func(context.Context, *reader) (proto.Message, *constatv1.Observation)
}

// Groups returns the names of the groups this agent can read on this operating
// system, sorted.
func Groups() []string {
	names := make([]string, len(sources))
	for i, s := range sources {
		names[i] = s.group
	}
	slices.Sort(names)
	return names
}

// withoutRights are the groups whose readers never ask Config.Privileged.
var withoutRights = []string{
	"counters", "load", "power", "printing", "security", "services", "space", "updates",
}

// NeedsRights tells whether one of the groups asks Config.Privileged.
func NeedsRights(groups []string) bool {
	return slices.ContainsFunc(groups, func(group string) bool {
		return slices.ContainsFunc(sources, func(s source) bool { return s.group == group }) && !slices.Contains(withoutRights, group)
	})
}

// Observe reads the named groups, at the same time, and returns the sealed
// snapshot: the manifest holds one entry for each name, with payload hashes. It
// returns when every group is done, at its deadline, or when ctx ends,
// whichever comes first; it never fails. A group that exists but has no reader
// on this system is `unsupported`, a name that is no group is `failed`.
func Observe(ctx context.Context, c Config, groups []string) *constatv1.Snapshot {
	return observe(ctx, c, groups, sources)
}

// outcome is a group as its reader left it.
type outcome struct {
	group       string
	message     proto.Message
	observation *constatv1.Observation
}

func observe(ctx context.Context, c Config, groups []string, table []source) *constatv1.Snapshot {
	s := &constatv1.Snapshot{Manifest: &constatv1.Manifest{
		Id:           uuid.Must(uuid.NewV7()).String(),
		EndpointId:   c.EndpointID,
		AgentVersion: c.AgentVersion,
		TakenAt:      timestamppb.Now(),
	}}
	groups = slices.Compact(slices.Sorted(slices.Values(groups)))
	r := newReader(ctx, c)
	r.processes.again = slices.Contains(groups, "load") && slices.ContainsFunc(table, func(s source) bool { return s.group == "load" })
	done := make(chan outcome, len(groups))
	for _, group := range groups {
		go func() { done <- readGroup(ctx, r, group, table) }()
	}
	for i := range groups {
		o := <-done
		if o.message != nil {
			if err := snapshot.Put(s, o.group, o.message); err != nil {
				o.observation.Status, o.observation.Reason = statusFailed, reasonOf(err)
			}
		}
		s.Manifest.Groups = append(s.Manifest.Groups, &constatv1.GroupEntry{Group: o.group, Observation: o.observation})
		if c.Progress != nil {
			c.Progress(s, o.group, o.observation.GetStatus(), i+1, len(groups))
		}
	}
	slices.SortFunc(s.Manifest.Groups, func(a, b *constatv1.GroupEntry) int {
		return strings.Compare(a.GetGroup(), b.GetGroup())
	})
	snapshot.Payloads(s)
	return s
}

// readGroup runs one reader within its deadline. A reader that does not come
// back is left behind: its late answer goes nowhere.
func readGroup(ctx context.Context, r *reader, group string, table []source) outcome {
	start := time.Now()
	o := outcome{group: group}
	switch i := slices.IndexFunc(table, func(s source) bool { return s.group == group }); {
	case i >= 0:
		o.message, o.observation = within(ctx, r, table[i])
	case slices.Contains(snapshot.Names(), group):
		o.observation = failed("", fmt.Errorf("not read on %s yet: %w", runtime.GOOS, errors.ErrUnsupported))
	default:
		o.observation = failed("", fmt.Errorf("there is no fact group of this name; the groups are %s", strings.Join(Groups(), ", ")))
	}
	if o.observation.GetStatus() == statusObserved {
		scrub(o.message)
	} else {
		o.message = nil
	}
	o.observation.At = timestamppb.New(start)
	o.observation.DurationMs = int32(time.Since(start).Milliseconds())
	return o
}

// within runs a reader, and turns its silence or panic into a failed
// observation.
func within(ctx context.Context, r *reader, s source) (proto.Message, *constatv1.Observation) {
	o, err := bounded(ctx, "the source of "+s.group, s.limit, func(ctx context.Context) (o outcome, _ error) {
		o.message, o.observation = s.read(ctx, r)
		return o, nil
	})
	if err != nil {
		return nil, failed("", err)
	}
	return o.message, o.observation
}

// panicPlace names the file and line of this module that panicked.
func panicPlace() string {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Sprintf("%s:%d", path.Base(f.File), f.Line)
		}
		if !more {
			return "an unknown place"
		}
	}
}
