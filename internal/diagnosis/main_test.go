package diagnosis

import (
	"flag"
	"os"
	"testing"
)

// TestMain draws the same snapshots in every run, so that a failure is the
// change's. To look further: go test -rapid.seed=0 -rapid.checks=10000.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.seed", "1"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
