-- name: NextNumber :one
UPDATE sequences SET value = value + 1 WHERE name = $1 RETURNING value;

-- name: AddTicket :execrows
INSERT INTO tickets (number, id, title, title_derived, status, requester_id, assignee, queue, category, channel,
    impact, urgency, impact_set, urgency_set, priority, priority_reason, assignment_reason,
    endpoint_id, diagnosis_id, diagnosed_at, root_cause, certainty, language,
    occurred_at, created_at, updated_at, first_response_at, first_solved_at, last_solved_at,
    merged_into, version, entries, assigned_by,
    first_due_at, next_due_at, solution_due_at, asked_at, frozen_at, frozen_ms, due_at, clock_at,
    component, brand, resolution, sharing,
    type, major, tags, followers, wanted_at, minutes, site, maintenance_id, held_until, held_at, held_ms, asked_held_ms, concerned)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
    $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45,
    $46, $47, $48, $49, $50, $51, $52, $53, $54, $55, $56, $57, $58)
ON CONFLICT (id) DO NOTHING;

-- name: TicketByID :one
SELECT * FROM tickets WHERE id = $1;

-- name: TicketByNumber :one
SELECT * FROM tickets WHERE number = $1;

-- name: TicketView :one
-- A ticket as it is shown: with its requester and its machine's name.
SELECT sqlc.embed(t), COALESCE(p.name, '') AS requester_name, COALESCE(p.mail, '') AS requester_mail,
    COALESCE(e.hostname, '') AS endpoint_name
FROM tickets t
LEFT JOIN people p ON p.id = t.requester_id
LEFT JOIN endpoints e ON e.id = t.endpoint_id
WHERE t.number = $1;

-- name: TicketsAwaiting :many
-- Tickets of an endpoint whose diagnosis had not come yet.
SELECT * FROM tickets
WHERE diagnosis_id = sqlc.arg(diagnosis_id) AND endpoint_id = sqlc.arg(endpoint_id) AND diagnosed_at = 0
ORDER BY number;

-- name: EndpointsSharing :one
-- How many machines beside a ticket's own have an unsolved ticket with the same root
-- cause, or are named in one; one that was merged into an unsolved ticket included. It
-- counts in the newest tickets only: when thousands fail at once, each asks this as its
-- ticket comes.
WITH newest AS (
    SELECT t.number, t.endpoint_id FROM tickets t
    LEFT JOIN tickets m ON m.number = t.merged_into
    WHERE t.root_cause = sqlc.arg(root_cause) AND t.created_at > sqlc.arg(since)
      AND COALESCE(m.status, t.status) IN ('new', 'open', 'pending')
      AND t.endpoint_id <> sqlc.arg(endpoint_id) AND t.endpoint_id <> ''
    ORDER BY t.created_at DESC LIMIT sqlc.arg(among)
)
SELECT count(*) FROM (
    SELECT newest.endpoint_id AS id FROM newest
    UNION
    SELECT s.subject FROM newest JOIN ticket_subjects s ON s.number = newest.number AND s.kind = 'endpoint'
    WHERE s.subject <> sqlc.arg(endpoint_id)
) machines
WHERE machines.id NOT IN (SELECT own.subject FROM ticket_subjects own WHERE own.number = sqlc.arg(number) AND own.kind = 'endpoint');

-- name: SaveTicket :execrows
-- Writes what may change, if the version is still the one that was read.
UPDATE tickets SET title = $3, title_derived = $4, status = $5, assignee = $6, impact = $7, urgency = $8,
    impact_set = $9, urgency_set = $10, priority = $11, priority_reason = $12, assignment_reason = $13,
    diagnosed_at = $14, root_cause = $15, certainty = $16, first_response_at = $17, first_solved_at = $18,
    last_solved_at = $19, updated_at = $20, endpoint_id = $21, merged_into = $22, assigned_by = $23,
    first_due_at = $24, next_due_at = $25, solution_due_at = $26, asked_at = $27, frozen_at = $28, frozen_ms = $29,
    due_at = $30, clock_at = $31, component = $32, brand = $33, resolution = $34, sharing = $35,
    category = $36, queue = $37, type = $38, major = $39, tags = $40, followers = $41, wanted_at = $42, site = $43,
    maintenance_id = $44, held_until = $45, held_at = $46, held_ms = $47, asked_held_ms = $48, concerned = $49, version = version + 1
WHERE number = $1 AND version = $2;

-- name: RedirectMerged :exec
-- Numbers that led to a ticket lead to where it went, in one step.
UPDATE tickets SET merged_into = sqlc.arg(into_number) WHERE merged_into = sqlc.arg(from_number);

-- name: MoveEntries :execrows
-- Gives a ticket's timeline to another, behind the entries it has. What stands
-- in both, such as a diagnosis that two tickets asked for, is not doubled.
UPDATE ticket_entries SET number = sqlc.arg(into_number), position = ticket_entries.position + sqlc.arg(after_position)
WHERE ticket_entries.number = sqlc.arg(from_number)
  AND ticket_entries.id NOT IN (SELECT e.id FROM ticket_entries e WHERE e.number = sqlc.arg(into_number));

-- name: CountEntries :exec
-- Makes room for entries that were moved here with the positions they had.
UPDATE tickets SET entries = entries + sqlc.arg(more) WHERE number = sqlc.arg(number);

-- name: LockTicket :one
-- Reads a ticket and keeps others from changing it until the transaction ends.
UPDATE tickets SET entries = entries WHERE number = $1 RETURNING *;

-- name: CountEntry :one
-- Gives the next line of the timeline its position.
UPDATE tickets SET entries = entries + 1, updated_at = $2 WHERE number = $1 RETURNING entries;

-- name: AddEntry :exec
INSERT INTO ticket_entries (number, id, position, at, kind, actor, actor_role, text, content, minutes)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: Entry :one
SELECT * FROM ticket_entries WHERE number = $1 AND id = $2;

-- name: Entries :many
-- By time, since a merged ticket's entries came behind the others.
SELECT * FROM ticket_entries WHERE number = $1 ORDER BY at, position;

-- name: TicketWords :one
SELECT words FROM ticket_words WHERE number = $1;

-- name: PutTicketWords :exec
INSERT INTO ticket_words (number, words) VALUES ($1, $2)
ON CONFLICT (number) DO UPDATE SET words = excluded.words;

-- name: PersonByAccount :one
SELECT * FROM people WHERE account = $1;

-- name: PersonByMail :many
SELECT * FROM people WHERE mail = $1 ORDER BY created_at LIMIT 1;

-- name: AddPerson :execrows
INSERT INTO people (id, account, name, mail, created_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account) DO NOTHING;

-- name: SetPersonMail :exec
UPDATE people SET mail = $2 WHERE id = $1 AND mail = '';

-- name: SetPersonSite :exec
UPDATE people SET site = $2 WHERE id = $1 AND site = '';

-- name: MoveTickets :exec
-- Gives the tickets of a machine that are of its old site to its new one.
UPDATE tickets SET site = sqlc.arg(site), version = version + 1
WHERE endpoint_id = sqlc.arg(endpoint_id) AND site = sqlc.arg(was);

-- name: TicketsToTell :many
-- Tickets about whose promises something is to be said by now.
SELECT number FROM tickets WHERE clock_at > 0 AND clock_at <= sqlc.arg(now) ORDER BY clock_at LIMIT sqlc.arg(max_rows);

-- name: SolvedBefore :many
-- Numbers of solved tickets of which nothing was said since, in order.
SELECT number FROM tickets
WHERE status = 'solved' AND number > sqlc.arg(after) AND updated_at <= sqlc.arg(updated_before)
ORDER BY number LIMIT sqlc.arg(max_rows);

-- name: UnfinishedAfter :many
-- Numbers of tickets that are not done, in order.
SELECT number FROM tickets
WHERE number > sqlc.arg(after) AND status IN ('new', 'open', 'pending')
ORDER BY number LIMIT sqlc.arg(max_rows);

-- name: SolvedWith :many
-- Solved tickets of a fault, the latest first, with the model of their machine.
SELECT sqlc.embed(t), COALESCE(p.name, '') AS requester_name, COALESCE(p.mail, '') AS requester_mail,
    COALESCE(e.hostname, '') AS endpoint_name, COALESCE(e.model, '') AS model
FROM tickets t
LEFT JOIN people p ON p.id = t.requester_id
LEFT JOIN endpoints e ON e.id = t.endpoint_id
WHERE t.root_cause = sqlc.arg(root_cause) AND t.last_solved_at > 0 AND t.status IN ('solved', 'closed')
  AND t.number <> sqlc.arg(number)
ORDER BY t.last_solved_at DESC
LIMIT sqlc.arg(max_rows);

-- name: PersonByID :one
SELECT * FROM people WHERE id = $1;

-- name: CountMinutes :exec
-- Makes a ticket's time the sum of its entries'.
UPDATE tickets SET minutes = (SELECT COALESCE(SUM(e.minutes), 0) FROM ticket_entries e WHERE e.number = tickets.number)
WHERE tickets.number = $1;

-- name: MoveEntry :execrows
UPDATE ticket_entries SET number = sqlc.arg(into_number), position = sqlc.arg(position)
WHERE ticket_entries.number = sqlc.arg(from_number) AND id = sqlc.arg(id);

-- name: LinksOf :many
-- All links of a ticket, whichever end it is, with the ticket at the other end.
SELECT sqlc.embed(l), t.number AS far_number, t.title, t.status, t.root_cause, t.component, t.category
FROM ticket_links l
JOIN tickets t ON t.number = l.number + l.other - CAST(sqlc.arg(number) AS INTEGER)
WHERE l.number = sqlc.arg(number) OR l.other = sqlc.arg(number)
ORDER BY t.number;

-- name: LinkUp :many
-- Where a ticket's links of a kind lead.
SELECT other FROM ticket_links WHERE number = $1 AND kind = $2;

-- name: PutLink :exec
INSERT INTO ticket_links (number, other, kind, at, actor) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (number, other) DO NOTHING;

-- name: DeleteLink :execrows
-- Takes away the link of two tickets, in either direction.
DELETE FROM ticket_links WHERE (number = sqlc.arg(one) AND other = sqlc.arg(two)) OR (number = sqlc.arg(two) AND other = sqlc.arg(one));

-- name: AddAttachment :execrows
INSERT INTO attachments (id, number, entry_id, position, name, type, size, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (id) DO NOTHING;

-- name: PutContent :exec
INSERT INTO attachment_contents (hash, content, thumbnail) VALUES ($1, $2, $3)
ON CONFLICT (hash) DO NOTHING;

-- name: AttachmentsOf :many
-- The files of a ticket, without what is in them.
SELECT a.id, a.entry_id, a.name, a.type, a.size, CAST(CASE WHEN length(c.thumbnail) > 0 THEN 1 ELSE 0 END AS INTEGER) AS shown
FROM attachments a JOIN attachment_contents c ON c.hash = a.hash
WHERE a.number = $1 ORDER BY a.entry_id, a.position;

-- name: Attachment :one
SELECT a.number, a.name, a.type, c.content FROM attachments a JOIN attachment_contents c ON c.hash = a.hash WHERE a.id = $1;

-- name: Thumbnail :one
SELECT a.number, c.thumbnail FROM attachments a JOIN attachment_contents c ON c.hash = a.hash WHERE a.id = $1;

-- name: MoveAttachments :exec
-- Files go where their entries went.
UPDATE attachments SET number = sqlc.arg(into_number)
WHERE attachments.number = sqlc.arg(from_number)
  AND entry_id IN (SELECT e.id FROM ticket_entries e WHERE e.number = sqlc.arg(into_number));

-- name: UnsolvedOf :many
-- Tickets of a machine that are to be worked on, newest first.
SELECT number, category FROM tickets
WHERE endpoint_id = $1 AND status IN ('new', 'open', 'pending')
ORDER BY number DESC LIMIT 50;

-- name: RaiseNumber :exec
-- Goes on behind a number that was given otherwise.
UPDATE sequences SET value = sqlc.arg(value) WHERE name = sqlc.arg(name) AND value < sqlc.arg(value);

-- name: TicketsAskedAt :many
-- The newest of what a person asked at an endpoint since it was set up.
SELECT * FROM tickets
WHERE endpoint_id = sqlc.arg(endpoint_id) AND requester_id = sqlc.arg(requester_id) AND created_at >= sqlc.arg(since)
ORDER BY updated_at DESC, number DESC LIMIT sqlc.arg(among);

-- name: KnownTroubles :many
-- What others at a place have and somebody works on: what a lead called major, and
-- what several machines have, one that was merged into an unsolved ticket included.
SELECT t.root_cause, t.component, CAST(min(t.created_at) AS bigint) AS since, CAST(max(t.major) AS bigint) AS major
FROM tickets t
LEFT JOIN tickets m ON m.number = t.merged_into
WHERE COALESCE(m.status, t.status) IN ('new', 'open', 'pending') AND t.root_cause <> '' AND t.type = 'incident'
  AND t.site = sqlc.arg(site) AND t.endpoint_id <> sqlc.arg(endpoint_id) AND t.created_at > sqlc.arg(since)
GROUP BY t.root_cause, t.component
HAVING max(t.major) = 1 OR count(DISTINCT t.endpoint_id) >= CAST(sqlc.arg(several) AS bigint)
ORDER BY since DESC LIMIT 10;

-- name: MessagesOf :many
-- The newest messages of a ticket.
SELECT id, at, actor, actor_role, text FROM ticket_entries
WHERE number = sqlc.arg(number) AND kind = 'message' ORDER BY position DESC LIMIT sqlc.arg(among);
