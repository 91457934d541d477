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

// below are facts of the machine that Wine runs on, which it has or has not, and what is
// asked a second time where that one is slow.
var below = []string{"probes.", "hardware.gpus.", "hardware.processor.max_mhz", "power.", "storage.disks.", "network.links.speed_mbps"}

// seen fails where all tests have run well and what they saw is not what is written
// down. CONSTAT_FACTS=write writes it down.
func seen(code int) int {
	text, err := os.ReadFile(seenFacts)
	if err != nil && !os.IsNotExist(err) || code != 0 || len(noted) == 0 {
		return code
	}
	for _, name := range []string{"test.run", "test.skip"} {
		if only := flag.Lookup(name); only != nil && only.Value.String() != "" {
			return code // some did not run
		}
	}
	mayBe := func(path string) bool {
		return slices.ContainsFunc(below, func(prefix string) bool { return strings.HasPrefix(path, prefix) })
	}
	before := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		before[strings.TrimSpace(line)] = true
	}
	if os.Getenv("CONSTAT_FACTS") == "write" {
		for path := range before {
			noted[path] = noted[path] || mayBe(path)
		}
		maps.DeleteFunc(noted, func(_ string, told bool) bool { return !told })
		text := strings.Join(slices.Sorted(maps.Keys(noted)), "\n") + "\n"
		if err := os.WriteFile(seenFacts, []byte(text), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	}
	for path := range before {
		if !noted[path] && !mayBe(path) {
			fmt.Fprintf(os.Stderr, "%s has %s, which no test saw\n", seenFacts, path)
			code = 1
		}
	}
	for path := range noted {
		if !before[path] && !mayBe(path) {
			fmt.Fprintf(os.Stderr, "%s lacks %s, which a test saw\n", seenFacts, path)
			code = 1
		}
	}
	if code != 0 {
		fmt.Fprintln(os.Stderr, "stale: CONSTAT_FACTS=write go test ./internal/lab/wine, then ./internal/lab's table of facts")
	}
	return code
}
