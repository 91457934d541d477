-- name: SeriesHour :one
SELECT content FROM series_hours WHERE owner = $1 AND hour = $2;

-- name: PutSeriesHour :exec
INSERT INTO series_hours (owner, hour, folded, content) VALUES ($1, $2, 0, $3)
ON CONFLICT (owner, hour) DO UPDATE SET content = excluded.content, folded = 0;

-- name: SeriesHours :many
SELECT hour, folded, content FROM series_hours WHERE owner = $1 AND hour >= $2 AND hour < $3 ORDER BY hour;

-- name: UnfoldedHours :many
-- Hours that are over and whose sums stand in no day yet.
SELECT hour, content FROM series_hours WHERE owner = $1 AND folded = 0 AND hour < $2 ORDER BY hour;

-- name: MarkFolded :exec
UPDATE series_hours SET folded = 1 WHERE owner = $1 AND hour = $2;

-- name: SeriesDay :one
SELECT content FROM series_days WHERE owner = $1 AND day = $2;

-- name: SeriesDays :many
SELECT day, content FROM series_days WHERE owner = $1 AND day >= $2 AND day < $3 ORDER BY day;

-- name: PutSeriesDay :exec
INSERT INTO series_days (owner, day, content) VALUES ($1, $2, $3)
ON CONFLICT (owner, day) DO UPDATE SET content = excluded.content;

-- name: DropSeriesHours :exec
DELETE FROM series_hours WHERE owner = $1 AND hour < $2;

-- name: DropSeriesDays :exec
DELETE FROM series_days WHERE owner = $1 AND day < $2;
