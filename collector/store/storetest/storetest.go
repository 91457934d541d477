// Package storetest gives tests a store of their own, on either engine. It is for
// tests only.
package storetest

import (
	"path/filepath"
	"testing"

	"constat/collector/store"
	"constat/internal/lab"
)

// Engines are both, with how to get an empty store on them.
var Engines = []struct {
	Name string
	Open func(testing.TB) *store.Store
}{
	{"sqlite", SQLite},
	{"postgresql", func(t testing.TB) *store.Store { return open(t, lab.Postgres(t)) }},
}

// Each runs test on an empty SQLite and on an empty PostgreSQL.
func Each(t *testing.T, test func(*testing.T, *store.Store)) {
	for _, engine := range Engines {
		t.Run(engine.Name, func(t *testing.T) { test(t, engine.Open(t)) })
	}
}

// SQLite gives an empty store in a temporary file.
func SQLite(t testing.TB) *store.Store {
	t.Helper()
	return open(t, "sqlite:"+filepath.Join(t.TempDir(), "constat.db"))
}

func open(t testing.TB, url string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	return s
}
