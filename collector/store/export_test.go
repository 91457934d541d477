package store

import (
	"fmt"
	"testing"
)

// LimitPages makes SQLite's disk full at so many pages.
func (s *Store) LimitPages(t *testing.T, pages int) {
	t.Helper()
	if _, err := s.writes.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
		t.Fatal(err)
	}
}
