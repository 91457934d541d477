-- name: AddRemedy :exec
-- What came of a remedy is told once; told again it is the same.
INSERT INTO remedies (endpoint_id, id, verb, outcome, ticket, at, content, received_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (endpoint_id, id) DO NOTHING;

-- name: NewestRemedies :many
SELECT content FROM remedies WHERE endpoint_id = $1
ORDER BY received_at DESC, id DESC LIMIT $2;
