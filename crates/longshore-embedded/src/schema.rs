//! The tables. Written once for all that is coming: lanes, parents, groups, unique keys,
//! schedules and carried queues have their place already.
//!
//! Names of kinds, queues, tenants and workers are numbers here (`names`). Indexes are partial,
//! so that a task which has ended costs nothing more: `ready` holds only what may be handed
//! out, and `standing` leaves out what most tasks are: pending or succeeded. Those are found by
//! going down from the newest, and the counters tell when all are found.

/// Marks the file as ours (`PRAGMA application_id`): "LSHR".
pub(crate) const APPLICATION_ID: i32 = 0x4C53_4852;

/// The version this program reads and writes (`PRAGMA user_version`).
pub(crate) const VERSION: i32 = 4;

/// Bodies up to this size stay in the task's row; larger ones have a row of their own, so that
/// a transition does not rewrite them.
pub(crate) const INLINE: usize = 1_024;

/// Bytes of a page.
pub(crate) const PAGE_SIZE: u32 = 4_096;

/// Sequence numbers are reserved in blocks of this size.
pub(crate) const SEQ_BLOCK: i64 = 65_536;

/// Makes an empty file ours.
pub(crate) const CREATE: &str = "
CREATE TABLE meta(
    key TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE names(
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE tasks(
    seq INTEGER PRIMARY KEY,         -- place in the order of accepting
    id BLOB NOT NULL,
    tenant INTEGER NOT NULL,
    queue INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    state INTEGER NOT NULL,          -- longshore_core::State
    ready INTEGER NOT NULL,          -- 0 no, 1 yes, 2 yes but isolated
    rank INTEGER,                    -- since it was first ready
    due INTEGER,                     -- waits for this time
    blocked INTEGER NOT NULL,        -- 0 no, 1 by parents, 2 by its lane
    expires_at INTEGER,              -- until it is opened
    priority INTEGER NOT NULL,
    run INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    openings INTEGER NOT NULL,       -- over all runs
    token INTEGER,                   -- of the last opening
    worker INTEGER,
    lease INTEGER,                   -- length of a timed lease, in ms
    crashes INTEGER NOT NULL DEFAULT 0,
    suspicion INTEGER NOT NULL DEFAULT 0,
    charges INTEGER NOT NULL DEFAULT 0,
    isolated INTEGER NOT NULL DEFAULT 0, -- longshore_core::rescue::Runs, while it runs
    cancel_grace INTEGER,            -- a cancel was asked; so long it may go on, in ms
    created_at INTEGER NOT NULL,
    run_at INTEGER NOT NULL,
    began_at INTEGER,                -- first opening of this run
    started_at INTEGER,
    finished_at INTEGER,
    timeout INTEGER NOT NULL,
    total_timeout INTEGER,
    expires_in INTEGER,
    order_key TEXT,
    lane_place INTEGER,              -- null once it has ended
    open_parents INTEGER NOT NULL DEFAULT 0,
    on_parent_failure INTEGER NOT NULL DEFAULT 0,
    group_id BLOB,
    spec TEXT,                       -- name, tags, headers, parents, unique, ... as JSON
    reason TEXT,
    error TEXT,
    progress TEXT,
    big INTEGER NOT NULL DEFAULT 0,  -- 1: payload in bodies, 2: result in bodies
    result BLOB,
    payload BLOB
);                                   -- not STRICT: checking 45 types at each step costs 5 % of a life

CREATE UNIQUE INDEX tasks_id ON tasks(id);
CREATE INDEX tasks_ready ON tasks(queue, kind, tenant, ready, rank, seq) WHERE ready > 0;
CREATE INDEX tasks_standing ON tasks(state, seq) WHERE state <> 1 AND state <> 4;
CREATE INDEX tasks_blocked ON tasks(queue, seq) WHERE blocked > 0;
CREATE INDEX tasks_due ON tasks(due, seq) WHERE due IS NOT NULL;
CREATE INDEX tasks_expiring ON tasks(expires_at, seq) WHERE expires_at IS NOT NULL;
CREATE INDEX tasks_lane ON tasks(tenant, queue, order_key, lane_place) WHERE lane_place IS NOT NULL;
CREATE INDEX tasks_group ON tasks(group_id) WHERE group_id IS NOT NULL;

-- payload of seq under 2*seq, result under 2*seq+1
CREATE TABLE bodies(key INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;

-- Openings that were more than a success at first try.
CREATE TABLE attempts(
    seq INTEGER NOT NULL,
    token INTEGER NOT NULL,
    run INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    worker INTEGER,
    started_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    error TEXT,
    next_at INTEGER,
    PRIMARY KEY(seq, token)
) STRICT, WITHOUT ROWID;

-- Parents that have not ended.
CREATE TABLE edges(
    parent INTEGER NOT NULL,
    child INTEGER NOT NULL,
    PRIMARY KEY(parent, child)
) STRICT, WITHOUT ROWID;
CREATE INDEX edges_child ON edges(child);

CREATE TABLE uniques(
    tenant INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    key TEXT NOT NULL,
    seq INTEGER NOT NULL,
    hold INTEGER NOT NULL,           -- -1 queued, -2 active, else until this time
    PRIMARY KEY(tenant, kind, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE keys(
    tenant INTEGER NOT NULL,
    route TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    answer TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY(tenant, route, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX keys_over ON keys(expires_at);

-- Kept, never counted. States as in tasks; 8: ready, 9: ready but isolated.
CREATE TABLE counts(
    tenant INTEGER NOT NULL,
    queue INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    state INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY(tenant, queue, kind, state)
) STRICT, WITHOUT ROWID;

-- scope: 0 queue, 1 kind, 2 tenant
CREATE TABLE pauses(scope INTEGER NOT NULL, name INTEGER NOT NULL, PRIMARY KEY(scope, name)) STRICT, WITHOUT ROWID;
CREATE TABLE carriers(queue INTEGER PRIMARY KEY, carrier TEXT NOT NULL) STRICT;

-- Ready tasks of carried queues.
CREATE TABLE outbox(seq INTEGER PRIMARY KEY, queue INTEGER NOT NULL, relayed INTEGER NOT NULL) STRICT;
CREATE INDEX outbox_waiting ON outbox(seq) WHERE relayed = 0;

CREATE TABLE schedules(
    id BLOB PRIMARY KEY,
    tenant INTEGER NOT NULL,
    name TEXT,
    origin TEXT NOT NULL,            -- config or api
    cron TEXT NOT NULL,
    timezone TEXT NOT NULL,
    missed TEXT NOT NULL,
    paused INTEGER NOT NULL,
    task TEXT NOT NULL,              -- what each slot submits, as JSON
    last_slot INTEGER,
    next_slot INTEGER,
    version INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL DEFAULT 0,
    configured TEXT                  -- what the configuration says, while something else is set, as JSON
) STRICT, WITHOUT ROWID;
CREATE INDEX schedules_next ON schedules(next_slot) WHERE paused = 0;

-- Dead letters of messages; those of tasks are the failed tasks.
CREATE TABLE letters(
    id BLOB PRIMARY KEY,
    consumer TEXT NOT NULL,
    origin TEXT NOT NULL,
    envelope BLOB NOT NULL,
    error TEXT NOT NULL,
    buried_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE terms(
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Every operator action; each line seals the one before.
CREATE TABLE audit(
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    tenant TEXT NOT NULL,
    what TEXT NOT NULL,
    seal BLOB NOT NULL,
    target TEXT,
    before TEXT,                     -- how it stood, as JSON
    after TEXT,
    count INTEGER NOT NULL DEFAULT 0 -- tasks that were touched
) STRICT;

-- What operators have set on queues, as JSON.
CREATE TABLE settings(queue INTEGER PRIMARY KEY, settings TEXT NOT NULL) STRICT;

-- Kinds that workers run, as JSON.
CREATE TABLE kinds(name TEXT PRIMARY KEY, spec TEXT NOT NULL, seen_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;

-- When the tasks of a block of places were accepted; a block that is missing has to be looked at.
CREATE TABLE spans(block INTEGER PRIMARY KEY, oldest INTEGER NOT NULL, newest INTEGER NOT NULL) STRICT;

-- Messages that some group has not settled, in the order of publishing.
CREATE TABLE messages(
    position INTEGER PRIMARY KEY,    -- never given twice
    topic TEXT,
    only INTEGER,                    -- one group alone gets it
    at INTEGER NOT NULL,
    headers TEXT,                    -- pairs, as JSON
    payload BLOB NOT NULL
) STRICT;

-- Who gets messages, and how far each has come.
CREATE TABLE groups(
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    patterns TEXT NOT NULL,          -- each with the positions between which it counts, as JSON
    single_active INTEGER NOT NULL,
    dead TEXT,                       -- gets its dead letters
    breaker INTEGER NOT NULL,
    temporary INTEGER NOT NULL,      -- 1: goes with its subscription
    cursor INTEGER NOT NULL,         -- everything up to here was handed out, or is not for it
    ready INTEGER NOT NULL,          -- how many behind the cursor are for it
    held BLOB NOT NULL               -- handed out and not settled, in runs
) STRICT;

-- Later attempts of messages: they wait until they are due, or are handed out (no due).
CREATE TABLE retries(
    grp INTEGER NOT NULL,
    position INTEGER NOT NULL,
    due INTEGER,
    headers TEXT,
    PRIMARY KEY(grp, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX retries_due ON retries(grp, due) WHERE due IS NOT NULL;
";

/// Leads from each version to the next: the first one from 1 to 2. What has been released is never
/// changed; afterwards a file must be the same as one that [`CREATE`] made.
pub(crate) const STEPS: &[&str] = &["
ALTER TABLE audit ADD COLUMN target TEXT;
ALTER TABLE audit ADD COLUMN before TEXT;
ALTER TABLE audit ADD COLUMN after TEXT;
ALTER TABLE audit ADD COLUMN count INTEGER NOT NULL DEFAULT 0;
CREATE TABLE settings(queue INTEGER PRIMARY KEY, settings TEXT NOT NULL) STRICT;
CREATE TABLE spans(block INTEGER PRIMARY KEY, oldest INTEGER NOT NULL, newest INTEGER NOT NULL) STRICT;
", "
CREATE TABLE kinds(name TEXT PRIMARY KEY, spec TEXT NOT NULL, seen_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
ALTER TABLE schedules ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE schedules ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE schedules ADD COLUMN configured TEXT;
", "
CREATE TABLE messages(
    position INTEGER PRIMARY KEY,
    topic TEXT,
    only INTEGER,
    at INTEGER NOT NULL,
    headers TEXT,
    payload BLOB NOT NULL
) STRICT;
CREATE TABLE groups(
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    patterns TEXT NOT NULL,
    single_active INTEGER NOT NULL,
    dead TEXT,
    breaker INTEGER NOT NULL,
    temporary INTEGER NOT NULL,
    cursor INTEGER NOT NULL,
    ready INTEGER NOT NULL,
    held BLOB NOT NULL
) STRICT;
CREATE TABLE retries(
    grp INTEGER NOT NULL,
    position INTEGER NOT NULL,
    due INTEGER,
    headers TEXT,
    PRIMARY KEY(grp, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX retries_due ON retries(grp, due) WHERE due IS NOT NULL;
"];
