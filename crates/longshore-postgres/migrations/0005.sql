-- Version 5: two indexes less that plain tasks are not in, columns in the order in which they are looked at, and a smaller sample.
-- The indexes of the versions before stay for as long as a program of one of them is open: see 0005-settled.sql.

-- PostgreSQL compares what indexes look at whenever a row changes, and finds a column by going through those in front of it that may
-- be missing. So these come first in a schema that is being made (nobody can have seen its table yet); a schema that is there keeps its
-- order.
DO $body$
DECLARE
    front CONSTANT text[] := '{seq,rank,id,state,ready,tenant,queue,kind}';
    columns text;
    options text;
    indexes text[];
    looks text;
    index text;
BEGIN
    IF (SELECT version FROM format) > 0 THEN
        RETURN;
    END IF;
    SELECT string_agg(
        format('%I %s', attname, format_type(atttypid, atttypmod))
            || coalesce((SELECT format(' COLLATE %I', collname) FROM pg_collation
                         WHERE oid = attcollation AND attcollation <> typcollation), '')
            || coalesce(' DEFAULT ' || pg_get_expr(adbin, adrelid), '')
            || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END,
        ', ' ORDER BY array_position(front, attname::text), attnum)
    INTO columns
    FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE attrelid = 'tasks'::regclass AND attnum > 0 AND NOT attisdropped;
    SELECT array_to_string(reloptions, ', ') INTO options FROM pg_class WHERE oid = 'tasks'::regclass;
    SELECT array_agg(indexdef) INTO indexes FROM pg_indexes
    WHERE schemaname = current_schema AND tablename = 'tasks' AND indexname <> 'tasks_pkey';
    looks := pg_get_viewdef('held'::regclass);
    DROP VIEW held;
    DROP TABLE tasks;
    EXECUTE format('CREATE TABLE tasks(%s, PRIMARY KEY(seq)) WITH (%s)', columns, options);
    FOREACH index IN ARRAY indexes LOOP
        EXECUTE index;
    END LOOP;
    EXECUTE 'CREATE VIEW held AS ' || looks;
    ALTER TABLE tasks
        ALTER COLUMN payload SET STORAGE EXTERNAL,
        ALTER COLUMN progress SET STORAGE EXTERNAL,
        ALTER COLUMN result SET STORAGE EXTERNAL;
END
$body$;

-- What waits for a time, and what is leased for one.
CREATE INDEX tasks_timed ON tasks(due, seq) WHERE coalesce(due, lease) IS NOT NULL;

-- Statements are planned for any values, so a tenth of the usual sample says enough, and what none of them looks for needs none:
-- under load there is a new one each minute.
DO $body$
DECLARE
    sought CONSTANT text[] := '{seq,rank,id,state,ready,tenant,queue,kind,due,expires_at,lease,lane_place,order_key,group_id,
        instance,token,created_at,run_at,finished_at}';
    name text;
BEGIN
    FOR name IN SELECT attname FROM pg_attribute
                WHERE attrelid = 'tasks'::regclass AND attnum > 0 AND NOT attisdropped LOOP
        EXECUTE format('ALTER TABLE tasks ALTER COLUMN %I SET STATISTICS %s', name,
            CASE WHEN name = ANY(sought) THEN 10 ELSE 0 END);
    END LOOP;
END
$body$;
ALTER INDEX tasks_lines ALTER COLUMN 1 SET STATISTICS 10;
ALTER INDEX tasks_lines ALTER COLUMN 2 SET STATISTICS 10;
