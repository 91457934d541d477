-- What devices tell by themselves, and more of where stations are: by VLAN, since
-- when, how often they moved, and by which address they are known.

-- +goose Up
CREATE TABLE gear_events (
    -- UUIDv7: by the time of the first.
    id       TEXT    NOT NULL PRIMARY KEY,
    gear_id  TEXT    NOT NULL,
    -- When it came, first and last, and how often in between.
    first_at BIGINT  NOT NULL,
    at       BIGINT  NOT NULL,
    count    INTEGER NOT NULL,
    -- Mnemonic, port and station: what makes two events the same.
    same_key TEXT    NOT NULL,
    -- GearEvent.
    content  BYTEA   NOT NULL
);
CREATE INDEX gear_events_by_gear ON gear_events (gear_id, at);
CREATE INDEX gear_events_by_key ON gear_events (gear_id, same_key, at);

CREATE TABLE stations_by_vlan (
    mac          TEXT    NOT NULL,
    gear_id      TEXT    NOT NULL,
    -- 0: not told.
    vlan         INTEGER NOT NULL,
    -- 0: at no port of this device: it is wireless.
    if_index     INTEGER NOT NULL,
    -- forwarding | dot1x | dhcpSnooping | wireless.
    evidence     TEXT    NOT NULL,
    -- Name of the access point, of a wireless station.
    access_point TEXT    NOT NULL,
    seen_at      BIGINT  NOT NULL,
    -- Since when it has been at this port.
    since        BIGINT  NOT NULL,
    -- How often it changed the port within half an hour of moved_at.
    moves        INTEGER NOT NULL,
    moved_at     BIGINT  NOT NULL,
    PRIMARY KEY (mac, gear_id, vlan)
);
INSERT INTO stations_by_vlan (mac, gear_id, vlan, if_index, evidence, access_point, seen_at, since, moves, moved_at)
SELECT mac, gear_id, vlan, if_index, evidence, '', seen_at, seen_at, 0, 0 FROM stations;
DROP TABLE stations;
ALTER TABLE stations_by_vlan RENAME TO stations;
CREATE INDEX stations_by_port ON stations (gear_id, if_index);

-- Which station had an address last, as each device knows it.
CREATE TABLE station_addresses (
    address  TEXT   NOT NULL,
    gear_id  TEXT   NOT NULL,
    mac      TEXT   NOT NULL,
    -- arp | dhcpSnooping | dot1x | wireless.
    evidence TEXT   NOT NULL,
    seen_at  BIGINT NOT NULL,
    PRIMARY KEY (address, gear_id)
);
CREATE INDEX station_addresses_by_gear ON station_addresses (gear_id, seen_at);
CREATE INDEX station_addresses_by_mac ON station_addresses (mac, seen_at);

-- The addresses that devices have, beside those they are polled at.
CREATE TABLE gear_ips (
    address TEXT NOT NULL,
    gear_id TEXT NOT NULL,
    PRIMARY KEY (address, gear_id)
);
CREATE INDEX gear_ips_by_gear ON gear_ips (gear_id);
