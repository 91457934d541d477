package history

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/proto"

	"constat/internal/durable"
	"constat/internal/snapshot"
	constatv1 "constat/proto/constat/v1"
)

const (
	// keptChanges and keptFor bound the log of changes; the oldest go first.
	keptChanges = 500
	keptFor     = 30 * 24 * time.Hour
	// changesAtOnce bounds what one look adds: an upgrade of a whole system is
	// told by its first packages.
	changesAtOnce = 200

	changesFile = "changes"
	knownDir    = "known"
)

// log compares a snapshot's stable groups with the ones before, and returns all
// changes that are kept, newest first. What is new is kept too, where this
// process may.
func (m *Memory) log(s *constatv1.Snapshot, now time.Time) (*constatv1.Changes, error) {
	kept := &constatv1.Changes{}
	content, err := m.file(changesFile)
	if err == nil && proto.Unmarshal(content, kept) != nil {
		kept.Reset() // written by nobody we know
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var fresh []*constatv1.Change
	for _, entry := range s.GetManifest().GetGroups() {
		// Crashes are events, and stand in a group of their own.
		if group := entry.GetGroup(); snapshot.Stable(group) && group != "crashes" && snapshot.Group(s, group) != nil {
			found, err := m.compare(s, entry)
			if err != nil {
				return nil, err
			}
			fresh = append(fresh, found...)
		}
	}
	all := append(fresh[:min(len(fresh), changesAtOnce)], kept.Changes...)
	for len(all) > 0 && (len(all) > keptChanges || now.Sub(all[len(all)-1].GetAt().AsTime()) > keptFor) {
		all = all[:len(all)-1]
	}
	if m.keeps && (len(fresh) > 0 || len(all) != len(kept.Changes)) {
		content, err := proto.Marshal(&constatv1.Changes{Changes: all})
		if err == nil {
			err = durable.Write(filepath.Join(m.dir, changesFile), content, 0o600)
		}
		if err != nil {
			return nil, fmt.Errorf("keeping changes: %w", err)
		}
	}
	return &constatv1.Changes{Changes: all}, nil
}

// compare tells what became different in one group, and remembers it as it is.
// What is kept of a group is a snapshot with it alone.
func (m *Memory) compare(s *constatv1.Snapshot, entry *constatv1.GroupEntry) ([]*constatv1.Change, error) {
	group := entry.GetGroup()
	after := &constatv1.Snapshot{Manifest: &constatv1.Manifest{
		TakenAt: s.GetManifest().GetTakenAt(),
		Groups: []*constatv1.GroupEntry{{
			Group: group, Observation: &constatv1.Observation{Gaps: entry.GetObservation().GetGaps()},
		}},
	}}
	if err := snapshot.Put(after, group, proto.Clone(snapshot.Group(s, group))); err != nil {
		return nil, err
	}
	name := filepath.Join(knownDir, group)
	content, err := m.file(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	before := &constatv1.Snapshot{}
	if proto.Unmarshal(content, before) != nil {
		before.Reset()
	}
	found := snapshot.Changes(before, after)
	if !m.keeps {
		return found, nil
	}
	snapshot.Carry(before, after, group)
	// Of the same facts at another time nothing is written.
	after.Manifest.TakenAt = before.GetManifest().GetTakenAt()
	now, err := proto.MarshalOptions{Deterministic: true}.Marshal(after)
	if err == nil && !bytes.Equal(now, content) {
		if err = os.MkdirAll(filepath.Join(m.dir, knownDir), 0o700); err == nil {
			err = durable.Write(filepath.Join(m.dir, name), now, 0o600)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("keeping %s: %w", group, err)
	}
	return found, nil
}

// maxKnown bounds a file of the memory, see snapshot.MaxPayload.
const maxKnown = snapshot.MaxPayload + 64<<10

// file reads one file of the memory.
func (m *Memory) file(name string) ([]byte, error) {
	if m.copied != nil {
		content, there := m.copied[name]
		if !there {
			return nil, fs.ErrNotExist
		}
		return content, nil
	}
	return readLimited(filepath.Join(m.dir, name), maxKnown)
}

// copyFiles reads all files that changes, devices and gaps need, while this
// process may.
func (m *Memory) copyFiles() error {
	m.copied = map[string][]byte{}
	names := []string{changesFile, devicesFile, gapsFile}
	for _, group := range snapshot.Names() {
		names = append(names, filepath.Join(knownDir, group))
	}
	for _, name := range names {
		content, err := readLimited(filepath.Join(m.dir, name), maxKnown)
		switch {
		case err == nil:
			m.copied[name] = content
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	return nil
}
