-- name: PutPeripheral :exec
INSERT INTO peripherals (id, kind, brand, model, serial, serial_key, first_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, brand = excluded.brand, model = excluded.model;

-- name: PutPeripheralPlace :exec
INSERT INTO peripheral_places (endpoint_id, peripheral_id, facts, since, gone_at) VALUES ($1, $2, $3, $4, 0)
ON CONFLICT (endpoint_id, peripheral_id) DO UPDATE SET facts = excluded.facts, gone_at = 0,
    since = CASE WHEN peripheral_places.gone_at > 0 THEN excluded.since ELSE peripheral_places.since END;

-- name: EndPeripheralPlace :exec
UPDATE peripheral_places SET gone_at = $3 WHERE endpoint_id = $1 AND peripheral_id = $2 AND gone_at = 0;

-- name: PeripheralsOfEndpoint :many
-- What a machine has or had, what is there first.
SELECT sqlc.embed(p), sqlc.embed(l) FROM peripheral_places l
JOIN peripherals p ON p.id = l.peripheral_id
WHERE l.endpoint_id = $1
ORDER BY CASE WHEN l.gone_at = 0 THEN 0 ELSE 1 END, p.brand, p.model, p.id
LIMIT 100;

-- name: PeripheralByID :one
SELECT * FROM peripherals WHERE id = $1;

-- name: MachinesOfPeripheral :many
-- The machines that have or had a peripheral, those that have it first.
SELECT sqlc.embed(e), l.since, l.gone_at FROM peripheral_places l
JOIN endpoints e ON e.id = l.endpoint_id
WHERE l.peripheral_id = $1
ORDER BY CASE WHEN l.gone_at = 0 THEN 0 ELSE 1 END, l.since DESC, e.id
LIMIT 200;

-- name: PutSubject :exec
INSERT INTO ticket_subjects (kind, subject, number) VALUES ($1, $2, $3)
ON CONFLICT (kind, subject, number) DO NOTHING;

-- name: CopySubjects :exec
-- What a ticket was about, the one that it was merged into is about too.
INSERT INTO ticket_subjects (kind, subject, number)
SELECT s.kind, s.subject, CAST(sqlc.arg(into_number) AS INTEGER) FROM ticket_subjects s WHERE s.number = sqlc.arg(from_number)
ON CONFLICT (kind, subject, number) DO NOTHING;

-- name: PeripheralsOfTicket :many
SELECT p.* FROM ticket_subjects s JOIN peripherals p ON p.id = s.subject
WHERE s.number = $1 AND s.kind = 'peripheral'
ORDER BY p.brand, p.model, p.id;

-- name: DropSubject :exec
DELETE FROM ticket_subjects WHERE kind = $1 AND subject = $2 AND number = $3;

-- name: ConcernedOf :many
-- The machines and the devices of the network that a ticket is about beside its own
-- machine: those that people named, and those that the evidence is about.
SELECT s.kind, s.subject, COALESCE(e.hostname, g.name) AS name, COALESCE(g.address, '') AS address, COALESCE(e.site, g.site) AS site
FROM ticket_subjects s
LEFT JOIN endpoints e ON s.kind = 'endpoint' AND e.id = s.subject
LEFT JOIN gear g ON s.kind = 'gear' AND g.id = s.subject
WHERE s.number = $1 AND COALESCE(e.id, g.id) IS NOT NULL
ORDER BY s.kind, s.subject;

-- name: TicketsNaming :many
-- The newest tickets that are about something.
SELECT number FROM ticket_subjects WHERE kind = $1 AND subject = $2 ORDER BY number DESC;
