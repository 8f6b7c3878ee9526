-- Once no program of a version before 4 is open, and none may be opened any more.

DROP INDEX tasks_id;
DROP INDEX tasks_ready;
