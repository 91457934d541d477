-- Machines that were set up anew.

-- +goose Up
-- When a new system on this hardware took its place; 0: never.
ALTER TABLE endpoints ADD COLUMN reimaged_at BIGINT NOT NULL DEFAULT 0;
-- When the system before that one last asked to be let in; 0: never since.
ALTER TABLE endpoints ADD COLUMN former_seen_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX endpoints_by_hardware ON endpoints (hardware_hash);
