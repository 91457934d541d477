-- A ticket has one machine, whose diagnosis is its cause; beside it people name
-- others, and devices of the network.

-- +goose Up
-- `endpoint ID` or `gear ID`, one a line, sorted. Each is in ticket_subjects too, by
-- which tickets are found, and whose kinds are peripheral | gear | endpoint now.
ALTER TABLE tickets ADD COLUMN concerned TEXT NOT NULL DEFAULT '';
