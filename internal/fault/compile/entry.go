package compile

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"
)

// The YAML of a catalog, as written. Scalars remember where they stand.

// domainFile is catalog/<domain>.yaml.
type domainFile []entry

type entry struct {
	ID          scalar          `yaml:"id"`
	Urgency     scalar          `yaml:"urgency"`
	Title       entryText       `yaml:"title"`
	Explanation entryText       `yaml:"explanation"`
	Advice      entryAdvice     `yaml:"advice"`
	Needs       []scalar        `yaml:"needs"`
	Rule        scalar          `yaml:"rule"`
	Views       []entryView     `yaml:"views"`
	Decisive    scalar          `yaml:"decisive"`
	Contradict  scalar          `yaml:"contradicted"`
	Evidence    []entryEvidence `yaml:"evidence"`
	Explains    []scalar        `yaml:"explains"`
	LookAlikes  []entryLook     `yaml:"look_alikes"`
	Remedies    []scalar        `yaml:"remedies"`
	ByChoice    bool            `yaml:"by_choice"`
	Wide        bool            `yaml:"wide"`
	Logged      bool            `yaml:"logged"`
	Source      scalar          `yaml:"source"`
}

// entryView is one more side from which the fault shows.
type entryView struct {
	Needs []scalar `yaml:"needs"`
	Rule  scalar   `yaml:"rule"`
}

type entryText struct {
	EN scalar `yaml:"en"`
	FR scalar `yaml:"fr"`
}

type entryAdvice struct {
	User       entryText `yaml:"user"`
	Technician entryText `yaml:"technician"`
}

type entryEvidence struct {
	Each      scalar   `yaml:"each"`
	Where     scalar   `yaml:"where"`
	Show      []scalar `yaml:"show"`
	Component scalar   `yaml:"component"`
	Brand     scalar   `yaml:"brand"`
	Since     scalar   `yaml:"since"`
	Reaches   scalar   `yaml:"reaches"`
}

type entryLook struct {
	Fault scalar    `yaml:"fault"`
	Check entryText `yaml:"check"`
}

// termsFile is catalog/terms.yaml.
type termsFile []term

// term is a condition that rules use by name.
type term struct {
	Name  scalar `yaml:"name"`
	Means scalar `yaml:"means"`
	Rule  scalar `yaml:"rule"`
}

// scalar is a string with its place in the file.
type scalar struct {
	text         string
	line, column int
	block        bool // a literal block: its text starts on the line below
}

// UnmarshalYAML takes the text and the place from the syntax tree.
func (s *scalar) UnmarshalYAML(n ast.Node) error {
	at := n.GetToken().Position
	s.line, s.column = at.Line, at.Column
	switch n := n.(type) {
	case *ast.StringNode:
		s.text = n.Value
	case *ast.LiteralNode:
		s.text, s.block = n.Value.Value, true
	case *ast.BoolNode:
		s.text = n.GetToken().Value
	case *ast.NullNode:
	default:
		return fmt.Errorf("expected text, found %s", n.Type())
	}
	return nil
}
