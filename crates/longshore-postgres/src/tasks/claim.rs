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
use crate::index::{line_number, sort_number};
use crate::lines::{LineName, Look};
use crate::links::Link;
use longshore_core::readiness::ready_at;
use longshore_core::rescue::Runs;
use longshore_core::store::{Hold, LeaseRef, Leased, Want};
use longshore_core::task::Seq;
use longshore_core::{Payload, State, TaskId, Timestamp, Token};
use std::collections::HashMap;
use std::time::{Duration, Instant};
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
        WHERE ", sort_number!("queue", "kind"), " = ", sort_number!("$1", "free.kind"), "
          AND ", line_number!("tenant", "ready"), " = ", line_number!("free.tenant", "free.ready"), "
          AND ready > 0 AND rank >= free.rank
          AND queue = $1 AND kind = free.kind AND tenant = free.tenant AND ready = free.ready
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
), leased AS (
    UPDATE tasks SET state = 2, ready = 0, token = opened.token, worker = $8,
        lease = CASE WHEN $9 THEN coalesce($10::int8, timeout + 10000) END,
        instance = CASE WHEN NOT $9 THEN $7 END, renewals = 0,
        runs = CASE WHEN opened.alone THEN 1 WHEN $3 AND NOT kind = ANY($4) THEN 0 ELSE 2 END,
        started_at = $11, began_at = coalesce(began_at, $11), openings = openings + 1, expires_at = NULL,
        progress = NULL
    FROM opened WHERE tasks.seq = opened.seq
    RETURNING tasks.seq, id, tenant, queue, kind, payload, spec, run, attempt, openings, max_attempts, timeout,
        total_timeout, began_at, created_at, rank, priority, order_key IS NOT NULL, tasks.token, runs, lease,
        opened.state, opened.ready
), counted AS (
    INSERT INTO counts(n, bytes, state, tenant, queue, kind)
    SELECT line.n, 0, line.state, tenant, queue, kind
    FROM (SELECT tenant, queue, kind, state, ready, count(*) AS n FROM leased
          GROUP BY tenant, queue, kind, state, ready) AS sort
    CROSS JOIN LATERAL (
        VALUES (-sort.n, sort.state), (sort.n, 2::int2), (-sort.n, (7 + sort.ready)::int2)) AS line(n, state)
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
    FROM unnest($2::text[], $13::text[], $14::int2[], $15::int8[]) AS known(kind, tenant, ready, rank)
), ",
    hand_out!()
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
    NULL, NULL, NULL, ready
FROM start"
);

/// What a claim found.
#[derive(Debug)]
pub(crate) struct Found {
    /// Tasks that it has now.
    pub(crate) rows: Vec<Row>,
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
    ];
    let known = match look {
        Look::All(_) => {
            let statement = link.prepared(LOOK_AND_CLAIM).await?;
            return found(link.client().query(&statement, &values).await.map_err(failed)?);
        }
        Look::At(known) => known,
    };
    let kinds: Vec<&str> = known.iter().map(|(line, _)| line.kind.as_str()).collect();
    let tenants: Vec<&str> = known.iter().map(|(line, _)| line.tenant.as_str()).collect();
    let ready: Vec<i16> = known.iter().map(|(line, _)| line.ready).collect();
    let ranks: Vec<i64> = known.iter().map(|(_, start)| start.rank).collect();
    values[1] = &kinds;
    let lines: [&(dyn ToSql + Sync); 3] = [&tenants, &ready, &ranks];
    values.extend(lines);
    let statement = link.prepared(CLAIM).await?;
    let rows = link.client().query(&statement, &values).await.map_err(failed)?;
    Ok(Found { rows, lines: Vec::new() })
}

/// Tells lines from tasks.
fn found(all: Vec<Row>) -> Result<Found, Trouble> {
    let mut found = Found { rows: Vec::with_capacity(all.len()), lines: Vec::new() };
    for row in all {
        if row.try_get::<_, Option<i64>>(0)?.is_some() {
            found.rows.push(row);
        } else {
            found.lines.push((line_of(&row)?, row.try_get(15)?));
        }
    }
    Ok(found)
}

/// The line that a row was taken from, or stands for.
pub(crate) fn line_of(row: &Row) -> Result<LineName, Trouble> {
    Ok(LineName { kind: row.try_get(4)?, tenant: row.try_get(2)?, ready: row.try_get(22)? })
}

/// The lowest rank that was handed out of each line.
pub(crate) fn lowest(rows: &[Row]) -> Result<HashMap<LineName, i64>, Trouble> {
    let mut lowest = HashMap::new();
    for row in rows {
        let rank: Option<i64> = row.try_get(15)?;
        let rank = rank.unwrap_or(i64::MIN);
        let least = lowest.entry(line_of(row)?).or_insert(rank);
        *least = rank.min(*least);
    }
    Ok(lowest)
}

/// What a claim gave out, and what of it is damaged.
pub(crate) type Claimed = (Vec<Leased>, Vec<LeaseRef>);

/// Counts what was handed out.
pub(super) fn count_claimed(rows: &[Row], marks: &mut Marks) -> Result<(), Trouble> {
    for row in rows {
        let sort = Sort::read(row, 2)?;
        let (state, ready): (i16, i16) = (row.try_get(21)?, row.try_get(22)?);
        marks.count(&sort, u8::try_from(state).unwrap_or(1), -1);
        marks.count(&sort, State::Running as u8, 1);
        marks.count_ready(&sort, u8::try_from(ready).unwrap_or(1), -1);
    }
    Ok(())
}

/// Reads what was handed out, best rank first, and notes it. Its leases last from `held_since` on.
pub(crate) fn note_claimed(
    rows: &[Row],
    now: Timestamp,
    held_since: Instant,
    after: &mut After,
) -> Result<Claimed, Trouble> {
    let mut leased = Vec::with_capacity(rows.len());
    let mut damaged = Vec::new();
    for row in rows {
        let sort = Sort::read(row, 2)?;
        match read_leased(row, sort, now, held_since)? {
            Some(task) => {
                if task.expires_at.is_some() {
                    let held = (task.lease.seq.0, task.lease.token.number());
                    after.notes.push(Note::Leased { held, renewals: 0 });
                }
                leased.push(task);
            }
            None => damaged.push(lease_of(row)?),
        }
    }
    // Tokens were given in the order of ranks.
    leased.sort_unstable_by_key(|leased| leased.lease.token);
    Ok((leased, damaged))
}

fn lease_of(row: &Row) -> Result<LeaseRef, Trouble> {
    Ok(LeaseRef {
        id: TaskId(row.try_get(1)?),
        seq: Seq(row.try_get(0)?),
        token: Token::from_number(row.try_get(18)?),
    })
}

fn read_leased(
    row: &Row,
    sort: Sort,
    now: Timestamp,
    held_since: Instant,
) -> Result<Option<Leased>, Trouble> {
    let Ok(payload) = Payload::from_bytes(row.try_get::<_, Vec<u8>>(5)?) else {
        return Ok(None);
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
    Ok(Some(Leased {
        lease: lease_of(row)?,
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
