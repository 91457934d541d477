-- name: ListSkills :many
SELECT * FROM skills ORDER BY user_id, kind, value_key;

-- name: PutSkill :exec
INSERT INTO skills (user_id, kind, value, value_key, level) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (user_id, kind, value_key) DO UPDATE SET value = excluded.value, level = excluded.level;

-- name: DeleteSkills :exec
DELETE FROM skills WHERE user_id = $1;

-- name: ListAbsences :many
SELECT * FROM absences WHERE until_at > $1 ORDER BY user_id, from_at;

-- name: PutAbsence :exec
INSERT INTO absences (user_id, from_at, until_at, reason) VALUES ($1, $2, $3, $4)
ON CONFLICT (user_id, from_at) DO UPDATE SET until_at = excluded.until_at, reason = excluded.reason;

-- name: DeleteAbsences :exec
DELETE FROM absences WHERE user_id = $1;

-- name: SetTaking :exec
UPDATE users SET takes_tickets = $2, open_cap = $3 WHERE id = $1;

-- name: CountOpen :many
-- How many tickets each has that are to be worked on: those that wait for the
-- requester keep nobody busy.
SELECT assignee, count(*) AS open FROM tickets
WHERE status IN ('new', 'open') AND assignee <> ''
GROUP BY assignee;

-- name: SetAssigned :exec
UPDATE users SET assigned_at = $2 WHERE name = $1;

-- name: AssignmentsSince :many
-- The decisions since a time, newest first, with when their tickets were done.
SELECT e.number, e.at, e.content, t.created_at, t.last_solved_at, t.status
FROM ticket_entries e JOIN tickets t ON t.number = e.number
WHERE e.kind = 'assignment' AND e.at >= sqlc.arg(since)
ORDER BY e.at DESC, e.number DESC
LIMIT sqlc.arg(max_rows);
