-- name: PutCredential :exec
INSERT INTO snmp_credentials (name, sealed, version, changed_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed, version = excluded.version, changed_at = excluded.changed_at;

-- name: Credential :one
SELECT * FROM snmp_credentials WHERE name = $1;

-- name: Credentials :many
SELECT c.name, c.version, c.changed_at, (SELECT count(*) FROM gear g WHERE g.credential = c.name) AS devices
FROM snmp_credentials c ORDER BY c.name;

-- name: DropCredential :execrows
DELETE FROM snmp_credentials WHERE snmp_credentials.name = $1 AND NOT EXISTS (SELECT 1 FROM gear WHERE gear.credential = $1);

-- name: RetryCredential :exec
-- Devices that refused are asked again at once with what is new.
UPDATE gear SET due_at = 0, whole_due_at = 0, failures = 0, wanted_at = 1, wanted_whole = 1 WHERE credential = $1;

-- name: AddGear :execrows
INSERT INTO gear (id, address, site, credential, enabled, added_at, name, name_key, vendor, model, serial, os, version,
    state, reason, state_since, answered_at, failures, whole_due_at, due_at, lease_owner, lease_until)
VALUES ($1, $2, $3, $4, 1, $5, '', '', '', '', '', '', '', 'new', '', $5, 0, 0, 0, 0, '', 0)
ON CONFLICT (address) DO UPDATE SET site = excluded.site, credential = excluded.credential, enabled = 1,
    failures = 0, whole_due_at = 0, due_at = 0, wanted_at = 1, wanted_whole = 1;

-- name: DropGear :execrows
DELETE FROM gear WHERE id = $1;

-- name: DropGearFacts :exec
DELETE FROM gear_facts WHERE gear_id = $1;

-- name: DropGearAddresses :exec
DELETE FROM gear_addresses WHERE gear_id = $1;

-- name: DropStations :exec
DELETE FROM stations WHERE gear_id = $1 AND seen_at < $2;

-- name: ForgetPort :exec
-- Forgets who was seen at a port that is there no more.
DELETE FROM stations WHERE gear_id = $1 AND if_index = $2;

-- name: ReplaceGear :exec
-- Another device answers at the address.
UPDATE gear SET replaced_at = $2 WHERE id = $1;

-- name: GearReplacedAt :one
SELECT replaced_at FROM gear WHERE id = $1;

-- name: GearByID :one
SELECT * FROM gear WHERE id = $1;

-- name: GearByAddress :many
SELECT * FROM gear WHERE address = $1;

-- name: GearByName :many
SELECT * FROM gear WHERE name_key = $1 ORDER BY id LIMIT 2;

-- name: GearByMAC :many
SELECT g.* FROM gear g JOIN gear_addresses a ON a.gear_id = g.id WHERE a.mac = $1 ORDER BY g.id LIMIT 2;

-- name: ListGear :many
SELECT * FROM gear ORDER BY name_key, address;

-- name: GearDiagnoses :many
SELECT gear_id, diagnosis FROM gear_facts;

-- name: GearFacts :one
SELECT * FROM gear_facts WHERE gear_id = $1;

-- name: ClaimGear :many
-- What is due and nobody polls. A claim that another was faster with matches no
-- row any more.
UPDATE gear SET lease_owner = sqlc.arg(owner), lease_until = sqlc.arg(until), wanted_at = 0, wanted_whole = 0
WHERE id IN (SELECT due.id FROM gear due WHERE due.enabled = 1 AND due.due_at <= sqlc.arg(now) AND due.lease_until <= sqlc.arg(now)
             ORDER BY due.due_at LIMIT sqlc.arg(max_rows))
  AND lease_until <= sqlc.arg(now)
RETURNING *;

-- name: FinishGear :execrows
-- What was asked for since the claim holds, but a device gets its rest, and one that
-- refuses us is asked again only when what opens it has changed.
UPDATE gear SET name = sqlc.arg(name), name_key = sqlc.arg(name_key), vendor = sqlc.arg(vendor), model = sqlc.arg(model),
    serial = sqlc.arg(serial), os = sqlc.arg(os), version = sqlc.arg(version), state = sqlc.arg(state), reason = sqlc.arg(reason),
    state_since = sqlc.arg(state_since), answered_at = sqlc.arg(answered_at), failures = sqlc.arg(failures),
    whole_due_at = CASE WHEN wanted_whole = 1 THEN 0 ELSE CAST(sqlc.arg(whole_due_at) AS BIGINT) END,
    counters_due_at = sqlc.arg(counters_due_at),
    due_at = CASE
        WHEN wanted_at = 1 THEN 1
        WHEN wanted_at = 0 OR wanted_at >= CAST(sqlc.arg(due_at) AS BIGINT) OR CAST(sqlc.arg(rested_at) AS BIGINT) >= CAST(sqlc.arg(due_at) AS BIGINT) OR sqlc.arg(state) = 'authFailed' THEN CAST(sqlc.arg(due_at) AS BIGINT)
        WHEN wanted_at > CAST(sqlc.arg(rested_at) AS BIGINT) THEN wanted_at
        ELSE CAST(sqlc.arg(rested_at) AS BIGINT) END,
    lease_owner = '', lease_until = 0
WHERE id = sqlc.arg(id) AND lease_owner = sqlc.arg(lease_owner);

-- name: PutGearFacts :exec
INSERT INTO gear_facts (gear_id, taken_at, whole_at, content, counters, diagnosis, plan) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (gear_id) DO UPDATE SET taken_at = excluded.taken_at, whole_at = excluded.whole_at, content = excluded.content,
    counters = excluded.counters, diagnosis = excluded.diagnosis, plan = excluded.plan;

-- name: TouchGearFacts :exec
-- All is as it was.
UPDATE gear_facts SET taken_at = $2 WHERE gear_id = $1;

-- name: GearStates :many
SELECT state, count(*) AS devices FROM gear WHERE enabled = 1 GROUP BY state;

-- name: AddGearAddress :exec
INSERT INTO gear_addresses (mac, gear_id) VALUES ($1, $2) ON CONFLICT (mac, gear_id) DO NOTHING;

-- name: PutStation :exec
INSERT INTO stations (mac, gear_id, vlan, if_index, evidence, access_point, seen_at, since, moves, moved_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (mac, gear_id, vlan) DO UPDATE SET if_index = excluded.if_index, evidence = excluded.evidence,
    access_point = excluded.access_point, seen_at = excluded.seen_at, since = excluded.since, moves = excluded.moves,
    moved_at = excluded.moved_at;

-- name: StationsOf :many
SELECT mac, vlan, if_index, evidence, seen_at, since, moves, moved_at FROM stations WHERE gear_id = $1;

-- name: PutStationAddress :exec
INSERT INTO station_addresses (address, gear_id, mac, evidence, seen_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (address, gear_id) DO UPDATE SET mac = excluded.mac, evidence = excluded.evidence, seen_at = excluded.seen_at;

-- name: DropStationAddresses :exec
DELETE FROM station_addresses WHERE gear_id = $1 AND seen_at < $2;

-- name: StationsByAddress :many
-- Which stations had an address, the latest first.
SELECT mac, evidence, seen_at FROM station_addresses WHERE address = $1 ORDER BY seen_at DESC, mac LIMIT 8;

-- name: AddressesOfStation :many
SELECT address, seen_at FROM station_addresses WHERE mac = $1 ORDER BY seen_at DESC, address LIMIT 8;

-- name: Sightings :many
-- Where a station was seen, with how many others were seen at the port since,
-- and how many of them are devices.
SELECT s.if_index, s.vlan, s.evidence, s.access_point, s.seen_at, s.since, s.gear_id,
    (SELECT count(DISTINCT o.mac) FROM stations o
        WHERE o.gear_id = s.gear_id AND o.if_index = s.if_index AND o.seen_at >= s.seen_at) AS stations,
    (SELECT count(*) FROM stations o JOIN gear_addresses a ON a.mac = o.mac AND a.gear_id <> o.gear_id
        WHERE o.gear_id = s.gear_id AND o.if_index = s.if_index) AS devices,
    f.whole_at
FROM stations s JOIN gear_facts f ON f.gear_id = s.gear_id
WHERE s.mac = $1
ORDER BY s.seen_at DESC, s.gear_id, s.vlan;

-- name: SpreadOf :one
-- Over how many ports of one device the stations are spread that another sees
-- behind one of its ports: behind such a port is the device, not a desk.
SELECT count(DISTINCT near.if_index) FROM stations far JOIN stations near ON near.mac = far.mac AND near.gear_id = sqlc.arg(near)
WHERE far.gear_id = sqlc.arg(far) AND far.if_index = sqlc.arg(far_port) AND far.seen_at >= sqlc.arg(since)
    AND near.seen_at >= sqlc.arg(since) AND near.if_index > 0;

-- name: RecentEvent :many
-- The same event, where it came already after a time.
SELECT * FROM gear_events WHERE gear_id = $1 AND same_key = $2 AND at >= $3 ORDER BY at DESC LIMIT 1;

-- name: AddEvent :exec
INSERT INTO gear_events (id, gear_id, first_at, at, count, same_key, content) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: RepeatEvent :exec
UPDATE gear_events SET at = $2, count = count + 1, content = $3 WHERE id = $1;

-- name: EventsOf :many
SELECT * FROM gear_events WHERE gear_id = $1 AND at >= $2 ORDER BY at DESC, id DESC LIMIT $3;

-- name: TrimEvents :exec
-- Keeps the latest of a device.
DELETE FROM gear_events WHERE gear_events.gear_id = sqlc.arg(gear) AND (gear_events.at < sqlc.arg(before) OR gear_events.id IN
    (SELECT old.id FROM gear_events old WHERE old.gear_id = sqlc.arg(gear) ORDER BY old.at DESC, old.id DESC LIMIT 1000 OFFSET sqlc.arg(kept)));

-- name: DropEvents :exec
DELETE FROM gear_events WHERE gear_id = $1;

-- name: HastenGear :exec
-- Has a device polled soon, unless it is due before; one that refuses us is left
-- alone, since wrong passwords lock users.
UPDATE gear SET due_at = CASE WHEN due_at > sqlc.arg(soon) THEN sqlc.arg(soon) ELSE due_at END,
    wanted_at = CASE WHEN wanted_at = 0 OR wanted_at > sqlc.arg(soon) THEN sqlc.arg(soon) ELSE wanted_at END
WHERE id = sqlc.arg(id) AND state <> 'authFailed';

-- name: RereadGear :exec
-- Has everything read at the next poll.
UPDATE gear SET whole_due_at = 0, wanted_whole = 1 WHERE id = $1;

-- name: GearIPs :many
SELECT address, gear_id FROM gear_ips ORDER BY address, gear_id;

-- name: AddGearIP :exec
INSERT INTO gear_ips (address, gear_id) VALUES ($1, $2) ON CONFLICT (address, gear_id) DO NOTHING;

-- name: DropGearIPs :exec
DELETE FROM gear_ips WHERE gear_id = $1;

-- name: GearMACs :many
SELECT mac, gear_id FROM gear_addresses ORDER BY gear_id, mac;

-- name: GearBySerial :many
SELECT * FROM gear WHERE lower(serial) = lower($1) AND serial <> '' ORDER BY id LIMIT 2;

-- name: GearByIP :many
-- By an address that the device says is its own.
SELECT g.* FROM gear g JOIN gear_ips i ON i.gear_id = g.id WHERE i.address = $1 ORDER BY g.id LIMIT 2;
