// Package lab builds the worlds that tests run in: network namespaces with real
// faults, print servers, databases. It is for tests only.
package lab

import (
	"os"
	"testing"
)

// Need ends the test unless a component is there. Without it the test is
// skipped with a word about what was missing; where CONSTAT_REQUIRE_ALL is set,
// as in CI, a missing component is a failure.
func Need(t testing.TB, what string, there bool) {
	t.Helper()
	switch {
	case there:
	case os.Getenv("CONSTAT_REQUIRE_ALL") != "":
		t.Fatalf("needs %s, and CONSTAT_REQUIRE_ALL is set", what)
	default:
		t.Skipf("needs %s", what)
	}
}
