package wine

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"constat/internal/lab"
	constatv1 "constat/proto/constat/v1"
)

// seenFacts is evidence for docs/facts.md: what the agent told under Wine.
const seenFacts = "testdata/facts.txt"

var (
	noted   = map[string]bool{}
	notedMu sync.Mutex
)

// note keeps which facts a snapshot tells.
func note(s *constatv1.Snapshot) {
	notedMu.Lock()
	defer notedMu.Unlock()
	for _, path := range lab.SetFacts(s) {
		noted[path] = true
	}
}

// seen says, once all tests have run well, what they saw before and not now, which
// may be the machine below. CONSTAT_FACTS=write adds what is new.
func seen(code int) int {
	before, err := os.ReadFile(seenFacts)
	if err != nil && !os.IsNotExist(err) || code != 0 || len(noted) == 0 {
		return code
	}
	if os.Getenv("CONSTAT_FACTS") == "write" {
		for line := range strings.Lines(string(before)) {
			noted[strings.TrimSpace(line)] = true
		}
		text := strings.Join(slices.Sorted(maps.Keys(noted)), "\n") + "\n"
		if err := os.WriteFile(seenFacts, []byte(text), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	}
	if run := flag.Lookup("test.run"); run != nil && run.Value.String() != "" {
		return code // only some ran
	}
	for line := range strings.Lines(string(before)) {
		if path := strings.TrimSpace(line); !noted[path] {
			fmt.Fprintf(os.Stderr, "%s has %s, which no test saw this time\n", seenFacts, path)
		}
	}
	return code
}
