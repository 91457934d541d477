package desk

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"constat/collector/store"
	"constat/collector/store/query"
)

// draftsKept is how long a reply that nobody sent is kept.
const draftsKept = 90 * 24 * time.Hour

// Draft is a reply to a ticket that somebody began and has not sent.
type Draft struct {
	// Entry is the id that the entry will have.
	Entry string
	// Kind, Text, Resolution and Minutes are as typed; empty: untouched.
	Kind, Text, Resolution, Minutes string
	// Seen is the newest message of somebody else that was there when it was begun.
	Seen string
	At   time.Time
}

// Empty tells whether nothing was written.
func (r Draft) Empty() bool {
	return strings.TrimSpace(r.Text) == "" && strings.TrimSpace(r.Resolution) == "" && strings.TrimSpace(r.Minutes) == ""
}

// Draft gives what the actor began in a ticket; an empty one when that is nothing.
func (d *Desk) Draft(ctx context.Context, a Actor, number int32) (Draft, error) {
	q := d.store.Read()
	number, err := target(For(ctx, a), q, number)
	if err != nil {
		return Draft{}, err
	}
	row, err := q.ReplyDraft(ctx, a.ID, number)
	if errors.Is(err, sql.ErrNoRows) {
		return Draft{}, nil
	}
	return Draft{
		Entry: row.Entry, Kind: row.Kind, Text: row.Text, Resolution: row.Resolution, Minutes: row.Minutes, Seen: row.Seen, At: store.Time(row.At),
	}, err
}

// KeepDraft keeps what the actor began in a ticket, in place of what was kept of
// them there; an empty one forgets it. What was sent meanwhile is not kept again.
func (d *Desk) KeepDraft(ctx context.Context, a Actor, number int32, draft Draft) error {
	if err := a.require("write in tickets", staff...); err != nil {
		return err
	}
	if len(draft.Text) > MaxText || len(draft.Resolution) > MaxText || len(draft.Minutes) > maxName {
		return problem(ErrInvalid, "the draft is too long to be kept")
	}
	ctx = For(ctx, a)
	return d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		number, err := target(ctx, q, number)
		if err != nil {
			return err
		}
		if draft.Empty() {
			return q.DropReplyDraft(ctx, a.ID, number)
		}
		if _, err := q.Entry(ctx, number, draft.Entry); !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		now := d.now()
		if err := q.ForgetReplyDrafts(ctx, store.Millis(now.Add(-draftsKept))); err != nil {
			return err
		}
		return q.PutReplyDraft(ctx, query.PutReplyDraftParams{
			UserID: a.ID, Number: number, Entry: line(draft.Entry, 64), Kind: line(draft.Kind, 20), Text: clean(draft.Text, MaxText),
			Resolution: clean(draft.Resolution, MaxText), Minutes: line(draft.Minutes, maxName), Seen: line(draft.Seen, 64), At: store.Millis(now),
		})
	})
}

// LastMessage is the newest message in a ticket that is not the actor's own, by the
// id of its entry, and who wrote it; empty: there is none.
func (d *Desk) LastMessage(ctx context.Context, a Actor, number int32) (id, by string, err error) {
	q := d.store.Read()
	if number, err = target(For(ctx, a), q, number); err != nil {
		return "", "", err
	}
	last, err := q.LastMessageOfOthers(ctx, number, a.Name)
	if errors.Is(err, sql.ErrNoRows) {
		return "", "", nil
	}
	return last.ID, last.Actor, err
}

// answered refuses a message of somebody who has not read the newest of others.
func answered(ctx context.Context, q *query.Queries, a Actor, number int32, seen string) error {
	last, err := q.LastMessageOfOthers(ctx, number, a.Name)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err == nil && last.ID != seen:
		return problem(ErrConflict, "%s wrote in ticket %d while you did: read that, then send yours again", last.Actor, number)
	}
	return err
}
