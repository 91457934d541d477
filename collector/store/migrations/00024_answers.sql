-- What is written once and used often: answers, and forms of service requests.

-- +goose Up
CREATE TABLE answers (
    id         TEXT    NOT NULL PRIMARY KEY,
    -- The user whose own it is; empty: the team's.
    owner_id   TEXT    NOT NULL,
    -- The tickets it is meant for; empty: those of any site, of any queue.
    site       TEXT    NOT NULL,
    queue      TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    author     TEXT    NOT NULL,
    updated_at BIGINT  NOT NULL,
    -- What it is found by: folded to lower case without accents.
    words      TEXT    NOT NULL,
    -- Answer with only its texts.
    content    BYTEA   NOT NULL
);
CREATE INDEX answers_by_owner ON answers (owner_id, id);

CREATE TABLE request_forms (
    id         TEXT    NOT NULL PRIMARY KEY,
    -- active | retired.
    state      TEXT    NOT NULL,
    -- Whose requests it is for; empty: everybody's.
    site       TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    author     TEXT    NOT NULL,
    updated_at BIGINT  NOT NULL,
    -- RequestForm without the columns above.
    content    BYTEA   NOT NULL
);

-- What has to be done for a ticket, in order.
CREATE TABLE ticket_checks (
    number   INTEGER NOT NULL,
    position INTEGER NOT NULL,
    text     TEXT    NOT NULL,
    -- 0: not yet.
    done_at  BIGINT  NOT NULL,
    done_by  TEXT    NOT NULL,
    PRIMARY KEY (number, position)
);
