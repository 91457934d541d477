-- Whose turn a ticket is and since when, so that one that nobody touches goes back
-- to the queue, and one that nobody has is told of.

-- +goose Up
CREATE TABLE ticket_turns (
    number   INTEGER NOT NULL PRIMARY KEY,
    -- Empty: nobody has it.
    assignee TEXT    NOT NULL,
    since    BIGINT  NOT NULL,
    -- 1: somebody of the team touched it, or those who lead were told.
    settled  INTEGER NOT NULL,
    -- Who had it and let it lie, a name a line.
    let_lie  TEXT    NOT NULL
);
CREATE INDEX ticket_turns_waiting ON ticket_turns (settled, since);
INSERT INTO ticket_turns (number, assignee, since, settled, let_lie)
SELECT number, assignee, updated_at, 0, '' FROM tickets WHERE status IN ('new', 'open');
