package command

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// plain is what protojson says of a message, indented.
func plain(t *testing.T, m proto.Message) string {
	t.Helper()
	text, err := protojson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestMessagesAreWrittenAsProtojsonDoes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 300 {
		s := &constatv1.Snapshot{}
		fill(r, s.ProtoReflect(), float64(i)/300, 0)
		text, err := appendMessage(nil, s)
		if err != nil {
			t.Fatalf("a snapshot is not written: %v", err)
		}
		if want := plain(t, s); string(text) != want {
			t.Fatalf("got\n%s\nwant\n%s", text, want)
		}
	}
}

// What is not known is left to protojson, and is written all the same.
func TestOtherMessagesAreLeftToProtojson(t *testing.T) {
	for _, m := range []proto.Message{
		durationpb.New(1),
		&timestamppb.Timestamp{},
		&constatv1.ConnectRequest{},
		&constatv1.Snapshot{Manifest: &constatv1.Manifest{TakenAt: &timestamppb.Timestamp{Seconds: -62135596800}}},
		&constatv1.Snapshot{Network: &constatv1.Network{Links: []*constatv1.Link{{}, {Name: proto.String("\u2028\x7f")}}}},
		&constatv1.Snapshot{Load: &constatv1.Load{Cpu: &constatv1.Cpu{Load1: proto.Float64(1e-9), Load5: proto.Float64(math.Inf(1)), Load15: proto.Float64(math.Copysign(0, -1))}}},
	} {
		var out bytes.Buffer
		if err := WriteMessage(&out, m, protojson.MarshalOptions{}); err != nil {
			t.Fatal(err)
		}
		if want := plain(t, m) + "\n"; out.String() != want {
			t.Errorf("%T: got\n%s\nwant\n%s", m, out.String(), want)
		}
	}
	for _, m := range []proto.Message{
		&constatv1.Manifest{Id: "\xff"},
		&constatv1.Manifest{TakenAt: &timestamppb.Timestamp{Nanos: -1}},
	} {
		if err := WriteMessage(&bytes.Buffer{}, m, protojson.MarshalOptions{}); err == nil {
			t.Errorf("%v was written", m)
		}
	}
}

// fill sets fields by chance.
func fill(r *rand.Rand, m protoreflect.Message, share float64, depth int) {
	if t, is := m.Interface().(*timestamppb.Timestamp); is {
		*t = timestamppb.Timestamp{Seconds: r.Int64N(4e9) - 1e9, Nanos: []int32{0, 5e8, 123456789, 1000, 120000, 1}[r.IntN(6)]}
		return
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if r.Float64() > share || depth > 8 {
			continue
		}
		switch {
		case f.IsList():
			list := m.Mutable(f).List()
			for range r.IntN(3) {
				if f.Message() != nil {
					fill(r, list.AppendMutable().Message(), share, depth+1)
				} else {
					list.Append(some(r, f))
				}
			}
		case f.Message() != nil:
			fill(r, m.Mutable(f).Message(), share, depth+1)
		default:
			m.Set(f, some(r, f))
		}
	}
}

func some(r *rand.Rand, f protoreflect.FieldDescriptor) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString([]string{"", "plain", "é\u2028€😀", "\"\\\b\f\n\r\t", "\x00\x1f\x7f ", "<a&b>"}[r.IntN(6)])
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([][]byte{{}, {0}, {255, 254}, []byte("abcdef")}[r.IntN(4)])
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(r.IntN(2) == 0)
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32([]int32{0, 1, -1, math.MaxInt32, math.MinInt32}[r.IntN(5)])
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32([]uint32{0, 1, math.MaxUint32}[r.IntN(3)])
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64([]int64{0, 1, -1, math.MaxInt64, math.MinInt64}[r.IntN(5)])
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64([]uint64{0, 1, math.MaxUint64}[r.IntN(3)])
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64([]float64{0, math.Copysign(0, -1), 0.1, -62.5, 1e19, 123456789.125}[r.IntN(6)])
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32([]float32{0, 0.1, -62.5}[r.IntN(3)])
	}
	panic("no value of kind " + f.Kind().String())
}
