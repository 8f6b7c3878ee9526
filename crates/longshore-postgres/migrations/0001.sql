-- The tables of version 1. What was released is never changed: later versions add files.
-- Times are milliseconds since 1970, lengths are milliseconds. Names are compared byte by byte.

CREATE SEQUENCE task_seq;       -- places in the order of accepting, and in lanes
CREATE SEQUENCE tokens;         -- fencing tokens: jumps to the next multiple of 2^40 at each opening of a store
CREATE SEQUENCE epochs AS integer MAXVALUE 8388607;

CREATE TABLE tasks(
    seq bigint PRIMARY KEY,
    token bigint,                            -- of the last opening
    rank bigint,                             -- since it was first ready
    due bigint,                              -- waits for this time
    expires_at bigint,                       -- until it is opened
    lease bigint,                            -- length of a timed lease
    cancel_grace bigint,                     -- a cancel was asked; so long it may go on
    created_at bigint NOT NULL,
    run_at bigint NOT NULL,
    began_at bigint,                         -- first opening of this run
    started_at bigint,
    finished_at bigint,
    timeout bigint NOT NULL,
    total_timeout bigint,
    expires_in bigint,
    lane_place bigint,                       -- null once it has ended
    id uuid NOT NULL,
    group_id uuid,
    run integer NOT NULL DEFAULT 1,
    attempt integer NOT NULL DEFAULT 1,
    max_attempts integer NOT NULL,
    openings integer NOT NULL DEFAULT 0,     -- over all runs
    instance integer,                        -- the opened store whose process holds it
    renewals integer NOT NULL DEFAULT 0,     -- grows at each heartbeat of a timed lease
    cancels integer NOT NULL DEFAULT 0,      -- grows at each cancel that shortens the grace
    crashes integer NOT NULL DEFAULT 0,
    suspicion integer NOT NULL DEFAULT 0,
    charges integer NOT NULL DEFAULT 0,
    open_parents integer NOT NULL DEFAULT 0,
    state smallint NOT NULL,                 -- longshore_core::State
    ready smallint NOT NULL,                 -- 0 no, 1 yes, 2 yes but isolated
    blocked smallint NOT NULL DEFAULT 0,     -- 0 no, 1 by parents, 2 by its lane
    priority smallint NOT NULL,
    runs smallint NOT NULL DEFAULT 0,        -- longshore_core::rescue::Runs, while it runs
    on_parent_failure smallint NOT NULL DEFAULT 0,
    has_children boolean NOT NULL DEFAULT false,
    tenant text COLLATE "C" NOT NULL,
    queue text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    worker text,
    order_key bytea,
    spec text,                               -- name, tags, headers, parents, unique, ... as JSON
    reason text,
    error text,
    payload bytea NOT NULL,
    progress bytea,
    result bytea
) WITH (
    -- A life rewrites its row twice; what is long lies in the TOAST table, and is not rewritten.
    fillfactor = 80, toast_tuple_target = 1024,
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_insert_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.05,
    autovacuum_vacuum_cost_delay = 0
);
ALTER TABLE tasks
    ALTER COLUMN payload SET STORAGE EXTERNAL,
    ALTER COLUMN progress SET STORAGE EXTERNAL,
    ALTER COLUMN result SET STORAGE EXTERNAL;

-- Partial, so that a task which has ended, and one that is plain, costs nothing more.
CREATE UNIQUE INDEX tasks_id ON tasks(id);
CREATE INDEX tasks_ready ON tasks(queue, kind, tenant, ready, rank, seq) WHERE ready > 0;
CREATE INDEX tasks_suspects ON tasks(queue) WHERE ready = 2;
CREATE INDEX tasks_held ON tasks(queue, seq) WHERE state = 2;
CREATE INDEX tasks_standing ON tasks(state, seq) WHERE state IN (0, 3, 5, 6, 7);
CREATE INDEX tasks_due ON tasks(due, seq) WHERE due IS NOT NULL;
CREATE INDEX tasks_expiring ON tasks(expires_at, seq) WHERE expires_at IS NOT NULL;
CREATE INDEX tasks_lane ON tasks(tenant, queue, order_key, lane_place) WHERE lane_place IS NOT NULL;
CREATE INDEX tasks_group ON tasks(group_id) WHERE group_id IS NOT NULL;

-- Openings that were more than a success at first try.
CREATE TABLE attempts(
    seq bigint NOT NULL,
    token bigint NOT NULL,
    started_at bigint NOT NULL,
    ended_at bigint NOT NULL,
    next_at bigint,
    run integer NOT NULL,
    attempt integer NOT NULL,
    worker text,
    outcome text NOT NULL,
    error text,
    PRIMARY KEY(seq, token)
);

-- Parents that have not ended.
CREATE TABLE edges(parent bigint NOT NULL, child bigint NOT NULL, PRIMARY KEY(parent, child));
CREATE INDEX edges_child ON edges(child);

CREATE TABLE uniques(
    tenant text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    key bytea NOT NULL,
    seq bigint NOT NULL,
    hold bigint NOT NULL,                    -- -1 queued, -2 active, else until this time
    PRIMARY KEY(tenant, kind, key)
);

CREATE TABLE keys(
    tenant text COLLATE "C" NOT NULL,
    route text COLLATE "C" NOT NULL,
    key bytea NOT NULL,
    fingerprint bytea NOT NULL,
    answer text NOT NULL,
    expires_at bigint NOT NULL,
    PRIMARY KEY(tenant, route, key)
);
CREATE INDEX keys_over ON keys(expires_at);

-- What changed, a line for each transaction, folded now and then: the sum is exact, and no two
-- transactions wait for the same row. States as in tasks; 8: ready, 9: ready but isolated.
CREATE TABLE counts(
    n bigint NOT NULL,
    bytes bigint NOT NULL,
    state smallint NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    queue text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL
) WITH (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500,
    autovacuum_vacuum_cost_delay = 0
);

-- scope: 0 queue, 1 kind, 2 tenant
CREATE TABLE pauses(scope smallint NOT NULL, name text COLLATE "C" NOT NULL, PRIMARY KEY(scope, name));
CREATE TABLE carriers(queue text COLLATE "C" PRIMARY KEY, carrier text NOT NULL);
CREATE TABLE settings(queue text COLLATE "C" PRIMARY KEY, settings text NOT NULL);

-- Ready tasks of carried queues.
CREATE TABLE outbox(seq bigint PRIMARY KEY, queue text COLLATE "C" NOT NULL, relayed boolean NOT NULL);
CREATE INDEX outbox_waiting ON outbox(seq) WHERE NOT relayed;

-- Every operator action; each line seals the one before.
CREATE TABLE audit(
    number bigint PRIMARY KEY,
    at bigint NOT NULL,
    count bigint NOT NULL,
    who text NOT NULL,
    tenant text NOT NULL,
    act text NOT NULL,
    target text,
    before text,
    after text,
    seal bytea NOT NULL
);

CREATE TABLE terms(
    name text COLLATE "C" PRIMARY KEY,
    holder text NOT NULL,
    number bigint NOT NULL,
    lasts bigint NOT NULL,
    renewals bigint NOT NULL DEFAULT 0
);

-- Opened stores. One that stops beating has died, and with it what it held.
CREATE TABLE instances(
    epoch integer PRIMARY KEY,
    name text,
    beats bigint NOT NULL DEFAULT 0,
    opened_at bigint NOT NULL,
    lasts bigint NOT NULL,                   -- without a beat for so long it has died
    fate smallint NOT NULL DEFAULT 0         -- 0 lives, 1 died, 2 lost in an outage
) WITH (fillfactor = 50);

CREATE TABLE workers(
    id text COLLATE "C" PRIMARY KEY,
    worker text NOT NULL,                    -- as JSON
    said bigint NOT NULL DEFAULT 0,
    lasts bigint NOT NULL,
    seen_at bigint NOT NULL,
    drain boolean NOT NULL DEFAULT false
) WITH (fillfactor = 50);

CREATE TABLE kinds(
    name text COLLATE "C" PRIMARY KEY,
    kind text NOT NULL,                      -- as JSON
    seen_at bigint NOT NULL
);

CREATE TABLE schedules(
    id uuid PRIMARY KEY,
    last_slot bigint,
    next_slot bigint,
    created_at bigint NOT NULL,
    version bigint NOT NULL,
    paused boolean NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    name text COLLATE "C",
    origin text NOT NULL,
    cron text NOT NULL,
    timezone text NOT NULL,
    missed text NOT NULL,
    task bytea NOT NULL,                     -- what each slot submits, as JSON
    configured bytea                         -- what the configuration says, while something else is set
);
CREATE INDEX schedules_next ON schedules(next_slot) WHERE next_slot IS NOT NULL AND NOT paused;

-- Effects that share this database: what was done once is not done again.
CREATE TABLE inbox(
    task uuid NOT NULL,
    step text COLLATE "C" NOT NULL,
    done_at bigint NOT NULL,
    PRIMARY KEY(task, step)
);

-- Submits a plain task from any language, inside of the caller's transaction. It is seen by workers
-- within two seconds of the commit. Nothing is checked against what servers know of the kind.
CREATE FUNCTION submit(
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
    INSERT INTO tasks(seq, id, tenant, queue, kind, state, ready, rank, due, priority, max_attempts, created_at,
        run_at, timeout, payload)
    VALUES (nextval('task_seq'), submit.id, submit.tenant, submit.queue, submit.kind,
        CASE WHEN later THEN 0 ELSE 1 END, CASE WHEN later THEN 0 ELSE 1 END,
        CASE WHEN NOT later THEN now_ms - submit.priority * 30000::bigint END, CASE WHEN later THEN due_ms END,
        submit.priority, submit.max_attempts, now_ms, coalesce(due_ms, now_ms), timeout_ms, body)
    RETURNING seq INTO place;
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
