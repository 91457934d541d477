package snmp

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed quirks.tsv
var quirksText string

var quirks = sync.OnceValue(func() []quirk {
	rows, err := parseQuirks("quirks.tsv", quirksText)
	if err != nil {
		panic(err) // embedded: a test reads them
	}
	return rows
})

// Quirks are what one agent needs.
type Quirks struct {
	// Next: it has no GetBulk that works.
	Next bool
	// Most is how many objects it can answer at once; 0: no limit is known.
	Most int
	// Order: its objects come in no order.
	Order bool
	// Views: its forwarding table stands under a community or context a VLAN.
	Views bool
}

// quirk is a row of the table.
type quirk struct {
	// origin is file and line, for those who wonder.
	origin, object string
	pattern        *regexp.Regexp
	from, before   []int
	set            func(*Quirks)
}

// QuirksOf gives what is known of an agent, by its sysObjectID and sysDescr.
func QuirksOf(objectID, description string) (q Quirks) {
	for _, row := range quirks() {
		if row.fits(objectID, description) {
			row.set(&q)
		}
	}
	return q
}

// Suit has the session ask as the agent needs it, and tells how that is.
func (s *Session) Suit(objectID, description string) Quirks {
	q := QuirksOf(objectID, description)
	s.quirks = q
	if q.Most > 0 {
		s.pace.most = min(s.pace.most, q.Most)
		s.pace.varbinds = min(s.pace.varbinds, q.Most)
	}
	return q
}

var versionWord = regexp.MustCompile(`(?i)version[: ]+v?(\d[^\s,]*)`)

func (r *quirk) fits(objectID, description string) bool {
	rest, begins := strings.CutPrefix(objectID, r.object)
	if !begins || rest != "" && rest[0] != '.' && !strings.HasSuffix(r.object, ".") {
		return false
	}
	if r.pattern != nil {
		return r.pattern.MatchString(description)
	}
	if r.from == nil && r.before == nil {
		return true
	}
	m := versionWord.FindStringSubmatch(description)
	if m == nil {
		return false
	}
	version := numbers(m[1])
	return slices.Compare(r.from, version) <= 0 && (r.before == nil || slices.Compare(version, r.before) < 0)
}

var number = regexp.MustCompile(`\d+`)

// numbers are those of a version: 15.2(7)E4 is 15, 2, 7 and 4.
func numbers(version string) (all []int) {
	for _, digits := range number.FindAllString(version, -1) {
		n, err := strconv.Atoi(digits)
		if err != nil {
			return all
		}
		all = append(all, n)
	}
	return all
}

// parseQuirks reads the table; an error names file and line.
func parseQuirks(file, text string) (rows []quirk, err error) {
	line := 0
	for text := range strings.Lines(text) {
		line++
		if text = strings.TrimRight(text, "\r\n"); text == "" || text[0] == '#' {
			continue
		}
		row := quirk{origin: fmt.Sprintf("%s:%d", file, line)}
		if err := row.parse(strings.Split(text, "\t")); err != nil {
			return nil, fmt.Errorf("%s: %w", row.origin, err)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (r *quirk) parse(fields []string) (err error) {
	if len(fields) != 4 {
		return fmt.Errorf("%d columns, expected object, versions, quirk and source with tabs between", len(fields))
	}
	r.object = fields[0]
	if Index(strings.TrimSuffix(r.object, ".")) == nil {
		return fmt.Errorf("%q is no object identifier", r.object)
	}
	if !strings.HasPrefix(fields[3], "http") {
		return fmt.Errorf("%q is no source: expected an address", fields[3])
	}
	if err := r.parseVersions(fields[1]); err != nil {
		return err
	}
	switch word, argument, _ := strings.Cut(fields[2], "="); word {
	case "next":
		r.set = func(q *Quirks) { q.Next = true }
	case "order":
		r.set = func(q *Quirks) { q.Order = true }
	case "views", "noViews":
		r.set = func(q *Quirks) { q.Views = word == "views" }
	case "most":
		most, err := strconv.Atoi(argument)
		if err != nil || most < 1 || most >= mostVarbinds {
			return fmt.Errorf("most=%s: expected a number from 1 to %d", argument, mostVarbinds-1)
		}
		r.set = func(q *Quirks) { q.Most = most }
		return nil
	default:
		return fmt.Errorf("unknown quirk %q: expected next, most=N, order, views or noViews", fields[2])
	}
	if strings.Contains(fields[2], "=") {
		return fmt.Errorf("%q takes no value", fields[2])
	}
	return nil
}

func (r *quirk) parseVersions(text string) (err error) {
	if text == "-" {
		return nil
	}
	if len(text) > 2 && text[0] == '/' && text[len(text)-1] == '/' {
		if r.pattern, err = regexp.Compile(text[1 : len(text)-1]); err != nil {
			return fmt.Errorf("the pattern %s is not understood: %w", text, err)
		}
		return nil
	}
	from, before, both := strings.Cut(text, "..")
	if r.from, r.before = numbers(from), numbers(before); !both || r.from == nil && r.before == nil || from != "" && r.from == nil || before != "" && r.before == nil {
		return fmt.Errorf("%q are no versions: expected -, FROM..BEFORE or /PATTERN/", text)
	}
	if r.from != nil && r.before != nil && slices.Compare(r.from, r.before) >= 0 {
		return fmt.Errorf("no version is in %q", text)
	}
	return nil
}
