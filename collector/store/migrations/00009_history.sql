-- What a ticket was about and what helped, so that the next one of its kind finds
-- it.

-- +goose Up
-- Of the first root cause: what it is about, and its brand.
ALTER TABLE tickets ADD COLUMN component TEXT NOT NULL DEFAULT '';
ALTER TABLE tickets ADD COLUMN brand TEXT NOT NULL DEFAULT '';
-- In the words of who solved it.
ALTER TABLE tickets ADD COLUMN resolution TEXT NOT NULL DEFAULT '';
-- How many machines had the root cause when the impact was derived, its own
-- included; 0: nobody counted.
ALTER TABLE tickets ADD COLUMN sharing INTEGER NOT NULL DEFAULT 0;
CREATE INDEX tickets_solved ON tickets (root_cause, last_solved_at);
