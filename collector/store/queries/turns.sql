-- name: PutTurn :exec
-- Somebody else has the ticket now, or nobody.
INSERT INTO ticket_turns (number, assignee, since, settled, let_lie) VALUES ($1, $2, $3, 0, $4)
ON CONFLICT (number) DO UPDATE SET assignee = excluded.assignee, since = excluded.since, settled = 0, let_lie = excluded.let_lie;

-- name: Turn :one
SELECT * FROM ticket_turns WHERE number = $1;

-- name: SettleTurn :exec
UPDATE ticket_turns SET settled = 1 WHERE number = $1;

-- name: TurnsSince :many
-- What waits untouched since a time or longer.
SELECT number FROM ticket_turns WHERE settled = 0 AND since <= sqlc.arg(since) AND since > sqlc.arg(after) ORDER BY since LIMIT sqlc.arg(max_rows);

-- name: TicketsOfGone :many
-- Tickets to be worked on whose assignee may not sign in any more.
SELECT t.number FROM users u JOIN tickets t ON t.assignee = u.name
WHERE u.disabled_at > 0 AND t.status IN ('new', 'open', 'pending')
ORDER BY t.number LIMIT sqlc.arg(max_rows);

-- name: TicketsHeldBy :many
-- Tickets to be worked on that somebody has.
SELECT number, site FROM tickets WHERE assignee = $1 AND status IN ('new', 'open', 'pending') ORDER BY number;

-- name: CountUndone :many
-- How many tickets each has that are not done.
SELECT assignee, count(*) AS undone FROM tickets
WHERE status IN ('new', 'open', 'pending') AND assignee <> ''
GROUP BY assignee;
