package fault

import (
	"io/fs"
	"testing"
)

func TestBuiltinCatalogIsSound(t *testing.T) {
	sub, err := fs.Sub(embedded, "catalog")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Load(sub); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkLoad(b *testing.B) {
	sub, err := fs.Sub(embedded, "catalog")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("read", func(b *testing.B) { // what an agent pays at start
		for b.Loop() {
			if _, err := read(sub); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("compile", func(b *testing.B) { // what a collector pays for an upload
		for b.Loop() {
			if _, err := Load(sub); err != nil {
				b.Fatal(err)
			}
		}
	})
}
