-- What people said was unclear in a walk that did not help.

-- +goose Up
ALTER TABLE procedure_runs ADD COLUMN unclear TEXT NOT NULL DEFAULT '';
