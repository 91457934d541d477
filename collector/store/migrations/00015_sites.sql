-- The places of the organisation, and who may see what is of which.

-- +goose Up
-- Names of sites; empty: it is of none.
ALTER TABLE enrolment_tokens ADD COLUMN site TEXT NOT NULL DEFAULT '';
ALTER TABLE endpoints ADD COLUMN site TEXT NOT NULL DEFAULT '';
ALTER TABLE people ADD COLUMN site TEXT NOT NULL DEFAULT '';
ALTER TABLE tickets ADD COLUMN site TEXT NOT NULL DEFAULT '';
CREATE INDEX tickets_by_site ON tickets (site, number);
CREATE INDEX endpoints_by_site ON endpoints (site, name_key);

-- To which sites a user is limited, one a line; empty: to none.
ALTER TABLE users ADD COLUMN sites TEXT NOT NULL DEFAULT '';
-- Who a requester is among the people who ask for help; empty for all others.
ALTER TABLE users ADD COLUMN person_id TEXT NOT NULL DEFAULT '';
