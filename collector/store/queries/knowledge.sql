-- name: PutRun :exec
-- A machine may tell more of a walk later.
INSERT INTO procedure_runs (endpoint_id, id, procedure, version, started_by, started_at, elapsed_ms, steps, asked,
    outcome, helped, diagnosis_id, content, received_at, unclear)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT (endpoint_id, id) DO UPDATE SET elapsed_ms = excluded.elapsed_ms, steps = excluded.steps,
    asked = excluded.asked, outcome = excluded.outcome, helped = excluded.helped, content = excluded.content, unclear = excluded.unclear;

-- name: RunsUnclear :many
-- What was unclear in a procedure, newest first.
SELECT version, unclear FROM procedure_runs
WHERE procedure = $1 AND unclear <> ''
ORDER BY received_at DESC, id DESC
LIMIT 100;

-- name: RunRates :many
-- How walks went, by procedure and version. A ticket belongs to a walk by their
-- diagnosis; one that was solved and is so no more, or was solved twice, was
-- opened again.
SELECT r.procedure, r.version, count(*) AS runs,
    CAST(coalesce(sum(CASE WHEN r.outcome = 'solved' THEN 1 ELSE 0 END), 0) AS BIGINT) AS solved,
    CAST(coalesce(sum(CASE WHEN r.outcome = 'left' THEN 1 ELSE 0 END), 0) AS BIGINT) AS given_up,
    CAST(coalesce(sum(CASE WHEN r.helped = 'yes' THEN 1 ELSE 0 END), 0) AS BIGINT) AS helped,
    CAST(coalesce(sum(CASE WHEN r.helped = 'no' THEN 1 ELSE 0 END), 0) AS BIGINT) AS not_helped,
    CAST(coalesce(sum(r.elapsed_ms), 0) AS BIGINT) AS elapsed_ms,
    CAST(coalesce(sum(r.steps), 0) AS BIGINT) AS steps,
    CAST(coalesce(sum(r.asked), 0) AS BIGINT) AS asked,
    CAST(coalesce(sum(CASE WHEN t.number IS NULL THEN 0 ELSE 1 END), 0) AS BIGINT) AS tickets,
    CAST(coalesce(sum(CASE WHEN t.status IN ('solved', 'closed') THEN 1 ELSE 0 END), 0) AS BIGINT) AS closed,
    CAST(coalesce(sum(CASE WHEN t.first_solved_at > 0 AND (t.status NOT IN ('solved', 'closed', 'merged') OR t.last_solved_at > t.first_solved_at) THEN 1 ELSE 0 END), 0) AS BIGINT) AS reopened
FROM procedure_runs r
LEFT JOIN tickets t ON r.diagnosis_id <> '' AND t.diagnosis_id = r.diagnosis_id AND t.endpoint_id = r.endpoint_id
GROUP BY r.procedure, r.version
ORDER BY r.procedure, r.version DESC;

-- name: AddKnowledge :exec
INSERT INTO knowledge (revision, content, signed, percent, hosts) VALUES ($1, $2, $3, $4, $5);

-- name: SetKnowledgeRing :execrows
UPDATE knowledge SET percent = $2, hosts = $3 WHERE revision = $1;

-- name: KnowledgeRings :many
SELECT revision, percent, hosts FROM knowledge ORDER BY revision DESC;

-- name: KnowledgeOf :one
SELECT * FROM knowledge WHERE revision = $1;

-- name: NewestKnowledge :one
SELECT * FROM knowledge ORDER BY revision DESC LIMIT 1;

-- name: ListKnowledge :many
SELECT * FROM knowledge ORDER BY revision DESC LIMIT 100;

-- name: PutProcedureVoice :exec
-- Who changes their mind overwrites their voice.
INSERT INTO procedure_voices (procedure, version, reader, at, helped, unclear) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (procedure, version, reader) DO UPDATE SET at = excluded.at, helped = excluded.helped, unclear = excluded.unclear;

-- name: ListProcedureVoices :many
SELECT * FROM procedure_voices WHERE procedure = $1 ORDER BY version DESC, at DESC LIMIT 50;
