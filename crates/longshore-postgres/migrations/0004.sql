-- Version 4: an id leads to its row by the place that it carries, and what is ready lies in lines by numbers.
-- The indexes of the versions before stay for as long as a program of one of them is open: see 0004-settled.sql.

-- A place that no id carries: milliseconds since 2020, then the bit that says so, then a number.
-- longshore_core::TaskId::place has the places that ids carry.
CREATE FUNCTION drawn_place() RETURNS bigint LANGUAGE sql VOLATILE AS $body$
    SELECT ((floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint - 1577836800000) << 22) | 2097152
        | (nextval('task_seq') & 2097151)
$body$;

-- The place that an id carries, if it is one of ours: longshore_core::TaskId::place, which says what its bits are.
CREATE FUNCTION place_of(id uuid) RETURNS bigint LANGUAGE sql IMMUTABLE AS $body$
    SELECT place FROM (SELECT ('x' || replace(id::text, '-', ''))::bit(128) AS bits) AS id
    CROSS JOIN LATERAL (
        SELECT ((substring(bits FROM 1 FOR 48)::bigint - 1577836800000) << 22)
            | (substring(bits FROM 53 FOR 12) || substring(bits FROM 67 FOR 9))::bit(21)::bigint AS place) AS lies
    WHERE substring(bits FROM 49 FOR 4) = B'0111' AND substring(bits FROM 65 FOR 2) = B'10'
      AND substring(bits FROM 1 FOR 48)::bigint - 1577836800000 BETWEEN 524288 AND 2199023255551
      AND substring(bits FROM 76 FOR 20)::integer
          = div(mod(place::numeric * 11400714819323198485, 18446744073709551616), 17592186044416)
$body$;

-- Rows whose id does not lead to their place.
CREATE UNIQUE INDEX tasks_apart ON tasks(id) WHERE seq < 2199023255552 OR seq & 2097152 <> 0;

-- A sort (queue and kind), in it a line (tenant, isolated or not), in it the ranks.
CREATE INDEX tasks_lines ON tasks(
    hashtextextended(kind, hashtext(queue)::bigint), hashtextextended(tenant, ready::bigint), rank, seq
) WHERE ready > 0;

-- What processes hold: a line for each hand-out, until nothing of it is held any more. An index of what runs would be written
-- to with each row that is handed out.
CREATE TABLE holds(
    instance integer NOT NULL,
    number bigint NOT NULL,                  -- counts the hand-outs of an opened store
    seqs bigint[] NOT NULL,
    PRIMARY KEY(instance, number)
) WITH (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500,
    autovacuum_vacuum_cost_delay = 0
);

-- Which tasks processes hold. Programs of the versions before write no lines, so for now the index says it.
CREATE VIEW held AS SELECT seq, id, token, instance, runs FROM tasks WHERE state = 2 AND instance IS NOT NULL;

CREATE INDEX tasks_leased ON tasks(seq) WHERE lease IS NOT NULL;

-- How many run, for queues with a limit.
CREATE INDEX counts_running ON counts(queue) WHERE state = 2;

-- A claim writes the next version of a row somewhere else anyhow, so new pages are filled.
ALTER TABLE tasks SET (fillfactor = 100);

-- As before, but for the place.
CREATE OR REPLACE FUNCTION submit(
    kind text,
    payload json DEFAULT 'null',
    queue text DEFAULT 'default',
    tenant text DEFAULT 'default',
    priority integer DEFAULT 4,
    run_at timestamptz DEFAULT NULL,
    max_attempts integer DEFAULT 4,
    timeout interval DEFAULT interval '5 minutes',
    id uuid DEFAULT gen_random_uuid()
) RETURNS uuid LANGUAGE plpgsql SET search_path FROM CURRENT AS $body$
#variable_conflict use_column
DECLARE
    now_ms CONSTANT bigint := floor(extract(epoch FROM clock_timestamp()) * 1000);
    due_ms CONSTANT bigint := floor(extract(epoch FROM submit.run_at) * 1000);
    timeout_ms CONSTANT bigint := floor(extract(epoch FROM submit.timeout) * 1000);
    later CONSTANT boolean := coalesce(due_ms > now_ms, false);
    body CONSTANT bytea := convert_to(submit.payload::text, 'UTF8');
    place bigint;
BEGIN
    IF submit.kind !~ '^[a-z0-9][a-z0-9._-]{0,127}$' OR submit.queue !~ '^[a-z0-9][a-z0-9._-]{0,127}$'
        OR submit.tenant !~ '^[a-z0-9][a-z0-9._-]{0,127}$' THEN
        RAISE EXCEPTION 'kind, queue and tenant must match [a-z0-9][a-z0-9._-]{0,127}' USING ERRCODE = '22023';
    END IF;
    IF submit.priority NOT BETWEEN 0 AND 9 OR submit.max_attempts NOT BETWEEN 1 AND 100
        OR timeout_ms NOT BETWEEN 100 AND 86400000 OR octet_length(body) > 1048576 THEN
        RAISE EXCEPTION 'priority must be 0..9, max_attempts 1..100, timeout 100 ms..24 h, payload at most 1 MiB'
            USING ERRCODE = '22023';
    END IF;
    LOCK TABLE tasks IN ROW EXCLUSIVE MODE;
    place := place_of(submit.id);
    IF place IS NULL OR EXISTS (SELECT 1 FROM tasks WHERE tasks.seq = place AND tasks.id <> submit.id) THEN
        place := drawn_place();
    ELSIF EXISTS (SELECT 1 FROM tasks WHERE tasks.id = submit.id
                  AND (tasks.seq < 2199023255552 OR tasks.seq & 2097152 <> 0)) THEN
        RAISE EXCEPTION 'there is a task of this id' USING ERRCODE = '23505';
    END IF;
    INSERT INTO tasks(seq, id, tenant, queue, kind, state, ready, rank, due, priority, max_attempts, created_at,
        run_at, timeout, payload)
    VALUES (place, submit.id, submit.tenant, submit.queue, submit.kind,
        CASE WHEN later THEN 0 ELSE 1 END, CASE WHEN later THEN 0 ELSE 1 END,
        CASE WHEN NOT later THEN now_ms - submit.priority * 30000::bigint END, CASE WHEN later THEN due_ms END,
        submit.priority, submit.max_attempts, now_ms, coalesce(due_ms, now_ms), timeout_ms, body);
    INSERT INTO counts(n, bytes, state, tenant, queue, kind)
    VALUES (1, 400 + octet_length(body), CASE WHEN later THEN 0 ELSE 1 END, submit.tenant, submit.queue, submit.kind);
    IF NOT later THEN
        INSERT INTO counts(n, bytes, state, tenant, queue, kind)
        VALUES (1, 0, 8, submit.tenant, submit.queue, submit.kind);
        INSERT INTO outbox(seq, queue, relayed)
        SELECT place, carriers.queue, false FROM carriers WHERE carriers.queue = submit.queue;
    END IF;
    RETURN submit.id;
END
$body$;

-- Of the program's schema; nothing before version 4. Last, since nobody can give a sign of life until this is committed.
ALTER TABLE instances ADD COLUMN version integer;
