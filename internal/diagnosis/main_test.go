package diagnosis

import (
	"flag"
	"os"
	"testing"
)

// TestMain draws the same snapshots in every run, and ten times the usual number
// of them, so that a failure is the change's. To look further:
// go test -rapid.seed=0 -rapid.checks=15000.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"rapid.seed": "1", "rapid.checks": "1000"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
