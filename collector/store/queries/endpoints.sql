-- name: AddEndpoint :exec
INSERT INTO endpoints (id, hostname, name_key, machine_hash, os_family, os_name, agent_version,
    manufacturer, model, serial, enrolled_at, last_seen_at, online_until, clock_skew_ms,
    certificate_expires_at, revoked_at, revoked_reason, hardware_hash, order_key)
VALUES ($1, $2, $3, $4, $5, '', $6, '', '', '', $7, $7, 0, 0, 0, 0, '', $8, $9);

-- name: EndpointByID :one
SELECT * FROM endpoints WHERE id = $1;

-- name: EndpointsByName :many
-- Two are enough to see that a name is not unique.
SELECT * FROM endpoints WHERE name_key = $1 ORDER BY last_seen_at DESC LIMIT 2;

-- name: EndpointByMachine :many
-- Of machines made from one image, the one with the same firmware; what is not
-- known differs from nothing.
SELECT * FROM endpoints WHERE machine_hash = $1 AND revoked_at = 0
    AND (hardware_hash = $2 OR hardware_hash = '' OR $2 = '')
ORDER BY hardware_hash DESC, enrolled_at DESC LIMIT 1;

-- name: EndpointsByHardware :many
-- Two are enough to see that it tells no machines apart.
SELECT * FROM endpoints WHERE hardware_hash = $1 AND revoked_at = 0 LIMIT 2;

-- name: ReimageEndpoint :exec
UPDATE endpoints SET machine_hash = $2, reimaged_at = $3 WHERE id = $1;

-- name: SeeFormerSystem :exec
UPDATE endpoints SET former_seen_at = $2 WHERE id = $1;

-- name: ForgetEndpointInstances :exec
DELETE FROM endpoint_instances WHERE endpoint_id = $1;

-- name: SetEndpointHardware :exec
UPDATE endpoints SET hardware_hash = $2 WHERE id = $1;

-- name: EndpointInstances :many
SELECT * FROM endpoint_instances WHERE endpoint_id = $1 ORDER BY connected_at DESC, instance DESC;

-- name: AddEndpointInstance :exec
INSERT INTO endpoint_instances (endpoint_id, instance, hardware_hash, hostname, address, connected_at, returned_at)
VALUES ($1, $2, $3, $4, $5, $6, 0);

-- name: SeeEndpointInstance :exec
UPDATE endpoint_instances SET address = $3, connected_at = $4, returned_at = $5
WHERE endpoint_id = $1 AND instance = $2;

-- name: ForgetEndpointInstance :exec
DELETE FROM endpoint_instances WHERE endpoint_id = $1 AND instance = $2;

-- name: ForgetCopies :exec
-- The machine of this firmware has an identity of its own now.
DELETE FROM endpoint_instances WHERE hardware_hash = $1 AND endpoint_id <> $2;

-- name: SetEndpointSite :exec
UPDATE endpoints SET site = $2 WHERE id = $1;

-- name: LockEndpoint :execrows
-- Serialises what happens to one endpoint until the transaction ends.
UPDATE endpoints SET last_seen_at = last_seen_at WHERE id = $1;

-- name: TouchEndpoint :execrows
UPDATE endpoints SET last_seen_at = $2 WHERE id = $1;

-- name: ReenrolEndpoint :exec
UPDATE endpoints SET hostname = $2, name_key = $3, os_family = $4, agent_version = $5, last_seen_at = $6, order_key = $7
WHERE id = $1;

-- name: DescribeEndpoint :exec
UPDATE endpoints SET hostname = $2, name_key = $3, os_family = $4, os_name = $5,
    manufacturer = $6, model = $7, serial = $8, order_key = $9
WHERE id = $1;

-- name: ConnectEndpoint :execrows
UPDATE endpoints SET hostname = $2, name_key = $3, os_family = $4, agent_version = $5,
    clock_skew_ms = $6, last_seen_at = $7, online_until = $8, order_key = $9
WHERE id = $1;

-- name: SeeEndpoint :execrows
UPDATE endpoints SET last_seen_at = $2, online_until = $3 WHERE id = $1;

-- name: DisconnectEndpoint :exec
UPDATE endpoints SET online_until = 0 WHERE id = $1;

-- name: RevokeEndpoint :execrows
UPDATE endpoints SET revoked_at = $2, revoked_reason = $3, online_until = 0 WHERE id = $1;

-- name: RevokeCertificates :exec
UPDATE certificates SET revoked_at = $2 WHERE endpoint_id = $1 AND revoked_at = 0;

-- name: AddCertificate :exec
INSERT INTO certificates (serial, endpoint_id, issued_at, not_after, revoked_at)
VALUES ($1, $2, $3, $4, 0);

-- name: SetCertificateExpiry :execrows
UPDATE endpoints SET certificate_expires_at = $2 WHERE id = $1;

-- name: CertificateBySerial :one
SELECT * FROM certificates WHERE serial = $1;

-- name: AddEnrolmentToken :exec
INSERT INTO enrolment_tokens (secret_hash, label, uses_left, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5);

-- name: SetTokenSite :execrows
UPDATE enrolment_tokens SET site = $2 WHERE secret_hash = $1;

-- name: EnrolmentToken :one
SELECT * FROM enrolment_tokens WHERE secret_hash = $1;

-- name: SpendEnrolmentToken :execrows
UPDATE enrolment_tokens SET uses_left = uses_left - 1 WHERE secret_hash = $1 AND uses_left > 0;
