-- By when a ticket is promised an answer and a solution. 0: no such promise, or
-- none that runs now.

-- +goose Up
ALTER TABLE tickets ADD COLUMN first_due_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN next_due_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN solution_due_at BIGINT NOT NULL DEFAULT 0;
-- Since when the requester has waited for the next answer.
ALTER TABLE tickets ADD COLUMN asked_at BIGINT NOT NULL DEFAULT 0;
-- Since when the solution waits for the requester, and the working time that it
-- waited before.
ALTER TABLE tickets ADD COLUMN frozen_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN frozen_ms BIGINT NOT NULL DEFAULT 0;
-- The earliest of the three that run.
ALTER TABLE tickets ADD COLUMN due_at BIGINT NOT NULL DEFAULT 0;
-- When the next word is due about a promise.
ALTER TABLE tickets ADD COLUMN clock_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX tickets_by_due ON tickets (due_at);
CREATE INDEX tickets_by_clock ON tickets (clock_at);
