-- Polling in three kinds, and what is measured while polling.

-- +goose Up
-- When a device's counters are read next; whole_due_at says when everything is.
ALTER TABLE gear ADD COLUMN counters_due_at BIGINT NOT NULL DEFAULT 0;
-- GearPlan: what there is to ask of the device, by its last whole poll.
ALTER TABLE gear_facts ADD COLUMN plan BYTEA NOT NULL DEFAULT '';

-- What is measured of an owner (a device's id) in one hour: SeriesHour. All kinds
-- and parts share a row because they are measured, written and thrown away
-- together.
CREATE TABLE series_hours (
    owner   TEXT    NOT NULL,
    -- When the hour began.
    hour    BIGINT  NOT NULL,
    -- 1: its sums stand in series_days.
    folded  INTEGER NOT NULL,
    content BYTEA   NOT NULL,
    PRIMARY KEY (owner, hour)
);

-- The same, hour by hour of a day (UTC): SeriesDay.
CREATE TABLE series_days (
    owner   TEXT   NOT NULL,
    day     BIGINT NOT NULL,
    content BYTEA  NOT NULL,
    PRIMARY KEY (owner, day)
);
