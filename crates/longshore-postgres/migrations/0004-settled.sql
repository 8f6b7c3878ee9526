-- Once no program of a version before 4 is open, and none may be opened any more.

DROP INDEX tasks_id;
DROP INDEX tasks_ready;

-- What was claimed by a program before, and is held by nobody who is open.
INSERT INTO holds(instance, number, seqs)
SELECT instance, -1, array_agg(seq) FROM tasks
WHERE state = 2 AND instance IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM holds WHERE holds.instance = tasks.instance AND tasks.seq = ANY(holds.seqs))
GROUP BY instance;

CREATE OR REPLACE VIEW held AS
SELECT DISTINCT tasks.seq, id, token, tasks.instance, runs
FROM holds CROSS JOIN LATERAL unnest(seqs) AS lies(seq)
JOIN tasks ON tasks.seq = lies.seq AND tasks.instance = holds.instance
WHERE state = 2;
DROP INDEX tasks_held;

-- A program of a version before, that had been away, can sign in no more.
ALTER TABLE instances ALTER COLUMN version SET NOT NULL;
