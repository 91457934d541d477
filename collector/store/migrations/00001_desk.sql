-- The first schema: endpoints and what they observed, tickets, commands, and
-- the people who sign in.
--
-- One file for SQLite and PostgreSQL. Types: TEXT, BIGINT, INTEGER, BYTEA, and
-- nothing else; in SQLite BYTEA has numeric affinity, which leaves blobs as
-- they are. Times are milliseconds since 1970 UTC, 0 for never. No column is
-- null: an empty text or a 0 says "none". Blobs are zstd frames of protobuf
-- messages unless a comment says otherwise.
--
-- What grows with the number of machines carries endpoint_id first in its key,
-- so that it can be partitioned and so that erasing a machine erases its facts.

-- +goose Up
CREATE TABLE endpoints (
    id                     TEXT    NOT NULL PRIMARY KEY,
    hostname               TEXT    NOT NULL,
    -- hostname in lower case: order of lists, search.
    name_key               TEXT    NOT NULL,
    -- Salted hash of the machine's own id: who enrols again keeps its identity.
    machine_hash           TEXT    NOT NULL,
    os_family              TEXT    NOT NULL,
    os_name                TEXT    NOT NULL,
    agent_version          TEXT    NOT NULL,
    manufacturer           TEXT    NOT NULL,
    model                  TEXT    NOT NULL,
    serial                 TEXT    NOT NULL,
    enrolled_at            BIGINT  NOT NULL,
    last_seen_at           BIGINT  NOT NULL,
    -- Until when a heartbeat makes it count as connected.
    online_until           BIGINT  NOT NULL,
    -- Its clock minus the collector's when it last connected.
    clock_skew_ms          BIGINT  NOT NULL,
    certificate_expires_at BIGINT  NOT NULL,
    revoked_at             BIGINT  NOT NULL,
    revoked_reason         TEXT    NOT NULL
);
CREATE INDEX endpoints_by_name ON endpoints (name_key, id);
CREATE INDEX endpoints_by_machine ON endpoints (machine_hash);

CREATE TABLE certificates (
    serial      TEXT   NOT NULL PRIMARY KEY,
    endpoint_id TEXT   NOT NULL,
    issued_at   BIGINT NOT NULL,
    not_after   BIGINT NOT NULL,
    revoked_at  BIGINT NOT NULL
);
CREATE INDEX certificates_by_endpoint ON certificates (endpoint_id);

CREATE TABLE enrolment_tokens (
    -- Of the secret in the token; the secret is kept nowhere.
    secret_hash BYTEA   NOT NULL PRIMARY KEY,
    label       TEXT    NOT NULL,
    uses_left   INTEGER NOT NULL,
    created_at  BIGINT  NOT NULL,
    expires_at  BIGINT  NOT NULL
);

CREATE TABLE snapshots (
    endpoint_id TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    -- The endpoint's clock, and ours; ordered_at is the earlier of the two, so
    -- that a clock that runs ahead can't hide what comes after.
    taken_at    BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    ordered_at  BIGINT NOT NULL,
    manifest    BYTEA  NOT NULL,
    PRIMARY KEY (endpoint_id, id)
);
CREATE INDEX snapshots_by_id ON snapshots (id);
CREATE INDEX snapshots_newest ON snapshots (endpoint_id, ordered_at);

CREATE TABLE payloads (
    endpoint_id TEXT    NOT NULL,
    group_name  TEXT    NOT NULL,
    -- SHA-256 of the content before compression.
    hash        BYTEA   NOT NULL,
    content     BYTEA   NOT NULL,
    first_at    BIGINT  NOT NULL,
    PRIMARY KEY (endpoint_id, group_name, hash)
);

-- The newest word on each group, whatever snapshot brought it: an endpoint's
-- page without reading history.
CREATE TABLE latest_facts (
    endpoint_id   TEXT   NOT NULL,
    group_name    TEXT   NOT NULL,
    -- GroupEntry.
    entry         BYTEA  NOT NULL,
    ordered_at    BIGINT NOT NULL,
    -- Payload last seen, empty when the group never was.
    hash          BYTEA  NOT NULL,
    PRIMARY KEY (endpoint_id, group_name)
);

-- What became different from one payload of a stable group to the next.
CREATE TABLE endpoint_changes (
    endpoint_id TEXT    NOT NULL,
    at          BIGINT  NOT NULL,
    group_name  TEXT    NOT NULL,
    position    INTEGER NOT NULL,
    -- Change.
    content     BYTEA   NOT NULL,
    PRIMARY KEY (endpoint_id, at, group_name, position)
);

CREATE TABLE diagnoses (
    endpoint_id TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    snapshot_id TEXT   NOT NULL,
    command_id  TEXT   NOT NULL,
    procedure   TEXT   NOT NULL,
    verdict     TEXT   NOT NULL,
    -- Fault and certainty of the first root cause.
    root_cause  TEXT   NOT NULL,
    certainty   TEXT   NOT NULL,
    started_at  BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    -- Diagnosis, as it was sent.
    content     BYTEA  NOT NULL,
    PRIMARY KEY (endpoint_id, id)
);
CREATE INDEX diagnoses_newest ON diagnoses (endpoint_id, received_at);

CREATE TABLE people (
    id         TEXT   NOT NULL PRIMARY KEY,
    -- Account name in lower case, without its domain.
    account    TEXT   NOT NULL UNIQUE,
    name       TEXT   NOT NULL,
    mail       TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX people_by_mail ON people (mail);

CREATE TABLE tickets (
    number            INTEGER NOT NULL PRIMARY KEY,
    id                TEXT    NOT NULL UNIQUE,
    title             TEXT    NOT NULL,
    -- 1: the title came from complaint or fault, and a better one may replace it.
    title_derived     INTEGER NOT NULL,
    status            TEXT    NOT NULL,
    requester_id      TEXT    NOT NULL,
    assignee          TEXT    NOT NULL,
    queue             TEXT    NOT NULL,
    category          TEXT    NOT NULL,
    channel           TEXT    NOT NULL,
    impact            TEXT    NOT NULL,
    urgency           TEXT    NOT NULL,
    -- 1: a technician set it, and no diagnosis changes it any more.
    impact_set        INTEGER NOT NULL,
    urgency_set       INTEGER NOT NULL,
    priority          TEXT    NOT NULL,
    priority_reason   TEXT    NOT NULL,
    assignment_reason TEXT    NOT NULL,
    endpoint_id       TEXT    NOT NULL,
    -- Diagnosis it belongs to, and whether that has come.
    diagnosis_id      TEXT    NOT NULL,
    diagnosed_at      BIGINT  NOT NULL,
    root_cause        TEXT    NOT NULL,
    certainty         TEXT    NOT NULL,
    language          TEXT    NOT NULL,
    -- The requester's clock; created_at is ours.
    occurred_at       BIGINT  NOT NULL,
    created_at        BIGINT  NOT NULL,
    updated_at        BIGINT  NOT NULL,
    first_response_at BIGINT  NOT NULL,
    first_solved_at   BIGINT  NOT NULL,
    last_solved_at    BIGINT  NOT NULL,
    merged_into       INTEGER NOT NULL,
    -- Grows with every change of a field.
    version           INTEGER NOT NULL,
    -- Lines in the timeline; gives each its position.
    entries           INTEGER NOT NULL
);
CREATE INDEX tickets_by_status ON tickets (status, number);
CREATE INDEX tickets_by_assignee ON tickets (assignee, number);
CREATE INDEX tickets_by_endpoint ON tickets (endpoint_id, number);
CREATE INDEX tickets_by_requester ON tickets (requester_id, number);
CREATE INDEX tickets_by_root_cause ON tickets (root_cause, created_at);
CREATE INDEX tickets_by_diagnosis ON tickets (diagnosis_id);

-- What a ticket is found by: folded to lower case without accents.
CREATE TABLE ticket_words (
    number INTEGER NOT NULL PRIMARY KEY,
    words  TEXT    NOT NULL
);

CREATE TABLE ticket_entries (
    number     INTEGER NOT NULL,
    id         TEXT    NOT NULL,
    position   INTEGER NOT NULL,
    at         BIGINT  NOT NULL,
    kind       TEXT    NOT NULL,
    actor      TEXT    NOT NULL,
    actor_role TEXT    NOT NULL,
    text       TEXT    NOT NULL,
    -- TicketEntry with only its diagnosis and its changes.
    content    BYTEA   NOT NULL,
    PRIMARY KEY (number, id)
);
CREATE INDEX ticket_entries_in_order ON ticket_entries (number, position);

CREATE TABLE commands (
    id           TEXT    NOT NULL PRIMARY KEY,
    endpoint_id  TEXT    NOT NULL,
    ticket       INTEGER NOT NULL,
    -- Command, as the endpoint gets it.
    content      BYTEA   NOT NULL,
    -- waiting | running | done | expired | refused | failed
    status       TEXT    NOT NULL,
    reason       TEXT    NOT NULL,
    diagnosis_id TEXT    NOT NULL,
    created_at   BIGINT  NOT NULL,
    expires_at   BIGINT  NOT NULL,
    delivered_at BIGINT  NOT NULL,
    finished_at  BIGINT  NOT NULL,
    steps        INTEGER NOT NULL
);
CREATE INDEX commands_by_endpoint ON commands (endpoint_id, status);
CREATE INDEX commands_open ON commands (status, expires_at);

-- Steps of the commands under way; a finished one needs them no more.
CREATE TABLE command_steps (
    command_id TEXT    NOT NULL,
    position   INTEGER NOT NULL,
    -- Progress.
    content    BYTEA   NOT NULL,
    PRIMARY KEY (command_id, position)
);

CREATE TABLE users (
    id            TEXT   NOT NULL PRIMARY KEY,
    name          TEXT   NOT NULL,
    name_key      TEXT   NOT NULL UNIQUE,
    mail          TEXT   NOT NULL,
    role          TEXT   NOT NULL,
    language      TEXT   NOT NULL,
    -- argon2id in its usual text form; empty: none yet.
    password      TEXT   NOT NULL,
    created_at    BIGINT NOT NULL,
    disabled_at   BIGINT NOT NULL
);

-- Links that sign in once, and tokens of programs, by the hash of their secret.
CREATE TABLE one_time_links (
    secret_hash BYTEA  NOT NULL PRIMARY KEY,
    user_id     TEXT   NOT NULL,
    expires_at  BIGINT NOT NULL
);
CREATE TABLE api_tokens (
    secret_hash BYTEA  NOT NULL PRIMARY KEY,
    user_id     TEXT   NOT NULL,
    label       TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    -- 0: never.
    expires_at  BIGINT NOT NULL
);

CREATE TABLE sessions (
    token      TEXT   NOT NULL PRIMARY KEY,
    -- As the session library encodes it.
    data       BYTEA  NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE settings (
    name       TEXT   NOT NULL PRIMARY KEY,
    -- Sealed by the caller where it is secret.
    value      BYTEA  NOT NULL,
    updated_at BIGINT NOT NULL
);

-- Numbers people say: taken in the transaction that uses them, never again.
CREATE TABLE sequences (
    name  TEXT    NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
);
INSERT INTO sequences (name, value) VALUES ('ticket', 0);
