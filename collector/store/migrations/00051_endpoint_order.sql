-- Machines in the order in which people look for names, the same on both engines.

-- +goose Up
-- What store.OrderKey makes of the name.
ALTER TABLE endpoints ADD COLUMN order_key BYTEA NOT NULL DEFAULT '';
CREATE INDEX endpoints_in_order ON endpoints (order_key, id);
