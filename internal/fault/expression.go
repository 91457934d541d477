package fault

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxCost bounds one evaluation, in CEL's units (about one per operator met).
// The dearest rule of the built-in catalog stays far below it on a busy
// machine's snapshot; a rule that exceeds it is unknown.
const maxCost = 500_000

// Variables of rules beside groups and terms: the present, and the element of
// a list that an expression is about.
const (
	nowVariable  = "now"
	itemVariable = "it"
)

// Truth is the value of a rule over facts of which some may be unknown
// (Kleene's strong logic of indeterminacy).
type Truth int8

// The three values. Unknown is the zero value: what was not judged is not
// known.
const (
	Unknown Truth = iota
	False
	True
)

// String is the value as fixtures write it.
func (t Truth) String() string { return [...]string{"unknown", "false", "true"}[t] }

// environment is what all expressions of a catalog are compiled in. Building
// it costs milliseconds, so it is built when the first rule is needed.
type environment struct {
	terms []string

	mu     sync.Mutex
	schema schema
	base   *cel.Env
	items  map[string]*cel.Env // with the variable `it`, by its type
}

// compile checks an expression of the given type; item is the type of `it`,
// nil where there is none.
func (e *environment) compile(text string, variety, item *cel.Type) (*cel.Env, *cel.Ast, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	env, err := e.with(item)
	if err != nil {
		return nil, nil, err
	}
	e.schema.missed.message = ""
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		first := issues.Errors()[0]
		return nil, nil, &ruleError{
			line: first.Location.Line(), column: first.Location.Column(), reason: first.Message + e.hint(first.Message),
		}
	}
	if !checked.OutputType().IsExactType(variety) {
		return nil, nil, fmt.Errorf("expected an expression of type %s, this one is of type %s", variety, checked.OutputType())
	}
	return env, checked, nil
}

// hint says what would have been right.
func (e *environment) hint(message string) string {
	switch {
	case strings.HasPrefix(message, "undeclared reference"):
		return "; expected a group (" + strings.Join(groupNames(), ", ") + "), a term (" + strings.Join(e.terms, ", ") + ") or " + nowVariable
	case strings.HasPrefix(message, "undefined field") && e.schema.missed.message != "":
		names, _ := e.schema.FindStructFieldNames(e.schema.missed.message)
		_, short, _ := strings.Cut(e.schema.missed.message, ".v1.")
		return "; " + short + " has " + strings.Join(names, ", ")
	}
	return ""
}

func (e *environment) with(item *cel.Type) (*cel.Env, error) {
	if e.base == nil {
		options := []cel.EnvOption{
			cel.CustomTypeProvider(e.schema),
			cel.CustomTypeAdapter(types.DefaultTypeAdapter),
			cel.DefaultUTCTimeZone(true),
			cel.ParserExpressionSizeLimit(4 << 10),
			cel.Variable(nowVariable, cel.TimestampType),
		}
		for _, name := range groupNames() {
			fd := snapshotFields.ByName(protoreflect.Name(name))
			options = append(options, cel.Variable(name, elementType(fd)))
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
		if env, err = e.base.Extend(cel.Variable(itemVariable, item)); err != nil {
			return nil, fmt.Errorf("making the environment of rules about %s: %w", item, err)
		}
		e.items[item.String()] = env
	}
	return env, nil
}

// ruleError is a mistake inside an expression, at a line (from 1) and column
// (from 0) of its text.
type ruleError struct {
	line, column int
	reason       string
}

func (e *ruleError) Error() string { return e.reason }

// expression is CEL text of a known type, compiled when it is first needed: an
// agent that starts must not pay for rules it does not ask.
type expression struct {
	scalar
	file    string
	env     *environment
	variety *cel.Type
	item    *cel.Type

	once    sync.Once
	program cel.Program
	broken  error
}

func (e *expression) compile() (cel.Program, error) {
	e.once.Do(func() {
		env, checked, err := e.env.compile(e.text, e.variety, e.item)
		if err != nil {
			e.broken = err
			return
		}
		e.program, e.broken = env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost))
	})
	return e.program, e.broken
}

// eval never fails: what can't be computed is unknown, and says why where a
// missing fact would stand.
func (e *expression) eval(vars cel.Activation) ref.Val {
	program, err := e.compile()
	if err == nil {
		var v ref.Val
		if v, _, err = program.Eval(vars); err == nil {
			return v
		}
	}
	return types.NewUnknown(0, types.NewAttributeTrail("("+err.Error()+")"))
}

// truth evaluates a condition, and names the facts it misses when it is
// unknown, sorted.
func (e *expression) truth(vars cel.Activation) (Truth, []string) {
	switch v := e.eval(vars).(type) {
	case types.Bool:
		if v {
			return True, nil
		}
		return False, nil
	case *types.Unknown:
		return Unknown, missing(v)
	default:
		return Unknown, nil
	}
}

func missing(u *types.Unknown) []string {
	var paths []string
	for _, id := range u.IDs() {
		trails, _ := u.GetAttributeTrails(id)
		for _, t := range trails {
			paths = append(paths, t.Variable())
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// scope adds the element that an expression is about to the facts.
type scope struct {
	*Facts
	item ref.Val
}

// ResolveName gives CEL the element, else a variable of the facts.
func (s scope) ResolveName(name string) (any, bool) {
	if name == itemVariable {
		return s.item, true
	}
	return s.Facts.ResolveName(name)
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

// groupNames lists the groups that rules can name, in the proto's order.
func groupNames() []string {
	var names []string
	for i := range snapshotFields.Len() {
		if name := string(snapshotFields.Get(i).Name()); name != "manifest" {
			names = append(names, name)
		}
	}
	return names
}
