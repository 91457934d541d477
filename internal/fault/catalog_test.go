package fault

import (
	"io/fs"
	"sync"
	"testing"
	"time"
)

func TestBuiltinCatalogIsSound(t *testing.T) {
	if _, err := Load(catalogFiles(t)); err != nil {
		t.Fatal(err)
	}
}

// A collector judges many snapshots at once, and the first of them compile the
// rules: the race detector watches.
func TestCatalogIsSharedByGoroutines(t *testing.T) {
	c, err := read(catalogFiles(t)) // nothing is compiled yet
	if err != nil {
		t.Fatal(err)
	}
	s := snapshot(t, world)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			facts := c.Facts(s, time.Time{})
			for _, f := range c.Faults() {
				f.Judge(facts)
			}
			c.Condition("addresses_work").Holds(facts)
		})
	}
	wg.Wait()
}

func catalogFiles(t testing.TB) fs.FS {
	t.Helper()
	sub, err := fs.Sub(embedded, "catalog")
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

func BenchmarkLoad(b *testing.B) {
	files := catalogFiles(b)
	b.Run("read", func(b *testing.B) { // what an agent pays at start
		for b.Loop() {
			if _, err := read(files); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("compile", func(b *testing.B) { // what a collector pays for an upload
		for b.Loop() {
			if _, err := Load(files); err != nil {
				b.Fatal(err)
			}
		}
	})
}
