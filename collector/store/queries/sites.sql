-- name: Sites :many
SELECT name FROM sites ORDER BY name_key, name;

-- name: AddSite :execrows
INSERT INTO sites (name, name_key) VALUES ($1, $2) ON CONFLICT DO NOTHING;

-- name: SiteByKey :one
SELECT name FROM sites WHERE name_key = $1;

-- name: SitesOfUsers :many
SELECT DISTINCT sites FROM users WHERE sites <> '';
