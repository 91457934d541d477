package console

import (
	"slices"
	"strconv"
	"strings"
	"time"

	exprpb "google.golang.org/genproto/googleapis/api/expr/v1alpha1"
	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

// clause is a condition of a rule in words: what it says, and what stands under
// it. Its words are those of the facts and terms that the rule names; nobody
// writes it a second time.
type clause struct {
	Text  string
	Parts []clause
	// Folded: a term, whose own rule is shown on demand.
	Folded bool
	// known is the fact that this clause only wants to be known.
	known string
}

// ruleReader words rules in one language.
type ruleReader struct {
	*speech
	terms map[string][]byte
	// Variables of the lists that the rule is inside of, outermost first.
	variables []variable
	// Terms that are being unfolded: a catalog that is not ours could go round.
	depth int
}

// variable is the element of a list under its name in the rule.
type variable struct{ name, label string }

// maxRuleDepth bounds how deep terms unfold.
const maxRuleDepth = 6

// rules words an expression of the compiled catalog: what must hold, all of it.
func (r *ruleReader) rules(checked []byte) []clause {
	var message exprpb.CheckedExpr
	if len(checked) == 0 || proto.Unmarshal(checked, &message) != nil {
		return nil
	}
	c := r.condition(message.GetExpr(), false)
	if c.Text == r.say("rule.allOf") {
		return c.Parts
	}
	return []clause{c}
}

// condition words a condition, or its opposite.
func (r *ruleReader) condition(e *exprpb.Expr, not bool) clause {
	switch kind := e.GetExprKind().(type) {
	case *exprpb.Expr_ConstExpr:
		if kind.ConstExpr.GetBoolValue() != not {
			return clause{Text: r.say("rule.always")}
		}
		return clause{Text: r.say("rule.never")}
	case *exprpb.Expr_IdentExpr:
		if rule, isTerm := r.terms[kind.IdentExpr.GetName()]; isTerm {
			return r.term(kind.IdentExpr.GetName(), rule, not)
		}
	case *exprpb.Expr_SelectExpr:
		if kind.SelectExpr.GetTestOnly() {
			c := r.clause(pick(not, "rule.unset", "rule.set"), "Fact", r.operand(e))
			if !not {
				c.known = r.operand(e)
			}
			return c
		}
	case *exprpb.Expr_CallExpr:
		if c, ok := r.call(kind.CallExpr, not); ok {
			return c
		}
	case *exprpb.Expr_ComprehensionExpr:
		if c, ok := r.quantified(kind.ComprehensionExpr, not); ok {
			return c
		}
	}
	return r.clause("rule.is", "Fact", r.operand(e), "Value", r.yesNo(!not))
}

func (r *ruleReader) clause(id string, pairs ...any) clause { return clause{Text: r.say(id, pairs...)} }

func (r *ruleReader) term(name string, rule []byte, not bool) clause {
	c := clause{Text: r.word("term", name)}
	if not {
		c.Text = r.say("rule.notSo", "Term", c.Text)
	}
	if r.depth < maxRuleDepth {
		inner := &ruleReader{speech: r.speech, terms: r.terms, depth: r.depth + 1}
		c.Parts, c.Folded = inner.rules(rule), true
	}
	return c
}

// opposite is the comparison that holds where the other does not.
var opposite = map[string]string{"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}

// comparisonWords are the messages of the comparisons.
var comparisonWords = map[string]string{
	"==": "rule.is", "!=": "rule.isNot", "<": "rule.less", "<=": "rule.atMost", ">": "rule.more", ">=": "rule.atLeast",
}

func (r *ruleReader) call(call *exprpb.Expr_Call, not bool) (clause, bool) {
	args := call.GetArgs()
	switch function := call.GetFunction(); function {
	case "!_":
		return r.condition(args[0], !not), true
	case "_&&_", "_||_":
		return r.joined(call, not), true
	case "_?_:_": // either the condition and the first, or neither of them and the second
		first := r.all(r.condition(args[0], false), r.condition(args[1], not))
		second := r.all(r.condition(args[0], true), r.condition(args[2], not))
		return clause{Text: r.say("rule.oneOf"), Parts: []clause{first, second}}, true
	case "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_":
		return r.comparison(strings.Trim(function, "_"), args[0], args[1], not), true
	case "@in":
		return r.clause(pick(not, "rule.notIn", "rule.in"), "Fact", r.operand(args[0]), "Value", r.operand(args[1])), true
	case "startsWith", "endsWith", "contains", "matches":
		c := r.clause("rule."+function, "Fact", r.operand(call.GetTarget()), "Value", r.operand(args[0]))
		if not {
			c = clause{Text: r.say("rule.not"), Parts: []clause{c}}
		}
		return c, true
	}
	return clause{}, false
}

// joined flattens what is joined by one operator; the opposite of "all of" is
// "one of" the opposites.
func (r *ruleReader) joined(call *exprpb.Expr_Call, not bool) clause {
	var parts []clause
	for _, arg := range call.GetArgs() {
		c := r.condition(arg, not)
		if inner := arg.GetCallExpr(); inner != nil && inner.GetFunction() == call.GetFunction() && c.Text == r.say(pick((inner.GetFunction() == "_||_") != not, "rule.oneOf", "rule.allOf")) {
			parts = append(parts, c.Parts...)
		} else {
			parts = append(parts, c)
		}
	}
	if (call.GetFunction() == "_||_") != not {
		return clause{Text: r.say("rule.oneOf"), Parts: parts}
	}
	parts = withoutSaid(parts)
	if len(parts) == 1 {
		return parts[0]
	}
	return r.all(parts...)
}

// withoutSaid leaves out that a fact is known where its value is asked as well.
func withoutSaid(parts []clause) []clause {
	var kept []clause
	for _, c := range parts {
		said := slices.ContainsFunc(parts, func(o clause) bool { return o.known == "" && strings.HasPrefix(o.Text, c.known) })
		if c.known == "" || !said {
			kept = append(kept, c)
		}
	}
	return kept
}

func (r *ruleReader) all(parts ...clause) clause {
	return clause{Text: r.say("rule.allOf"), Parts: parts}
}

func (r *ruleReader) comparison(operator string, left, right *exprpb.Expr, not bool) clause {
	if not {
		operator = opposite[operator]
	}
	if size := left.GetCallExpr(); size != nil && size.GetFunction() == "size" && right.GetConstExpr() != nil {
		n := right.GetConstExpr().GetInt64Value()
		switch {
		case operator == "==" && n == 0:
			return r.clause("rule.empty", "Fact", r.operand(sized(size)))
		case operator == ">" && n == 0, operator == "!=" && n == 0, operator == ">=" && n == 1:
			return r.clause("rule.notEmpty", "Fact", r.operand(sized(size)))
		}
	}
	return r.clause(comparisonWords[operator], "Fact", r.operand(left), "Value", r.measured(left, right))
}

// sized is what a size is asked of.
func sized(call *exprpb.Expr_Call) *exprpb.Expr {
	if call.GetTarget() != nil {
		return call.GetTarget()
	}
	return call.GetArgs()[0]
}

// measured writes a number in the unit of the fact it is compared with.
func (r *ruleReader) measured(fact, number *exprpb.Expr) string {
	unit := unitOf(fact.GetSelectExpr().GetField())
	if c := number.GetConstExpr(); unit != "" && c != nil && isNumber(c) {
		return r.quantity(unit, numberOf(c))
	}
	return r.operand(number)
}

func isNumber(c *exprpb.Constant) bool {
	switch c.GetConstantKind().(type) {
	case *exprpb.Constant_Int64Value, *exprpb.Constant_DoubleValue:
		return true
	}
	return false
}

func numberOf(c *exprpb.Constant) float64 {
	if v, ok := c.GetConstantKind().(*exprpb.Constant_DoubleValue); ok {
		return v.DoubleValue
	}
	return float64(c.GetInt64Value())
}

// quantified words the macros exists and all, as CEL expands them: a loop that
// gathers `or`, or `and`, from false, or true.
func (r *ruleReader) quantified(loop *exprpb.Expr_Comprehension, not bool) (clause, bool) {
	step := loop.GetLoopStep().GetCallExpr()
	if step == nil || len(step.GetArgs()) != 2 {
		return clause{}, false
	}
	every := step.GetFunction() == "_&&_"
	if !every && step.GetFunction() != "_||_" {
		return clause{}, false
	}
	element := variable{name: loop.GetIterVar(), label: r.element(loop.GetIterRange())}
	r.variables = append(r.variables, element)
	defer func() { r.variables = r.variables[:len(r.variables)-1] }()
	body := step.GetArgs()[1]
	var id string
	switch {
	case every && not: // not every one is so: one is not
		id = "rule.exists"
	case every:
		id = "rule.every"
	case not:
		id, not = "rule.none", false
	default:
		id = "rule.exists"
	}
	c := r.condition(body, not)
	parts := []clause{c}
	if c.Text == r.say("rule.allOf") {
		parts = c.Parts
	}
	return clause{Text: r.say(id, "Element", element.label), Parts: parts}, true
}

// element names what a list is made of.
func (r *ruleReader) element(list *exprpb.Expr) string {
	if field := list.GetSelectExpr().GetField(); field != "" {
		return r.elementLabel(field)
	}
	if list.GetListExpr() != nil {
		return r.operand(list)
	}
	return r.say("rule.element")
}

// operand words what a condition is about, or compares with.
func (r *ruleReader) operand(e *exprpb.Expr) string {
	switch kind := e.GetExprKind().(type) {
	case *exprpb.Expr_ConstExpr:
		return r.constant(kind.ConstExpr)
	case *exprpb.Expr_IdentExpr:
		return r.named(kind.IdentExpr.GetName())
	case *exprpb.Expr_SelectExpr:
		return r.path(e)
	case *exprpb.Expr_ListExpr:
		words := make([]string, len(kind.ListExpr.GetElements()))
		for i, element := range kind.ListExpr.GetElements() {
			words[i] = r.operand(element)
		}
		return strings.Join(words, ", ")
	case *exprpb.Expr_CallExpr:
		return r.computed(kind.CallExpr)
	}
	return "…"
}

func (r *ruleReader) constant(c *exprpb.Constant) string {
	switch v := c.GetConstantKind().(type) {
	case *exprpb.Constant_StringValue:
		if v.StringValue == "" {
			return r.say("facts.none")
		}
		return r.say("rule.quoted", "Word", v.StringValue)
	case *exprpb.Constant_BoolValue:
		return r.yesNo(v.BoolValue)
	case *exprpb.Constant_Int64Value:
		return r.quantity("", float64(v.Int64Value))
	case *exprpb.Constant_DoubleValue:
		return r.quantity("", v.DoubleValue)
	}
	return "…"
}

// named words a variable: the element of a list, a group, a term, the present.
func (r *ruleReader) named(name string) string {
	for i := len(r.variables) - 1; i >= 0; i-- {
		if r.variables[i].name == name {
			return r.variables[i].label
		}
	}
	switch {
	case name == "now":
		return r.say("rule.now")
	case r.terms[name] != nil:
		return r.word("term", name)
	}
	return r.word("group", name)
}

// path words a fact. One of the list that the condition is about is named
// alone; one of a list around it says whose it is.
func (r *ruleReader) path(e *exprpb.Expr) string {
	var words []string
	for e.GetSelectExpr() != nil {
		words = append([]string{r.label(e.GetSelectExpr().GetField())}, words...)
		e = e.GetSelectExpr().GetOperand()
	}
	text := strings.Join(words, " › ")
	root := e.GetIdentExpr().GetName()
	for i, v := range r.variables {
		if v.name == root && i < len(r.variables)-1 {
			return r.say("rule.of", "Fact", text, "Element", v.label)
		}
	}
	if root == "" {
		return r.operand(e) + " › " + text
	}
	return text
}

// arithmetic are the signs of CEL's operators.
var arithmetic = map[string]string{"_+_": "+", "_-_": "−", "_*_": "×", "_/_": "÷", "_%_": "mod"}

func (r *ruleReader) computed(call *exprpb.Expr_Call) string {
	args := call.GetArgs()
	switch function := call.GetFunction(); function {
	case "size":
		return r.say("rule.count", "Fact", r.operand(sized(call)))
	case "duration":
		return r.duration(args[0].GetConstExpr().GetStringValue())
	case "int", "double", "timestamp", "string":
		return r.operand(args[0])
	case "-_":
		return "−" + r.operand(args[0])
	case "_?_:_":
		return r.say("rule.either", "Condition", r.condition(args[0], false).Text, "Yes", r.operand(args[1]), "No", r.operand(args[2]))
	case "_-_":
		if r.isNow(args[0]) {
			return r.say("rule.age", "Fact", r.operand(args[1]))
		}
		return r.operand(args[0]) + " − " + r.operand(args[1])
	default:
		if sign := arithmetic[function]; sign != "" {
			return r.operand(args[0]) + " " + sign + " " + r.operand(args[1])
		}
		return function
	}
}

func (r *ruleReader) isNow(e *exprpb.Expr) bool { return e.GetIdentExpr().GetName() == "now" }

func (r *ruleReader) duration(text string) string {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return text
	case d >= 48*time.Hour && d%(24*time.Hour) == 0:
		return r.count("rule.days", int(d/(24*time.Hour)))
	case d >= time.Hour && d%time.Hour == 0:
		return r.count("rule.hours", int(d/time.Hour))
	default:
		return strconv.FormatFloat(d.Minutes(), 'f', -1, 64) + " min"
	}
}

func pick(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}

// ruleView is a side from which a fault shows, in words.
type ruleView struct {
	Needs   []string
	Clauses []clause
}

// proof is how a fault is known, in words.
type proof struct {
	Views                  []ruleView
	Decisive, Contradicted []clause
}

// proofOf words the rules of a fault.
func (s *speech) proofOf(entry *constatv1.Catalog_Fault, terms map[string][]byte) proof {
	read := func(rule []byte) []clause { return (&ruleReader{speech: s, terms: terms}).rules(rule) }
	p := proof{Decisive: read(entry.GetDecisive()), Contradicted: read(entry.GetContradicted())}
	for _, v := range entry.GetViews() {
		p.Views = append(p.Views, ruleView{Needs: v.GetNeeds(), Clauses: read(v.GetRule())})
	}
	return p
}
