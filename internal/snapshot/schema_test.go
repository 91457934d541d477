package snapshot

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	constatv1 "constat/proto/constat/v1"
)

// alwaysKnown are the facts that need no word for "unknown", and why.
var alwaysKnown = map[protoreflect.FullName]string{}

// TestEveryFactCanBeUnknown: of a scalar without presence nobody can tell
// whether it is zero or was not seen. Lists have gaps in the manifest for that.
func TestEveryFactCanBeUnknown(t *testing.T) {
	seen := map[protoreflect.FullName]bool{}
	facts := 0
	var walk func(protoreflect.MessageDescriptor)
	walk = func(m protoreflect.MessageDescriptor) {
		if seen[m.FullName()] || m.FullName() == "google.protobuf.Timestamp" {
			return
		}
		seen[m.FullName()] = true
		for i := range m.Fields().Len() {
			f := m.Fields().Get(i)
			if f.Message() != nil {
				walk(f.Message())
			}
			if f.IsMap() {
				t.Errorf("%s is a map: the order of its bytes is no payload's", f.FullName())
			}
			if f.Message() != nil || f.IsList() {
				continue
			}
			facts++
			reason, excused := alwaysKnown[f.FullName()]
			switch {
			case f.HasPresence() && excused:
				t.Errorf("%s is optional by now: strike it out", f.FullName())
			case !f.HasPresence() && reason == "":
				t.Errorf("%s is not optional, so that unknown and zero are one; make it optional", f.FullName())
			}
		}
	}
	groups := (&constatv1.Snapshot{}).ProtoReflect().Descriptor().Fields()
	for _, name := range Names() {
		walk(groups.ByName(protoreflect.Name(name)).Message())
	}
	if facts < 600 {
		t.Errorf("only %d facts were looked at", facts)
	}
}
