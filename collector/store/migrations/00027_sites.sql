-- Which sites there are, so that two spellings of one become no two.

-- +goose Up
CREATE TABLE sites (
    name     TEXT NOT NULL PRIMARY KEY,
    -- The name in small letters; of those that were there before this table the name
    -- itself: what two spellings kept apart stays apart until somebody decides.
    name_key TEXT NOT NULL UNIQUE
);
INSERT INTO sites (name, name_key)
SELECT site, site FROM (
    SELECT site FROM enrolment_tokens UNION SELECT site FROM endpoints UNION SELECT site FROM people
    UNION SELECT site FROM tickets UNION SELECT site FROM gear
) present WHERE site <> '';

-- Sites of whose tickets it is told, one a line; empty: of all.
ALTER TABLE webhooks ADD COLUMN sites TEXT NOT NULL DEFAULT '';
