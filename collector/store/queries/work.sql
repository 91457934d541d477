-- name: AddDeed :exec
INSERT INTO deeds (deed, number, user_id, at, content) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (deed, number) DO NOTHING;

-- name: Deeds :many
-- What somebody did in one go, since a time.
SELECT * FROM deeds WHERE deed = sqlc.arg(deed) AND user_id = sqlc.arg(user_id) AND at >= sqlc.arg(since) ORDER BY number;

-- name: TakeDeed :execrows
DELETE FROM deeds WHERE deed = $1 AND number = $2;

-- name: ForgetDeeds :exec
DELETE FROM deeds WHERE at < $1;

-- name: ViewsFor :many
-- Somebody's own views and those of the whole team, by name.
SELECT sqlc.embed(w), COALESCE(u.name, '') AS owner FROM ticket_views w LEFT JOIN users u ON u.id = w.user_id
WHERE w.user_id = $1 OR w.shared = 1 ORDER BY w.shared, w.name, w.id;

-- name: PutView :execrows
INSERT INTO ticket_views (id, user_id, name, shared, query, at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, shared = excluded.shared, query = excluded.query
WHERE ticket_views.user_id = excluded.user_id;

-- name: DeleteView :execrows
DELETE FROM ticket_views WHERE id = $1 AND user_id = $2;

-- name: DeleteSharedView :execrows
DELETE FROM ticket_views WHERE id = $1 AND shared = 1;

-- name: PutReplyDraft :exec
INSERT INTO reply_drafts (user_id, number, entry, kind, text, resolution, minutes, seen, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (user_id, number) DO UPDATE SET entry = excluded.entry, kind = excluded.kind, text = excluded.text,
    resolution = excluded.resolution, minutes = excluded.minutes, seen = excluded.seen, at = excluded.at;

-- name: ReplyDraft :one
SELECT * FROM reply_drafts WHERE user_id = $1 AND number = $2;

-- name: DropReplyDraft :exec
DELETE FROM reply_drafts WHERE user_id = $1 AND number = $2;

-- name: DropSentDraft :exec
DELETE FROM reply_drafts WHERE user_id = $1 AND number = $2 AND entry = $3;

-- name: MoveReplyDrafts :exec
-- Gives what people began in a ticket to the one that it became part of; who
-- began something there, too, keeps that.
UPDATE reply_drafts SET number = sqlc.arg(into_number)
WHERE reply_drafts.number = sqlc.arg(from_number)
  AND user_id NOT IN (SELECT r.user_id FROM reply_drafts r WHERE r.number = sqlc.arg(into_number));

-- name: ForgetReplyDrafts :exec
DELETE FROM reply_drafts WHERE at < $1;

-- name: LastMessageOfOthers :one
-- The newest message in a ticket that is not somebody's own.
SELECT id, actor FROM ticket_entries
WHERE number = $1 AND kind = 'message' AND actor <> $2
ORDER BY at DESC, position DESC LIMIT 1;
