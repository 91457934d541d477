package console

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"constat/collector/store"
	"constat/collector/store/query"
)

// sessionStore lets the session library keep its sessions in the collector's
// database. The methods without a context are part of the library's interface;
// it calls those with one.
type sessionStore struct{ *store.Store }

// FindCtx gives a session's data, and whether there is one that has not ended.
func (s sessionStore) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	data, err := s.Read().Session(ctx, token, store.Millis(time.Now()))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	return data, err == nil, err
}

// CommitCtx keeps a session until expiry, and forgets those that ended: there
// are few sign-ins, so that each can clean up.
func (s sessionStore) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	return s.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		if err := q.DeleteExpiredSessions(ctx, store.Millis(time.Now())); err != nil {
			return err
		}
		return q.PutSession(ctx, token, data, store.Millis(expiry))
	})
}

// DeleteCtx ends a session.
func (s sessionStore) DeleteCtx(ctx context.Context, token string) error {
	return s.Write(ctx, func(ctx context.Context, q *query.Queries) error { return q.DeleteSession(ctx, token) })
}

// Find is FindCtx without a deadline.
func (s sessionStore) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Commit is CommitCtx without a deadline.
func (s sessionStore) Commit(token string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, data, expiry)
}

// Delete is DeleteCtx without a deadline.
func (s sessionStore) Delete(token string) error {
	return s.DeleteCtx(context.Background(), token)
}
