-- Where each endpoint is in the network, and what its newest diagnoses found:
-- so that a fault which several machines of one switch or subnet have at the
-- same time is told as one. One row an endpoint, and one a finding that stands.

-- +goose Up
CREATE TABLE endpoint_places (
    endpoint_id TEXT   NOT NULL PRIMARY KEY,
    -- Prefix of the address on the link of the default route; empty: unknown.
    subnet      TEXT   NOT NULL,
    -- Chassis and port that LLDP or CDP announced on that link; empty: unknown.
    switch_id   TEXT   NOT NULL,
    switch_name TEXT   NOT NULL,
    switch_port TEXT   NOT NULL,
    seen_at     BIGINT NOT NULL
);
CREATE INDEX endpoint_places_by_subnet ON endpoint_places (subnet);
CREATE INDEX endpoint_places_by_switch ON endpoint_places (switch_id);

CREATE TABLE endpoint_findings (
    endpoint_id TEXT   NOT NULL,
    fault       TEXT   NOT NULL,
    -- When it was found first without a break, and last.
    since       BIGINT NOT NULL,
    seen_at     BIGINT NOT NULL,
    PRIMARY KEY (endpoint_id, fault)
);
CREATE INDEX endpoint_findings_by_fault ON endpoint_findings (fault, seen_at);
