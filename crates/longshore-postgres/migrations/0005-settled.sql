-- Once no program of a version before 5 is open, and none may be opened any more.

DROP INDEX IF EXISTS tasks_due;
DROP INDEX IF EXISTS tasks_leased;
DROP INDEX IF EXISTS tasks_suspects;  -- the counters say it

-- What is mostly zero is mostly nothing: it takes no place in the versions of a row. From here on NULL is zero, or false.
ALTER TABLE tasks
    ALTER COLUMN renewals DROP DEFAULT, ALTER COLUMN renewals DROP NOT NULL,
    ALTER COLUMN cancels DROP DEFAULT, ALTER COLUMN cancels DROP NOT NULL,
    ALTER COLUMN crashes DROP DEFAULT, ALTER COLUMN crashes DROP NOT NULL,
    ALTER COLUMN suspicion DROP DEFAULT, ALTER COLUMN suspicion DROP NOT NULL,
    ALTER COLUMN charges DROP DEFAULT, ALTER COLUMN charges DROP NOT NULL,
    ALTER COLUMN open_parents DROP DEFAULT, ALTER COLUMN open_parents DROP NOT NULL,
    ALTER COLUMN blocked DROP DEFAULT, ALTER COLUMN blocked DROP NOT NULL,
    ALTER COLUMN has_children DROP DEFAULT, ALTER COLUMN has_children DROP NOT NULL;

-- A program of a version before, that had been away, can sign in no more.
ALTER TABLE instances ADD CONSTRAINT instances_version CHECK (version >= 5);
