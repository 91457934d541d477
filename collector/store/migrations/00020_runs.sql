-- Walks through procedures, as their machines tell them.

-- +goose Up
CREATE TABLE procedure_runs (
    endpoint_id  TEXT    NOT NULL,
    id           TEXT    NOT NULL,
    procedure    TEXT    NOT NULL,
    version      INTEGER NOT NULL,
    -- What started it; as Diagnosis.trigger.
    started_by   TEXT    NOT NULL,
    started_at   BIGINT  NOT NULL,
    elapsed_ms   INTEGER NOT NULL,
    -- How many steps, and to how many of them a person had to say something.
    steps        INTEGER NOT NULL,
    asked        INTEGER NOT NULL,
    outcome      TEXT    NOT NULL,
    -- yes | no | empty: nobody said.
    helped       TEXT    NOT NULL,
    diagnosis_id TEXT    NOT NULL,
    -- ProcedureRun.
    content      BYTEA   NOT NULL,
    received_at  BIGINT  NOT NULL,
    PRIMARY KEY (endpoint_id, id)
);
CREATE INDEX procedure_runs_by_version ON procedure_runs (procedure, version);
