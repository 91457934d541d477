-- name: PutPlace :exec
INSERT INTO endpoint_places (endpoint_id, subnet, switch_id, switch_name, switch_port, seen_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (endpoint_id) DO UPDATE SET subnet = excluded.subnet, switch_id = excluded.switch_id,
    switch_name = excluded.switch_name, switch_port = excluded.switch_port, seen_at = excluded.seen_at;

-- name: Place :one
SELECT * FROM endpoint_places WHERE endpoint_id = $1;

-- name: Findings :many
SELECT * FROM endpoint_findings WHERE endpoint_id = $1 ORDER BY fault;

-- name: PutFinding :exec
-- What stands already keeps the time it began.
INSERT INTO endpoint_findings (endpoint_id, fault, since, seen_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (endpoint_id, fault) DO UPDATE SET seen_at = excluded.seen_at;

-- name: DropFinding :exec
DELETE FROM endpoint_findings WHERE endpoint_id = $1 AND fault = $2;

-- name: SharedOnSwitch :one
SELECT count(*) AS endpoints, CAST(coalesce(min(f.since), 0) AS BIGINT) AS since
FROM endpoint_findings f JOIN endpoint_places p ON p.endpoint_id = f.endpoint_id
WHERE f.fault = $1 AND f.seen_at >= $2 AND p.switch_id = $3;

-- name: SharedInSubnet :one
SELECT count(*) AS endpoints, CAST(coalesce(min(f.since), 0) AS BIGINT) AS since
FROM endpoint_findings f JOIN endpoint_places p ON p.endpoint_id = f.endpoint_id
WHERE f.fault = $1 AND f.seen_at >= $2 AND p.subnet = $3;

-- name: PeersOnSwitch :one
-- Others of the switch that report, and those that fell silent lately.
SELECT CAST(coalesce(sum(CASE WHEN e.online_until > sqlc.arg(now) THEN 1 ELSE 0 END), 0) AS BIGINT) AS reporting,
       CAST(coalesce(sum(CASE WHEN e.online_until <= sqlc.arg(now) THEN 1 ELSE 0 END), 0) AS BIGINT) AS silent
FROM endpoint_places p JOIN endpoints e ON e.id = p.endpoint_id
WHERE p.switch_id = sqlc.arg(place) AND e.id <> sqlc.arg(itself) AND e.revoked_at = 0 AND e.last_seen_at >= sqlc.arg(lately);

-- name: PeersInSubnet :one
SELECT CAST(coalesce(sum(CASE WHEN e.online_until > sqlc.arg(now) THEN 1 ELSE 0 END), 0) AS BIGINT) AS reporting,
       CAST(coalesce(sum(CASE WHEN e.online_until <= sqlc.arg(now) THEN 1 ELSE 0 END), 0) AS BIGINT) AS silent
FROM endpoint_places p JOIN endpoints e ON e.id = p.endpoint_id
WHERE p.subnet = sqlc.arg(place) AND e.id <> sqlc.arg(itself) AND e.revoked_at = 0 AND e.last_seen_at >= sqlc.arg(lately);

-- name: DiagnosesOfSnapshot :many
SELECT content FROM diagnoses WHERE endpoint_id = $1 AND snapshot_id = $2;

-- name: TicketsOfDiagnosis :many
-- Tickets that a diagnosis belongs to, and those whose command asked for it.
SELECT number FROM tickets WHERE tickets.diagnosis_id = sqlc.arg(diagnosis_id) AND tickets.endpoint_id = sqlc.arg(endpoint_id) AND diagnosed_at > 0
UNION
SELECT ticket FROM commands WHERE commands.endpoint_id = sqlc.arg(endpoint_id) AND commands.diagnosis_id = sqlc.arg(diagnosis_id) AND ticket <> 0
ORDER BY 1;

-- name: PortsOnSwitch :many
-- At which ports of a switch the other endpoints hear it.
SELECT switch_port FROM endpoint_places WHERE switch_id = $1 AND endpoint_id <> $2 AND switch_port <> '' ORDER BY endpoint_id LIMIT 500;

-- name: GearReadSince :one
-- How many devices were read since then.
SELECT count(*) FROM gear_facts WHERE taken_at > $1;

-- name: OpenJudged :many
-- Unsolved tickets of machines, with the diagnosis that came with them.
SELECT t.number, t.endpoint_id, d.content FROM tickets t
JOIN diagnoses d ON d.endpoint_id = t.endpoint_id AND d.id = t.diagnosis_id
WHERE t.status IN ('new', 'open', 'pending') AND t.endpoint_id <> '' AND t.diagnosed_at >= sqlc.arg(lately)
ORDER BY t.number DESC LIMIT sqlc.arg(max_rows);

-- name: PutMac :exec
INSERT INTO endpoint_macs (mac, endpoint_id, seen_at) VALUES ($1, $2, $3)
ON CONFLICT (mac, endpoint_id) DO UPDATE SET seen_at = excluded.seen_at;

-- name: MacHolder :one
-- Who reported an address last, and under which name.
SELECT m.endpoint_id, m.seen_at, COALESCE(e.hostname, '') AS hostname
FROM endpoint_macs m LEFT JOIN endpoints e ON e.id = m.endpoint_id
WHERE m.mac = $1 ORDER BY m.seen_at DESC, m.endpoint_id DESC LIMIT 1;

-- name: PeersToAsk :many
-- Machines at a switch or in a subnet that are connected, have not this fault as
-- far as is known, and were asked for nothing lately.
SELECT e.id FROM endpoint_places p JOIN endpoints e ON e.id = p.endpoint_id
WHERE (p.switch_id = sqlc.arg(switch_id) AND sqlc.arg(switch_id) <> '' OR p.subnet = sqlc.arg(subnet) AND sqlc.arg(subnet) <> '')
  AND e.id <> sqlc.arg(itself) AND e.revoked_at = 0 AND e.online_until > sqlc.arg(now)
  AND NOT EXISTS (SELECT 1 FROM endpoint_findings f WHERE f.endpoint_id = e.id AND f.fault = sqlc.arg(fault))
  AND NOT EXISTS (SELECT 1 FROM commands c WHERE c.endpoint_id = e.id AND c.created_at >= sqlc.arg(lately))
ORDER BY e.id LIMIT sqlc.arg(max_rows);
