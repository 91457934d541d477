-- name: AddUser :execrows
INSERT INTO users (id, name, name_key, mail, role, language, password, created_at, disabled_at, takes_tickets, sites, person_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, $10, $11)
ON CONFLICT (name_key) DO NOTHING;

-- name: UserByName :one
SELECT * FROM users WHERE name_key = $1;

-- name: UserByID :one
SELECT * FROM users WHERE id = $1;

-- name: ListUsers :many
SELECT * FROM users ORDER BY name_key;

-- name: SetPassword :execrows
UPDATE users SET password = $2 WHERE id = $1;

-- name: SetLanguage :execrows
UPDATE users SET language = $2 WHERE id = $1;

-- name: SetSites :execrows
UPDATE users SET sites = $2 WHERE id = $1;

-- name: RemoveUser :exec
-- Another credential ends their sessions.
UPDATE users SET disabled_at = $2, password = $3 WHERE id = $1;

-- name: RestoreUser :execrows
UPDATE users SET disabled_at = 0 WHERE id = $1 AND disabled_at > 0;

-- name: AddOneTimeLink :exec
INSERT INTO one_time_links (secret_hash, user_id, expires_at) VALUES ($1, $2, $3);

-- name: TakeOneTimeLink :one
-- Whoever deletes it has it: a link works once, also when two press it at once.
DELETE FROM one_time_links WHERE secret_hash = $1 RETURNING user_id, expires_at;

-- name: DeleteExpiredLinks :exec
DELETE FROM one_time_links WHERE expires_at <= $1;

-- name: DeleteLinksOf :exec
DELETE FROM one_time_links WHERE user_id = $1;

-- name: AddAPIToken :exec
INSERT INTO api_tokens (secret_hash, user_id, label, created_at, expires_at) VALUES ($1, $2, $3, $4, $5);

-- name: DeleteTokensOf :exec
DELETE FROM api_tokens WHERE user_id = $1;

-- name: APIToken :one
SELECT * FROM api_tokens WHERE secret_hash = $1;

-- name: Session :one
SELECT data FROM sessions WHERE token = $1 AND expires_at > $2;

-- name: PutSession :exec
INSERT INTO sessions (token, data, expires_at) VALUES ($1, $2, $3)
ON CONFLICT (token) DO UPDATE SET data = excluded.data, expires_at = excluded.expires_at;

-- name: DeleteSession :exec
DELETE FROM sessions WHERE token = $1;

-- name: DeleteExpiredSessions :exec
DELETE FROM sessions WHERE expires_at <= $1;

-- name: Setting :one
SELECT value FROM settings WHERE name = $1;

-- name: PutSetting :exec
INSERT INTO settings (name, value, updated_at) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at;

-- name: AddSetting :exec
INSERT INTO settings (name, value, updated_at) VALUES ($1, $2, $3)
ON CONFLICT (name) DO NOTHING;
