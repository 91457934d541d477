-- Which machines reported which wired address, and when they began to: a dock's
-- goes with the dock, from one machine to the next.

-- +goose Up
CREATE TABLE endpoint_macs (
    mac         TEXT   NOT NULL,
    endpoint_id TEXT   NOT NULL,
    seen_at     BIGINT NOT NULL,
    PRIMARY KEY (mac, endpoint_id)
);
