// Package history is what the agent remembers of its machine: the vitals of two
// days, what became different in thirty, and which devices were plugged in. A
// snapshot shows the machine as it is; this adds when something began and what
// was changed before.
//
// Everything lies in the agent's data directory, bounded in size, and holds
// nothing that a snapshot does not: typed facts, no texts of a person's own.
package history

import (
	"bytes"
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
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/agent/host"
	"constat/internal/durable"
	"constat/internal/snapshot"
	constatv1 "constat/proto/constat/v1"
)

// Groups are the groups of a snapshot that Complete fills, sorted.
func Groups() []string { return []string{"changes", "vitals"} }

// Memory is what is remembered in one directory. One process keeps it; others
// have what it was when they started. The zero value remembers nothing, and
// says so.
type Memory struct {
	// Woken hears of it when the machine is used again after a while, where a
	// system says so; nil: the clocks tell of its sleep.
	Woken <-chan struct{}

	dir   string
	keeps bool
	// problem is why nothing is remembered; nil while something is.
	problem error

	vitals *vitals // of the process that keeps
	// sampler takes them; nil until Watch.
	sampler atomic.Pointer[host.Sampler]
	// What Recall read: the vitals, and the other files by name.
	rows   rows
	copied map[string][]byte

	// mu is held while changes and devices are compared and kept.
	mu sync.Mutex
}

// Keep opens the memory for the process that keeps it, and makes it where
// needed. A directory that can't be written costs the memory only: the groups
// say why.
func Keep(dir string) *Memory {
	m := &Memory{dir: dir, keeps: true}
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
	if m.rows, m.problem = (&vitals{dir: path}).read(now); m.problem == nil {
		m.problem = m.copyFiles()
	}
	return m
}

// Watch takes the vitals until ctx ends, and calls plugged, not more than once a
// minute, after USB devices came or went and before it returns. Each minute goes
// to noticed as well, which must not take long.
func (m *Memory) Watch(ctx context.Context, c host.Config, plugged func(context.Context), noticed func(Minute), log *slog.Logger) {
	if m.vitals == nil {
		log.Warn("no vitals are kept", "error", m.problem)
		return
	}
	sampler := host.NewSampler(c)
	m.sampler.Store(sampler)
	go m.listen(ctx, sampler, plugged, log)
	tick := time.NewTicker(Period)
	defer tick.Stop()
	w := watch{before: time.Now()}
	readings := sampler.Sample(ctx, false)
	settled := false
	for {
		noticed(Minute{At: w.before.Round(0), Settled: settled, Readings: readings, Signs: sampler.Signs(ctx)})
		err := errors.Join(m.vitals.add(w.before, readings), m.keepGaps(sampler.Gaps()))
		if err != nil && w.failure == nil {
			log.Warn("vitals are not kept", "error", err) // once, not every minute
		}
		w.failure = err
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			settled = true
		case <-m.Woken:
			settled = false
		}
		lost := w.turn(time.Now())
		settled = settled && lost == 0
		readings = sampler.Sample(ctx, settled)
		if lost != 0 {
			readings = append(readings, host.Reading{Kind: interrupted, Value: lost.Abs().Seconds()})
		}
	}
}

// Minute is what was read in a minute.
type Minute struct {
	// At is by the clock on the wall alone: the monotonic one stands still in sleep.
	At time.Time
	// Settled is false when the machine slept, started or had its clock set.
	Settled  bool
	Readings []host.Reading
	Signs    host.Signs
}

// Printers are the UUIDs of network printers by the address they answered at
// last.
func (m *Memory) Printers() map[string]string {
	if m.dir == "" {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var before constatv1.Snapshot
	content, err := m.file(filepath.Join(knownDir, "printing"))
	if err != nil || proto.Unmarshal(content, &before) != nil {
		return nil
	}
	known := map[string]string{}
	for _, p := range before.GetPrinting().GetPrinters() {
		if p.GetConnection() == "network" && p.GetUuid() != "" {
			known[p.GetAddress()] = p.GetUuid()
		}
	}
	return known
}

// gapsFile says, for other processes, what the vitals could not be told of.
const gapsFile = "gaps"

// keepGaps writes what can't be told, where that is news.
func (m *Memory) keepGaps(gaps []*constatv1.Gap) error {
	content, err := proto.Marshal(&constatv1.Observation{Gaps: gaps})
	if err != nil {
		return err
	}
	before, err := m.file(gapsFile)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case bytes.Equal(content, before):
		return nil
	}
	return durable.Write(filepath.Join(m.dir, gapsFile), content, 0o600)
}

// gaps are what the vitals can't be told of: as the sampler says, or as the
// process wrote that has it.
func (m *Memory) gaps() []*constatv1.Gap {
	if sampler := m.sampler.Load(); sampler != nil {
		return sampler.Gaps()
	}
	var o constatv1.Observation
	content, err := m.file(gapsFile)
	if err != nil || proto.Unmarshal(content, &o) != nil {
		return nil // none was written
	}
	return o.Gaps
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

// settle is how long devices are given to be set up after they were plugged in.
const settle = 3 * time.Second

// listen notes USB devices that come and go.
func (m *Memory) listen(ctx context.Context, sampler *host.Sampler, plugged func(context.Context), log *slog.Logger) {
	events := make(chan struct{}, 1)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-events:
			}
			for _, pause := range []time.Duration{settle, Period - settle} {
				select {
				case <-ctx.Done():
					return
				case <-time.After(pause):
				}
				if pause == settle {
					plugged(ctx)
				}
			}
		}
	}()
	err := sampler.Plugs(ctx, func(e host.PlugEvent) {
		if err := m.note(e); err != nil {
			log.Warn("a device came or went and that is not kept", "error", err)
		}
		select {
		case events <- struct{}{}:
		default: // a look is due already
		}
	})
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		log.Warn("devices that come and go are seen at the next look only", "error", err)
	}
}

func (m *Memory) note(e host.PlugEvent) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, err := m.belongings()
	if err != nil {
		return err
	}
	b.note(e)
	return m.keepBelongings(b)
}

// Complete adds to a snapshot what is remembered, as far as those groups are
// asked for, and seals it anew. The process that keeps remembers what the
// snapshot holds.
func (m *Memory) Complete(s *constatv1.Snapshot, groups []string, now time.Time) {
	start := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	changes, vitals, err := m.recollect(s, now)
	for _, group := range groups {
		if !slices.Contains(Groups(), group) {
			continue
		}
		o := &constatv1.Observation{Status: "observed", Source: "the agent's memory", At: timestamppb.New(now)}
		switch {
		case err != nil:
			o.Status, o.Reason = status(err), strings.TrimSuffix(err.Error(), ": "+errors.ErrUnsupported.Error())
		case group == "changes":
			s.Changes = changes
		default:
			s.Vitals = vitals
			o.Gaps = m.gaps()
		}
		o.DurationMs = int32(time.Since(start).Milliseconds())
		s.Manifest.Groups = append(s.Manifest.Groups, &constatv1.GroupEntry{Group: group, Observation: o})
	}
	slices.SortFunc(s.Manifest.Groups, func(a, b *constatv1.GroupEntry) int {
		return strings.Compare(a.GetGroup(), b.GetGroup())
	})
	snapshot.Seal(s, "peripherals") // which recollect adds to
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

// recollect is all that is remembered, once the snapshot was compared with it.
func (m *Memory) recollect(s *constatv1.Snapshot, now time.Time) (*constatv1.Changes, *constatv1.Vitals, error) {
	switch {
	case m.problem != nil:
		return nil, nil, m.problem
	case m.dir == "":
		return nil, nil, fmt.Errorf("nothing is remembered of a machine in a folder: %w", errors.ErrUnsupported)
	}
	changes, err := m.log(s, now)
	if err != nil {
		return nil, nil, err
	}
	b, err := m.belongings()
	if err != nil {
		return nil, nil, err
	}
	if s.Peripherals != nil {
		if b.see(s.Peripherals, now) && m.keeps {
			if err := m.keepBelongings(b); err != nil {
				return nil, nil, err
			}
		}
		s.Peripherals.Absent = b.absent(now)
	}
	kept := m.rows
	if m.keeps {
		if kept, err = m.vitals.read(now); err != nil {
			return nil, nil, err
		}
	}
	sum := kept.sumUp(now)
	for _, w := range windows {
		sum.PlugEvents = append(sum.PlugEvents, b.plugs(now, w)...)
	}
	return changes, sum, nil
}
