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
	// maxObjects, by default, and maxBytes bound one walk: a chassis of 20,000
	// interfaces with thirty columns has no more.
	maxObjects = 800_000
	maxBytes   = 64 << 20
	// maxColumns are walked abreast: their rows then come in few datagrams, and
	// requests stay small.
	maxColumns = 8
	// maxAsked are asked for their first row at once.
	maxAsked = 24
)

// column is one under way.
type column struct {
	number int    // its place in the caller's list
	text   string // as the caller has it
	scalar bool
	root   string // ".1.3.6.1.2.1.2.2.1.2"
	last   string
	// seen are the objects of a column whose agent does not keep to the order.
	seen map[string]bool
	rows int
}

// Walk reads columns of tables, and scalars (whose names end in .0), and calls
// each with the column's place in the list, the row's index ("3.1"; a scalar's is
// "0") and the value. Columns that the device does not have are passed over. Rows
// of one column come in the agent's order.
//
// Agents that go back, repeat themselves or stop early end only the column
// concerned; of one that goes in circles a row may come twice.
func (s *Session) Walk(ctx context.Context, columns []string, each func(column int, index string, v Value)) error {
	w := walk{session: s, each: each}
	var open []*column
	for i, text := range columns {
		text = strings.TrimPrefix(text, ".")
		if s.absent[text] {
			continue
		}
		parent, scalar := strings.CutSuffix(text, ".0")
		c := &column{number: i, text: text, scalar: scalar, root: "." + parent, last: "." + parent}
		if s.quirks.Order {
			c.seen = map[string]bool{}
		}
		open = append(open, c)
	}
	// Scalars come with the first rows.
	open, err := w.first(ctx, open)
	if err != nil {
		return err
	}
	rows := 0 // of the columns before: those of one table have about as many
	abreast := maxColumns
	if most := s.quirks.Most; most > 0 {
		abreast = min(abreast, most)
	}
	for start := 0; start < len(open); start += abreast {
		batch := open[start:min(start+abreast, len(open))]
		for left := batch; len(left) > 0; {
			repetitions := s.pace.repetitions(len(left))
			if done := left[0].rows; rows > done {
				repetitions = min(repetitions, rows-done+1)
			}
			answer, err := w.bulk(ctx, left, repetitions)
			if err != nil {
				return err
			}
			left = w.take(left, answer)
		}
		for _, c := range batch {
			rows = max(rows, c.rows)
			if s.known && c.rows == 0 {
				s.absent[c.text] = true
			}
		}
	}
	return nil
}

// walk is one under way.
type walk struct {
	session        *Session
	each           func(column int, index string, v Value)
	objects, bytes int
	names          []string
}

// first asks the first row of all: it tells which columns there are. One that
// the device does not have then costs one object, not a datagram of others.
// Where that is known, it only asks the scalars, if there are any.
func (w *walk) first(ctx context.Context, columns []*column) (there []*column, err error) {
	if w.session.known && !slices.ContainsFunc(columns, func(c *column) bool { return c.scalar }) {
		return columns, nil
	}
	abreast := maxAsked
	if most := w.session.quirks.Most; most > 0 {
		abreast = min(abreast, most)
	}
	for start := 0; start < len(columns); start += abreast {
		open := columns[start:min(start+abreast, len(columns))]
		for len(open) > 0 { // an agent may cut even the first row
			answer, err := w.bulk(ctx, open, 1)
			if err != nil {
				return nil, err
			}
			there = append(there, w.take(open[:min(len(answer), len(open))], answer)...)
			open = open[min(max(len(answer), 1), len(open)):]
		}
	}
	for _, c := range columns {
		if c.rows == 0 {
			w.session.absent[c.text] = true
		}
	}
	return slices.DeleteFunc(there, func(c *column) bool { return c.scalar }), nil
}

// bulk asks the next rows of the open columns, fewer than wanted where the agent
// can't answer so many.
func (w *walk) bulk(ctx context.Context, open []*column, repetitions int) ([]gosnmp.SnmpPDU, error) {
	s := w.session
	if s.rowByRow() {
		repetitions = 1
	}
	w.names = w.names[:0]
	for _, c := range open {
		w.names = append(w.names, c.last)
	}
	for {
		answer, err := s.exchange(ctx, getBulk, repetitions, w.names)
		asked := len(open) * repetitions
		tooMuch := err == nil && answer.Error != gosnmp.NoError || errors.Is(err, ErrSilent) && s.pace.slowest > 0
		switch {
		case tooMuch && repetitions > 1:
			// An agent that answered before chokes on large answers: ask a quarter,
			// for the rest of the session.
			s.pace.choked(asked)
			repetitions = max(repetitions/4, 1)
		case err != nil:
			return nil, err
		case tooMuch:
			// Even one row is too much, or one of the columns breaks the agent.
			return w.oneByOne(ctx, open)
		default:
			return answer.Variables, w.count(answer.Variables, asked)
		}
	}
}

// count notes what an answer cost and how large it was.
func (w *walk) count(answer []gosnmp.SnmpPDU, asked int) error {
	size := 0
	for _, v := range answer {
		size += length(v.Name) + valueBytes
		if b, text := v.Value.([]byte); text {
			size += len(b)
		}
	}
	if asked > 1 {
		w.session.pace.answered(asked, len(answer), size)
	}
	w.session.stats.Objects += len(answer)
	w.objects += len(answer)
	if w.bytes += size; w.objects > w.session.patience.Objects || w.bytes > maxBytes {
		return fmt.Errorf("%s: %w: stopped after %d", w.session.address, ErrHostile, w.objects)
	}
	return nil
}

// oneByOne asks each column by itself; one that the agent fails on ends.
func (w *walk) oneByOne(ctx context.Context, open []*column) ([]gosnmp.SnmpPDU, error) {
	row := make([]gosnmp.SnmpPDU, len(open))
	for i, c := range open {
		answer, err := w.session.exchange(ctx, getNext, 0, []string{c.last})
		if err != nil {
			return nil, err
		}
		row[i] = gosnmp.SnmpPDU{Type: gosnmp.EndOfMibView}
		if answer.Error == gosnmp.NoError && len(answer.Variables) == 1 {
			row[i] = answer.Variables[0]
		}
	}
	return row, w.count(row, 1)
}

// take hands the rows of an answer on and gives the columns that go on. An agent
// may cut the answer within a row: what it left out is asked for again. An
// answer of nothing ends all.
func (w *walk) take(open []*column, answer []gosnmp.SnmpPDU) []*column {
	if len(answer) == 0 {
		return nil
	}
	ended := 0
	for i, v := range answer {
		c := open[i%len(open)]
		if c.last == "" {
			continue
		}
		index, inside := strings.CutPrefix(v.Name, c.root+".")
		if !inside || v.Type == gosnmp.EndOfMibView || v.Type == gosnmp.NoSuchObject || !c.advance(v.Name) {
			c.last = ""
			ended++
			continue
		}
		c.rows++
		if value := (Value{v}); value.Known() {
			w.each(c.number, index, value)
		}
	}
	if ended == 0 {
		return open
	}
	left := make([]*column, 0, len(open)-ended)
	for _, c := range open {
		if c.last != "" {
			left = append(left, c)
		}
	}
	return left
}

// advance notes an object and tells whether it is a new one. Most agents answer
// in ascending order; the objects of others are remembered one by one.
func (c *column) advance(name string) bool {
	if c.seen == nil && c.rows > 0 && compare(name, c.last) <= 0 {
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
