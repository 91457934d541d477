package command

import (
	"encoding/base64"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Snapshots are large, and protojson asks the schema about every value anew: that
// is a tenth of what a whole look at a machine costs. What follows writes the
// same text, indented, from the generated structs and their tags. What it does
// not know (choices, maps, enumerations, other well-known types) it leaves to
// protojson.

// shape is how messages of one type are written: their fields as declared, which
// is also protojson's order. A type that is not known has none.
type shape struct{ fields []shapeField }

type shapeField struct {
	index int
	name  string // with quotes and colon
	write func(to []byte, v reflect.Value, depth int) ([]byte, error)
	// always: an unset field has no value, and any value is written. Otherwise
	// zero and empty are not.
	always bool
}

// errShape says that protojson must write the message, or say why it can't.
var errShape = errors.New("left to protojson")

var shapes = struct {
	sync.Mutex
	of map[reflect.Type]*shape
}{of: map[reflect.Type]*shape{}}

// appendMessage writes a message as indented JSON, or fails with errShape.
func appendMessage(to []byte, m proto.Message) ([]byte, error) {
	v := reflect.ValueOf(m)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return nil, errShape
	}
	shapes.Lock()
	write, err := messageWriter(v.Type())
	shapes.Unlock()
	if err != nil {
		return nil, err
	}
	return write(to, v, 0)
}

// messageWriter writes pointers to messages of one type. It needs the lock of
// shapes; what it returns does not.
func messageWriter(pointer reflect.Type) (func([]byte, reflect.Value, int) ([]byte, error), error) {
	switch {
	case pointer == reflect.TypeFor[*timestamppb.Timestamp]():
		return appendTime, nil
	case pointer.Elem().Kind() != reflect.Struct || strings.HasPrefix(pointer.Elem().PkgPath(), "google.golang.org/"):
		return nil, errShape
	}
	s := shapes.of[pointer]
	if s == nil {
		s = &shape{} // of itself it may have fields
		shapes.of[pointer] = s
		if err := s.learn(pointer.Elem()); err != nil {
			clear(shapes.of) // others may hold the half of it
			return nil, err
		}
	}
	return s.write, nil
}

func (s *shape) learn(t reflect.Type) error {
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		tag, known := f.Tag.Lookup("protobuf")
		name := tagged(tag, ",json=")
		if name == "" {
			name = tagged(tag, ",name=")
		}
		if !known || name == "" || strings.Contains(tag, ",enum=") {
			return errShape
		}
		one := shapeField{index: i, name: `"` + name + `": `}
		var err error
		switch kind := f.Type.Kind(); {
		case kind == reflect.Pointer && f.Type.Elem().Kind() == reflect.Struct:
			one.write, err = messageWriter(f.Type)
			one.always = true
		case kind == reflect.Pointer:
			var write func([]byte, reflect.Value, int) ([]byte, error)
			write, err = scalarWriter(f.Type.Elem())
			one.write = func(to []byte, v reflect.Value, depth int) ([]byte, error) { return write(to, v.Elem(), depth) }
			one.always = true
		case f.Type == reflect.TypeFor[[]byte]():
			one.write, err = scalarWriter(f.Type)
			one.always = strings.Contains(tag, ",oneof") // that is how optional is generated
		case kind == reflect.Slice:
			write, elementErr := scalarWriter(f.Type.Elem())
			if f.Type.Elem().Kind() == reflect.Pointer {
				write, elementErr = messageWriter(f.Type.Elem())
			}
			one.write, err = listWriter(write), elementErr
		default:
			one.write, err = scalarWriter(f.Type)
		}
		if err != nil {
			return err
		}
		s.fields = append(s.fields, one)
	}
	return nil
}

// tagged is the value of a key in a generated tag: "bytes,7,opt,name=used_by,json=usedBy,proto3,oneof".
func tagged(tag, key string) string {
	_, value, _ := strings.Cut(tag, key)
	value, _, _ = strings.Cut(value, ",")
	return value
}

func (s *shape) write(to []byte, v reflect.Value, depth int) ([]byte, error) {
	if v.IsNil() { // in a list
		return nil, errShape
	}
	v = v.Elem()
	to = append(to, '{')
	empty := true
	for i := range s.fields {
		f := &s.fields[i]
		value := v.Field(f.index)
		switch value.Kind() {
		case reflect.Pointer:
			if value.IsNil() {
				continue
			}
		case reflect.Slice:
			if value.IsNil() || !f.always && value.Len() == 0 {
				continue
			}
		default:
			if value.IsZero() {
				continue
			}
		}
		if !empty {
			to = append(to, ',')
		}
		empty = false
		to = append(newLine(to, depth+1), f.name...)
		var err error
		if to, err = f.write(to, value, depth+1); err != nil {
			return nil, err
		}
	}
	if !empty {
		to = newLine(to, depth)
	}
	return append(to, '}'), nil
}

func listWriter(write func([]byte, reflect.Value, int) ([]byte, error)) func([]byte, reflect.Value, int) ([]byte, error) {
	return func(to []byte, v reflect.Value, depth int) ([]byte, error) {
		to = append(to, '[')
		for i := range v.Len() {
			if i > 0 {
				to = append(to, ',')
			}
			var err error
			if to, err = write(newLine(to, depth+1), v.Index(i), depth+1); err != nil {
				return nil, err
			}
		}
		return append(newLine(to, depth), ']'), nil
	}
}

func scalarWriter(t reflect.Type) (func([]byte, reflect.Value, int) ([]byte, error), error) {
	switch t.Kind() {
	case reflect.String:
		return func(to []byte, v reflect.Value, _ int) ([]byte, error) { return appendText(to, v.String()) }, nil
	case reflect.Bool:
		return func(to []byte, v reflect.Value, _ int) ([]byte, error) { return strconv.AppendBool(to, v.Bool()), nil }, nil
	case reflect.Int32:
		return func(to []byte, v reflect.Value, _ int) ([]byte, error) {
			return strconv.AppendInt(to, v.Int(), 10), nil
		}, nil
	case reflect.Uint32:
		return func(to []byte, v reflect.Value, _ int) ([]byte, error) {
			return strconv.AppendUint(to, v.Uint(), 10), nil
		}, nil
	case reflect.Int64: // JavaScript's numbers do not hold them
		return func(to []byte, v reflect.Value, _ int) ([]byte, error) {
			return append(strconv.AppendInt(append(to, '"'), v.Int(), 10), '"'), nil
		}, nil
	case reflect.Uint64:
		return func(to []byte, v reflect.Value, _ int) ([]byte, error) {
			return append(strconv.AppendUint(append(to, '"'), v.Uint(), 10), '"'), nil
		}, nil
	case reflect.Float64, reflect.Float32:
		bits := t.Bits()
		return func(to []byte, v reflect.Value, _ int) ([]byte, error) { return appendFloat(to, v.Float(), bits) }, nil
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return func(to []byte, v reflect.Value, _ int) ([]byte, error) {
				return append(base64.StdEncoding.AppendEncode(append(to, '"'), v.Bytes()), '"'), nil
			}, nil
		}
	}
	return nil, errShape
}

func newLine(to []byte, depth int) []byte {
	const spaces = "                                " // of most depths
	to = append(to, '\n')
	for ; depth > len(spaces)/2; depth-- {
		to = append(to, "  "...)
	}
	return append(to, spaces[:2*depth]...)
}

func appendText(to []byte, text string) ([]byte, error) {
	to = append(to, '"')
	plain := 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(text[i:])
			if r == utf8.RuneError && size == 1 {
				return nil, errShape
			}
			i += size - 1
			continue
		}
		to = append(append(to, text[plain:i]...), '\\')
		plain = i + 1
		if at := strings.IndexByte("\"\\\b\f\n\r\t", c); at >= 0 {
			to = append(to, `"\bfnrt`[at])
		} else {
			const hex = "0123456789abcdef"
			to = append(to, 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(to, text[plain:]...), '"'), nil
}

// appendFloat leaves to protojson what JSON has no plain number for.
func appendFloat(to []byte, x float64, bits int) ([]byte, error) {
	if size := math.Abs(x); math.IsNaN(x) || size != 0 && size < 1e-5 || size >= 1e20 {
		return nil, errShape
	}
	return strconv.AppendFloat(to, x, 'f', -1, bits), nil
}

// appendTime writes a time as protojson does: in UTC, with as many groups of
// three digits behind the point as it needs.
func appendTime(to []byte, v reflect.Value, _ int) ([]byte, error) {
	t, ok := v.Interface().(*timestamppb.Timestamp)
	if !ok || t == nil || !t.IsValid() {
		return nil, errShape
	}
	to = t.AsTime().AppendFormat(append(to, '"'), time.RFC3339)
	if t.Nanos == 0 {
		return append(to, '"'), nil
	}
	to = strconv.AppendInt(to[:len(to)-len("Z")], int64(t.Nanos)+1e9, 10)
	to[len(to)-len("1123456789")] = '.' // in the place of the one
	for range 2 {
		if to[len(to)-1] == '0' && to[len(to)-2] == '0' && to[len(to)-3] == '0' {
			to = to[:len(to)-3]
		}
	}
	return append(to, "Z\""...), nil
}
