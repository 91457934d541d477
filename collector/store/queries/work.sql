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

-- name: PutView :exec
INSERT INTO ticket_views (id, user_id, name, shared, query, at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO NOTHING;

-- name: DeleteView :execrows
DELETE FROM ticket_views WHERE id = $1 AND user_id = $2;

-- name: DeleteSharedView :execrows
DELETE FROM ticket_views WHERE id = $1 AND shared = 1;
