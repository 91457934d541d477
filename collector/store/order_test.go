package store_test

import (
	"slices"
	"strings"
	"testing"

	"constat/collector/store"
)

func TestByName(t *testing.T) {
	names := strings.Fields("zoé Émile émile sw-10 Emilie sw-2 Žofie _bot élan Zoé 山田 📠 sw-2")
	want := strings.Fields("_bot 📠 élan émile Émile Emilie sw-2 sw-2 sw-10 zoé Zoé Žofie 山田")
	for range 3 {
		store.ByName(names, func(s string) string { return s })
		if !slices.Equal(names, want) {
			t.Fatalf("%q, want %q", names, want)
		}
		slices.Reverse(names)
	}
}
