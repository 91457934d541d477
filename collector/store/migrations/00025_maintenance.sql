-- Planned work on machines: when, which, and the tickets that belong to it.

-- +goose Up
CREATE TABLE maintenances (
    id         TEXT    NOT NULL PRIMARY KEY,
    -- The first moment that is not of it any more is until_at.
    from_at    BIGINT  NOT NULL,
    until_at   BIGINT  NOT NULL,
    -- 1: no promise of its tickets runs while it lasts.
    freezes    INTEGER NOT NULL,
    -- 1: somebody took it back before it began.
    cancelled  INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    author     TEXT    NOT NULL,
    updated_at BIGINT  NOT NULL,
    -- Maintenance without the columns above.
    content    BYTEA   NOT NULL
);
CREATE INDEX maintenances_by_end ON maintenances (until_at, id);

-- The maintenance it is grouped under; empty: none.
ALTER TABLE tickets ADD COLUMN maintenance_id TEXT NOT NULL DEFAULT '';
-- Until when none of its promises runs, and since when; 0: they run.
ALTER TABLE tickets ADD COLUMN held_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN held_at BIGINT NOT NULL DEFAULT 0;
-- The working time that it was held before: at all, and since the requester waits
-- for the next answer.
ALTER TABLE tickets ADD COLUMN held_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN asked_held_ms BIGINT NOT NULL DEFAULT 0;
CREATE INDEX tickets_by_maintenance ON tickets (maintenance_id, number);
