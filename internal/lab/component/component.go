// Package component tells a test that lacks a component to go. It is for tests only.
package component

import (
	"fmt"
	"os"
	"testing"
)

// Need ends the test unless a component is there. Without it the test is
// skipped with a word about what was missing; where CONSTAT_REQUIRE_ALL is set,
// as in CI, a missing component is a failure. The file that CONSTAT_SKIPPED
// names collects what was skipped, for the end of `make test`.
func Need(t testing.TB, what string, there bool) {
	t.Helper()
	if there {
		return
	}
	if os.Getenv("CONSTAT_REQUIRE_ALL") != "" {
		t.Fatalf("needs %s, and CONSTAT_REQUIRE_ALL is set", what)
	}
	if name := os.Getenv("CONSTAT_SKIPPED"); name != "" {
		if f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0); err == nil {
			fmt.Fprintf(f, "%s: needs %s\n", t.Name(), what)
			f.Close()
		}
	}
	t.Skipf("needs %s", what)
}
