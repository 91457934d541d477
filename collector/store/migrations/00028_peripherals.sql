-- Devices that people plug in or print on, by what they keep from one machine to
-- the next, and which tickets were about them.

-- +goose Up
CREATE TABLE peripherals (
    -- UUIDv5 of what tells it from all others: its brand or USB id and its serial
    -- number.
    id         TEXT   NOT NULL PRIMARY KEY,
    -- printer | keyboard | mouse | headset | …; or the class of a USB device.
    kind       TEXT   NOT NULL,
    brand      TEXT   NOT NULL,
    model      TEXT   NOT NULL,
    serial     TEXT   NOT NULL,
    serial_key TEXT   NOT NULL,
    first_at   BIGINT NOT NULL
);
CREATE INDEX peripherals_by_serial ON peripherals (serial_key);

-- Which machines have or had it.
CREATE TABLE peripheral_places (
    endpoint_id   TEXT   NOT NULL,
    peripheral_id TEXT   NOT NULL,
    -- The facts of that machine that are about it, as evidence names them, one a
    -- line.
    facts         TEXT   NOT NULL,
    since         BIGINT NOT NULL,
    -- When it was there no more; 0: it is.
    gone_at       BIGINT NOT NULL,
    PRIMARY KEY (endpoint_id, peripheral_id)
);
CREATE INDEX peripheral_places_of ON peripheral_places (peripheral_id, endpoint_id);

-- What a ticket is about beside its machine, by the evidence of its root causes.
CREATE TABLE ticket_subjects (
    -- peripheral | gear.
    kind    TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    number  INTEGER NOT NULL,
    PRIMARY KEY (kind, subject, number)
);
CREATE INDEX ticket_subjects_of ON ticket_subjects (number);
