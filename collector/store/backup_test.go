package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"constat/collector/store/query"
	"constat/internal/lab"
)

// fillAll puts rows of every kind of value into every table.
func fillAll(t *testing.T, s *Store, rows int) {
	t.Helper()
	all, err := tables(t.Context(), s.reads, s.queue != nil)
	if err != nil || len(all) < 20 {
		t.Fatalf("%d tables, %v", len(all), err)
	}
	for _, table := range all {
		for n := range rows {
			var places []string
			var values []any
			for i, kind := range table.kinds {
				places = append(places, fmt.Sprintf("$%d", i+1))
				switch kind {
				case 'i':
					values = append(values, int64(n+1)*int64(i+1))
				case 't':
					values = append(values, fmt.Sprintf("é %s\n%d", table.columns[i], n))
				case 'b':
					values = append(values, bytes.Repeat([]byte{0, 0xff, byte(n)}, n))
				}
			}
			if _, err := s.writes.ExecContext(t.Context(), fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)",
				table.name, strings.Join(table.columns, ", "), strings.Join(places, ", ")), values...); err != nil {
				t.Fatalf("%s: %v", table.name, err)
			}
		}
	}
}

func backup(t *testing.T, url string) ([]byte, *Contents) {
	t.Helper()
	s, err := Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var out bytes.Buffer
	contents, err := s.Backup(t.Context(), &out)
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), contents
}

func newSQLite(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "constat.db") }

// TestBackupCrossesEngines: SQLite, to another SQLite, to PostgreSQL, and back,
// with the same rows by number and hash in every table each time.
func TestBackupCrossesEngines(t *testing.T) {
	first := newSQLite(t)
	s, err := Open(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	fillAll(t, s, 50)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	content, want := backup(t, first)
	if want.Rows() < 1000 {
		t.Fatalf("only %d rows", want.Rows())
	}
	for _, url := range []string{newSQLite(t), lab.Postgres(t), newSQLite(t)} {
		got, err := Restore(t.Context(), url, bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		if err := want.differs(got); err != nil {
			t.Error(err)
		}
		content, got = backup(t, url)
		if err := want.differs(got); err != nil {
			t.Error(err)
		}
	}
}

// TestBackupWhileWriting: what is written meanwhile is all there or not at all.
func TestBackupWhileWriting(t *testing.T) {
	for engine, url := range map[string]string{"sqlite": newSQLite(t), "postgresql": lab.Postgres(t)} {
		t.Run(engine, func(t *testing.T) {
			s, err := Open(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			started := make(chan struct{})
			go func() {
				for n := 0; ctx.Err() == nil; n++ {
					// Two rows that belong together.
					err := s.Write(context.Background(), func(ctx context.Context, q *query.Queries) error {
						if err := q.PutSetting(ctx, fmt.Sprintf("a%d", n), []byte{1}, 1); err != nil {
							return err
						}
						return q.PutSetting(ctx, fmt.Sprintf("b%d", n), []byte{1}, 1)
					})
					if err != nil {
						ended <- err
						return
					}
					if n == 10 {
						close(started)
					}
				}
				ended <- nil
			}()
			<-started
			for range 5 {
				var out bytes.Buffer
				contents, err := s.Backup(t.Context(), &out)
				if err != nil {
					t.Fatal(err)
				}
				if n := contents.Tables["settings"].Rows; n < 20 || n%2 != 0 {
					t.Errorf("%d rows: half of a write is in it", n)
				}
			}
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRestoreRefuses(t *testing.T) {
	url := newSQLite(t)
	s, err := Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	fillAll(t, s, 20)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole, _ := backup(t, url)
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"nothing":  {nil, "no backup of a collector"},
		"a letter": {[]byte("Dear all,"), "no backup of a collector"},
		"half":     {whole[:len(whole)/2], "incomplete or damaged"},
		"cut":      {whole[:len(whole)-3], "incomplete or damaged"},
	} {
		into := newSQLite(t)
		_, err := Restore(t.Context(), into, bytes.NewReader(c.content))
		if !errors.Is(err, ErrBackup) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		left, _ := filepath.Glob(strings.TrimPrefix(into, "sqlite:") + "*")
		if len(left) > 0 {
			t.Errorf("%s: left behind: %v", name, left)
		}
	}
	if _, err := Restore(t.Context(), url, bytes.NewReader(whole)); err == nil || !strings.Contains(err.Error(), "there is a database already") {
		t.Errorf("over a database in use: %v", err)
	}
	used := lab.Postgres(t)
	if s, err = Open(t.Context(), used); err != nil {
		t.Fatal(err)
	}
	fillAll(t, s, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), used, bytes.NewReader(whole)); err == nil || !strings.Contains(err.Error(), "in use by a collector") {
		t.Errorf("over a database in use: %v", err)
	}
}

func FuzzBackup(f *testing.F) {
	s, err := Open(f.Context(), "sqlite:"+filepath.Join(f.TempDir(), "constat.db"))
	if err != nil {
		f.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := s.Backup(f.Context(), &out); err != nil {
		f.Fatal(err)
	}
	if err := s.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(out.Bytes(), []byte{2, 1, 'a'}, "ib")
	f.Fuzz(func(t *testing.T, content, row []byte, kinds string) {
		_, _ = CheckBackup(bytes.NewReader(content))
		_, _ = parseRow(row, kinds)
	})
}
