package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"constat/collector/store/query"
)

// pragmas hold for every connection: readers go on during a write, a lock is
// waited for instead of refused, and a commit is on the disk when it returns.
const pragmas = "_pragma=journal_mode(wal)&_pragma=busy_timeout(10000)&_pragma=synchronous(full)" +
	"&_pragma=foreign_keys(on)&_pragma=trusted_schema(off)"

// openSQLite opens the file, one connection for writing and some for reading.
func openSQLite(ctx context.Context, path string, schema int64) (*Store, error) {
	if err := preparePath(path); err != nil {
		return nil, err
	}
	source := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + pragmas
	writes, err := sql.Open("sqlite", source+"&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	writes.SetMaxOpenConns(1)
	err = alone(ctx, path, func() error { return migrate(ctx, writes, goose.DialectSQLite3, schema) })
	if err != nil {
		writes.Close()
		return nil, fmt.Errorf("database %s: %w", path, explain(err))
	}
	reads, err := sql.Open("sqlite", source+"&_pragma=query_only(on)")
	if err != nil {
		writes.Close()
		return nil, err
	}
	reads.SetMaxOpenConns(max(4, runtime.NumCPU()))
	reads.SetMaxIdleConns(max(4, runtime.NumCPU()))

	running, stop := context.WithCancel(context.Background())
	s := &Store{
		reads: reads, writes: writes, query: query.New(reads),
		queue: make(chan *write), done: make(chan struct{}), stop: stop,
	}
	go s.runWriter(running)
	return s, nil
}

// alone runs f while no other process that asks does: a command beside a server
// that starts for the first time would otherwise make the tables twice. The lock
// is an empty SQLite file beside the database, held by an exclusive transaction,
// which the system ends with the process.
func alone(ctx context.Context, path string, f func() error) error {
	guard, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path + "-guard"}).EscapedPath()+
		"?_pragma=busy_timeout(60000)&_txlock=exclusive")
	if err != nil {
		return err
	}
	defer guard.Close()
	held, err := guard.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer held.Rollback()
	return f()
}

// preparePath refuses what SQLite would only call "unable to open database file".
func preparePath(path string) error {
	if path == "" {
		return errors.New("the database has no path: give sqlite:/path/to/file")
	}
	dir := filepath.Dir(path)
	if info, err := os.Stat(dir); err != nil {
		return fmt.Errorf("cannot keep a database in %s: %w; make the directory, or name another one", dir, err)
	} else if !info.IsDir() {
		return fmt.Errorf("cannot keep a database in %s: it is not a directory", dir)
	}
	// SQLite writes its log beside the file, so the directory must be writable.
	probe, err := os.CreateTemp(dir, ".constat-*")
	if err != nil {
		return fmt.Errorf("cannot write in %s: %w; give its owner's rights to the user the collector runs as, or name another directory", dir, err)
	}
	probe.Close()
	if err := os.Remove(probe.Name()); err != nil {
		return err
	}
	// What agents tell about machines is nobody else's business on this one.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("cannot write the database: %w; give the file to the user the collector runs as", err)
	}
	return file.Close()
}

// sqliteAdvice says what to do about an error of SQLite, by primary result code.
var sqliteAdvice = map[int]string{
	sqlite3.SQLITE_CORRUPT:  "the database file is damaged: stop the collector and restore the last backup",
	sqlite3.SQLITE_NOTADB:   "the file is not a database, or is damaged: name another file, or restore the last backup",
	sqlite3.SQLITE_FULL:     "the disk is full: make room, and the collector goes on by itself",
	sqlite3.SQLITE_READONLY: "the database is read-only: give the file and its directory to the user the collector runs as",
	sqlite3.SQLITE_IOERR:    "the disk failed to read or write: look into the system's log for the device",
	sqlite3.SQLITE_BUSY:     "another program has held the database for more than 10 s: end it",
	sqlite3.SQLITE_CANTOPEN: "the database file cannot be opened: look at its rights and at the directory's",
}

func adviceOnSQLite(err error) string {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return ""
	}
	return sqliteAdvice[e.Code()&0xff]
}
