// Package history is what the agent remembers of its machine: the vitals of two
// days, what became different in thirty, and which devices were plugged in. A
// snapshot shows the machine as it is; this adds when something began and what
// was changed before.
//
// Everything lies in the agent's data directory, bounded in size, and holds
// nothing that a snapshot does not: typed facts, no texts of a person's own.
package history

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/agent/host"
	"constat/internal/snapshot"
	constatv1 "constat/proto/constat/v1"
)

// Groups are the groups of a snapshot that Complete fills, sorted.
func Groups() []string { return []string{"vitals"} }

// Memory is what is remembered in one directory. One process keeps it; others
// have what it was when they started.
type Memory struct {
	dir    string
	vitals *vitals
	// problem is why nothing is remembered; nil while something is.
	problem error

	mu   sync.Mutex
	rows rows // what was read by Recall, nil in the process that keeps
}

// Keep opens the memory for the process that keeps it, and makes it where
// needed. A directory that can't be written costs the memory only: the groups
// say why.
func Keep(dir string) *Memory {
	m := &Memory{dir: dir}
	m.vitals, m.problem = openVitals(dir)
	return m
}

// Recall reads what another process keeps.
func Recall(dir string, now time.Time) *Memory {
	m := &Memory{dir: dir, rows: rows{}}
	path := filepath.Join(dir, vitalsDir)
	if _, err := os.ReadDir(path); err != nil {
		m.problem = err
		if errors.Is(err, fs.ErrNotExist) {
			m.problem = fmt.Errorf("the agent's service, which takes a sample a minute, has not run here: %w", errors.ErrUnsupported)
		}
		return m
	}
	m.rows, m.problem = (&vitals{dir: path}).read(now)
	return m
}

// Watch takes the vitals until ctx ends.
func (m *Memory) Watch(ctx context.Context, c host.Config, log *slog.Logger) {
	if m.vitals == nil {
		log.Warn("no vitals are kept", "error", m.problem)
		return
	}
	sampler := host.NewSampler(c)
	tick := time.NewTicker(Period)
	defer tick.Stop()
	w := watch{before: time.Now()}
	readings := sampler.Sample(ctx, false)
	for {
		err := m.vitals.add(w.before, readings)
		if err != nil && w.failure == nil {
			log.Warn("vitals are not kept", "error", err) // once, not every minute
		}
		w.failure = err
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		lost := w.turn(time.Now())
		readings = sampler.Sample(ctx, lost == 0)
		if lost != 0 {
			readings = append(readings, host.Reading{Kind: interrupted, Value: lost.Abs().Seconds()})
		}
	}
}

// watch is where Watch stands.
type watch struct {
	before  time.Time
	failure error
}

// maxSlew is by how much the clock may be corrected in a minute and nobody
// would call it set.
const maxSlew = 5 * time.Second

// turn tells how much time passed for the clock on the wall and not for this
// machine: it slept, or the clock was set, backwards if less than zero.
func (w *watch) turn(now time.Time) time.Duration {
	// Round strips the monotonic clock, which stands still in sleep.
	wall, machine := now.Round(0).Sub(w.before.Round(0)), now.Sub(w.before)
	w.before = now
	return lost(wall, machine)
}

func lost(wall, machine time.Duration) time.Duration {
	if d := wall - machine; d.Abs() >= maxSlew {
		return d
	}
	return 0
}

// Complete adds to a snapshot what is remembered, as far as those groups are
// asked for, and seals it anew.
func (m *Memory) Complete(s *constatv1.Snapshot, groups []string, now time.Time) {
	for _, group := range groups {
		if !slices.Contains(Groups(), group) {
			continue
		}
		start := time.Now()
		message, err := m.group(group, now)
		o := &constatv1.Observation{Status: "observed", Source: "the agent's memory"}
		if err == nil {
			err = snapshot.Put(s, group, message)
		}
		if err != nil {
			o.Status, o.Reason = status(err), strings.TrimSuffix(err.Error(), ": "+errors.ErrUnsupported.Error())
		}
		o.At, o.DurationMs = timestamppb.New(now), int32(time.Since(start).Milliseconds())
		s.Manifest.Groups = append(s.Manifest.Groups, &constatv1.GroupEntry{Group: group, Observation: o})
	}
	slices.SortFunc(s.Manifest.Groups, func(a, b *constatv1.GroupEntry) int {
		return strings.Compare(a.GetGroup(), b.GetGroup())
	})
	snapshot.Payloads(s)
}

func status(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "denied"
	case errors.Is(err, errors.ErrUnsupported):
		return "unsupported"
	}
	return "failed"
}

func (m *Memory) group(name string, now time.Time) (proto.Message, error) {
	if m.problem != nil {
		return nil, m.problem
	}
	kept := m.rows
	if m.vitals != nil {
		var err error
		if kept, err = m.vitals.read(now); err != nil {
			return nil, err
		}
	}
	return kept.sumUp(now), nil
}
