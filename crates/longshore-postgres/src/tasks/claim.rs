//! Choosing what is handed out: the heads of all lines that the claimer may have, merged.
//!
//! A line is the ready tasks of one (kind, tenant). Which lines there are is found by jumping from one to
//! the next in the index of the ready, so that neither a million tasks of a kind that nobody wants nor a
//! million of one that is paused are ever looked at.

use super::handed::line_of;
use super::sort::Sort;
use crate::error::Trouble;
use crate::index::{in_line, line_number, sort_number};
use crate::lines::{LineName, Look};
use crate::links::Link;
use longshore_core::Timestamp;
use longshore_core::rescue::Runs;
use longshore_core::store::{Hold, Want};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// Without a length of its own, a lease lasts this much longer than the task's timeout.
pub(super) const BEYOND_TIMEOUT: i64 = 10_000;

/// Who claims, and what.
#[derive(Debug, Clone)]
pub(crate) struct Taker {
    pub(crate) queue: String,
    tenant: Option<String>,
    pub(crate) kinds: Vec<String>,
    outside: Vec<String>,
    worker: String,
    inside: bool,
    timed: bool,
    lasts: Option<i64>,
    epoch: i32,
    /// Under which what is handed out is noted, if it is held for as long as this process lives.
    number: i64,
    /// Whether a suspect may be handed out that has to run isolated.
    pub(crate) suspects: bool,
}

impl Taker {
    pub(crate) fn new(want: &Want, hold: Hold, worker: &str, epoch: i32, number: i64) -> Self {
        let names = |kinds: &[longshore_core::KindName]| {
            let mut names: Vec<_> = kinds.iter().map(|kind| kind.as_str().to_owned()).collect();
            names.sort_unstable();
            names.dedup();
            names
        };
        Self {
            queue: want.queue.as_str().to_owned(),
            tenant: want.tenant.as_ref().map(|tenant| tenant.as_str().to_owned()),
            kinds: names(&want.kinds),
            outside: names(&want.outside),
            worker: super::desk::text(worker),
            inside: hold == Hold::Process,
            timed: matches!(hold, Hold::Lease { .. }),
            lasts: match hold {
                Hold::Lease { lasts } => lasts.map(super::desk::millis),
                _ => None,
            },
            epoch,
            number,
            suspects: false,
        }
    }

    /// Whether suspects have to be told apart.
    pub(crate) fn runs_inside(&self) -> bool {
        self.inside
    }

    /// Whether it may have what is in this line, and nothing there has to run isolated.
    fn may_have_plainly(&self, line: &LineName) -> bool {
        line.ready == 1 && self.tenant.as_ref().is_none_or(|tenant| *tenant == line.tenant)
    }

    /// Where what is in such a line runs.
    fn runs_plainly(&self, line: &LineName) -> Runs {
        if self.inside && !self.outside.contains(&line.kind) {
            Runs::default()
        } else {
            Runs::Outside
        }
    }
}

/// Hands out what the lines in `start` have, best rank first, and counts it: 2 is running, 8 and 9 are ready.
macro_rules! hand_out {
    () => {
        concat!(
            "
free AS MATERIALIZED (
    SELECT kind, tenant, ready, rank, ($3 AND ready = 2 AND NOT kind = ANY($4::text[])) AS alone
    FROM start
    WHERE ($12::text IS NULL OR start.tenant = $12)
      AND NOT EXISTS (SELECT 1 FROM carriers WHERE carriers.queue = $1)
      AND NOT EXISTS (SELECT 1 FROM pauses WHERE scope = 0 AND name = $1)
      AND NOT EXISTS (SELECT 1 FROM pauses WHERE scope = 1 AND name = start.kind)
      AND NOT EXISTS (SELECT 1 FROM pauses WHERE scope = 2 AND name = start.tenant)
), head AS (
    SELECT head.*, free.alone
    FROM free
    CROSS JOIN LATERAL (
        SELECT seq, rank, state, ready FROM tasks
        WHERE ", in_line!("$1", "free.kind", "free.tenant", "free.ready"), " AND rank >= free.rank
        ORDER BY rank, seq
        LIMIT CASE WHEN NOT free.alone THEN $6::int8
              WHEN $5 AND NOT EXISTS (SELECT 1 FROM held WHERE instance = $7 AND runs = 1) THEN 1
              ELSE 0 END
        FOR UPDATE SKIP LOCKED) AS head
), picked AS MATERIALIZED (
    SELECT seq, state, ready, alone
    FROM (SELECT *, row_number() OVER (PARTITION BY alone ORDER BY rank, seq) AS place FROM head) AS placed
    WHERE NOT alone OR place = 1
    ORDER BY rank, seq LIMIT $6
), opened AS MATERIALIZED (
    SELECT seq, state, ready, alone, nextval('tokens') AS token FROM picked
), leased AS (
    UPDATE tasks SET state = 2, ready = 0, token = opened.token, worker = $8,
        lease = CASE WHEN $9 THEN coalesce($10::int8, timeout + 10000) END,
        instance = CASE WHEN NOT $9 THEN $7 END, renewals = CASE WHEN $9 THEN 0 ELSE renewals END,
        runs = CASE WHEN opened.alone THEN 1 WHEN $3 AND NOT kind = ANY($4) THEN 0 ELSE 2 END,
        started_at = $11, began_at = coalesce(began_at, $11), openings = openings + 1, expires_at = NULL,
        progress = NULL
    FROM opened WHERE tasks.seq = opened.seq
    RETURNING tasks.seq, id, tenant, queue, kind, payload, spec, run, attempt, openings, max_attempts, timeout,
        total_timeout, began_at, created_at, rank, priority, order_key IS NOT NULL, tasks.token, runs, lease,
        opened.state, opened.ready, tasks.ctid
), counted AS (
    INSERT INTO counts(n, bytes, state, tenant, queue, kind)
    SELECT line.n, 0, line.state, tenant, queue, kind
    FROM (SELECT tenant, queue, kind, state, ready, count(*) AS n FROM leased
          GROUP BY tenant, queue, kind, state, ready) AS sort
    CROSS JOIN LATERAL (
        VALUES (-sort.n, sort.state), (sort.n, 2::int2), (-sort.n, (7 + sort.ready)::int2)) AS line(n, state)
), noted AS (
    INSERT INTO holds(instance, number, seqs)
    SELECT $7, $13, array_agg(seq) FROM leased WHERE NOT $9 HAVING count(*) > 0
)
SELECT * FROM leased"
        )
    };
}

/// Begins at lines that are known.
const CLAIM: &str = concat!(
    "
WITH start AS (
    SELECT kind COLLATE \"C\" AS kind, tenant COLLATE \"C\" AS tenant, ready, rank
    FROM unnest($2::text[], $14::text[], $15::int2[], $16::int8[]) AS known(kind, tenant, ready, rank)
), ",
    hand_out!()
);

/// As [`CLAIM`] for one line that need not run isolated, as most claims are. What is known of the line is left out of the rows,
/// and they are found again by where they lie: nobody moves what is locked. A row that was changed in the moment before is not found
/// there, and is left to a later claim.
const CLAIM_LINE: &str = concat!(
    "
WITH leased AS (
    UPDATE tasks SET state = 2, ready = 0, token = head.token, worker = $6,
        lease = CASE WHEN $7 THEN coalesce($8::int8, timeout + 10000) END,
        instance = CASE WHEN NOT $7 THEN $9::int4 END, renewals = CASE WHEN $7 THEN 0 ELSE renewals END, runs = $10,
        started_at = $11, began_at = coalesce(began_at, $11), openings = openings + 1, expires_at = NULL, progress = NULL
    FROM (
        SELECT lies, was, nextval('tokens') AS token
        FROM (
            SELECT ctid AS lies, state AS was FROM tasks
            WHERE ",
    in_line!("$1", "$2", "$3", "1"),
    " AND rank >= $4
              AND NOT EXISTS (SELECT 1 FROM carriers WHERE carriers.queue = $1)
              AND NOT EXISTS (SELECT 1 FROM pauses WHERE name = CASE scope WHEN 0 THEN $1 WHEN 1 THEN $2 ELSE $3 END)
            ORDER BY rank, seq LIMIT $5 FOR UPDATE SKIP LOCKED) AS first
        ) AS head
    WHERE tasks.ctid = head.lies
    RETURNING seq, id, NULL::text AS tenant, NULL::text AS queue, NULL::text AS kind, payload, spec, run, attempt, openings,
        max_attempts, timeout, total_timeout, CASE WHEN total_timeout IS NOT NULL THEN began_at END AS began_at, created_at,
        rank, priority, order_key IS NOT NULL AS in_lane, tasks.token, NULL::int2 AS runs, lease, was, NULL::int2 AS ready,
        tasks.ctid
), counted AS (
    INSERT INTO counts(n, bytes, state, tenant, queue, kind)
    SELECT line.n, 0, line.state, $3, $1, $2
    FROM (SELECT was, count(*) AS n FROM leased GROUP BY was) AS before
    CROSS JOIN LATERAL (VALUES (-before.n, was), (before.n, 2::int2), (-before.n, 8::int2)) AS line(n, state)
), noted AS (
    INSERT INTO holds(instance, number, seqs)
    SELECT $9, $12, array_agg(seq) FROM leased WHERE NOT $7 HAVING count(*) > 0
)
SELECT * FROM leased"
);

/// Looks for all lines first, and tells which there are: rows without a place.
const LOOK_AND_CLAIM: &str = concat!(
    "
WITH RECURSIVE start(kind, tenant, ready, rank) AS (
    SELECT wanted.kind, first.tenant, first.ready, first.rank
    FROM (SELECT w COLLATE \"C\" AS kind FROM unnest($2::text[]) AS w) AS wanted
    CROSS JOIN LATERAL (
        SELECT tenant, ready, rank FROM tasks
        WHERE ",
    sort_number!("queue", "kind"),
    " = ",
    sort_number!("$1", "wanted.kind"),
    "
          AND ready > 0 AND queue = $1 AND kind = wanted.kind
        ORDER BY ",
    line_number!("tenant", "ready"),
    ", rank, seq LIMIT 1) AS first
  UNION ALL
    SELECT start.kind, next.tenant, next.ready, next.rank
    FROM start
    CROSS JOIN LATERAL (
        SELECT tenant, ready, rank FROM tasks
        WHERE ",
    sort_number!("queue", "kind"),
    " = ",
    sort_number!("$1", "start.kind"),
    "
          AND ready > 0 AND ",
    line_number!("tenant", "ready"),
    " > ",
    line_number!("start.tenant", "start.ready"),
    "
          AND queue = $1 AND kind = start.kind
        ORDER BY ",
    line_number!("tenant", "ready"),
    ", rank, seq LIMIT 1) AS next
), ",
    hand_out!(),
    "
UNION ALL
SELECT NULL, NULL, tenant, $1, kind, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, rank, NULL, NULL, NULL,
    NULL, NULL, NULL, ready, NULL
FROM start"
);

/// What a claim found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Tasks that it has now.
    pub(crate) rows: Vec<Row>,
    /// Whose they are, if rows do not say so: all of one line.
    pub(crate) of: Option<(LineName, Sort)>,
    /// All lines, and the first rank in each; only from a look at all of them.
    pub(crate) lines: Vec<(LineName, i64)>,
}

/// Hands at most `slots` ready tasks out, best rank first. In a transaction that the caller began, or else one of
/// its own.
pub(crate) async fn claim_want(
    link: &Link,
    taker: &Taker,
    slots: i64,
    now: Timestamp,
    look: &Look,
    commits: bool,
) -> Result<Found, Trouble> {
    let failed = |error| match commits {
        true => Trouble::of_commit(&error),
        false => Trouble::from(error),
    };
    let mut values: Vec<&(dyn ToSql + Sync)> = vec![
        &taker.queue,
        &taker.kinds,
        &taker.inside,
        &taker.outside,
        &taker.suspects,
        &slots,
        &taker.epoch,
        &taker.worker,
        &taker.timed,
        &taker.lasts,
        &now.0,
        &taker.tenant,
        &taker.number,
    ];
    let known = match look {
        Look::All(_) => {
            let statement = link.prepared(LOOK_AND_CLAIM).await?;
            return found(link.client().query(&statement, &values).await.map_err(failed)?);
        }
        Look::At(known) => known,
    };
    if let [(line, start)] = known.as_slice()
        && taker.may_have_plainly(line)
    {
        let of = (line.clone(), Sort::named(&line.tenant, &taker.queue, &line.kind)?);
        let runs = i16::from(taker.runs_plainly(line).number());
        let values: [&(dyn ToSql + Sync); 12] = [
            &taker.queue,
            &line.kind,
            &line.tenant,
            &start.rank,
            &slots,
            &taker.worker,
            &taker.timed,
            &taker.lasts,
            &taker.epoch,
            &runs,
            &now.0,
            &taker.number,
        ];
        let statement = link.prepared(CLAIM_LINE).await?;
        let rows = link.client().query(&statement, &values).await.map_err(failed)?;
        return Ok(Found { rows, of: Some(of), lines: Vec::new() });
    }
    let kinds: Vec<&str> = known.iter().map(|(line, _)| line.kind.as_str()).collect();
    let tenants: Vec<&str> = known.iter().map(|(line, _)| line.tenant.as_str()).collect();
    let ready: Vec<i16> = known.iter().map(|(line, _)| line.ready).collect();
    let ranks: Vec<i64> = known.iter().map(|(_, start)| start.rank).collect();
    values[1] = &kinds;
    let lines: [&(dyn ToSql + Sync); 3] = [&tenants, &ready, &ranks];
    values.extend(lines);
    let statement = link.prepared(CLAIM).await?;
    let rows = link.client().query(&statement, &values).await.map_err(failed)?;
    Ok(Found { rows, of: None, lines: Vec::new() })
}

/// Tells lines from tasks.
fn found(all: Vec<Row>) -> Result<Found, Trouble> {
    let mut found = Found { rows: Vec::with_capacity(all.len()), of: None, lines: Vec::new() };
    for row in all {
        if row.try_get::<_, Option<i64>>(0)?.is_some() {
            found.rows.push(row);
        } else {
            found.lines.push((line_of(&row)?, row.try_get(15)?));
        }
    }
    Ok(found)
}
