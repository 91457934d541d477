package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// Measurements are most of what a large installation keeps. On PostgreSQL their
// tables are partitioned by time: what is too old is dropped as a whole, which costs
// nothing and leaves no holes, and what is asked for lies in one or two partitions.
// SQLite has no partitions, and a single collector needs none.
//
// Queries do not know of it: they name the table, and the owner stands first in its
// key. What no partition is for goes to the one of all the rest, so that a write
// never fails for the want of one.

// parted is a table that is partitioned by a column of times.
type parted struct {
	table, column string
	// format names a period, which begins at its date and lasts for these.
	format       string
	months, days int
	// kept is how long what a period holds is of use after its end, and ahead how
	// many periods have their partition before they begin.
	kept  time.Duration
	ahead int
}

var partedTables = []parted{
	{table: "series_hours", column: "hour", format: "20060102", days: 1, kept: keepHours, ahead: 3},
	{table: "series_days", column: "day", format: "200601", months: 1, kept: keepDays, ahead: 2},
}

// partitioning is the advisory lock of those who change partitions.
const partitioning = 0x636f6e7374617401

func (p *parted) rest() string                    { return p.table + "_rest" }
func (p *parted) partition(from time.Time) string { return p.table + "_" + from.Format(p.format) }
func (p *parted) end(from time.Time) time.Time    { return from.AddDate(0, p.months, p.days) }

// begin is when the period of a time begins.
func (p *parted) begin(at time.Time) time.Time {
	from, _ := time.Parse(p.format, at.UTC().Format(p.format))
	return from
}

// period is when the period of a partition's name begins; the rest has none.
func (p *parted) period(partition string) (from time.Time, ok bool) {
	from, err := time.Parse(p.format, strings.TrimPrefix(partition, p.table+"_"))
	return from, err == nil
}

// partition partitions the tables of a database that has them whole. Collectors that
// start at once wait for the one that does it.
func partition(ctx context.Context, db *sql.DB, now time.Time) error {
	found := false
	for _, p := range partedTables {
		whole, err := p.isWhole(ctx, db)
		if err != nil {
			return err
		}
		found = found || whole
	}
	if !found {
		return nil
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", int64(partitioning)); err != nil {
		return err
	}
	for _, p := range partedTables {
		if err := p.divide(ctx, tx, now); err != nil {
			return fmt.Errorf("partitioning %s: %w", p.table, err)
		}
	}
	return tx.Commit()
}

type rowQueryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func (p *parted) isWhole(ctx context.Context, db rowQueryer) (whole bool, err error) {
	err = db.QueryRowContext(ctx, "SELECT relkind <> 'p' FROM pg_class WHERE oid = $1::text::regclass", p.table).Scan(&whole)
	return whole, err
}

// divide makes a partitioned table of a whole one, with all its rows.
func (p *parted) divide(ctx context.Context, tx *sql.Tx, now time.Time) error {
	if whole, err := p.isWhole(ctx, tx); err != nil || !whole {
		return err
	}
	old := p.table + "_whole"
	for _, step := range []string{
		"LOCK TABLE " + p.table + " IN ACCESS EXCLUSIVE MODE",
		"ALTER TABLE " + p.table + " RENAME TO " + old,
		"ALTER INDEX " + p.table + "_pkey RENAME TO " + old + "_pkey",
		"CREATE TABLE " + p.table + " (LIKE " + old + " INCLUDING DEFAULTS) PARTITION BY RANGE (" + p.column + ")",
		"ALTER TABLE " + p.table + " ADD PRIMARY KEY (owner, " + p.column + ")",
		"CREATE TABLE " + p.rest() + " PARTITION OF " + p.table + " DEFAULT",
	} {
		if _, err := tx.ExecContext(ctx, step); err != nil {
			return err
		}
	}
	for from := p.begin(now.Add(-p.kept)); !from.After(p.last(now)); from = p.end(from) {
		if err := p.add(ctx, tx, from); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO "+p.table+" SELECT * FROM "+old); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "DROP TABLE "+old)
	return err
}

// last is the latest period that has a partition now.
func (p *parted) last(now time.Time) time.Time {
	from := p.begin(now)
	for range p.ahead {
		from = p.end(from)
	}
	return from
}

// add makes the partition of a period, and moves to it what came before there was
// one.
func (p *parted) add(ctx context.Context, tx *sql.Tx, from time.Time) error {
	name := p.partition(from)
	var there bool
	if err := tx.QueryRowContext(ctx, "SELECT to_regclass($1::text) IS NOT NULL", name).Scan(&there); err != nil || there {
		return err
	}
	begins, ends := Millis(from), Millis(p.end(from))
	within := fmt.Sprintf("%s >= %d AND %s < %d", p.column, begins, p.column, ends)
	for _, step := range []string{
		"CREATE TABLE " + name + " (LIKE " + p.table + " INCLUDING ALL)",
		"WITH early AS (DELETE FROM " + p.rest() + " WHERE " + within + " RETURNING *) INSERT INTO " + name + " SELECT * FROM early",
		fmt.Sprintf("ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%d) TO (%d)", p.table, name, begins, ends),
	} {
		if _, err := tx.ExecContext(ctx, step); err != nil {
			return err
		}
	}
	return nil
}

// Tend keeps the partitions of PostgreSQL: those of the time to come are made, and
// those whose measurements nobody needs any more are dropped. Of many collectors one
// does it; it is to be called now and then by each. On SQLite there is nothing to do.
func (s *Store) Tend(ctx context.Context, now time.Time) error {
	if s.queue != nil {
		return nil
	}
	if err := s.foldLate(ctx, now); err != nil {
		return explain(err)
	}
	return explain(s.tend(ctx, now))
}

func (s *Store) tend(ctx context.Context, now time.Time) error {
	tx, err := s.writes.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var mine bool
	if err := tx.QueryRowContext(ctx, "SELECT pg_try_advisory_xact_lock($1)", int64(partitioning)).Scan(&mine); err != nil || !mine {
		return err
	}
	// Who reads or writes goes first: the next look does it else.
	if _, err := tx.ExecContext(ctx, "SET LOCAL lock_timeout = '3s'"); err != nil {
		return err
	}
	for _, p := range partedTables {
		for from := p.begin(now); !from.After(p.last(now)); from = p.end(from) {
			if err := p.add(ctx, tx, from); err != nil {
				return err
			}
		}
		if err := p.forget(ctx, tx, now); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// foldLate sums up the hours of owners that were not measured again since: only who
// is measured folds its own.
func (s *Store) foldLate(ctx context.Context, now time.Time) error {
	rows, err := s.reads.QueryContext(ctx, "SELECT DISTINCT owner FROM series_hours WHERE folded = 0 AND hour < $1", Millis(now.Add(-keepHours)))
	if err != nil {
		return err
	}
	defer rows.Close()
	var owners []string
	for rows.Next() {
		var owner string
		if err := rows.Scan(&owner); err != nil {
			return err
		}
		owners = append(owners, owner)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, owner := range owners {
		m, err := s.Append(ctx, owner, now, nil)
		if err != nil {
			return err
		}
		if err := s.Write(ctx, m.Put); err != nil {
			return err
		}
	}
	return nil
}

// forget drops the partitions of periods whose time is over.
func (p *parted) forget(ctx context.Context, tx *sql.Tx, now time.Time) error {
	rows, err := tx.QueryContext(ctx, "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = $1::text::regclass", p.table)
	if err != nil {
		return err
	}
	defer rows.Close()
	var over []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		if from, ok := p.period(name); ok && !p.end(from).Add(p.kept).After(now) {
			over = append(over, name)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, name := range over {
		if _, err := tx.ExecContext(ctx, "DROP TABLE "+name); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM "+p.rest()+" WHERE "+p.column+" < $1", Millis(now.Add(-p.kept)))
	return err
}
