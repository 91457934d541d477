// Package store keeps everything the collector knows, in SQLite or PostgreSQL.
//
// One concrete Store serves both engines from one set of migrations and one set
// of queries: queries/*.sql, from which sqlc makes package query. What the rows
// mean is the business of the packages above; this one knows how they are
// opened, read, written and compressed, and no HTTP.
//
// The store is the truth, and a write that returned is on the disk: SQLite runs
// in WAL mode with synchronous=FULL, PostgreSQL with its own defaults.
package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"constat/collector/store/query"
)

// Store is an open database. It is safe for use by many goroutines.
type Store struct {
	reads *sql.DB
	query *query.Queries
	// writes is SQLite's one writing connection, or PostgreSQL's pool again.
	writes *sql.DB
	// queue feeds SQLite's writer, which stop ends; nil on PostgreSQL.
	queue chan *write
	done  chan struct{}
	stop  context.CancelFunc
}

// Open opens the database at url, "sqlite:/path/to/constat.db" (made when it is
// not there) or "postgres://user@host/database", and brings its schema up to
// date. Several collectors may open the same PostgreSQL database at once. An
// error says what to do about it and never holds the password of the url.
func Open(ctx context.Context, url string) (*Store, error) { return open(ctx, url, newest) }

// newest is the schema of this version.
const newest = 0

// open is Open with a schema to stop at: a restore needs the backup's.
func open(ctx context.Context, url string, schema int64) (*Store, error) {
	scheme, rest, _ := strings.Cut(url, ":")
	switch scheme {
	case "sqlite":
		return openSQLite(ctx, rest, schema)
	case "postgres", "postgresql":
		return openPostgres(ctx, url, schema)
	default:
		return nil, fmt.Errorf("cannot open a database of kind %q: give sqlite:/path/to/file or postgres://user@host/name", scheme)
	}
}

// Close ends the writes under way and closes the database.
func (s *Store) Close() error {
	if s.queue != nil {
		s.stop()
		<-s.done
		if err := s.writes.Close(); err != nil {
			return err
		}
	}
	return s.reads.Close()
}

// Read gives the queries for reading, outside of any transaction.
func (s *Store) Read() *query.Queries { return s.query }

// Ping tells whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return explain(s.reads.PingContext(ctx)) }

// Check looks for damage in the database's file, which it reads whole. A server
// looks after its own files, so that on PostgreSQL this is Ping.
func (s *Store) Check(ctx context.Context) error {
	if s.queue == nil {
		return s.Ping(ctx)
	}
	var found string
	if err := s.reads.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&found); err != nil {
		return explain(err)
	}
	if found != "ok" {
		return fmt.Errorf("%s (%s)", sqliteAdvice[sqlite3.SQLITE_CORRUPT], found)
	}
	return nil
}

// Engine is the kind of database: "sqlite" or "postgresql".
func (s *Store) Engine() string {
	if s.queue != nil {
		return "sqlite"
	}
	return "postgresql"
}

// Millis is t as the database keeps it: milliseconds since 1970 UTC, 0 for the
// zero time.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Time is the reverse of Millis.
func Time(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
