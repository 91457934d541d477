package host

import (
	"os"
	"slices"
	"strings"
	"testing"

	"constat/internal/lab"
	constatv1 "constat/proto/constat/v1"
)

// recordedFacts is evidence for docs/facts.md: what the readers told of recorded
// machines, and of recorded answers of programs and devices, each fact with the
// test that wants it.
const recordedFacts = "testdata/facts.txt"

// told keeps the evidence of this test what it is. CONSTAT_FACTS=write writes it
// anew.
func told(t *testing.T, s *constatv1.Snapshot) {
	t.Helper()
	committed, err := os.ReadFile(recordedFacts)
	if err != nil {
		t.Fatal(err)
	}
	var before, all []string
	for line := range strings.Lines(string(committed)) {
		if path, test, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t"); test == t.Name() {
			before = append(before, path)
		} else {
			all = append(all, line)
		}
	}
	now := lab.SetFacts(s)
	if slices.Equal(before, now) {
		return
	}
	if os.Getenv("CONSTAT_FACTS") != "write" {
		t.Error(recordedFacts + " is stale: CONSTAT_FACTS=write go test ./agent/host, then ./internal/lab's table")
		return
	}
	for _, path := range now {
		all = append(all, path+"\t"+t.Name()+"\n")
	}
	slices.Sort(all)
	if err := os.WriteFile(recordedFacts, []byte(strings.Join(all, "")), 0o644); err != nil {
		t.Fatal(err)
	}
}
