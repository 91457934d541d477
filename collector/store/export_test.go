package store

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/pressly/goose/v3"
)

// LimitPages makes SQLite's disk full at so many pages.
func (s *Store) LimitPages(t *testing.T, pages int) {
	t.Helper()
	if _, err := s.writes.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
		t.Fatal(err)
	}
}

// MigrateOnly makes the schema in a PostgreSQL, as it was before its tables were
// partitioned.
func MigrateOnly(ctx context.Context, db *sql.DB) error {
	return migrate(ctx, db, goose.DialectPostgres, newest)
}

// Partitioning is the lock of those who change partitions.
const Partitioning = partitioning

// MigrateTo makes the schema in a database as an older version had it; 0: as this
// one has it.
func MigrateTo(ctx context.Context, db *sql.DB, driver string, schema int64) error {
	dialect := goose.DialectSQLite3
	if driver == "pgx" {
		dialect = goose.DialectPostgres
	}
	return migrate(ctx, db, dialect, schema)
}

// Walk lets PostgreSQL look at so few tickets only before it asks its index, as it is
// with most of a large desk.
func Walk(t *testing.T, few int64) {
	was, wasOwn := walked, walkedOwn
	walked, walkedOwn = few, few
	t.Cleanup(func() { walked, walkedOwn = was, wasOwn })
}

// Give makes a ticket somebody's, as SaveTicket does with all that it changes.
func (s *Store) Give(t *testing.T, number int32, assignee string) {
	t.Helper()
	if _, err := s.writes.ExecContext(t.Context(), "UPDATE tickets SET assignee = $2 WHERE number = $1", number, assignee); err != nil {
		t.Fatal(err)
	}
}
