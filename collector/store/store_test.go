package store_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"constat/collector/store"
	"constat/collector/store/query"
	"constat/collector/store/storetest"
)

// A blob comes back as it went in, whatever it looks like: BYTEA must not make
// numbers of digits in SQLite, nor nothing of what is empty.
func TestBlobs(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		for _, blob := range [][]byte{{}, []byte("123"), []byte("1e5"), {0, 255, 0}, bytes.Repeat([]byte("x"), 1<<20)} {
			err := s.Write(t.Context(), func(ctx context.Context, q *query.Queries) error {
				return q.PutSetting(ctx, "blob", blob, 0)
			})
			if err != nil {
				t.Fatal(err)
			}
			back, err := s.Read().Setting(t.Context(), "blob")
			if err != nil || !bytes.Equal(back, blob) {
				t.Errorf("%d bytes came back as %d (%v)", len(blob), len(back), err)
			}
		}
	})
}

// Writes of many goroutines share commits, and yet each stands or falls alone.
func TestWritesAreAlone(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		refused := errors.New("refused")
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				err := s.Write(t.Context(), func(ctx context.Context, q *query.Queries) error {
					if _, err := q.NextNumber(ctx, "ticket"); err != nil {
						return err
					}
					if i%2 == 1 {
						return refused
					}
					return nil
				})
				if i%2 == 0 && err != nil || i%2 == 1 && !errors.Is(err, refused) {
					t.Errorf("write %d: %v", i, err)
				}
			})
		}
		all.Wait()
		err := s.Write(t.Context(), func(ctx context.Context, q *query.Queries) error {
			n, err := q.NextNumber(ctx, "ticket")
			if n != 51 {
				t.Errorf("after 50 kept and 50 refused writes the number is %d", n)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// TestFirstStartsAtOnce opens a database that is not there yet several times at
// once, as a command beside a server that just starts does.
func TestFirstStartsAtOnce(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "constat.db")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			s, err := store.Open(t.Context(), url)
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
