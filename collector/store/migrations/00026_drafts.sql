-- Replies that somebody began and has not sent yet.

-- +goose Up
CREATE TABLE reply_drafts (
    user_id    TEXT    NOT NULL,
    number     INTEGER NOT NULL,
    -- The id that the entry will have: what was sent is no draft any more.
    entry      TEXT    NOT NULL,
    -- message | note.
    kind       TEXT    NOT NULL,
    text       TEXT    NOT NULL,
    -- What helped, and the time spent, as typed; empty: untouched.
    resolution TEXT    NOT NULL,
    minutes    TEXT    NOT NULL,
    -- The newest message of somebody else when it was begun; empty: none.
    seen       TEXT    NOT NULL,
    at         BIGINT  NOT NULL,
    PRIMARY KEY (user_id, number)
);
CREATE INDEX reply_drafts_by_time ON reply_drafts (at);
