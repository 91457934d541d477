package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"constat/collector/store/query"
)

// ErrClosed is what a write gets once the store is closing.
var ErrClosed = errors.New("the database is closed")

const (
	// maxBatch is how many writes share one commit on SQLite: at 100 the disk's
	// flush is no longer what limits.
	maxBatch = 100
	// maxAttempts is how often PostgreSQL may ask to begin a transaction anew.
	maxAttempts = 8
)

// write is one transaction waiting for SQLite's writer.
type write struct {
	ctx    context.Context
	change func(context.Context, *query.Queries) error
	result chan error
}

// Write runs change in a transaction and returns when it is committed and on the
// disk. When change returns an error nothing of it is kept and Write returns
// that error.
//
// change uses only the context and the queries it is given; it must not call
// Write, wait for anything else, or keep results of an earlier run: on
// PostgreSQL it runs again when it met a concurrent change. On SQLite the writes
// of many goroutines share one commit.
//
// A context that ends before change began withdraws it. After that the change is
// made: an error then means that it is not known whether it was.
func (s *Store) Write(ctx context.Context, change func(context.Context, *query.Queries) error) error {
	if s.queue == nil {
		return s.writePostgres(ctx, change)
	}
	w := &write{ctx: ctx, change: change, result: make(chan error, 1)}
	select {
	case s.queue <- w:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.done:
		return ErrClosed
	}
	select {
	case err := <-w.result:
		return err
	case <-s.done:
		select {
		case err := <-w.result:
			return err
		default:
			return ErrClosed
		}
	}
}

// writePostgres retries what PostgreSQL refused only because of its neighbours.
func (s *Store) writePostgres(ctx context.Context, change func(context.Context, *query.Queries) error) error {
	for attempt := 1; ; attempt++ {
		err := s.transaction(ctx, change)
		var refusal *pgconn.PgError
		if !errors.As(err, &refusal) || attempt == maxAttempts {
			return explain(err)
		}
		// 40001 serialization_failure, 40P01 deadlock_detected.
		if refusal.Code != "40001" && refusal.Code != "40P01" {
			return explain(err)
		}
		select {
		case <-time.After(rand.N(time.Duration(attempt) * 5 * time.Millisecond)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// transaction runs one change in a transaction of its own.
func (s *Store) transaction(ctx context.Context, change func(context.Context, *query.Queries) error) error {
	tx, err := s.writes.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := change(ctx, s.query.WithTx(tx)); err != nil {
		return err
	}
	return tx.Commit()
}

// runWriter makes SQLite's writes, the ones that wait together in one commit,
// until ctx ends.
func (s *Store) runWriter(ctx context.Context) {
	defer close(s.done)
	for {
		var batch []*write
		select {
		case <-ctx.Done():
			return
		case w := <-s.queue:
			batch = append(batch, w)
		}
		for len(batch) < maxBatch {
			select {
			case w := <-s.queue:
				batch = append(batch, w)
				continue
			default:
			}
			break
		}
		s.writeBatch(batch)
	}
}

// writeBatch runs each write in a savepoint of one transaction, commits, and
// only then answers. A write that fails is rolled back alone; a commit that
// fails, fails all.
func (s *Store) writeBatch(batch []*write) {
	// Not the callers' contexts: SQLite rolls the whole transaction back when
	// one of its statements is interrupted.
	ctx := context.Background()
	results := make([]error, len(batch))
	err := func() error {
		tx, err := s.writes.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		for i, w := range batch {
			if results[i] = w.ctx.Err(); results[i] != nil {
				continue
			}
			if results[i], err = s.inSavepoint(tx, w); err != nil {
				return err
			}
		}
		return tx.Commit()
	}()
	for i, w := range batch {
		if err != nil {
			results[i] = err
		}
		w.result <- explain(results[i])
	}
}

// inSavepoint runs one write of a batch. The first error is the write's own; the
// second means that the transaction is lost.
func (s *Store) inSavepoint(tx *sql.Tx, w *write) (own, lost error) {
	ctx := context.WithoutCancel(w.ctx)
	if _, err := tx.ExecContext(ctx, "SAVEPOINT one"); err != nil {
		return nil, err
	}
	defer func() {
		// A panic is the bug of one change and must not take the writer along.
		if r := recover(); r != nil {
			own = fmt.Errorf("a change of the database panicked: %v", r)
		}
		end := "RELEASE one"
		if own != nil {
			end = "ROLLBACK TO one; RELEASE one"
		}
		if _, err := tx.ExecContext(ctx, end); err != nil {
			// SQLite has already given the whole transaction up, as it does
			// when the disk is full: the write's own error says why.
			lost = errors.Join(own, err)
		}
	}()
	return w.change(ctx, s.query.WithTx(tx)), nil
}
