-- name: InsertForm :execrows
INSERT INTO request_forms (id, state, site, version, author, updated_at, content)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (id) DO NOTHING;

-- name: UpdateForm :execrows
-- Only while nobody else made a newer version.
UPDATE request_forms SET state = sqlc.arg(state), site = sqlc.arg(site), version = sqlc.arg(version),
    author = sqlc.arg(author), updated_at = sqlc.arg(updated_at), content = sqlc.arg(content)
WHERE id = sqlc.arg(id) AND version = sqlc.arg(seen);

-- name: GetForm :one
SELECT * FROM request_forms WHERE id = $1;

-- name: ListForms :many
SELECT * FROM request_forms ORDER BY id;

-- name: AddCheck :exec
INSERT INTO ticket_checks (number, position, text, done_at, done_by) VALUES ($1, $2, $3, 0, '')
ON CONFLICT (number, position) DO NOTHING;

-- name: Checks :many
SELECT * FROM ticket_checks WHERE number = $1 ORDER BY position;

-- name: SetCheck :execrows
UPDATE ticket_checks SET done_at = sqlc.arg(done_at), done_by = sqlc.arg(done_by)
WHERE number = sqlc.arg(number) AND position = sqlc.arg(position);

-- name: MoveChecks :exec
-- Behind those that the other ticket has.
UPDATE ticket_checks SET number = sqlc.arg(into_number), position = position + sqlc.arg(behind)
WHERE number = sqlc.arg(from_number);
