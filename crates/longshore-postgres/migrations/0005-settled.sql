-- Once no program of a version before 5 is open, and none may be opened any more.

DROP INDEX tasks_due;
DROP INDEX tasks_leased;
DROP INDEX tasks_suspects;  -- the counters say it

-- A program of a version before, that had been away, can sign in no more.
ALTER TABLE instances ADD CONSTRAINT instances_version CHECK (version >= 5);
