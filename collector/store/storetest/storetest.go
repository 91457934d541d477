// Package storetest gives tests a store of their own, on either engine. It is for
// tests only.
package storetest

import (
	"path/filepath"
	"testing"

	"constat/collector/store"
	"constat/internal/lab"
)

// Each runs test on an empty SQLite and on an empty PostgreSQL.
func Each(t *testing.T, test func(*testing.T, *store.Store)) {
	t.Run("sqlite", func(t *testing.T) { test(t, SQLite(t)) })
	t.Run("postgresql", func(t *testing.T) { test(t, open(t, lab.Postgres(t))) })
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
