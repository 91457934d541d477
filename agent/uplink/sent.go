package uplink

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"

	"constat/internal/durable"
	constatv1 "constat/proto/constat/v1"
)

// sentPayloads remembers, for each group, the payload that the collector stored
// last, so that it is not sent again. It is a saving and no truth: the collector
// asks for what it misses, and a lost or wrong file costs one payload each.
type sentPayloads struct {
	path    string
	changed bool
	kept    sentPayloadsFile
}

type sentPayloadsFile struct {
	// Endpoint is whose payloads they are: another identity has sent nothing.
	Endpoint string `json:"endpointId"`
	// Groups maps a group to its payload's hash, hexadecimal.
	Groups map[string]string `json:"groups"`
}

func loadSent(dir, endpointID string) *sentPayloads {
	s := &sentPayloads{path: filepath.Join(dir, sentFile)}
	// Absent or unreadable: nothing was sent.
	if text, err := os.ReadFile(s.path); err == nil {
		_ = json.Unmarshal(text, &s.kept)
	}
	if s.kept.Endpoint != endpointID || s.kept.Groups == nil {
		s.kept = sentPayloadsFile{Endpoint: endpointID, Groups: map[string]string{}}
	}
	return s
}

func (s *sentPayloads) has(group string, hash []byte) bool {
	return len(hash) > 0 && s.kept.Groups[group] == hex.EncodeToString(hash)
}

func (s *sentPayloads) add(group string, hash []byte) {
	if len(hash) > 0 && !s.has(group, hash) {
		s.kept.Groups[group] = hex.EncodeToString(hash)
		s.changed = true
	}
}

func (s *sentPayloads) forget(m *constatv1.Manifest) {
	for _, g := range m.GetGroups() {
		delete(s.kept.Groups, g.GetGroup())
	}
	s.changed = true
}

func (s *sentPayloads) save() error {
	if !s.changed {
		return nil
	}
	text, err := json.Marshal(s.kept)
	if err != nil {
		return err
	}
	if err := durable.Write(s.path, text, 0o600); err != nil {
		return err
	}
	s.changed = false
	return nil
}
