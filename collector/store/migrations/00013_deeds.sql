-- What somebody changed a few minutes ago, so that they can undo it.

-- +goose Up
CREATE TABLE deeds (
    -- UUIDv7 of who did it; the same for all tickets that it changed.
    deed    TEXT    NOT NULL,
    number  INTEGER NOT NULL,
    user_id TEXT    NOT NULL,
    at      BIGINT  NOT NULL,
    -- TicketEntry with only its changes, of columns.
    content BYTEA   NOT NULL,
    PRIMARY KEY (deed, number)
);
CREATE INDEX deeds_by_time ON deeds (at);

-- Lists of tickets that people come back to.
CREATE TABLE ticket_views (
    id      TEXT    NOT NULL PRIMARY KEY,
    user_id TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    -- 1: the whole team has it.
    shared  INTEGER NOT NULL,
    -- What is behind the ? of the queue's address.
    query   TEXT    NOT NULL,
    at      BIGINT  NOT NULL
);
