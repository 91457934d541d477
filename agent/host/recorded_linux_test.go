package host

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRecordedFacts looks at all there is to see of every recorded machine.
func TestRecordedFacts(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal("no recorded machines", err)
	}
	for _, archive := range archives {
		name := strings.TrimSuffix(filepath.Base(archive), ".txtar")
		t.Run(name, func(t *testing.T) {
			groups := slices.DeleteFunc(Groups(), func(g string) bool { return g == "counters" || g == "probes" })
			s := Observe(t.Context(), Config{Root: machine(t, name)}, groups)
			s.Network.Links, s.Network.Routes = nil, nil // the running kernel's
			told(t, s)
		})
	}
}
