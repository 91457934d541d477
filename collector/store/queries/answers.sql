-- name: InsertAnswer :execrows
INSERT INTO answers (id, owner_id, site, queue, version, author, updated_at, words, content)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (id) DO NOTHING;

-- name: UpdateAnswer :execrows
-- Only while nobody else made a newer version.
UPDATE answers SET owner_id = sqlc.arg(owner_id), site = sqlc.arg(site), queue = sqlc.arg(queue), version = sqlc.arg(version),
    author = sqlc.arg(author), updated_at = sqlc.arg(updated_at), words = sqlc.arg(words), content = sqlc.arg(content)
WHERE id = sqlc.arg(id) AND version = sqlc.arg(seen);

-- name: GetAnswer :one
SELECT * FROM answers WHERE id = $1;

-- name: ListAnswers :many
-- The team's, and those of one user.
SELECT * FROM answers WHERE owner_id = '' OR owner_id = sqlc.arg(owner_id) ORDER BY id;

-- name: CountAnswers :one
SELECT COUNT(*) FROM answers WHERE owner_id = $1;

-- name: DeleteAnswer :execrows
DELETE FROM answers WHERE id = $1;
