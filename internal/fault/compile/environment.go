package compile

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"google.golang.org/protobuf/reflect/protoreflect"

	"constat/internal/fault"
	constatv1 "constat/proto/constat/v1"
)

// environment is what all expressions of a catalog are checked in.
type environment struct {
	terms []string

	schema schema
	base   *cel.Env
	items  map[string]*cel.Env // with the variable `it`, by its type
}

// compile checks an expression of the given type; item is the type of `it`,
// nil where there is none.
func (e *environment) compile(text string, variety, item *cel.Type) (*cel.Ast, error) {
	env, err := e.with(item)
	if err != nil {
		return nil, err
	}
	e.schema.missed.message = ""
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		first := issues.Errors()[0]
		return nil, &ruleError{
			line: first.Location.Line(), column: first.Location.Column(), reason: first.Message + e.hint(first.Message),
		}
	}
	if !checked.OutputType().IsExactType(variety) {
		return nil, fmt.Errorf("expected an expression of type %s, this one is of type %s", variety, checked.OutputType())
	}
	return checked, nil
}

// hint says what would have been right.
func (e *environment) hint(message string) string {
	switch {
	case strings.HasPrefix(message, "undeclared reference"):
		return "; expected a group (" + strings.Join(fault.Groups(), ", ") + "), a term (" + strings.Join(e.terms, ", ") + ") or " + fault.NowVariable
	case strings.HasPrefix(message, "undefined field") && e.schema.missed.message != "":
		names, _ := e.schema.FindStructFieldNames(e.schema.missed.message)
		_, short, _ := strings.Cut(e.schema.missed.message, ".v1.")
		return "; " + short + " has " + strings.Join(names, ", ")
	}
	return ""
}

func (e *environment) with(item *cel.Type) (*cel.Env, error) {
	if e.base == nil {
		e.schema = schema{fault.NewSchema(), &missedField{}}
		options := []cel.EnvOption{
			cel.CustomTypeProvider(e.schema),
			cel.CustomTypeAdapter(types.DefaultTypeAdapter),
			cel.DefaultUTCTimeZone(true),
			cel.ParserExpressionSizeLimit(4 << 10),
			cel.Variable(fault.NowVariable, cel.TimestampType),
		}
		groups := (*constatv1.Snapshot)(nil).ProtoReflect().Descriptor().Fields()
		for _, name := range fault.Groups() {
			options = append(options, cel.Variable(name, fault.ElementType(groups.ByName(protoreflect.Name(name)))))
		}
		for _, name := range e.terms {
			options = append(options, cel.Variable(name, cel.BoolType))
		}
		env, err := cel.NewEnv(options...)
		if err != nil {
			return nil, fmt.Errorf("making the environment of rules: %w", err)
		}
		e.base, e.items = env, map[string]*cel.Env{}
	}
	if item == nil {
		return e.base, nil
	}
	env, ok := e.items[item.String()]
	if !ok {
		var err error
		if env, err = e.base.Extend(cel.Variable(fault.ItemVariable, item)); err != nil {
			return nil, fmt.Errorf("making the environment of rules about %s: %w", item, err)
		}
		e.items[item.String()] = env
	}
	return env, nil
}

// schema remembers the last fact that was asked for and does not exist, for the
// error message.
type schema struct {
	fault.Schema
	missed *missedField
}

type missedField struct{ message string }

// FindStructFieldType gives a fact's type, as fault.Schema does.
func (s schema) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	t, ok := s.Schema.FindStructFieldType(name, field)
	if !ok {
		s.missed.message = name
	}
	return t, ok
}

// ruleError is a mistake inside an expression, at a line (from 1) and column
// (from 0) of its text.
type ruleError struct {
	line, column int
	reason       string
}

func (e *ruleError) Error() string { return e.reason }
