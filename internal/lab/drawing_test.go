package lab

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
)

// drawing is the seeded chance of one scenario: the same words give the same
// scenario, whatever else runs.
func drawing(words ...any) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprintln(h, words...)
	return rand.New(rand.NewPCG(h.Sum64(), 0))
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// oneIn is true once in n draws.
func oneIn(r *rand.Rand, n int) bool { return r.IntN(n) == 0 }
