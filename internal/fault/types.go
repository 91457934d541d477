package fault

import (
	"errors"
	"reflect"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// The four methods of a CEL value. Rules only walk through messages; comparing
// or converting a whole one is refused.

// ConvertToNative refuses: no rule hands a message out.
func (n *node) ConvertToNative(reflect.Type) (any, error) {
	return nil, errors.New("a message can't leave a rule; name one of its fields")
}

// ConvertToType refuses, as ConvertToNative does.
func (n *node) ConvertToType(ref.Type) ref.Val {
	return types.NewErr("%s is a message; name one of its fields", n.path())
}

// Equal compares by identity: the same message of the same snapshot.
func (n *node) Equal(other ref.Val) ref.Val {
	o, ok := other.(*node)
	return types.Bool(ok && o == n)
}

// Type is the message's type.
func (n *node) Type() ref.Type {
	return types.NewObjectType(string(n.message.Descriptor().FullName()))
}

// Value is the node itself: that is what field readers get.
func (n *node) Value() any { return n }

// schema tells CEL's checker the types of all facts, straight from the proto
// descriptors, and its interpreter how to read a field of a node.
type schema struct {
	*types.Registry
	missed *missedField
}

// missedField is the last fact that was asked for and does not exist, for the
// error message.
type missedField struct{ message string }

func newSchema() schema { return schema{types.NewEmptyRegistry(), &missedField{}} }

// FindStructType knows the messages of the vocabulary.
func (s schema) FindStructType(name string) (*types.Type, bool) {
	if message(name) == nil {
		return nil, false
	}
	return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
}

// FindStructFieldNames lists a message's facts for error messages.
func (s schema) FindStructFieldNames(name string) ([]string, bool) {
	md := message(name)
	if md == nil {
		return nil, false
	}
	var names []string
	for i := range md.Fields().Len() {
		names = append(names, string(md.Fields().Get(i).Name()))
	}
	return names, true
}

// FindStructFieldType gives a fact's type, and readers that answer unknown
// where the fact is not set: this is what makes rules three-valued.
func (s schema) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	md := message(name)
	if md == nil {
		return nil, false
	}
	fd := md.Fields().ByName(protoreflect.Name(field))
	if fd == nil {
		s.missed.message = name
		return nil, false
	}
	t := fieldType(fd)
	if t == nil {
		return nil, false
	}
	return &types.FieldType{
		Type: t,
		IsSet: func(target any) bool {
			n, ok := target.(*node)
			return ok && n.has(fd)
		},
		GetFrom: func(target any) (any, error) {
			switch v := target.(type) {
			case *node:
				return v.get(fd), nil
			case *types.Unknown:
				return v, nil
			default:
				return nil, errors.New("no fact " + field + " in this value")
			}
		},
	}, true
}

// message finds a message of the vocabulary by its full name.
func message(name string) protoreflect.MessageDescriptor {
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil || d.ParentFile().Package() != snapshotFields.Get(0).ParentFile().Package() {
		return nil
	}
	md, _ := d.(protoreflect.MessageDescriptor)
	return md
}

func fieldType(fd protoreflect.FieldDescriptor) *cel.Type {
	t := elementType(fd)
	if t != nil && fd.IsList() {
		return cel.ListType(t)
	}
	return t
}

func elementType(fd protoreflect.FieldDescriptor) *cel.Type {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return cel.BoolType
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		return cel.IntType
	case protoreflect.DoubleKind:
		return cel.DoubleType
	case protoreflect.StringKind:
		return cel.StringType
	case protoreflect.BytesKind:
		return cel.BytesType
	case protoreflect.MessageKind:
		if fd.Message().FullName() == timestampName {
			return cel.TimestampType
		}
		return cel.ObjectType(string(fd.Message().FullName()))
	default:
		return nil
	}
}
