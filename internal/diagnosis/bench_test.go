package diagnosis

import (
	"testing"

	"constat/internal/fault/fixture"
)

// One snapshot, judged in full. The mark is 1,000 in two seconds.
func BenchmarkJudge(b *testing.B) {
	c, full, all := builtinCatalog(b), procedure(b, "full"), cases(b)
	for i := 0; b.Loop(); i++ {
		Judge(c, full, all[i%len(all)].Snapshot, fixture.Now, "en")
	}
}
