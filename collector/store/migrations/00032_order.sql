-- Lists of tickets by their last change.

-- +goose Up
CREATE INDEX tickets_by_update ON tickets (updated_at);
