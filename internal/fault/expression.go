package fault

import (
	"fmt"
	"slices"
	"sync"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/containers"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/stdlib"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
	exprpb "google.golang.org/genproto/googleapis/api/expr/v1alpha1"
	"google.golang.org/protobuf/proto"
)

// MaxCost bounds one evaluation, in CEL's units (about one per operator met).
// The dearest rule of the built-in catalog stays far below it on a busy
// machine's snapshot; a rule that exceeds it is unknown.
const MaxCost = 500_000

// Variables of rules beside groups and terms: the present, and the element of
// a list that an expression is about.
const (
	NowVariable  = "now"
	ItemVariable = "it"
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

// expression is a checked CEL expression, planned when it is first needed.
type expression struct {
	once    sync.Once
	checked []byte // a CheckedExpr; nil once it is planned
	program interpreter.InterpretableV2
	broken  error
}

// newExpression is nil where there is no expression.
func newExpression(checked []byte) *expression {
	if len(checked) == 0 {
		return nil
	}
	return &expression{checked: checked}
}

func (e *expression) plan() (interpreter.InterpretableV2, error) {
	e.once.Do(func() {
		e.program, e.broken = plan(e.checked)
		e.checked = nil
	})
	return e.program, e.broken
}

func plan(checked []byte) (program interpreter.InterpretableV2, err error) {
	p, err := planner()
	if err != nil {
		return nil, err
	}
	// A compiled catalog may come from elsewhere; CEL trusts it to be whole.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("malformed rule (%v)", r)
		}
	}()
	var message exprpb.CheckedExpr
	if err := proto.Unmarshal(checked, &message); err != nil {
		return nil, err
	}
	tree, err := ast.ToAST(&message)
	if err != nil {
		return nil, err
	}
	return p.NewInterpretable(tree, interpreter.Optimize(), interpreter.CompileRegexConstants(interpreter.MatchesRegexOptimization),
		interpreter.CostObserver(interpreter.CostTrackerFactory(newTracker)))
}

// planner turns checked expressions into programs. It is what package cel's
// Env.Program does, without linking the parser and the checker that come with
// that package: a tenth of an agent.
var planner = sync.OnceValues(func() (interpreter.Interpreter, error) {
	functions := interpreter.NewDispatcher()
	for _, f := range stdlib.Functions() {
		bindings, err := f.Bindings()
		if err != nil {
			return nil, fmt.Errorf("CEL's function %s: %w", f.Name(), err)
		}
		if err := functions.Add(bindings...); err != nil {
			return nil, fmt.Errorf("CEL's function %s: %w", f.Name(), err)
		}
	}
	schema := NewSchema()
	attributes := interpreter.NewAttributeFactory(containers.DefaultContainer, types.DefaultTypeAdapter, schema)
	return interpreter.NewInterpreter(functions, containers.DefaultContainer, schema, types.DefaultTypeAdapter, attributes), nil
})

// newTracker counts the cost of one evaluation, and ends it by a panic at
// MaxCost.
func newTracker() (*cost.Tracker, error) {
	t, err := tracker()
	if err != nil {
		return nil, err
	}
	return t.Clone()
}

var tracker = sync.OnceValues(func() (*cost.Tracker, error) {
	return cost.NewTracker(nil, cost.TrackerLimit(MaxCost))
})

// eval never fails: what can't be computed is unknown, and says why where a
// missing fact would stand.
func (e *expression) eval(vars interpreter.Activation) ref.Val {
	program, err := e.plan()
	if err == nil {
		var v ref.Val
		if v, err = run(program, vars); err == nil {
			return v
		}
	}
	return types.NewUnknown(0, types.NewAttributeTrail("("+err.Error()+")"))
}

func run(program interpreter.InterpretableV2, vars interpreter.Activation) (v ref.Val, err error) {
	frame, err := interpreter.NewExecutionFrame(vars)
	if err != nil {
		return nil, err
	}
	defer frame.Close()
	defer func() {
		switch p := recover().(type) {
		case nil:
		case cost.LimitExceededError:
			err = p
		default:
			err = fmt.Errorf("internal error: %v", p)
		}
	}()
	v = program.Exec(frame)
	if failure, ok := v.(*types.Err); ok {
		return nil, failure
	}
	return v, nil
}

// truth evaluates a condition, and names the facts it misses when it is
// unknown, sorted.
func (e *expression) truth(vars interpreter.Activation) (Truth, []string) {
	return truthOf(e.eval(vars))
}

func truthOf(v ref.Val) (Truth, []string) {
	switch v := v.(type) {
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
	if name == ItemVariable {
		return s.item, true
	}
	return s.Facts.ResolveName(name)
}

// Groups lists the groups that rules can name, in the proto's order.
func Groups() []string {
	var names []string
	for i := range snapshotFields.Len() {
		if name := string(snapshotFields.Get(i).Name()); name != "manifest" {
			names = append(names, name)
		}
	}
	return names
}
