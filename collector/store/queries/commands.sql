-- name: AddCommand :exec
INSERT INTO commands (id, endpoint_id, ticket, content, status, reason, diagnosis_id,
    created_at, expires_at, delivered_at, finished_at, steps)
VALUES ($1, $2, $3, $4, 'waiting', '', '', $5, $6, 0, 0, 0);

-- name: CommandByID :one
SELECT * FROM commands WHERE id = $1;

-- name: PendingCommands :many
-- What an endpoint has still to do, oldest first: a command it took before it
-- lost its connection is given again.
SELECT * FROM commands
WHERE endpoint_id = $1 AND status IN ('waiting', 'running') AND expires_at > $2
ORDER BY created_at, id;

-- name: OverdueCommands :many
-- Those not begun in time, and those begun whose end is long overdue.
SELECT * FROM commands
WHERE (status = 'waiting' AND expires_at <= sqlc.arg(now))
   OR (status = 'running' AND expires_at <= sqlc.arg(unanswered))
ORDER BY id LIMIT 100;

-- name: StartCommand :exec
UPDATE commands SET status = 'running', delivered_at = $2 WHERE id = $1 AND status = 'waiting';

-- name: CountStep :one
UPDATE commands SET steps = steps + 1 WHERE id = $1 AND endpoint_id = $2 AND finished_at = 0 RETURNING steps;

-- name: AddStep :exec
INSERT INTO command_steps (command_id, position, content) VALUES ($1, $2, $3);

-- name: StepsAfter :many
SELECT * FROM command_steps WHERE command_id = $1 AND position > $2 ORDER BY position;

-- name: DeleteSteps :exec
DELETE FROM command_steps WHERE command_id = $1;

-- name: FinishCommand :execrows
-- The first end holds, but a diagnosis that came after all makes it done.
UPDATE commands SET status = $2, reason = $3, diagnosis_id = $4, finished_at = $5
WHERE id = $1 AND (finished_at = 0 OR (status <> 'done' AND CAST($2 AS TEXT) = 'done'));

-- name: ExpireCommand :execrows
UPDATE commands SET status = 'expired', reason = $2, finished_at = $3
WHERE id = $1 AND status IN ('waiting', 'running');

-- name: CommandsOfDiagnosis :many
-- The commands an arriving diagnosis answers, whichever of the two came first.
SELECT * FROM commands
WHERE endpoint_id = sqlc.arg(endpoint_id)
  AND (id = sqlc.arg(command_id) OR diagnosis_id = sqlc.arg(diagnosis_id))
ORDER BY id;
