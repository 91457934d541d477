-- name: InsertMaintenance :execrows
INSERT INTO maintenances (id, from_at, until_at, freezes, cancelled, version, author, updated_at, content)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (id) DO NOTHING;

-- name: UpdateMaintenance :execrows
-- Only while nobody else made a newer version.
UPDATE maintenances SET from_at = sqlc.arg(from_at), until_at = sqlc.arg(until_at), freezes = sqlc.arg(freezes), cancelled = sqlc.arg(cancelled),
    version = sqlc.arg(version), author = sqlc.arg(author), updated_at = sqlc.arg(updated_at), content = sqlc.arg(content)
WHERE id = sqlc.arg(id) AND version = sqlc.arg(seen);

-- name: GetMaintenance :one
SELECT * FROM maintenances WHERE id = $1;

-- name: MaintenancesUntil :many
-- Those that end after a moment, the next first.
SELECT * FROM maintenances WHERE until_at > sqlc.arg(after) ORDER BY until_at, id LIMIT sqlc.arg(max_rows);

-- name: TicketsUnder :many
SELECT number FROM tickets WHERE maintenance_id = sqlc.arg(maintenance_id) AND number > sqlc.arg(after) ORDER BY number LIMIT sqlc.arg(max_rows);

-- name: CountTicketsUnder :one
SELECT COUNT(*) FROM tickets WHERE maintenance_id = $1;
