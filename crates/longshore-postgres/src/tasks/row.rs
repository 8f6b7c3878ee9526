//! A task's row: loaded, changed and saved whole; and read for those who ask.

use super::desk::Desk;
use super::sort::Sort;
use super::spec::Spec;
use crate::error::Trouble;
use crate::index::{find_by_id, own_place};
use crate::links::Link;
use longshore_core::attempt::TaskError;
use longshore_core::readiness::BlockedBy;
use longshore_core::rescue::{Crashes, Runs};
use longshore_core::task::{Durability, Seq};
use longshore_core::{Payload, Span, State, Task, TaskId, Timestamp, Token};
use std::time::Duration;
use tokio_postgres::Row;

/// All columns of a [`TaskRow`], in its order, as a literal.
macro_rules! columns {
    () => {
        "seq, id, tenant, queue, kind, state, ready, rank, due, blocked, expires_at, priority, run, attempt, \
         max_attempts, openings, token, worker, instance, lease, crashes, suspicion, charges, runs, \
         cancel_grace, cancels, created_at, run_at, began_at, started_at, finished_at, timeout, total_timeout, \
         expires_in, order_key, lane_place, open_parents, on_parent_failure, has_children, spec, reason, \
         error, progress, group_id, renewals"
    };
}

/// All columns of a [`TaskRow`].
pub(crate) const LISTED: &str = columns!();

/// A task's row without its bodies.
#[derive(Debug, Clone)]
pub(crate) struct TaskRow {
    pub(crate) seq: i64,
    pub(crate) id: TaskId,
    pub(crate) sort: Sort,
    pub(crate) state: State,
    pub(crate) ready: u8,
    pub(crate) rank: Option<i64>,
    pub(crate) due: Option<i64>,
    pub(crate) blocked: u8,
    pub(crate) expires_at: Option<i64>,
    pub(crate) priority: u8,
    pub(crate) run: u32,
    pub(crate) attempt: u32,
    pub(crate) max_attempts: u32,
    pub(crate) openings: u32,
    pub(crate) token: Option<i64>,
    pub(crate) worker: Option<String>,
    pub(crate) instance: Option<i32>,
    pub(crate) lease: Option<i64>,
    pub(crate) crashes: Crashes,
    pub(crate) runs: Runs,
    pub(crate) cancel_grace: Option<i64>,
    pub(crate) cancels: i32,
    pub(crate) created_at: i64,
    pub(crate) run_at: i64,
    pub(crate) began_at: Option<i64>,
    pub(crate) started_at: Option<i64>,
    pub(crate) finished_at: Option<i64>,
    pub(crate) timeout: i64,
    pub(crate) total_timeout: Option<i64>,
    pub(crate) expires_in: Option<i64>,
    pub(crate) order_key: Option<Vec<u8>>,
    pub(crate) lane_place: Option<i64>,
    pub(crate) open_parents: u32,
    pub(crate) on_parent_failure: u8,
    pub(crate) has_children: bool,
    pub(crate) spec: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) progress: Option<Vec<u8>>,
    pub(crate) group: Option<uuid::Uuid>,
    pub(crate) renewals: i32,
}

/// A small number; nothing is zero.
fn small(row: &Row, place: usize) -> Result<u8, Trouble> {
    let number: Option<i16> = row.try_get(place)?;
    Ok(u8::try_from(number.unwrap_or(0)).unwrap_or(0))
}

/// How many; nothing is zero.
fn count(row: &Row, place: usize) -> Result<u32, Trouble> {
    let number: Option<i32> = row.try_get(place)?;
    Ok(number.unwrap_or(0).max(0).unsigned_abs())
}

impl TaskRow {
    pub(crate) fn read(row: &Row) -> Result<Self, Trouble> {
        let state = small(row, 5)?;
        Ok(Self {
            seq: row.try_get(0)?,
            id: TaskId(row.try_get(1)?),
            sort: Sort::read(row, 2)?,
            state: State::from_number(state)
                .ok_or_else(|| Trouble::Failed(format!("{state} in the database is no state")))?,
            ready: small(row, 6)?,
            rank: row.try_get(7)?,
            due: row.try_get(8)?,
            blocked: small(row, 9)?,
            expires_at: row.try_get(10)?,
            priority: small(row, 11)?,
            run: count(row, 12)?,
            attempt: count(row, 13)?,
            max_attempts: count(row, 14)?,
            openings: count(row, 15)?,
            token: row.try_get(16)?,
            worker: row.try_get(17)?,
            instance: row.try_get(18)?,
            lease: row.try_get(19)?,
            crashes: Crashes {
                seen: count(row, 20)?,
                suspicion: count(row, 21)?,
                charges: count(row, 22)?,
            },
            // What is not known is taken for the worst.
            runs: Runs::from_number(small(row, 23)?).unwrap_or_default(),
            cancel_grace: row.try_get(24)?,
            cancels: row.try_get::<_, Option<i32>>(25)?.unwrap_or(0),
            created_at: row.try_get(26)?,
            run_at: row.try_get(27)?,
            began_at: row.try_get(28)?,
            started_at: row.try_get(29)?,
            finished_at: row.try_get(30)?,
            timeout: row.try_get(31)?,
            total_timeout: row.try_get(32)?,
            expires_in: row.try_get(33)?,
            order_key: row.try_get(34)?,
            lane_place: row.try_get(35)?,
            open_parents: count(row, 36)?,
            on_parent_failure: small(row, 37)?,
            has_children: row.try_get::<_, Option<bool>>(38)?.unwrap_or(false),
            spec: row.try_get(39)?,
            reason: row.try_get(40)?,
            error: row.try_get(41)?,
            progress: row.try_get(42)?,
            group: row.try_get(43)?,
            renewals: row.try_get::<_, Option<i32>>(44)?.unwrap_or(0),
        })
    }

    /// When the task would have expired, or did: the column itself is only kept while it waits.
    fn shown_expiry(&self) -> Option<i64> {
        if !self.state.is_end() || self.began_at.is_some() {
            return self.expires_at;
        }
        let since = if self.run == 1 { self.created_at } else { self.run_at };
        self.expires_in.map(|span| since.saturating_add(span))
    }

    /// Turns the row into what people read; bodies are added by the caller.
    pub(crate) fn into_task(self, durability: Durability) -> Task {
        let spec = Spec::read(self.spec.as_deref());
        let expires_at = self.shown_expiry();
        Task {
            seq: Seq(self.seq),
            id: self.id,
            kind: self.sort.kind,
            queue: self.sort.queue,
            tenant: self.sort.tenant,
            name: spec.name,
            state: self.state,
            blocked_by: match self.blocked {
                1 => Some(BlockedBy::Parents),
                2 => Some(BlockedBy::Lane),
                _ => None,
            },
            reason: self.reason,
            priority: self.priority,
            payload: None,
            result: None,
            error: self.error.as_deref().and_then(read_error),
            run: self.run,
            attempt: self.attempt,
            max_attempts: self.max_attempts,
            crashes: self.crashes.seen,
            charges: self.crashes.charges,
            run_at: Timestamp(self.run_at),
            created_at: Timestamp(self.created_at),
            started_at: self.started_at.map(Timestamp),
            finished_at: self.finished_at.map(Timestamp),
            timeout: span(self.timeout),
            total_timeout: self.total_timeout.map(span),
            expires_at: expires_at.map(Timestamp),
            order_key: self.order_key.map(|key| String::from_utf8_lossy(&key).into_owned()),
            tags: spec.tags,
            headers: spec.headers,
            progress: self.progress.and_then(|bytes| Payload::from_bytes(bytes).ok()),
            schedule_id: spec.schedule_id,
            replay_of: spec.replay_of,
            parents: spec.parents,
            group: self.group,
            worker: self.worker.map(Into::into),
            traceparent: spec.traceparent,
            token: self.token.map(Token::from_number),
            durability,
        }
    }
}

impl Desk<'_> {
    /// Loads a row and locks it.
    pub(crate) async fn load(&self, seq: i64) -> Result<Option<TaskRow>, Trouble> {
        let sql = concat!("SELECT ", columns!(), " FROM tasks WHERE seq = $1 FOR UPDATE");
        self.row(sql, &[&seq]).await?.as_ref().map(TaskRow::read).transpose()
    }

    /// Loads a row by its id, and locks it and its lane.
    pub(crate) async fn load_by_id(&mut self, id: TaskId) -> Result<Option<TaskRow>, Trouble> {
        let Some(row) = self.row(find_by_id!(), &[&id.0, &own_place(id)]).await? else {
            return Ok(None);
        };
        let seq = row.try_get(0)?;
        self.lock_rows(&[seq]).await?;
        self.load(seq).await
    }

    /// Writes every column that may change.
    pub(super) async fn write(&self, row: &TaskRow) -> Result<(), Trouble> {
        let number = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
        self.execute(
            "UPDATE tasks SET state = $2, ready = $3, rank = $4, due = $5, blocked = $6, expires_at = $7,
                 priority = $8, run = $9, attempt = $10, lease = $11, instance = $12, crashes = $13,
                 suspicion = $14, charges = $15, runs = $16, cancel_grace = $17, cancels = $18, run_at = $19,
                 began_at = $20, started_at = $21, finished_at = $22, lane_place = $23, open_parents = $24,
                 reason = $25, error = $26
             WHERE seq = $1",
            &[
                &row.seq,
                &(row.state as i16),
                &i16::from(row.ready),
                &row.rank,
                &row.due,
                &i16::from(row.blocked),
                &row.expires_at,
                &i16::from(row.priority),
                &number(row.run),
                &number(row.attempt),
                &row.lease,
                &row.instance,
                &number(row.crashes.seen),
                &number(row.crashes.suspicion),
                &number(row.crashes.charges),
                &i16::from(row.runs.number()),
                &row.cancel_grace,
                &row.cancels,
                &row.run_at,
                &row.began_at,
                &row.started_at,
                &row.finished_at,
                &row.lane_place,
                &number(row.open_parents),
                &row.reason,
                &row.error,
            ],
        )
        .await?;
        Ok(())
    }

    /// Reads a whole task, bodies included.
    pub(super) async fn whole(&self, id: TaskId) -> Result<Option<Task>, Trouble> {
        let row = self.row(WHOLE, &[&id.0, &own_place(id)]).await?;
        row.as_ref().map(|row| whole(row, self.base.durability)).transpose()
    }
}

const WHOLE: &str = concat!(
    "SELECT ",
    columns!(),
    ", payload, result FROM tasks WHERE seq = (",
    find_by_id!(),
    ")"
);

fn whole(row: &Row, durability: Durability) -> Result<Task, Trouble> {
    let mut task = TaskRow::read(row)?.into_task(durability);
    let body = |bytes: Option<Vec<u8>>| bytes.and_then(|bytes| Payload::from_bytes(bytes).ok());
    task.payload = body(row.try_get(45)?);
    task.result = body(row.try_get(46)?);
    Ok(task)
}

/// Reads a whole task for somebody who asks.
pub(crate) async fn read_task(
    link: &Link,
    id: TaskId,
    durability: Durability,
) -> Result<Option<Task>, Trouble> {
    let rows = link.query(WHOLE, &[&id.0, &own_place(id)]).await?;
    rows.first().map(|row| whole(row, durability)).transpose()
}

pub(crate) fn span(millis: i64) -> Span {
    Span(Duration::from_millis(millis.max(0).unsigned_abs()))
}

/// Reads a stored error.
pub(crate) fn read_error(text: &str) -> Option<TaskError> {
    serde_json::from_str(text).ok()
}

/// The tags of a task.
pub(crate) fn tags_of(row: &TaskRow) -> Vec<String> {
    Spec::read(row.spec.as_deref()).tags
}
