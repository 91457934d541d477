package host

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"constat/internal/lab"
)

// TestRecordedFacts keeps testdata/facts.txt, evidence for docs/facts.md, what
// the readers tell of the recorded machines. CONSTAT_FACTS=write writes it anew.
func TestRecordedFacts(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal("no recorded machines", err)
	}
	var seen []string
	for _, archive := range archives {
		name := strings.TrimSuffix(filepath.Base(archive), ".txtar")
		groups := slices.DeleteFunc(Groups(), func(g string) bool { return g == "probes" })
		s := Observe(t.Context(), Config{Root: machine(t, name)}, groups)
		seen = append(seen, lab.SetFacts(s)...)
	}
	slices.Sort(seen)
	text := strings.Join(slices.Compact(seen), "\n") + "\n"
	const file = "testdata/facts.txt"
	if os.Getenv("CONSTAT_FACTS") == "write" {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(committed) {
		t.Error("testdata/facts.txt is stale: CONSTAT_FACTS=write go test -run TestRecordedFacts ./agent/host, then ./internal/lab's table")
	}
}
