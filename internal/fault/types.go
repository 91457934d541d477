package fault

import (
	"errors"
	"reflect"

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

// Schema tells CEL's checker the types of all facts, straight from the proto
// descriptors, and its interpreter how to read a field of a node.
type Schema struct{ *types.Registry }

// NewSchema makes a schema; all are alike.
func NewSchema() Schema { return Schema{types.NewEmptyRegistry()} }

// FindStructType knows the messages of the vocabulary.
func (s Schema) FindStructType(name string) (*types.Type, bool) {
	if message(name) == nil {
		return nil, false
	}
	return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
}

// FindStructFieldNames lists a message's facts for error messages.
func (s Schema) FindStructFieldNames(name string) ([]string, bool) {
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
func (s Schema) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	md := message(name)
	if md == nil {
		return nil, false
	}
	fd := md.Fields().ByName(protoreflect.Name(field))
	if fd == nil {
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

func fieldType(fd protoreflect.FieldDescriptor) *types.Type {
	t := ElementType(fd)
	if t != nil && fd.IsList() {
		return types.NewListType(t)
	}
	return t
}

// ElementType is the type of a fact, or of one element where it is a list; nil
// where rules can't ask it.
func ElementType(fd protoreflect.FieldDescriptor) *types.Type {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return types.BoolType
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		return types.IntType
	case protoreflect.DoubleKind:
		return types.DoubleType
	case protoreflect.StringKind:
		return types.StringType
	case protoreflect.BytesKind:
		return types.BytesType
	case protoreflect.MessageKind:
		if fd.Message().FullName() == timestampName {
			return types.TimestampType
		}
		return types.NewObjectType(string(fd.Message().FullName()))
	default:
		return nil
	}
}
