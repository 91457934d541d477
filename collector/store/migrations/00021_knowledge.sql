-- What the team wrote itself: faults and procedures, every revision of them.

-- +goose Up
CREATE TABLE knowledge (
    revision BIGINT  NOT NULL PRIMARY KEY,
    -- KnowledgeRevision, without its ring.
    content  BYTEA   NOT NULL,
    -- SignedKnowledge, as agents get it.
    signed   BYTEA   NOT NULL,
    -- The ring: this share of all machines, and these by name, one a line.
    percent  INTEGER NOT NULL,
    hosts    TEXT    NOT NULL
);
