//! A task's row: loaded, changed and saved whole; and read for those who ask.

use super::spec::Spec;
use crate::memory::Sort;
use crate::names::{NameId, Names};
use longshore_core::attempt::TaskError;
use longshore_core::readiness::BlockedBy;
use longshore_core::rescue::{Crashes, Runs};
use longshore_core::task::{Durability, Seq};
use longshore_core::{Payload, Span, State, Task, TaskId, Timestamp, Token};
use rusqlite::{Connection, OptionalExtension, Row};
use std::time::Duration;

/// All columns of a [`TaskRow`], in its order.
pub(crate) const PLAIN_COLUMNS: &str = "seq, id, queue, kind, tenant, state, ready, rank, due, blocked, \
    expires_at, priority, run, attempt, max_attempts, openings, token, worker, lease, crashes, suspicion, \
    charges, isolated, cancel_grace, created_at, run_at, began_at, started_at, finished_at, timeout, \
    total_timeout, expires_in, order_key, lane_place, open_parents, on_parent_failure, spec, reason, \
    error, progress, big";

/// The same, and then the group.
pub(crate) const LISTED: &str = "seq, id, queue, kind, tenant, state, ready, rank, due, blocked, \
    expires_at, priority, run, attempt, max_attempts, openings, token, worker, lease, crashes, suspicion, \
    charges, isolated, cancel_grace, created_at, run_at, began_at, started_at, finished_at, timeout, \
    total_timeout, expires_in, order_key, lane_place, open_parents, on_parent_failure, spec, reason, \
    error, progress, big, group_id";

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
    pub(crate) worker: Option<NameId>,
    pub(crate) lease: Option<i64>,
    pub(crate) crashes: Crashes,
    /// The column `isolated`.
    pub(crate) runs: Runs,
    pub(crate) cancel_grace: Option<i64>,
    pub(crate) created_at: i64,
    pub(crate) run_at: i64,
    pub(crate) began_at: Option<i64>,
    pub(crate) started_at: Option<i64>,
    pub(crate) finished_at: Option<i64>,
    pub(crate) timeout: i64,
    pub(crate) total_timeout: Option<i64>,
    pub(crate) expires_in: Option<i64>,
    pub(crate) order_key: Option<String>,
    pub(crate) lane_place: Option<i64>,
    pub(crate) open_parents: u32,
    pub(crate) on_parent_failure: u8,
    pub(crate) spec: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) progress: Option<String>,
    pub(crate) big: u8,
}

impl TaskRow {
    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let state: u8 = row.get(5)?;
        Ok(Self {
            seq: row.get(0)?,
            id: TaskId(uuid::Uuid::from_bytes(row.get(1)?)),
            sort: Sort { queue: row.get(2)?, kind: row.get(3)?, tenant: row.get(4)? },
            state: State::from_number(state)
                .ok_or(rusqlite::Error::IntegralValueOutOfRange(5, i64::from(state)))?,
            ready: row.get(6)?,
            rank: row.get(7)?,
            due: row.get(8)?,
            blocked: row.get(9)?,
            expires_at: row.get(10)?,
            priority: row.get(11)?,
            run: row.get(12)?,
            attempt: row.get(13)?,
            max_attempts: row.get(14)?,
            openings: row.get(15)?,
            token: row.get(16)?,
            worker: row.get(17)?,
            lease: row.get(18)?,
            crashes: Crashes { seen: row.get(19)?, suspicion: row.get(20)?, charges: row.get(21)? },
            runs: runs(row.get(22)?),
            cancel_grace: row.get(23)?,
            created_at: row.get(24)?,
            run_at: row.get(25)?,
            began_at: row.get(26)?,
            started_at: row.get(27)?,
            finished_at: row.get(28)?,
            timeout: row.get(29)?,
            total_timeout: row.get(30)?,
            expires_in: row.get(31)?,
            order_key: row.get(32)?,
            lane_place: row.get(33)?,
            open_parents: row.get(34)?,
            on_parent_failure: row.get(35)?,
            spec: row.get(36)?,
            reason: row.get(37)?,
            error: row.get(38)?,
            progress: row.get(39)?,
            big: row.get(40)?,
        })
    }

    pub(crate) fn load(db: &Connection, seq: i64) -> rusqlite::Result<Option<Self>> {
        let mut select =
            db.prepare_cached(&format!("SELECT {PLAIN_COLUMNS} FROM tasks WHERE seq = ?1"))?;
        select.query_row([seq], Self::read).optional()
    }

    pub(crate) fn by_id(db: &Connection, id: TaskId) -> rusqlite::Result<Option<Self>> {
        let mut select =
            db.prepare_cached(&format!("SELECT {PLAIN_COLUMNS} FROM tasks WHERE id = ?1"))?;
        select.query_row([id.0.as_bytes()], Self::read).optional()
    }

    /// Writes every column that may change.
    pub(super) fn write(&self, db: &Connection) -> rusqlite::Result<()> {
        let mut update = db.prepare_cached(
            "UPDATE tasks SET state = ?2, ready = ?3, rank = ?4, due = ?5, blocked = ?6, expires_at = ?7,
                 priority = ?8, run = ?9, attempt = ?10, openings = ?11, token = ?12, worker = ?13,
                 lease = ?14, crashes = ?15, suspicion = ?16, charges = ?17, isolated = ?18,
                 cancel_grace = ?19, run_at = ?20, began_at = ?21, started_at = ?22, finished_at = ?23,
                 lane_place = ?24, open_parents = ?25, reason = ?26, error = ?27, progress = ?28
             WHERE seq = ?1",
        )?;
        update.execute(rusqlite::params![
            self.seq,
            self.state as u8,
            self.ready,
            self.rank,
            self.due,
            self.blocked,
            self.expires_at,
            self.priority,
            self.run,
            self.attempt,
            self.openings,
            self.token,
            self.worker,
            self.lease,
            self.crashes.seen,
            self.crashes.suspicion,
            self.crashes.charges,
            self.runs.number(),
            self.cancel_grace,
            self.run_at,
            self.began_at,
            self.started_at,
            self.finished_at,
            self.lane_place,
            self.open_parents,
            self.reason,
            self.error,
            self.progress,
        ])?;
        Ok(())
    }

    /// When the task would have expired, or did: the column itself is only kept while it waits.
    fn shown_expiry(&self) -> Option<i64> {
        if !self.state.is_end() || self.began_at.is_some() {
            return self.expires_at;
        }
        let since = if self.run == 1 { self.created_at } else { self.run_at };
        self.expires_in.map(|span| since.saturating_add(span))
    }

    /// Turns the row into what people read; bodies and group are added by the caller.
    pub(crate) fn into_task(self, names: &Names) -> rusqlite::Result<Task> {
        let spec = Spec::read(self.spec.as_deref());
        let expires_at = self.shown_expiry();
        let blocked_by = match self.blocked {
            1 => Some(BlockedBy::Parents),
            2 => Some(BlockedBy::Lane),
            _ => None,
        };
        Ok(Task {
            seq: Seq(self.seq),
            id: self.id,
            kind: names.kind(self.sort.kind)?,
            queue: names.queue(self.sort.queue)?,
            tenant: names.tenant(self.sort.tenant)?,
            name: spec.name,
            state: self.state,
            blocked_by,
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
            order_key: self.order_key,
            tags: spec.tags,
            headers: spec.headers,
            progress: self.progress.map(Payload::from_json),
            schedule_id: spec.schedule_id,
            replay_of: spec.replay_of,
            parents: spec.parents,
            group: None,
            worker: self.worker.and_then(|worker| names.text(worker)),
            traceparent: spec.traceparent,
            token: self.token.map(Token::from_number),
            durability: Durability::Disk,
        })
    }
}

pub(super) fn span(millis: i64) -> Span {
    Span(Duration::from_millis(millis.max(0).unsigned_abs()))
}

/// Reads where a task runs; what is not known is taken for the worst.
fn runs(number: u8) -> Runs {
    Runs::from_number(number).unwrap_or_default()
}

/// Reads a stored error.
pub(crate) fn read_error(text: &str) -> Option<TaskError> {
    serde_json::from_str(text).ok()
}

/// Reads a whole task, bodies included, by its id.
pub(crate) fn read_task(
    db: &Connection,
    names: &Names,
    id: TaskId,
) -> rusqlite::Result<Option<Task>> {
    let mut select =
        db.prepare_cached(&format!("SELECT {LISTED}, payload, result FROM tasks WHERE id = ?1"))?;
    let mut rows = select.query([id.0.as_bytes()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let plain = TaskRow::read(row)?;
    let (seq, big) = (plain.seq, plain.big);
    let mut task = plain.into_task(names)?;
    task.group = row.get::<_, Option<[u8; 16]>>(41)?.map(uuid::Uuid::from_bytes);
    let body = |flag: u8, key: i64, inline: Option<Vec<u8>>| -> rusqlite::Result<Option<Payload>> {
        let bytes = if big & flag == 0 {
            inline
        } else {
            let mut select = db.prepare_cached("SELECT body FROM bodies WHERE key = ?1")?;
            select.query_row([key], |row| row.get(0)).optional()? // a damaged file may have lost it
        };
        bytes
            .map(Payload::from_bytes)
            .transpose()
            .map_err(|error| rusqlite::Error::Utf8Error(0, error))
    };
    task.payload = body(1, 2 * seq, row.get(42)?)?;
    task.result = body(2, 2 * seq + 1, row.get(43)?)?;
    Ok(Some(task))
}
