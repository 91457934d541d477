-- What an endpoint leaves behind, table by table, for its erasure. A new table that
-- holds something of endpoints gets a line here: a test of package desk looks.

-- name: TicketsOfEndpoint :many
-- And those that its tickets were merged into, which have their timelines, and those
-- that name it.
SELECT number FROM tickets WHERE tickets.endpoint_id = sqlc.arg(endpoint_id)
UNION
SELECT s.number FROM ticket_subjects s WHERE s.kind = 'endpoint' AND s.subject = sqlc.arg(endpoint_id)
UNION
SELECT merged_into FROM tickets WHERE tickets.endpoint_id = sqlc.arg(endpoint_id) AND merged_into <> 0
ORDER BY 1;

-- name: ToldByEndpoints :many
-- The entries of a ticket that machines told, or that are about what they shall do.
SELECT * FROM ticket_entries WHERE number = $1 AND kind IN ('diagnosis', 'remedy');

-- name: SetEntryContent :exec
UPDATE ticket_entries SET content = $3 WHERE number = $1 AND id = $2;

-- name: RemedyIsOf :one
-- Asked of the machine, or done on it.
SELECT (SELECT count(*) FROM remedies r WHERE r.endpoint_id = sqlc.arg(endpoint_id) AND r.id = sqlc.arg(id))
     + (SELECT count(*) FROM commands c WHERE c.endpoint_id = sqlc.arg(endpoint_id) AND c.id = sqlc.arg(id)) AS found;

-- name: DetachTickets :many
-- What the fault was about is a part of the machine, as it named it.
UPDATE tickets SET endpoint_id = '', component = '', version = version + 1 WHERE endpoint_id = $1 RETURNING number;

-- name: SetConcerned :exec
UPDATE tickets SET concerned = $2, version = version + 1 WHERE number = $1;

-- name: EraseSteps :exec
DELETE FROM command_steps WHERE command_id IN (SELECT c.id FROM commands c WHERE c.endpoint_id = $1);

-- name: EraseCommands :exec
DELETE FROM commands WHERE endpoint_id = $1;

-- name: EraseSnapshots :exec
DELETE FROM snapshots WHERE endpoint_id = $1;

-- name: ErasePayloads :exec
DELETE FROM payloads WHERE endpoint_id = $1;

-- name: EraseFacts :exec
DELETE FROM latest_facts WHERE endpoint_id = $1;

-- name: EraseChanges :exec
DELETE FROM endpoint_changes WHERE endpoint_id = $1;

-- name: EraseDiagnoses :exec
DELETE FROM diagnoses WHERE endpoint_id = $1;

-- name: ErasePlace :exec
DELETE FROM endpoint_places WHERE endpoint_id = $1;

-- name: EraseFindings :exec
DELETE FROM endpoint_findings WHERE endpoint_id = $1;

-- name: EraseStations :exec
-- Where switches saw the addresses that only this machine has told to be its own.
DELETE FROM stations WHERE mac IN (
    SELECT m.mac FROM endpoint_macs m WHERE m.endpoint_id = $1
      AND NOT EXISTS (SELECT 1 FROM endpoint_macs o WHERE o.mac = m.mac AND o.endpoint_id <> m.endpoint_id));

-- name: EraseStationAddresses :exec
DELETE FROM station_addresses WHERE mac IN (
    SELECT m.mac FROM endpoint_macs m WHERE m.endpoint_id = $1
      AND NOT EXISTS (SELECT 1 FROM endpoint_macs o WHERE o.mac = m.mac AND o.endpoint_id <> m.endpoint_id));

-- name: EraseMacs :exec
DELETE FROM endpoint_macs WHERE endpoint_id = $1;

-- name: EraseRuns :exec
DELETE FROM procedure_runs WHERE endpoint_id = $1;

-- name: EraseInstances :exec
DELETE FROM endpoint_instances WHERE endpoint_id = $1;

-- name: EraseRemedies :exec
DELETE FROM remedies WHERE endpoint_id = $1;

-- name: ErasePeripherals :exec
-- Devices that only this machine had, and no ticket was about.
DELETE FROM peripherals WHERE id IN (SELECT p.peripheral_id FROM peripheral_places p WHERE p.endpoint_id = $1)
  AND NOT EXISTS (SELECT 1 FROM peripheral_places o WHERE o.peripheral_id = peripherals.id AND o.endpoint_id <> $1)
  AND NOT EXISTS (SELECT 1 FROM ticket_subjects s WHERE s.kind = 'peripheral' AND s.subject = peripherals.id);

-- name: ErasePeripheralPlaces :exec
DELETE FROM peripheral_places WHERE endpoint_id = $1;

-- name: EraseEndpoint :exec
DELETE FROM endpoints WHERE id = $1;
