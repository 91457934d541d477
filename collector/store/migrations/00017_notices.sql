-- What the team is told of its tickets, and what of it still has to leave the
-- house: written in the transaction of what happened, so that neither is without
-- the other.

-- +goose Up
-- One row a person and event: what the console shows them.
CREATE TABLE notices (
    user_id  TEXT    NOT NULL,
    -- The same for all who are told of it, by every way.
    event_id TEXT    NOT NULL,
    kind     TEXT    NOT NULL,
    -- 0: of no ticket.
    number   INTEGER NOT NULL,
    -- The ticket's as it was then.
    title    TEXT    NOT NULL,
    actor    TEXT    NOT NULL,
    -- The beginning of what was said, or the reason.
    text     TEXT    NOT NULL,
    at       BIGINT  NOT NULL,
    read_at  BIGINT  NOT NULL,
    PRIMARY KEY (user_id, event_id)
);
CREATE INDEX notices_newest ON notices (user_id, at);
CREATE INDEX notices_unread ON notices (user_id, read_at);
CREATE INDEX notices_by_ticket ON notices (number, user_id);

CREATE TABLE outbox (
    id          TEXT    NOT NULL PRIMARY KEY,
    -- mail | webhook.
    way         TEXT    NOT NULL,
    -- A user's id, or a webhook's name.
    recipient   TEXT    NOT NULL,
    event_id    TEXT    NOT NULL,
    number      INTEGER NOT NULL,
    -- Of a webhook: the JSON to send, not compressed. Of a mail: nothing, it is made
    -- of the notice when it goes.
    content     BYTEA   NOT NULL,
    created_at  BIGINT  NOT NULL,
    -- waiting | sent | failed.
    state       TEXT    NOT NULL,
    -- When it is tried next.
    due_at      BIGINT  NOT NULL,
    attempts    INTEGER NOT NULL,
    lease_owner TEXT    NOT NULL,
    lease_until BIGINT  NOT NULL,
    -- What went wrong last.
    problem     TEXT    NOT NULL,
    finished_at BIGINT  NOT NULL,
    -- Of a mail that went: where to, under which words and id.
    address     TEXT    NOT NULL,
    subject     TEXT    NOT NULL,
    message_id  TEXT    NOT NULL
);
-- Of one event, one thing goes to each.
CREATE UNIQUE INDEX outbox_once ON outbox (event_id, way, recipient);
CREATE INDEX outbox_due ON outbox (state, due_at);
CREATE INDEX outbox_mailed ON outbox (address, finished_at);

-- What somebody wants to be told by mail, and when not.
CREATE TABLE notice_rules (
    user_id    TEXT    NOT NULL PRIMARY KEY,
    -- Of the IANA's database.
    zone       TEXT    NOT NULL,
    -- Minutes of the day; both the same: no quiet hours.
    quiet_from INTEGER NOT NULL,
    quiet_until INTEGER NOT NULL,
    -- 1: Saturdays and Sundays are quiet.
    quiet_weekend INTEGER NOT NULL,
    -- Kinds that are not mailed, with a space between them.
    not_mailed TEXT    NOT NULL
);

CREATE TABLE webhooks (
    name       TEXT    NOT NULL PRIMARY KEY,
    url        TEXT    NOT NULL,
    -- What its messages are signed with, sealed.
    secret     BYTEA   NOT NULL,
    -- Kinds that it is told of, with a space between them; empty: all.
    kinds      TEXT    NOT NULL,
    -- 1: may be an address of this machine or its link.
    inside     INTEGER NOT NULL,
    changed_at BIGINT  NOT NULL
);
