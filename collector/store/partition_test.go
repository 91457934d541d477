package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"constat/collector/store"
	"constat/collector/store/storetest"
	"constat/internal/lab"
)

const hour = 3_600_000

// partitions lists those of a table, and how many rows each holds.
func partitions(t *testing.T, db *sql.DB, table string) map[string]int {
	t.Helper()
	rows, err := db.Query("SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = $1::text::regclass", table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	found := map[string]int{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		found[strings.TrimPrefix(name, table+"_")] = 0
	}
	for name := range found {
		var n int
		if err := db.QueryRow("SELECT count(*) FROM " + table + "_" + name).Scan(&n); err != nil {
			t.Fatal(err)
		}
		found[name] = n
	}
	return found
}

// contents is all that a table of measurements holds, in order.
func contents(t *testing.T, db *sql.DB, table, column string) (all []string) {
	t.Helper()
	rows, err := db.Query(fmt.Sprintf("SELECT owner, %s, encode(content, 'hex') FROM %s ORDER BY owner, %s", column, table, column))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var owner, content string
		var at int64
		if err := rows.Scan(&owner, &at, &content); err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprint(owner, at, content))
	}
	return all
}

// A PostgreSQL of the version before, with measurements in whole tables, is
// partitioned when collectors open it, several at once, and holds what it held.
func TestUpgradeToPartitions(t *testing.T) {
	url := lab.Postgres(t)
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := store.MigrateOnly(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Hour)
	put := func(owner string, at time.Time) {
		t.Helper()
		_, hourly := db.Exec("INSERT INTO series_hours (owner, hour, folded, content) VALUES ($1, $2, 1, $3)", owner, at.UnixMilli(), []byte(owner+at.String()))
		_, daily := db.Exec("INSERT INTO series_days (owner, day, content) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", owner, at.Truncate(24*time.Hour).UnixMilli(), []byte(owner))
		if err := errors.Join(hourly, daily); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 8 * 24 {
		put("switch", now.Add(time.Duration(-i)*time.Hour))
		put("printer", now.Add(time.Duration(-i)*time.Hour))
	}
	put("a clock that is wrong", time.UnixMilli(hour))
	put("a clock that is wrong", now.AddDate(30, 0, 0))
	hours, days := contents(t, db, "series_hours", "hour"), contents(t, db, "series_days", "day")
	opened := make(chan error)
	for range 3 {
		go func() {
			s, err := store.Open(context.Background(), url)
			if err == nil {
				err = s.Close()
			}
			opened <- err
		}()
	}
	for range 3 {
		if err := <-opened; err != nil {
			t.Error(err)
		}
	}
	if !slices.Equal(contents(t, db, "series_hours", "hour"), hours) || !slices.Equal(contents(t, db, "series_days", "day"), days) {
		t.Error("other measurements than before")
	}
	byDay, byMonth := partitions(t, db, "series_hours"), partitions(t, db, "series_days")
	if byDay["rest"] != 2 || byMonth["rest"] != 2 || len(byDay) < 12 || len(byMonth) < 15 {
		t.Errorf("partitions %v, %v", byDay, byMonth)
	}
	if n := byDay[now.Add(-48*time.Hour).Format("20060102")]; n != 48 {
		t.Errorf("%d hours two days ago, want 24 of two owners: %v", n, byDay)
	}
}

// Partitions come before their time and go after it; what was written where there
// was none is moved, and what nobody has summed up is before it goes.
func TestTendedPartitions(t *testing.T) {
	url := lab.Postgres(t)
	s, err := store.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	in := store.Measure{Kind: "in", Part: "1"}
	measure := func(at time.Time) {
		t.Helper()
		m, err := s.Append(t.Context(), "switch", at, map[store.Measure]int64{in: 7})
		if err == nil {
			err = s.Write(t.Context(), m.Put)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now().UTC().Truncate(24 * time.Hour)
	measure(start.Add(10 * time.Hour))
	if got := partitions(t, db, "series_hours"); got["rest"] != 0 || got[start.Format("20060102")] != 1 {
		t.Errorf("at first %v", got)
	}
	// No collector has been there for a month; the device was silent.
	later := start.AddDate(0, 1, 3)
	measure(later.Add(5 * time.Hour))
	if got := partitions(t, db, "series_hours"); got["rest"] != 1 {
		t.Errorf("before it is tended %v", got)
	}
	for range 2 { // twice is as good as once
		if err := s.Tend(t.Context(), later.Add(6*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	got := partitions(t, db, "series_hours")
	if _, left := got[start.Format("20060102")]; left || got["rest"] != 0 || got[later.Format("20060102")] != 1 || len(got) != 5 {
		t.Errorf("tended %v", got)
	}
	// The device never comes again: its last hour is summed up before it goes.
	if err := s.Tend(t.Context(), later.AddDate(0, 0, 20)); err != nil {
		t.Fatal(err)
	}
	sums, err := s.HourSums(t.Context(), "switch", start, later.AddDate(0, 0, 20), everything)
	if err != nil || len(sums[in]) != 2 || sums[in][1].Sum != 7 {
		t.Errorf("sums %v (%v)", sums[in], err)
	}
	if got := contents(t, db, "series_hours", "hour"); len(got) != 0 {
		t.Errorf("%d hours are left", len(got))
	}
	if got := partitions(t, db, "series_days"); got["rest"] != 0 {
		t.Errorf("days %v", got)
	}
	// While another collector tends them, this one goes on.
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec("SELECT pg_advisory_xact_lock($1)", int64(store.Partitioning)); err != nil {
		t.Fatal(err)
	}
	if err := s.Tend(t.Context(), later.AddDate(1, 0, 0)); err != nil {
		t.Error(err)
	}
	if now := partitions(t, db, "series_hours"); now[later.AddDate(1, 0, 0).Format("20060102")] != 0 || len(now) == 0 {
		t.Errorf("two tended at once: %v", now)
	}
}

// On both engines what is tended is what was measured.
func TestTend(t *testing.T) {
	in := store.Measure{Kind: "in", Part: "1"}
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		at := time.Now().UTC().Truncate(24 * time.Hour)
		begin := at
		for range 20 * 24 {
			m, err := s.Append(t.Context(), "switch", at, map[store.Measure]int64{in: 3})
			if err == nil {
				err = s.Write(t.Context(), m.Put)
			}
			if err == nil && at.Hour() == 12 {
				err = s.Tend(t.Context(), at)
			}
			if err != nil {
				t.Fatal(err)
			}
			at = at.Add(time.Hour)
		}
		sums, err := s.HourSums(t.Context(), "switch", begin, at, everything)
		if err != nil || len(sums[in]) != 20*24 {
			t.Errorf("%d hours (%v)", len(sums[in]), err)
		}
		fine, err := s.Samples(t.Context(), "switch", at.Add(-7*24*time.Hour), at, everything)
		if err != nil || len(fine[in]) != 7*24 {
			t.Errorf("%d samples (%v)", len(fine[in]), err)
		}
	})
}
