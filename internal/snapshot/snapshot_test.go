package snapshot

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	constatv1 "constat/proto/constat/v1"
)

// anySnapshot draws a snapshot with some groups filled at random, with all of
// them in its manifest.
func anySnapshot(t *rapid.T) *constatv1.Snapshot {
	s := &constatv1.Snapshot{Manifest: &constatv1.Manifest{Id: "id"}}
	for _, name := range Names() {
		if !rapid.Bool().Draw(t, name) {
			continue
		}
		m := s.ProtoReflect().NewField(groups[name]).Message()
		fillAny(t, m, 3)
		if err := Put(s, name, m.Interface()); err != nil {
			t.Fatal(err)
		}
		s.Manifest.Groups = append(s.Manifest.Groups, &constatv1.GroupEntry{
			Group: name, Observation: &constatv1.Observation{Status: "observed"},
		})
	}
	return s
}

// fillAny sets fields of m at random, depth levels deep.
func fillAny(t *rapid.T, m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if depth == 0 || rapid.IntRange(0, 3).Draw(t, string(f.Name())) != 0 {
			continue
		}
		switch {
		case f.IsList():
			list := m.Mutable(f).List()
			for range rapid.IntRange(1, 2).Draw(t, "n") {
				if f.Message() != nil {
					fillAny(t, list.AppendMutable().Message(), depth-1)
				} else {
					list.Append(anyValue(t, f))
				}
			}
		case f.Message() != nil:
			fillAny(t, m.Mutable(f).Message(), depth-1)
		default:
			m.Set(f, anyValue(t, f))
		}
	}
}

func anyValue(t *rapid.T, f protoreflect.FieldDescriptor) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(rapid.SampledFrom([]string{"", "up", "Ménage", "eth0"}).Draw(t, "string"))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(rapid.Bool().Draw(t, "bool"))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(rapid.Int32().Draw(t, "int32"))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(rapid.Int64().Draw(t, "int64"))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(float64(rapid.Int32().Draw(t, "double")))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
	}
	t.Fatalf("%s: a fact of kind %v; teach this test", f.FullName(), f.Kind())
	return protoreflect.Value{}
}

func TestSealedSnapshotComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySnapshot(t)
		payloads := Payloads(s)
		wire, err := proto.Marshal(s.Manifest)
		if err != nil {
			t.Fatal(err)
		}
		manifest := &constatv1.Manifest{}
		if err := proto.Unmarshal(wire, manifest); err != nil {
			t.Fatal(err)
		}
		back, err := Assemble(manifest, payloads)
		if err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(s, back) {
			t.Fatalf("came back different:\n%v\n%v", s, back)
		}
		for i, p := range Payloads(back) {
			if !bytes.Equal(p.Hash, payloads[i].Hash) {
				t.Fatalf("group %s has another hash the second time", p.Group)
			}
		}
		if changes := Changes(s, back); len(changes) != 0 {
			t.Fatalf("a snapshot differs from itself: %v", changes)
		}
	})
}

func TestHashCoversFactsOnly(t *testing.T) {
	seal := func(status string, ms int32) []byte {
		s := &constatv1.Snapshot{
			Manifest: &constatv1.Manifest{Groups: []*constatv1.GroupEntry{{Group: "host", Observation: &constatv1.Observation{Status: status, DurationMs: ms}}}},
			Host:     &constatv1.Host{Hostname: proto.String("pc1")},
		}
		return Payloads(s)[0].Hash
	}
	if !bytes.Equal(seal("observed", 3), seal("observed", 90)) {
		t.Error("the hash depends on how long reading took")
	}
}

func TestEmptyGroupIsNotAbsent(t *testing.T) {
	s := &constatv1.Snapshot{
		Manifest: &constatv1.Manifest{Groups: []*constatv1.GroupEntry{{Group: "usb"}, {Group: "power"}}},
		Usb:      &constatv1.Usb{},
	}
	back, err := Assemble(s.Manifest, Payloads(s))
	if err != nil {
		t.Fatal(err)
	}
	if back.Usb == nil || back.Power != nil {
		t.Errorf("usb %v, power %v; want an empty usb and no power", back.Usb, back.Power)
	}
}

func TestUnsealableGroupCostsOnlyItself(t *testing.T) {
	entry := func(group string) *constatv1.GroupEntry {
		return &constatv1.GroupEntry{Group: group, Observation: &constatv1.Observation{Status: "observed"}}
	}
	s := &constatv1.Snapshot{
		Manifest: &constatv1.Manifest{Groups: []*constatv1.GroupEntry{entry("host"), entry("software"), entry("usb")}},
		Host:     &constatv1.Host{Hostname: proto.String("not \xff UTF-8")},
		Software: &constatv1.Software{StartupItems: []string{strings.Repeat("x", MaxPayload)}},
		Usb:      &constatv1.Usb{},
	}
	payloads := Payloads(s)
	if len(payloads) != 1 || payloads[0].Group != "usb" {
		t.Fatalf("sealed %v, want usb only", payloads)
	}
	for _, e := range s.Manifest.Groups[:2] {
		if e.Observation.Status != "failed" || e.PayloadHash != nil || Group(s, e.Group) != nil {
			t.Errorf("%v is still there", e)
		}
	}
}

func TestAssembleNamesTheBadGroup(t *testing.T) {
	good := []byte{0x0a, 0x03, 'p', 'c', '1'}
	bad := []byte{0xff}
	for name, test := range map[string]struct {
		entries  []*constatv1.GroupEntry
		payloads []*constatv1.Payload
		want     string
	}{
		"missing":      {[]*constatv1.GroupEntry{{Group: "host", PayloadHash: Hash(good)}}, nil, `group "host": payload`},
		"false hash":   {[]*constatv1.GroupEntry{{Group: "host", PayloadHash: Hash(good)}}, []*constatv1.Payload{{Group: "host", Hash: Hash(good), Content: bad}}, "hash"},
		"other group":  {[]*constatv1.GroupEntry{{Group: "host", PayloadHash: Hash(good)}}, []*constatv1.Payload{{Group: "usb", Hash: Hash(good), Content: good}}, "missing"},
		"not protobuf": {[]*constatv1.GroupEntry{{Group: "host", PayloadHash: Hash(bad)}}, []*constatv1.Payload{{Group: "host", Hash: Hash(bad), Content: bad}}, "not a Host"},
		"twice":        {[]*constatv1.GroupEntry{{Group: "host", PayloadHash: Hash(good)}, {Group: "host", PayloadHash: Hash(good)}}, []*constatv1.Payload{{Group: "host", Hash: Hash(good), Content: good}}, "twice"},
		"huge": {[]*constatv1.GroupEntry{{Group: "host", PayloadHash: Hash(make([]byte, MaxPayload+1))}},
			[]*constatv1.Payload{{Group: "host", Hash: Hash(make([]byte, MaxPayload+1)), Content: make([]byte, MaxPayload+1)}}, "limit"},
	} {
		_, err := Assemble(&constatv1.Manifest{Groups: test.entries}, test.payloads)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, test.want)
		}
	}
}

func TestAssembleKeepsGroupOfNewerAgent(t *testing.T) {
	content := []byte{1, 2, 3}
	m := &constatv1.Manifest{Groups: []*constatv1.GroupEntry{{Group: "telepathy", PayloadHash: Hash(content)}}}
	s, err := Assemble(m, []*constatv1.Payload{{Group: "telepathy", Hash: Hash(content), Content: content}})
	if err != nil || len(s.Manifest.Groups) != 1 {
		t.Errorf("snapshot %v, error %v", s, err)
	}
}

func TestPutRefusesWhatDoesNotBelong(t *testing.T) {
	s := &constatv1.Snapshot{}
	for name, m := range map[string]proto.Message{"telepathy": &constatv1.Host{}, "manifest": &constatv1.Manifest{}, "usb": &constatv1.Host{}} {
		if err := Put(s, name, m); err == nil {
			t.Errorf("group %q took a %T", name, m)
		}
	}
	if !slices.IsSorted(Names()) || !slices.Contains(Names(), "sign_in") || slices.Contains(Names(), "manifest") {
		t.Errorf("names %v", Names())
	}
}

func FuzzAssemble(f *testing.F) {
	s := &constatv1.Snapshot{
		Manifest: &constatv1.Manifest{Groups: []*constatv1.GroupEntry{{Group: "network"}}},
		Network:  &constatv1.Network{Links: []*constatv1.Link{{Name: proto.String("eth0"), Mtu: proto.Int32(1500)}}},
	}
	for _, p := range Payloads(s) {
		f.Add(p.Group, p.Content)
	}
	f.Fuzz(func(t *testing.T, group string, content []byte) {
		m := &constatv1.Manifest{Groups: []*constatv1.GroupEntry{{Group: group, PayloadHash: Hash(content)}}}
		s, err := Assemble(m, []*constatv1.Payload{{Group: group, Hash: Hash(content), Content: content}})
		if err != nil {
			return
		}
		Changes(s, s)
		Changes(s, &constatv1.Snapshot{Network: &constatv1.Network{}})
		if got := Payloads(s); Group(s, group) != nil && len(got) != 1 {
			t.Errorf("assembled, but cannot be sealed again: %v", s.Manifest)
		}
	})
}
