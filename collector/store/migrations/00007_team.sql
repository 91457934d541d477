-- Who gets tickets by themselves: what technicians know, when they are away, how
-- many they may have.

-- +goose Up
ALTER TABLE users ADD COLUMN takes_tickets INTEGER NOT NULL DEFAULT 1;
-- 0: the desk's own.
ALTER TABLE users ADD COLUMN open_cap INTEGER NOT NULL DEFAULT 0;
-- When they last got one that they did not take themselves.
ALTER TABLE users ADD COLUMN assigned_at BIGINT NOT NULL DEFAULT 0;
UPDATE users SET takes_tickets = 0 WHERE role <> 'technician';

CREATE TABLE skills (
    user_id   TEXT    NOT NULL,
    -- brand | product | domain | language.
    kind      TEXT    NOT NULL,
    value     TEXT    NOT NULL,
    -- value in lower case.
    value_key TEXT    NOT NULL,
    -- 1 to 3.
    level     INTEGER NOT NULL,
    PRIMARY KEY (user_id, kind, value_key)
);

CREATE TABLE absences (
    user_id  TEXT   NOT NULL,
    from_at  BIGINT NOT NULL,
    -- The first moment they are there again.
    until_at BIGINT NOT NULL,
    reason   TEXT   NOT NULL,
    PRIMARY KEY (user_id, from_at)
);

-- rule | hand; empty: nobody was ever chosen.
ALTER TABLE tickets ADD COLUMN assigned_by TEXT NOT NULL DEFAULT '';
CREATE INDEX tickets_open_of ON tickets (status, assignee);
CREATE INDEX ticket_entries_by_kind ON ticket_entries (kind, at);

-- Whoever gives a ticket to somebody counts this up first, so that two who do it
-- at once see each other's.
INSERT INTO sequences (name, value) VALUES ('assignment', 0);
