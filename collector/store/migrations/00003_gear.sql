-- Switches, routers, access points and printers that are asked over SNMP, what
-- they said last, and which station was seen at which of their ports.

-- +goose Up
CREATE TABLE snmp_credentials (
    name       TEXT   NOT NULL PRIMARY KEY,
    -- What opens devices, sealed with the key file; no zstd frame.
    sealed     BYTEA  NOT NULL,
    -- 2c | 3.
    version    TEXT   NOT NULL,
    changed_at BIGINT NOT NULL
);

CREATE TABLE gear (
    id            TEXT    NOT NULL PRIMARY KEY,
    -- HOST or HOST:PORT, in lower case.
    address       TEXT    NOT NULL,
    site          TEXT    NOT NULL,
    credential    TEXT    NOT NULL,
    enabled       INTEGER NOT NULL,
    added_at      BIGINT  NOT NULL,
    -- What the device says of itself; name_key is its name in lower case.
    name          TEXT    NOT NULL,
    name_key      TEXT    NOT NULL,
    vendor        TEXT    NOT NULL,
    model         TEXT    NOT NULL,
    serial        TEXT    NOT NULL,
    os            TEXT    NOT NULL,
    version       TEXT    NOT NULL,
    -- new | ok | partial | timeout | authFailed, why, and since when.
    state         TEXT    NOT NULL,
    reason        TEXT    NOT NULL,
    state_since   BIGINT  NOT NULL,
    answered_at   BIGINT  NOT NULL,
    -- Polls in a row without an answer.
    failures      INTEGER NOT NULL,
    -- When everything is read next, and when it is polled next at all.
    whole_due_at  BIGINT  NOT NULL,
    due_at        BIGINT  NOT NULL,
    -- The collector that polls it now, and until when nobody else does.
    lease_owner   TEXT    NOT NULL,
    lease_until   BIGINT  NOT NULL
);
CREATE UNIQUE INDEX gear_by_address ON gear (address);
CREATE INDEX gear_by_name ON gear (name_key, id);
CREATE INDEX gear_by_due ON gear (due_at);

CREATE TABLE gear_facts (
    gear_id   TEXT   NOT NULL PRIMARY KEY,
    -- When the device was read; whole: with its forwarding tables.
    taken_at  BIGINT NOT NULL,
    whole_at  BIGINT NOT NULL,
    -- Gear, GearCounters of the last whole poll, and Diagnosis.
    content   BYTEA  NOT NULL,
    counters  BYTEA  NOT NULL,
    diagnosis BYTEA  NOT NULL
);

-- The addresses of the devices themselves: a port behind which one of them is
-- leads to another device, not to a desk.
CREATE TABLE gear_addresses (
    mac     TEXT NOT NULL,
    gear_id TEXT NOT NULL,
    PRIMARY KEY (mac, gear_id)
);
CREATE INDEX gear_addresses_by_gear ON gear_addresses (gear_id);

-- Where each device saw a station last; kept when it is seen no more.
CREATE TABLE stations (
    mac      TEXT    NOT NULL,
    gear_id  TEXT    NOT NULL,
    if_index INTEGER NOT NULL,
    vlan     INTEGER NOT NULL,
    -- forwarding | dot1x | dhcpSnooping | wireless.
    evidence TEXT    NOT NULL,
    seen_at  BIGINT  NOT NULL,
    PRIMARY KEY (mac, gear_id)
);
CREATE INDEX stations_by_port ON stations (gear_id, if_index);
