package store

import (
	"bytes"
	"slices"
	"strings"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"
)

// ByName puts a list in the order in which people look for names: É beside E, upper
// case beside lower case, sw-2 before sw-10. The engines' own orders differ, also from
// one installation to the next.
func ByName[T any](list []T, name func(T) string) {
	if len(list) < 2 {
		return
	}
	type keyed struct {
		key  []byte
		name string
		one  T
	}
	order, buffer := collate.New(language.Und, collate.Numeric), &collate.Buffer{}
	sorted := make([]keyed, len(list))
	for i, one := range list {
		sorted[i] = keyed{order.KeyFromString(buffer, name(one)), name(one), one}
	}
	slices.SortStableFunc(sorted, func(a, b keyed) int {
		if c := bytes.Compare(a.key, b.key); c != 0 {
			return c
		}
		return strings.Compare(a.name, b.name)
	})
	for i, k := range sorted {
		list[i] = k.one
	}
}
