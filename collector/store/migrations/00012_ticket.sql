-- What else a ticket is and holds: its kind, tags, followers, links to others and
-- files.

-- +goose Up
-- incident | request.
ALTER TABLE tickets ADD COLUMN type TEXT NOT NULL DEFAULT 'incident';
-- 1: it stands above the matrix of priorities.
ALTER TABLE tickets ADD COLUMN major INTEGER NOT NULL DEFAULT 0;
-- Sorted, a newline between each two.
ALTER TABLE tickets ADD COLUMN tags TEXT NOT NULL DEFAULT '';
-- Names of users, in the same way.
ALTER TABLE tickets ADD COLUMN followers TEXT NOT NULL DEFAULT '';
-- By when it is to be done, as people agreed; what is promised is due_at.
ALTER TABLE tickets ADD COLUMN wanted_at BIGINT NOT NULL DEFAULT 0;
-- Time spent: the sum of its entries'.
ALTER TABLE tickets ADD COLUMN minutes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ticket_entries ADD COLUMN minutes INTEGER NOT NULL DEFAULT 0;

-- One row for each two tickets that belong together.
CREATE TABLE ticket_links (
    number INTEGER NOT NULL,
    other  INTEGER NOT NULL,
    -- parent: other is the parent of number. duplicate: number is one of other.
    -- related. split: number came out of other.
    kind   TEXT    NOT NULL,
    at     BIGINT  NOT NULL,
    actor  TEXT    NOT NULL,
    PRIMARY KEY (number, other)
);
CREATE INDEX ticket_links_back ON ticket_links (other, number);
-- Whoever links tickets counts this up first, so that no two make a ring
-- together.
INSERT INTO sequences (name, value) VALUES ('link', 0);

-- Files of entries; what is in them is kept once.
CREATE TABLE attachments (
    id       TEXT    NOT NULL PRIMARY KEY,
    number   INTEGER NOT NULL,
    entry_id TEXT    NOT NULL,
    position INTEGER NOT NULL,
    name     TEXT    NOT NULL,
    -- As the content shows, not as the sender says.
    type     TEXT    NOT NULL,
    size     INTEGER NOT NULL,
    -- SHA-256 of the content.
    hash     BYTEA   NOT NULL
);
CREATE INDEX attachments_by_ticket ON attachments (number, entry_id, position);
CREATE INDEX attachments_by_hash ON attachments (hash);
CREATE TABLE attachment_contents (
    hash      BYTEA NOT NULL PRIMARY KEY,
    -- As it came, not compressed.
    content   BYTEA NOT NULL,
    -- PNG; empty: the content is no picture that can be shown.
    thumbnail BYTEA NOT NULL
);
