package diagnosis

import (
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"

	"constat/internal/fault/fixture"
	constatv1 "constat/proto/constat/v1"
)

// One snapshot, judged in full.
func BenchmarkJudge(b *testing.B) {
	c, full, all := builtinCatalog(b), procedure(b, "full"), cases(b)
	for i := 0; b.Loop(); i++ {
		Judge(c, full, all[i%len(all)].Snapshot, fixture.Now, "en")
	}
}

// A thousand stored snapshots, no two alike, judged again by a catalog that was
// just loaded. The mark is two seconds.
func BenchmarkJudgeThousandAgain(b *testing.B) {
	all, r := cases(b), rand.New(rand.NewPCG(1, 1))
	var stored []*constatv1.Snapshot
	for i := range 1_000 {
		s := proto.Clone(all[i%len(all)].Snapshot).(*constatv1.Snapshot)
		forget(r, s.ProtoReflect(), 0.1*r.Float64())
		stored = append(stored, s)
	}
	c, full := builtinCatalog(b), procedure(b, "full")
	for b.Loop() {
		for _, s := range stored {
			Judge(c, full, s, fixture.Now, "en")
		}
	}
}
