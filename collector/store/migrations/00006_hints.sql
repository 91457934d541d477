-- What is asked of a device while it is polled: who finishes the poll would else
-- write over it.

-- +goose Up
-- When the next poll is wanted by somebody who asked since the last claim: 0, nobody
-- did; 1, at once, since what opens the device has changed.
ALTER TABLE gear ADD COLUMN wanted_at BIGINT NOT NULL DEFAULT 0;
-- 1: with everything read.
ALTER TABLE gear ADD COLUMN wanted_whole INTEGER NOT NULL DEFAULT 0;
