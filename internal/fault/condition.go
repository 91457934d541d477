package fault

import (
	"fmt"

	"cel.dev/cel-go/cel"
)

// Condition is a rule outside the catalog's entries, in the same language and
// over the same facts and terms: procedures use it to say what health looks
// like.
type Condition struct {
	rule *expression
}

// Condition makes a condition from CEL text. It compiles when it is first
// asked, or by Check; the same text again is the same condition.
func (c *Catalog) Condition(text string) *Condition {
	made, _ := c.conditions.LoadOrStore(text, &Condition{&expression{scalar: scalar{text: text}, env: c.env, variety: cel.BoolType}})
	return made.(*Condition)
}

// Check compiles the condition and says what is wrong with it.
func (c *Condition) Check() error {
	if _, err := c.rule.compile(); err != nil {
		return fmt.Errorf("condition %q: %w", c.rule.text, err)
	}
	return nil
}

// Holds evaluates the condition and names the facts it misses when it is
// unknown, sorted.
func (c *Condition) Holds(f *Facts) (Truth, []string) { return c.rule.truth(f) }
