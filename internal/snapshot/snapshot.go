// Package snapshot handles a snapshot as a whole, whatever its groups say: it
// names the groups, seals them into payloads with hashes, puts payloads back
// together, and tells what became different between two snapshots.
//
// It knows the groups only through the schema, so a new group in
// proto/constat/v1/snapshot.proto needs no line here.
package snapshot

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	constatv1 "constat/proto/constat/v1"
)

// MaxPayload is the largest payload that is sealed or assembled, in bytes. The
// largest honest group, the list of installed software, is some 300 KB.
const MaxPayload = 4 << 20

// groups maps the name of every group to its field in Snapshot.
var groups = func() map[string]protoreflect.FieldDescriptor {
	byName := map[string]protoreflect.FieldDescriptor{}
	fields := (&constatv1.Snapshot{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); f.Message() != nil && f.Name() != "manifest" {
			byName[string(f.Name())] = f
		}
	}
	return byName
}()

// Names returns the names of all groups a snapshot can hold, sorted.
func Names() []string {
	names := make([]string, 0, len(groups))
	for name := range groups {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Group returns the message of the named group, or nil when the snapshot does
// not hold it, or no such group exists.
func Group(s *constatv1.Snapshot, name string) proto.Message {
	f := groups[name]
	if f == nil || s == nil || !s.ProtoReflect().Has(f) {
		return nil
	}
	return s.ProtoReflect().Get(f).Message().Interface()
}

// Put sets the named group to m. It refuses a name that is no group and a
// message of another group's type.
func Put(s *constatv1.Snapshot, name string, m proto.Message) error {
	f := groups[name]
	if f == nil {
		return fmt.Errorf("there is no fact group %q; the groups are %v", name, Names())
	}
	if got, want := m.ProtoReflect().Descriptor().FullName(), f.Message().FullName(); got != want {
		return fmt.Errorf("group %q holds %s, not %s", name, want, got)
	}
	s.ProtoReflect().Set(f, protoreflect.ValueOfMessage(m.ProtoReflect()))
	return nil
}

// Hash is the name of a payload: SHA-256 of exactly its bytes. It is meant
// within one endpoint and one group only; it says nothing about whose data the
// bytes are.
func Hash(content []byte) []byte {
	sum := sha256.Sum256(content)
	return sum[:]
}

// Payloads seals the snapshot: it returns the wire form of every group the
// snapshot holds, in the manifest's order, and writes hash and size of each
// into the manifest. A group that cannot be sealed (larger than MaxPayload, or
// with a text that is not UTF-8) is taken out of the snapshot and its
// observation becomes `failed`, so that the rest still travels. Groups that
// the manifest does not list are not sealed.
func Payloads(s *constatv1.Snapshot) []*constatv1.Payload {
	var sealed []*constatv1.Payload
	for _, entry := range s.GetManifest().GetGroups() {
		if p := seal(s, entry); p != nil {
			sealed = append(sealed, p)
		}
	}
	return sealed
}

// Seal writes hash and size into the manifest as Payloads does, of the groups
// that have none yet, and of those that are named because they became different.
func Seal(s *constatv1.Snapshot, different ...string) {
	for _, entry := range s.GetManifest().GetGroups() {
		if len(entry.PayloadHash) == 0 || slices.Contains(different, entry.GetGroup()) {
			seal(s, entry)
		}
	}
}

// seal returns nil for a group that the snapshot does not hold, or that can't be
// sealed.
func seal(s *constatv1.Snapshot, entry *constatv1.GroupEntry) *constatv1.Payload {
	entry.PayloadHash, entry.PayloadBytes = nil, 0
	m := Group(s, entry.GetGroup())
	if m == nil {
		return nil
	}
	content, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err == nil && len(content) > MaxPayload {
		err = fmt.Errorf("%d bytes is more than the limit of %d", len(content), MaxPayload)
	}
	if err != nil {
		s.ProtoReflect().Clear(groups[entry.GetGroup()])
		if entry.Observation == nil {
			entry.Observation = &constatv1.Observation{}
		}
		entry.Observation.Status, entry.Observation.Reason = "failed", "cannot be sealed: "+err.Error()
		return nil
	}
	entry.PayloadHash, entry.PayloadBytes = Hash(content), int32(len(content))
	return &constatv1.Payload{Group: entry.GetGroup(), Hash: entry.PayloadHash, Content: content}
}

// Assemble puts a snapshot together from its manifest and the payloads that the
// manifest names by hash; payloads it does not name are ignored. An error names
// the group: a payload that is missing, too large, not what its hash says, or
// not the group's message. A group that this version does not know is left out
// of the snapshot but stays in the manifest, so that a newer agent can talk to
// an older collector. The manifest is kept, not copied.
func Assemble(m *constatv1.Manifest, payloads []*constatv1.Payload) (*constatv1.Snapshot, error) {
	s := &constatv1.Snapshot{Manifest: m}
	for _, entry := range m.GetGroups() {
		if len(entry.GetPayloadHash()) == 0 {
			continue
		}
		name := entry.GetGroup()
		content, err := find(payloads, entry)
		if err != nil {
			return nil, fmt.Errorf("group %q: %w", name, err)
		}
		f := groups[name]
		if f == nil {
			continue
		}
		if s.ProtoReflect().Has(f) {
			return nil, fmt.Errorf("group %q: the manifest lists it twice", name)
		}
		message := s.ProtoReflect().NewField(f).Message()
		if err := proto.Unmarshal(content, message.Interface()); err != nil {
			return nil, fmt.Errorf("group %q: the payload is not a %s: %w", name, f.Message().Name(), err)
		}
		s.ProtoReflect().Set(f, protoreflect.ValueOfMessage(message))
	}
	return s, nil
}

// find returns the content of the payload that a manifest entry names, checked
// against the hash.
func find(payloads []*constatv1.Payload, entry *constatv1.GroupEntry) ([]byte, error) {
	for _, p := range payloads {
		if p.GetGroup() != entry.GetGroup() || !bytes.Equal(p.GetHash(), entry.GetPayloadHash()) {
			continue
		}
		if len(p.GetContent()) > MaxPayload {
			return nil, fmt.Errorf("payload of %d bytes is more than the limit of %d", len(p.GetContent()), MaxPayload)
		}
		if !bytes.Equal(Hash(p.GetContent()), p.GetHash()) {
			return nil, fmt.Errorf("payload does not have the hash %x it claims", p.GetHash())
		}
		return p.GetContent(), nil
	}
	return nil, fmt.Errorf("payload %x is missing", entry.GetPayloadHash())
}
