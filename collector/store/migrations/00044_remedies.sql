-- What came of remedies, of tickets and of people's own, as their machines tell
-- it: an audit beside the one that each machine keeps.

-- +goose Up
CREATE TABLE remedies (
    endpoint_id TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    verb        TEXT    NOT NULL,
    -- As RemedyResult.outcome.
    outcome     TEXT    NOT NULL,
    -- 0: of no ticket.
    ticket      INTEGER NOT NULL,
    -- When it began, by the machine's clock; received_at is by the collector's.
    at          BIGINT  NOT NULL,
    -- RemedyResult.
    content     BYTEA   NOT NULL,
    received_at BIGINT  NOT NULL,
    PRIMARY KEY (endpoint_id, id)
);
CREATE INDEX remedies_by_time ON remedies (endpoint_id, received_at);
