-- What technicians say of a version of a procedure that they followed or read.

-- +goose Up
CREATE TABLE procedure_voices (
    procedure TEXT    NOT NULL,
    version   INTEGER NOT NULL,
    reader    TEXT    NOT NULL,
    at        BIGINT  NOT NULL,
    helped    INTEGER NOT NULL,
    unclear   TEXT    NOT NULL,
    PRIMARY KEY (procedure, version, reader)
);
