-- Machines that show one identity in turn: disks that were copied.

-- +goose Up
-- Salted hash of what the firmware calls itself; empty: not known. Two machines
-- made from one image differ by it, though machine_hash is the same.
ALTER TABLE endpoints ADD COLUMN hardware_hash TEXT NOT NULL DEFAULT '';

CREATE TABLE endpoint_instances (
    endpoint_id   TEXT   NOT NULL,
    -- Hello.instance: one run of an agent.
    instance      TEXT   NOT NULL,
    hardware_hash TEXT   NOT NULL,
    hostname      TEXT   NOT NULL,
    address       TEXT   NOT NULL,
    connected_at  BIGINT NOT NULL,
    -- When it last connected after another one had; 0: never.
    returned_at   BIGINT NOT NULL,
    PRIMARY KEY (endpoint_id, instance)
);

