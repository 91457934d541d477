-- name: AddSnapshot :execrows
INSERT INTO snapshots (endpoint_id, id, taken_at, received_at, ordered_at, manifest)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (endpoint_id, id) DO NOTHING;

-- name: SnapshotExists :one
SELECT count(*) FROM snapshots WHERE endpoint_id = $1 AND id = $2;

-- name: SnapshotByID :one
-- Ids are made by endpoints: of two that claim the same, the first came first.
SELECT * FROM snapshots WHERE id = $1 ORDER BY received_at, endpoint_id LIMIT 1;

-- name: SnapshotOf :one
SELECT * FROM snapshots WHERE endpoint_id = $1 AND id = $2;

-- name: AddPayload :exec
INSERT INTO payloads (endpoint_id, group_name, hash, content, first_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (endpoint_id, group_name, hash) DO NOTHING;

-- name: PayloadExists :one
SELECT count(*) FROM payloads WHERE endpoint_id = $1 AND group_name = $2 AND hash = $3;

-- name: PayloadContent :one
SELECT content FROM payloads WHERE endpoint_id = $1 AND group_name = $2 AND hash = $3;

-- name: LatestFacts :many
SELECT * FROM latest_facts WHERE endpoint_id = $1 ORDER BY group_name;

-- name: PutLatestFact :exec
INSERT INTO latest_facts (endpoint_id, group_name, entry, ordered_at, hash)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (endpoint_id, group_name) DO UPDATE SET entry = excluded.entry, ordered_at = excluded.ordered_at,
    hash = excluded.hash;

-- name: ForgetFormerFacts :exec
-- What a new system says is compared with nothing that the one before it said; the
-- hardware is the same.
UPDATE latest_facts SET hash = $2 WHERE endpoint_id = $1 AND group_name <> 'hardware';

-- name: AddChange :exec
INSERT INTO endpoint_changes (endpoint_id, at, group_name, position, content)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (endpoint_id, at, group_name, position) DO NOTHING;

-- name: NewestChanges :many
SELECT content FROM endpoint_changes WHERE endpoint_id = $1
ORDER BY at DESC, group_name, position LIMIT $2;

-- name: AddDiagnosis :execrows
INSERT INTO diagnoses (endpoint_id, id, snapshot_id, command_id, procedure, verdict, root_cause, certainty,
    started_at, received_at, content)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (endpoint_id, id) DO NOTHING;

-- name: DiagnosisContent :one
SELECT content FROM diagnoses WHERE endpoint_id = $1 AND id = $2;

-- name: NewestDiagnoses :many
SELECT content FROM diagnoses WHERE endpoint_id = $1
ORDER BY received_at DESC, id DESC LIMIT $2;

-- name: LatestFact :one
SELECT * FROM latest_facts WHERE endpoint_id = $1 AND group_name = $2;

-- name: FindingDiagnoses :many
-- Diagnoses of a machine since then that found something, newest first.
SELECT content FROM diagnoses
WHERE endpoint_id = $1 AND received_at >= $2 AND verdict <> 'healthy'
ORDER BY received_at DESC, id DESC LIMIT 20;
