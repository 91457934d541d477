package snmp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gosnmp/gosnmp"
)

const (
	// maxObjects bounds one walk by default: a chassis of 20,000 interfaces with
	// twenty columns has no more.
	maxObjects = 400_000
	// maxColumns are walked abreast: their rows then come in few datagrams, and
	// requests stay small.
	maxColumns = 8
	// maxAsked are asked for their first row at once.
	maxAsked = 24
)

// column is one under way.
type column struct {
	number int    // its place in the caller's list
	root   string // ".1.3.6.1.2.1.2.2.1.2"
	last   string
	// seen are the objects of a column whose agent does not keep to the order.
	seen map[string]bool
}

// Walk reads columns of tables, or scalars' parents, and calls each with the
// column's place in the list, the row's index ("3.1") and the value. Columns
// that the device does not have are passed over. Rows of one column come in the
// agent's order.
//
// Agents that go back, repeat themselves or stop early end only the column
// concerned; of one that goes in circles a row may come twice.
func (s *Session) Walk(ctx context.Context, columns []string, each func(column int, index string, v Value)) error {
	// The first row of all tells which columns there are: one that the device
	// does not have costs one object, not a datagram of others.
	var there []*column
	objects := 0
	for start := 0; start < len(columns); start += maxAsked {
		var open []*column
		for i, oid := range columns[start:min(start+maxAsked, len(columns))] {
			root := "." + strings.TrimPrefix(oid, ".")
			open = append(open, &column{number: start + i, root: root, last: root})
		}
		for len(open) > 0 { // an agent may cut even the first row
			answer, err := s.bulk(ctx, open, 1)
			if err != nil {
				return err
			}
			objects += len(answer)
			there = append(there, take(open[:min(len(answer), len(open))], answer, each)...)
			open = open[min(max(len(answer), 1), len(open)):]
		}
	}
	for start := 0; start < len(there); start += maxColumns {
		open := there[start:min(start+maxColumns, len(there))]
		for len(open) > 0 {
			answer, err := s.bulk(ctx, open, max(s.varbinds/len(open), 1))
			if err != nil {
				return err
			}
			if objects += len(answer); objects > s.patience.Objects {
				return fmt.Errorf("%s: %w: stopped after %d", s.address, ErrHostile, objects)
			}
			open = take(open, answer, each)
		}
	}
	return nil
}

// bulk asks the next rows of the open columns, fewer than wanted where the agent
// can't answer so many.
func (s *Session) bulk(ctx context.Context, open []*column, repetitions int) ([]gosnmp.SnmpPDU, error) {
	oids := make([]string, len(open))
	for i, c := range open {
		oids[i] = c.last
	}
	old := s.g.Version == gosnmp.Version1
	if old { // it has no GetBulk
		repetitions = 1
	}
	for {
		s.g.Context = ctx
		answer, err := s.ask(oids, repetitions)
		// Version 1 refuses a row of which one column has come to its end.
		tooMuch := err == nil && (answer.Error == gosnmp.TooBig || answer.Error == gosnmp.GenErr || old && answer.Error == gosnmp.NoSuchName)
		if err != nil {
			err = s.explain(ctx, err)
			tooMuch = errors.Is(err, ErrSilent) && s.answered
		}
		switch {
		case tooMuch && repetitions > 1:
			// An agent that answered before chokes on large answers: ask a
			// quarter, for the rest of the session.
			repetitions = max(repetitions/4, 1)
			s.varbinds = len(open) * repetitions
		case err != nil:
			return nil, err
		case tooMuch:
			// Even one row is too much, or one of the columns breaks the agent.
			return s.oneByOne(ctx, open)
		case answer.Error != gosnmp.NoError:
			return nil, nil
		default:
			s.answered = true
			s.stats.Objects += len(answer.Variables)
			return answer.Variables, nil
		}
	}
}

// ask is one request for what follows the objects.
func (s *Session) ask(oids []string, repetitions int) (*gosnmp.SnmpPacket, error) {
	if s.g.Version == gosnmp.Version1 {
		return s.g.GetNext(oids)
	}
	return s.g.GetBulk(oids, 0, uint32(repetitions))
}

// oneByOne asks each column by itself; one that the agent fails on ends.
func (s *Session) oneByOne(ctx context.Context, open []*column) ([]gosnmp.SnmpPDU, error) {
	row := make([]gosnmp.SnmpPDU, len(open))
	for i, c := range open {
		answer, err := s.g.GetNext([]string{c.last})
		if err != nil {
			return nil, s.explain(ctx, err)
		}
		row[i] = gosnmp.SnmpPDU{Type: gosnmp.EndOfMibView}
		if answer.Error == gosnmp.NoError && len(answer.Variables) == 1 {
			row[i] = answer.Variables[0]
		}
	}
	s.stats.Objects += len(row)
	return row, nil
}

// take hands the rows of an answer on and gives the columns that go on. An agent
// may cut the answer within a row: what it left out is asked for again. An
// answer of nothing ends all.
func take(open []*column, answer []gosnmp.SnmpPDU, each func(int, string, Value)) []*column {
	if len(answer) == 0 {
		return nil
	}
	ended := make([]bool, len(open))
	for i, v := range answer {
		i %= len(open)
		c := open[i]
		if ended[i] {
			continue
		}
		index, inside := strings.CutPrefix(v.Name, c.root+".")
		if !inside || v.Type == gosnmp.EndOfMibView || v.Type == gosnmp.NoSuchObject || !c.advance(v.Name) {
			ended[i] = true
			continue
		}
		if value := (Value{v}); value.Known() {
			each(c.number, index, value)
		}
	}
	var left []*column
	for i, c := range open {
		if !ended[i] {
			left = append(left, c)
		}
	}
	return left
}

// advance notes an object and tells whether it is a new one. Most agents answer
// in ascending order; the objects of others are remembered one by one.
func (c *column) advance(name string) bool {
	if c.seen == nil && c.last != c.root && compare(name, c.last) <= 0 {
		c.seen = map[string]bool{c.last: true}
	}
	if c.seen != nil {
		if c.seen[name] {
			return false
		}
		c.seen[name] = true
	}
	c.last = name
	return true
}

// compare orders two OIDs as RFC 2578 does. Equal beginnings are skipped as
// text, since nearly all of two neighbours is equal.
func compare(a, b string) int {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	for i > 0 && a[i-1] != '.' {
		i--
	}
	return slices.Compare(Index(a[i:]), Index(b[i:]))
}
