package compile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	exprpb "google.golang.org/genproto/googleapis/api/expr/v1alpha1"
	"google.golang.org/protobuf/proto"

	"constat/internal/fault"
	constatv1 "constat/proto/constat/v1"
)

// expression is CEL text of a known type, and where its compiled form goes.
type expression struct {
	scalar
	file    string
	variety *cel.Type
	item    *cel.Type // of `it`; nil where there is none
	into    *[]byte
	fault   string                  // whose rule it is, by
	view    *constatv1.Catalog_View // this view; nil for other expressions
}

// check compiles every expression and checks what only the compiled form tells:
// types, the groups a rule asks, and that terms build on earlier ones.
func (r *reader) check() {
	env := &environment{}
	for _, t := range r.catalog.Terms {
		env.terms = append(env.terms, t.GetName())
	}
	asks := map[string][]string{} // term → groups, transitively
	for i, e := range r.terms {
		groups, err := e.compile(env, asks, env.terms[:i])
		r.note(e, err)
		asks[env.terms[i]] = groups
	}
	for _, e := range r.rules {
		groups, err := e.compile(env, asks, env.terms)
		if err == nil && e.view != nil {
			err = needs(e.fault, e.view, groups)
		}
		r.note(e, err)
	}
}

func (r *reader) note(e *expression, err error) {
	if err != nil {
		r.problems = append(r.problems, e.locate(err))
	}
}

// compile checks an expression, puts its compiled form where it belongs and
// lists the groups it asks, by its terms too; known are the terms it may name.
func (e *expression) compile(env *environment, asks map[string][]string, known []string) ([]string, error) {
	checked, err := env.compile(e.text, e.variety, e.item)
	if err != nil {
		return nil, err
	}
	if *e.into, err = encode(checked.NativeRep()); err != nil {
		return nil, err
	}
	var groups []string
	for _, name := range references(checked) {
		switch {
		case slices.Contains(fault.Groups(), name):
			groups = append(groups, name)
		case slices.Contains(known, name):
			groups = append(groups, asks[name]...)
		case slices.Contains(env.terms, name):
			return nil, fmt.Errorf("term %s is defined further down; expected one defined above", name)
		}
	}
	slices.Sort(groups)
	return slices.Compact(groups), nil
}

// encode serialises a checked expression without what only its compilation
// needs: that is a third of it. The planner asks the types of messages, to read
// their fields, and of types' names.
func encode(checked *ast.AST) ([]byte, error) {
	message, err := ast.ToProto(checked)
	if err != nil {
		return nil, err
	}
	message.SourceInfo = nil
	kept := map[int64]*exprpb.Type{}
	for id, t := range checked.TypeMap() {
		if t.Kind() == types.StructKind || t.Kind() == types.TypeKind {
			kept[id] = message.TypeMap[id]
		}
	}
	message.TypeMap = kept
	return proto.MarshalOptions{Deterministic: true}.Marshal(message)
}

// references lists the variables that an expression names, sorted.
func references(checked *cel.Ast) []string {
	var names []string
	for _, reference := range checked.NativeRep().ReferenceMap() {
		if reference.Name != "" {
			names = append(names, reference.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// needs compares the groups that a view says it needs with those its rule asks.
func needs(fault string, v *constatv1.Catalog_View, asked []string) error {
	said := slices.Sorted(slices.Values(v.GetNeeds()))
	if slices.Equal(said, asked) {
		return nil
	}
	return fmt.Errorf("fault %s: needs is [%s], but the rule asks [%s]; expected both alike", fault, strings.Join(said, ", "), strings.Join(asked, ", "))
}

// locate puts file, line and column before an error of an expression.
func (e *expression) locate(err error) error {
	line, column := e.line, e.column
	var inside *ruleError
	if errors.As(err, &inside) {
		if e.block {
			line, column = e.line+inside.line, inside.column+1
		} else {
			line, column = e.line+inside.line-1, e.column+inside.column
		}
	}
	return fmt.Errorf("%s:%d:%d: %w", e.file, line, column, err)
}
