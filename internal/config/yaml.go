package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Parse decodes YAML text over what into holds, a pointer to a struct. What the
// text does not name keeps its value. An unknown key, one that is there twice and
// a wrong type are errors that begin with the line and the column.
func Parse(text []byte, into any) error {
	var document yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil // all of it is comments
	case err != nil:
		return syntax(err)
	}
	if err := decoder.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%d:1: there is a second document behind this one: keep one", document.Line)
	}
	if len(document.Content) == 0 || nothing(document.Content[0]) {
		return nil
	}
	return decode(document.Content[0], reflect.ValueOf(into), 0)
}

// syntaxLine finds the line in the library's words: "yaml: line 3: …".
var syntaxLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?`)

// syntax brings an error of the library into the form of ours.
func syntax(err error) error {
	text := err.Error()
	line := "1"
	if m := syntaxLine.FindStringSubmatch(text); m[1] != "" {
		line = m[1]
	}
	return fmt.Errorf("%s:1: this is not YAML: %s", line, syntaxLine.ReplaceAllString(text, ""))
}

// place is an error with its line and column in front.
type place struct {
	line, column int
	err          error
}

func (p *place) Error() string { return fmt.Sprintf("%d:%d: %v", p.line, p.column, p.err) }
func (p *place) Unwrap() error { return p.err }

// at puts an error where its node is, unless it has a place of its own.
func at(n *yaml.Node, err error) error {
	var placed *place
	if err == nil || errors.As(err, &placed) {
		return err
	}
	return &place{n.Line, n.Column, err}
}

// nothing tells whether a key was left without a value.
func nothing(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// maxDepth bounds what lies in one another, and so what aliases can do.
const maxDepth = 32

// decode puts a node into a value; a type may read itself with the method
// UnmarshalYAML(decode func(any) error) error.
func decode(n *yaml.Node, v reflect.Value, depth int) error {
	if n.Kind == yaml.AliasNode {
		return at(n, errors.New("aliases are not read: write the value once more"))
	}
	if depth > maxDepth {
		return at(n, errors.New("this lies too deep"))
	}
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			if nothing(n) {
				return nil
			}
			v.Set(reflect.New(v.Type().Elem()))
		}
		v = v.Elem()
	}
	if v.CanAddr() {
		if own, is := v.Addr().Interface().(interface{ UnmarshalYAML(func(any) error) error }); is {
			return at(n, own.UnmarshalYAML(func(into any) error { return decode(n, reflect.ValueOf(into), depth+1) }))
		}
	}
	if nothing(n) {
		return nil // it keeps its value
	}
	switch v.Kind() {
	case reflect.Struct:
		return decodeStruct(n, v, depth)
	case reflect.Map:
		return decodeMap(n, v, depth)
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			return at(n, fmt.Errorf("a list was expected, not %s: put each value behind “- ” on a line of its own", shown(n)))
		}
		list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
		for i, item := range n.Content {
			if err := decode(item, list.Index(i), depth+1); err != nil {
				return err
			}
		}
		v.Set(list)
		return nil
	}
	if n.Kind != yaml.ScalarNode {
		return at(n, fmt.Errorf("a single value was expected, not %s", shown(n)))
	}
	return at(n, decodeScalar(n, v))
}

func decodeScalar(n *yaml.Node, v reflect.Value) error {
	if v.Type() == duration {
		d, err := time.ParseDuration(n.Value)
		if err != nil {
			return fmt.Errorf("%q is not a duration like 90s or 5m", n.Value)
		}
		v.SetInt(int64(d))
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.Value)
	case reflect.Bool:
		b, err := strconv.ParseBool(n.Value)
		if err != nil || n.Tag != "!!bool" {
			return fmt.Errorf("%q is neither true nor false", n.Value)
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int32, reflect.Int64:
		i, err := strconv.ParseInt(n.Value, 0, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("%q is not a whole number", n.Value)
		}
		v.SetInt(i)
	case reflect.Float64:
		f, err := strconv.ParseFloat(n.Value, 64)
		if err != nil {
			return fmt.Errorf("%q is not a number", n.Value)
		}
		v.SetFloat(f)
	default:
		return fmt.Errorf("a %s can't be written in a configuration", v.Type())
	}
	return nil
}

func decodeStruct(n *yaml.Node, v reflect.Value, depth int) error {
	return eachPair(n, func(key, value *yaml.Node) error {
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
			if name == key.Value && name != "" && name != "-" {
				return decode(value, v.Field(i), depth+1)
			}
		}
		return at(key, fmt.Errorf("unknown field %q", key.Value))
	})
}

func decodeMap(n *yaml.Node, v reflect.Value, depth int) error {
	if v.Type().Key().Kind() != reflect.String {
		return at(n, fmt.Errorf("a %s can't be written in a configuration", v.Type()))
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	return eachPair(n, func(key, value *yaml.Node) error {
		item := reflect.New(v.Type().Elem()).Elem()
		if err := decode(value, item, depth+1); err != nil {
			return err
		}
		v.SetMapIndex(reflect.ValueOf(key.Value).Convert(v.Type().Key()), item)
		return nil
	})
}

// eachPair walks through keys and their values.
func eachPair(n *yaml.Node, do func(key, value *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return at(n, fmt.Errorf("keys with values were expected, not %s", shown(n)))
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode {
			return at(key, errors.New("a key must be a word"))
		}
		if seen[key.Value] {
			return at(key, fmt.Errorf("%q is there twice: keep one", key.Value))
		}
		seen[key.Value] = true
		if err := do(key, n.Content[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// shown is a node in a sentence.
func shown(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys with values"
	case yaml.SequenceNode:
		return "a list"
	}
	if len(n.Value) > 40 {
		return fmt.Sprintf("%.40q…", n.Value)
	}
	return strconv.Quote(n.Value)
}
