// Package lab builds the worlds that tests run in: network namespaces with real
// faults, print servers, databases. It is for tests only.
package lab

import (
	"testing"

	"constat/internal/lab/component"
)

// Need is component.Need, for the many who have this package already.
func Need(t testing.TB, what string, there bool) {
	t.Helper()
	component.Need(t, what, there)
}
