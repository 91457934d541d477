-- A device that stands at the address of another.

-- +goose Up
-- Since when another device than before answers at the address; 0: it is the first.
-- What is older was said by, and measured of, the one before.
ALTER TABLE gear ADD COLUMN replaced_at BIGINT NOT NULL DEFAULT 0;
