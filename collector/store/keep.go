package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"constat/collector/store/query"
)

// ErrNoSetting is what Setting answers to a name that was never put.
var ErrNoSetting = errors.New("no such setting")

// Setting is a value the collector keeps for itself: keys, sealed by who put
// them, and what an administrator set.
func (s *Store) Setting(ctx context.Context, name string) ([]byte, error) {
	value, err := s.query.Setting(ctx, name)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNoSetting
	}
	return value, explain(err)
}

// PutSetting keeps value under name, in place of what was there; nil is kept as
// an empty value.
func (s *Store) PutSetting(ctx context.Context, name string, value []byte) error {
	return s.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		return q.PutSetting(ctx, name, append([]byte{}, value...), time.Now().UnixMilli())
	})
}

// AddSetting keeps value under name unless there is one, and gives the one that
// is there then: of many collectors that start at once, all get the same.
func (s *Store) AddSetting(ctx context.Context, name string, value []byte) (kept []byte, err error) {
	err = s.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		if err := q.AddSetting(ctx, name, append([]byte{}, value...), time.Now().UnixMilli()); err != nil {
			return err
		}
		kept, err = q.Setting(ctx, name)
		return err
	})
	return kept, err
}

// Sessions keeps the sessions of the console. Its methods are those that
// github.com/alexedwards/scs/v2 asks of a Store and a CtxStore.
type Sessions struct{ store *Store }

// Sessions gives the part of the store that keeps sessions.
func (s *Store) Sessions() Sessions { return Sessions{s} }

// FindCtx gives the session's data; found is false when there is none that still
// holds.
func (s Sessions) FindCtx(ctx context.Context, token string) (data []byte, found bool, err error) {
	data, err = s.store.query.Session(ctx, token, time.Now().UnixMilli())
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	return data, err == nil, explain(err)
}

// CommitCtx keeps the session's data until expiry.
func (s Sessions) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	return s.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		return q.PutSession(ctx, token, data, expiry.UnixMilli())
	})
}

// DeleteCtx forgets the session; one that is not there is no error.
func (s Sessions) DeleteCtx(ctx context.Context, token string) error {
	return s.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		return q.DeleteSession(ctx, token)
	})
}

// Find is FindCtx for a caller without a context.
func (s Sessions) Find(token string) (data []byte, found bool, err error) {
	return s.FindCtx(context.Background(), token)
}

// Commit is CommitCtx for a caller without a context.
func (s Sessions) Commit(token string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, data, expiry)
}

// Delete is DeleteCtx for a caller without a context.
func (s Sessions) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }
