package gear

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"

	"constat/internal/snmp"
)

// column is one column of a table, and what its value means for a row. Tables
// are lists of columns, so that what is read of a device stands in one place
// with the object's name, and a column that a device lacks costs one object.
type column[R any] struct {
	// object is the MIB's name for it; oid its number.
	object, oid string
	set         func(r *R, v snmp.Value)
}

// walk reads the columns into rows by index. A row comes to be with its first
// value, whichever column brings it: agents leave columns and cells out.
func walk[R any](ctx context.Context, s *snmp.Session, columns []column[R]) (map[string]*R, error) {
	oids := make([]string, len(columns))
	for i, c := range columns {
		oids[i] = c.oid
	}
	rows := map[string]*R{}
	err := s.Walk(ctx, oids, func(i int, index string, v snmp.Value) {
		row, ok := rows[index]
		if !ok {
			row = new(R)
			rows[index] = row
		}
		columns[i].set(row, v)
	})
	return rows, err
}

// byIndex lists the indexes of rows in the order of their numbers.
func byIndex[R any](rows map[string]R) []string {
	return slices.SortedFunc(maps.Keys(rows), func(a, b string) int {
		return cmp.Or(slices.Compare(snmp.Index(a), snmp.Index(b)), cmp.Compare(a, b))
	})
}

// number reads an index of one number.
func number(index string) (int32, bool) {
	n, err := strconv.ParseInt(index, 10, 32)
	return int32(n), err == nil
}

// text gives a text that is there.
func text(v snmp.Value) *string { return present(v.Text()) }

func present(s string) *string {
	if s == "" {
		return nil
	}
	return proto.String(s)
}

// integer gives a number that is there.
func integer(v snmp.Value) *int64 {
	if n, ok := v.Int(); ok {
		return proto.Int64(n)
	}
	return nil
}

// small gives a number that is there and fits.
func small(v snmp.Value) *int32 {
	if n, ok := v.Int(); ok && n >= -1<<31 && n < 1<<31 {
		return proto.Int32(int32(n))
	}
	return nil
}

// truth is a TruthValue (SNMPv2-TC), or another pair of yes(1) and no(2).
func truth(v snmp.Value) *bool {
	n, ok := v.Int()
	if !ok || n != 1 && n != 2 {
		return nil
	}
	return proto.Bool(n == 1)
}

// words turn an enumeration's numbers into the MIB's words; a number that the
// MIB did not have when this was written keeps its number.
type words []string

func (w words) of(v snmp.Value) *string {
	n, ok := v.Int()
	if !ok {
		return nil
	}
	if n >= 0 && n < int64(len(w)) && w[n] != "" {
		return proto.String(w[n])
	}
	return proto.String(fmt.Sprintf("other(%d)", n))
}
