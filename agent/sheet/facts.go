package sheet

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// Fact is one fact by its name in a person's language, and its value.
type Fact struct{ Name, Value string }

// Facts gives every single fact of a message, in the order of the schema: of a
// group of a snapshot, all that is known of it. Of lists each element is numbered.
func Facts(m protoreflect.Message, language string) []Fact {
	s := &sheet{fr: language == "fr", snapshot: &constatv1.Snapshot{}}
	var all []Fact
	s.leaves(m, "", &all)
	return all
}

func (s *sheet) leaves(m protoreflect.Message, prefix string, all *[]Fact) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if !m.Has(f) {
			continue
		}
		field, v := string(f.Name()), m.Get(f)
		name := func(element bool) string {
			return prefix + s.factName(field, element, prefix != "")
		}
		switch {
		case f.IsMap():
			v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
				*all = append(*all, Fact{name(true) + " " + k.String(), v.String()})
				return true
			})
		case f.IsList() && f.Message() != nil:
			for n := range v.List().Len() {
				s.message(v.List().Get(n).Message(), name(true)+" "+strconv.Itoa(n+1), all)
			}
		case f.IsList():
			var texts []string
			for n := range v.List().Len() {
				texts = append(texts, s.leaf(f, v.List().Get(n)))
			}
			*all = append(*all, Fact{name(false), strings.Join(texts, ", ")})
		case f.Message() != nil:
			s.message(v.Message(), name(false), all)
		default:
			*all = append(*all, Fact{name(false), s.leaf(f, v)})
		}
	}
}

// message tells what a message holds; a time is one fact.
func (s *sheet) message(m protoreflect.Message, name string, all *[]Fact) {
	if at, ok := m.Interface().(*timestamppb.Timestamp); ok {
		*all = append(*all, Fact{name, s.value("", at.AsTime().Format(time.RFC3339))})
		return
	}
	s.leaves(m, name+", ", all)
}

func (s *sheet) leaf(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	if f.Kind() == protoreflect.BytesKind {
		return hex.EncodeToString(v.Bytes())
	}
	return s.value(string(f.Name()), v.String())
}
