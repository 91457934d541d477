package fault

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// checkRules compiles every expression and checks what only the compiled form
// tells: types, the groups a rule asks, and that terms build on earlier ones.
func (c *Catalog) checkRules() error {
	var problems []error
	note := func(e *expression, err error) {
		if err != nil {
			problems = append(problems, e.locate(err))
		}
	}
	asks := map[string][]string{} // term → groups, transitively
	for i, name := range c.env.terms {
		e := c.terms[name]
		groups, err := c.groups(e, asks, c.env.terms[:i])
		note(e, err)
		asks[name] = groups
	}
	for _, f := range c.faults {
		for _, v := range f.views {
			groups, err := c.groups(v.rule, asks, c.env.terms)
			note(v.rule, err)
			if err == nil {
				note(v.rule, needs(f.ID, v, groups))
			}
		}
		for _, e := range f.expressions() {
			_, err := e.compile()
			note(e, err)
		}
	}
	return errors.Join(problems...)
}

// expressions lists all of an entry but its rules.
func (f *Fault) expressions() []*expression {
	all := []*expression{f.decisive, f.contradicted}
	for _, e := range f.evidence {
		all = append(all, e.where, e.component, e.brand, e.since)
	}
	return slices.DeleteFunc(all, func(e *expression) bool { return e == nil })
}

// groups compiles an expression and lists the groups it asks, by its terms
// too.
func (c *Catalog) groups(e *expression, asks map[string][]string, known []string) ([]string, error) {
	if _, err := e.compile(); err != nil {
		return nil, err
	}
	_, checked, err := c.env.compile(e.text, e.variety, e.item)
	if err != nil {
		return nil, err
	}
	var groups []string
	for _, name := range references(checked) {
		switch {
		case slices.Contains(groupNames(), name):
			groups = append(groups, name)
		case slices.Contains(known, name):
			groups = append(groups, asks[name]...)
		case slices.Contains(c.env.terms, name):
			return nil, fmt.Errorf("term %s is defined further down; expected one defined above", name)
		}
	}
	slices.Sort(groups)
	return slices.Compact(groups), nil
}

// needs compares the groups that a view says it needs with those its rule asks.
func needs(fault string, v view, asked []string) error {
	said := slices.Sorted(slices.Values(v.needs))
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
