//! Choosing what is handed out: the heads of all lines that the claimer may have, merged.
//!
//! A line is the ready tasks of one (kind, tenant). Which lines there are is found by jumping from one to
//! the next in the index of the ready, so that neither a million tasks of a kind that nobody wants nor a
//! million of one that is paused are ever looked at.

use super::desk::{After, Note};
use super::marks::Marks;
use super::sort::Sort;
use super::spec::Spec;
use crate::error::Trouble;
use crate::links::Link;
use longshore_core::readiness::ready_at;
use longshore_core::rescue::Runs;
use longshore_core::store::{Hold, LeaseRef, Leased, Want};
use longshore_core::task::Seq;
use longshore_core::{Payload, State, TaskId, Timestamp, Token};
use std::time::{Duration, Instant};
use tokio_postgres::Row;

/// Without a length of its own, a lease lasts this much longer than the task's timeout.
pub(super) const BEYOND_TIMEOUT: i64 = 10_000;

/// Who claims, and what.
#[derive(Debug, Clone)]
pub(crate) struct Taker {
    pub(crate) queue: String,
    tenant: Option<String>,
    kinds: Vec<String>,
    outside: Vec<String>,
    worker: String,
    inside: bool,
    timed: bool,
    lasts: Option<i64>,
    epoch: i32,
    /// Whether a suspect may be handed out that has to run isolated.
    pub(crate) suspects: bool,
}

impl Taker {
    pub(crate) fn new(want: &Want, hold: Hold, worker: &str, epoch: i32) -> Self {
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
            suspects: false,
        }
    }

    /// Whether suspects have to be told apart.
    pub(crate) fn runs_inside(&self) -> bool {
        self.inside
    }
}

const CLAIM: &str = "
WITH RECURSIVE line(kind, tenant, ready) AS (
    SELECT wanted.kind, first.tenant, first.ready
    FROM (SELECT w COLLATE \"C\" AS kind FROM unnest($2::text[]) AS w) AS wanted
    CROSS JOIN LATERAL (
        SELECT tenant, ready FROM tasks WHERE queue = $1 AND kind = wanted.kind AND ready > 0
        ORDER BY tenant, ready LIMIT 1) AS first
  UNION ALL
    SELECT line.kind, next.tenant, next.ready
    FROM line
    CROSS JOIN LATERAL (
        SELECT tenant, ready FROM tasks
        WHERE queue = $1 AND kind = line.kind AND ready > 0 AND (tenant, ready) > (line.tenant, line.ready)
        ORDER BY tenant, ready LIMIT 1) AS next
), free AS MATERIALIZED (
    SELECT kind, tenant, ready, ($3 AND ready = 2 AND NOT kind = ANY($4::text[])) AS alone
    FROM line
    WHERE ($12::text IS NULL OR line.tenant = $12)
      AND NOT EXISTS (SELECT 1 FROM carriers WHERE carriers.queue = $1)
      AND NOT EXISTS (SELECT 1 FROM pauses WHERE scope = 0 AND name = $1)
      AND NOT EXISTS (SELECT 1 FROM pauses WHERE scope = 1 AND name = line.kind)
      AND NOT EXISTS (SELECT 1 FROM pauses WHERE scope = 2 AND name = line.tenant)
), head AS (
    SELECT head.*, free.alone
    FROM free
    CROSS JOIN LATERAL (
        SELECT seq, rank, state, ready FROM tasks
        WHERE queue = $1 AND kind = free.kind AND tenant = free.tenant AND ready = free.ready AND ready > 0
        ORDER BY rank, seq
        LIMIT CASE WHEN NOT free.alone THEN $6::int8
              WHEN $5 AND NOT EXISTS (SELECT 1 FROM tasks WHERE state = 2 AND instance = $7 AND runs = 1) THEN 1
              ELSE 0 END
        FOR UPDATE SKIP LOCKED) AS head
), picked AS MATERIALIZED (
    SELECT seq, state, ready, alone
    FROM (SELECT *, row_number() OVER (PARTITION BY alone ORDER BY rank, seq) AS place FROM head) AS placed
    WHERE NOT alone OR place = 1
    ORDER BY rank, seq LIMIT $6
), opened AS MATERIALIZED (
    SELECT seq, state, ready, alone, nextval('tokens') AS token FROM picked
)
UPDATE tasks SET state = 2, ready = 0, token = opened.token, worker = $8,
    lease = CASE WHEN $9 THEN coalesce($10::int8, timeout + 10000) END,
    instance = CASE WHEN NOT $9 THEN $7 END, renewals = 0,
    runs = CASE WHEN opened.alone THEN 1 WHEN $3 AND NOT kind = ANY($4) THEN 0 ELSE 2 END,
    started_at = $11, began_at = coalesce(began_at, $11), openings = openings + 1, expires_at = NULL, progress = NULL
FROM opened WHERE tasks.seq = opened.seq
RETURNING tasks.seq, id, tenant, queue, kind, payload, spec, run, attempt, openings, max_attempts, timeout,
    total_timeout, began_at, created_at, rank, priority, order_key IS NOT NULL, tasks.token, runs, lease,
    opened.state, opened.ready";

/// Hands at most `slots` ready tasks out, best rank first. Inside of a transaction that the caller began.
pub(crate) async fn claim_want(
    link: &Link,
    taker: &Taker,
    slots: i64,
    now: Timestamp,
) -> Result<Vec<Row>, Trouble> {
    let statement = link.prepared(CLAIM).await?;
    let rows = link
        .client()
        .query(
            &statement,
            &[
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
            ],
        )
        .await?;
    Ok(rows)
}

/// What a claim gave out; places of damaged tasks, if there are any, in the place of it.
pub(crate) type Claimed = Result<Vec<Leased>, Vec<i64>>;

/// Reads what was handed out, best rank first, and notes it. Its leases last from `held_since` on.
pub(crate) fn note_claimed(
    rows: &[Row],
    now: Timestamp,
    held_since: Instant,
    marks: &mut Marks,
    after: &mut After,
) -> Result<Claimed, Trouble> {
    let mut leased = Vec::with_capacity(rows.len());
    let mut damaged = Vec::new();
    for row in rows {
        let sort = Sort::read(row, 2)?;
        let (state, ready): (i16, i16) = (row.try_get(21)?, row.try_get(22)?);
        marks.count(&sort, u8::try_from(state).unwrap_or(1), -1);
        marks.count(&sort, State::Running as u8, 1);
        marks.count_ready(&sort, u8::try_from(ready).unwrap_or(1), -1);
        match read_leased(row, sort, now, held_since)? {
            Ok(task) => {
                if task.expires_at.is_some() {
                    let held = (task.lease.seq.0, task.lease.token.number());
                    after.notes.push(Note::Leased { held, renewals: 0 });
                }
                leased.push(task);
            }
            Err(seq) => damaged.push(seq),
        }
    }
    if !damaged.is_empty() {
        return Ok(Err(damaged));
    }
    // Tokens were given in the order of ranks.
    leased.sort_unstable_by_key(|leased| leased.lease.token);
    Ok(Ok(leased))
}

fn read_leased(
    row: &Row,
    sort: Sort,
    now: Timestamp,
    held_since: Instant,
) -> Result<Result<Leased, i64>, Trouble> {
    let seq: i64 = row.try_get(0)?;
    let Ok(payload) = Payload::from_bytes(row.try_get::<_, Vec<u8>>(5)?) else {
        return Ok(Err(seq));
    };
    let spec = match row.try_get::<_, Option<&str>>(6)? {
        None => Spec::default(),
        spec => Spec::read(spec),
    };
    let number =
        |place| -> Result<u32, Trouble> { Ok(row.try_get::<_, i32>(place)?.max(0).unsigned_abs()) };
    let length = |millis: i64| Duration::from_millis(millis.max(0).unsigned_abs());
    let began = Timestamp(row.try_get(13)?);
    let priority = u8::try_from(row.try_get::<_, i16>(16)?).unwrap_or(0);
    let rank: Option<i64> = row.try_get(15)?;
    let runs = u8::try_from(row.try_get::<_, i16>(19)?).ok().and_then(Runs::from_number);
    let lease: Option<i64> = row.try_get(20)?;
    Ok(Ok(Leased {
        lease: LeaseRef {
            id: TaskId(row.try_get(1)?),
            seq: Seq(seq),
            token: Token::from_number(row.try_get(18)?),
        },
        kind: sort.kind,
        queue: sort.queue,
        tenant: sort.tenant,
        payload,
        headers: spec.headers,
        traceparent: spec.traceparent,
        run: number(7)?,
        attempt: number(8)?,
        openings: number(9)?,
        max_attempts: number(10)?,
        timeout: super::row::span(row.try_get(11)?),
        total_left: row
            .try_get::<_, Option<i64>>(12)?
            .map(|total| length(total).saturating_sub(now.since(began))),
        created_at: Timestamp(row.try_get(14)?),
        ready_at: rank.map_or(now, |rank| ready_at(rank, priority)),
        started_at: now,
        expires_at: lease.map(|lease| now.after(length(lease))),
        handed_out: held_since,
        isolated: runs == Some(Runs::Isolated),
        in_lane: row.try_get(17)?,
    }))
}
