package store_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to spoil databases behind the store's back

	"constat/collector/store"
	"constat/collector/store/query"
	"constat/collector/store/storetest"
	"constat/internal/lab"
)

func TestOpenRefusals(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("this is no database ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	refusals := map[string]string{
		"mysql://x":                       "sqlite:/path/to/file or postgres://",
		"sqlite:":                         "no path",
		"sqlite:/nowhere/at/all.db":       "make the directory",
		"sqlite:" + garbage + "/x.db":     "not a directory",
		"sqlite:" + dir:                   "the user the collector runs as",
		"sqlite:" + garbage:               "restore the last backup",
		"postgres://u:geheim@:x/":         "not understood",
		"postgres://u:geheim@127.0.0.1:1": "PostgreSQL does not answer",
	}
	if runtime.GOOS == "linux" {
		refusals["sqlite:/proc/constat.db"] = "cannot write in /proc" // not even root may
	}
	for url, want := range refusals {
		_, err := store.Open(t.Context(), url)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestMissingDatabase(t *testing.T) {
	url := lab.Postgres(t)
	_, err := store.Open(t.Context(), strings.Replace(url, "/test", "/nothere", 1))
	if err == nil || !strings.Contains(err.Error(), "createdb") {
		t.Error(err)
	}
}

// A damaged page is told as damage, wherever it is met.
func TestDamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "constat.db")
	s, err := store.Open(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt([]byte(strings.Repeat("\xff", 3000)), 100); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = store.Open(t.Context(), "sqlite:"+path); err == nil {
		s.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "restore the last backup") {
		t.Error(err)
	}
}

// Damage in a page that opening does not read is found by Check.
func TestCheck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "constat.db")
	s, err := store.Open(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Check(t.Context()), s.Close()); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	var page int64 // of an index that nothing reads at the start
	err = db.QueryRow("SELECT rootpage FROM sqlite_schema WHERE name = 'stations_by_port'").Scan(&page)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt([]byte(strings.Repeat("\xff", 4096)), (page-1)*4096); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = store.Open(t.Context(), "sqlite:"+path); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "restore the last backup") {
		t.Error(err)
	}
}

func TestNewerSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "constat.db")
	for driver, url := range map[string]string{"sqlite": "sqlite:" + path, "pgx": lab.Postgres(t)} {
		for range 2 { // opening again migrates nothing
			s, err := store.Open(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		db, err := sql.Open(driver, strings.TrimPrefix(url, "sqlite:"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)"); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(t.Context(), url)
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "newer collector (schema 99999") {
			t.Errorf("%s: %v", driver, err)
		}
	}
}

// Collectors that start at once on an empty database all find it ready.
func TestOpenAtOnce(t *testing.T) {
	url := lab.Postgres(t)
	errs := make(chan error)
	for range 4 {
		go func() {
			s, err := store.Open(context.Background(), url)
			if err == nil {
				err = s.Close()
			}
			errs <- err
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// What SQLite cannot write for lack of space fails with a word about it, changes
// nothing, and works again when there is space.
func TestFullDisk(t *testing.T) {
	s := storetest.SQLite(t)
	put := func(size int) error {
		return s.Write(t.Context(), func(ctx context.Context, q *query.Queries) error {
			return q.PutSetting(ctx, "big", make([]byte, size), 0)
		})
	}
	if err := put(1); err != nil {
		t.Fatal(err)
	}
	s.LimitPages(t, 200)
	if err := put(10 << 20); err == nil || !strings.Contains(err.Error(), "make room") {
		t.Error(err)
	}
	if value, err := s.Setting(t.Context(), "big"); err != nil || len(value) != 1 {
		t.Errorf("after the failure there are %d bytes (%v)", len(value), err)
	}
	s.LimitPages(t, 1<<20)
	if err := put(10 << 20); err != nil {
		t.Error(err)
	}
}

func TestSessions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		sessions := s.Sessions()
		for token, life := range map[string]time.Duration{"live": time.Hour, "dead": -time.Hour} {
			for _, data := range []string{"first", "second"} {
				if err := sessions.Commit(token, []byte(data), time.Now().Add(life)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if data, found, err := sessions.Find("live"); string(data) != "second" || !found || err != nil {
			t.Errorf("live: %q %v %v", data, found, err)
		}
		if err := sessions.Delete("live"); err != nil {
			t.Fatal(err)
		}
		for _, token := range []string{"live", "dead", "never"} {
			if _, found, err := sessions.Find(token); found || err != nil {
				t.Errorf("%s: %v %v", token, found, err)
			}
		}
	})
}

func TestSettings(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		if _, err := s.Setting(t.Context(), "key"); !errors.Is(err, store.ErrNoSetting) {
			t.Error(err)
		}
		for _, value := range []string{"one", "two"} {
			if kept, err := s.AddSetting(t.Context(), "key", []byte(value)); string(kept) != "one" || err != nil {
				t.Errorf("adding %q gives %q (%v)", value, kept, err)
			}
		}
		if err := s.PutSetting(t.Context(), "key", []byte("three")); err != nil {
			t.Fatal(err)
		}
		if value, err := s.Setting(t.Context(), "key"); string(value) != "three" || err != nil {
			t.Errorf("%q %v", value, err)
		}
	})
}

// A change that panics is an error of that write, and the writer lives on.
func TestPanicInWrite(t *testing.T) {
	s := storetest.SQLite(t)
	err := s.Write(t.Context(), func(context.Context, *query.Queries) error { panic("a bug") })
	if err == nil || !strings.Contains(err.Error(), "a bug") {
		t.Error(err)
	}
	if err := s.PutSetting(t.Context(), "x", nil); err != nil {
		t.Error(err)
	}
}

func TestClosed(t *testing.T) {
	s, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "x.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.PutSetting(t.Context(), "x", nil); !errors.Is(err, store.ErrClosed) {
		t.Error(err)
	}
}

// FuzzUnpack gives the unpacker what a damaged database could hold.
func FuzzUnpack(f *testing.F) {
	f.Add(store.Pack([]byte("hello")))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, blob []byte) {
		content, err := store.Unpack(blob)
		if err == nil && len(content) > 32<<20 {
			t.Errorf("%d bytes became %d", len(blob), len(content))
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	s := storetest.SQLite(b)
	b.SetParallelism(100)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := s.PutSetting(b.Context(), "x", nil); err != nil {
				b.Error(err)
			}
		}
	})
}
