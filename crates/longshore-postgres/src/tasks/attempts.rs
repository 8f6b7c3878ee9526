//! The openings of a task that were more than a success at first try.

use super::desk::Desk;
use super::row::{TaskRow, read_error};
use crate::error::Trouble;
use crate::index::{find_by_id, own_place};
use crate::links::Link;
use longshore_core::attempt::AttemptOutcome;
use longshore_core::{Attempt, State, TaskId, TenantName, Timestamp, Token};

/// How an opening ended.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) attempt: u32,
    pub(super) outcome: AttemptOutcome,
    pub(super) error: Option<&'a str>,
    pub(super) next_at: Option<i64>,
}

impl Desk<'_> {
    /// Keeps how the last opening of `row` ended.
    pub(super) async fn note_opening(
        &self,
        row: &TaskRow,
        entry: Entry<'_>,
    ) -> Result<(), Trouble> {
        let number = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
        self.execute(
            "INSERT INTO attempts(seq, token, run, attempt, worker, started_at, ended_at, outcome, error, next_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (seq, token) DO NOTHING",
            &[
                &row.seq,
                &row.token.unwrap_or(0),
                &number(row.run),
                &number(entry.attempt),
                &row.worker,
                &row.started_at.unwrap_or(self.now.0),
                &self.now.0,
                &entry.outcome.as_str(),
                &entry.error,
                &entry.next_at,
            ],
        )
        .await?;
        Ok(())
    }
}

/// Reads the openings of a task, oldest first; nothing if there is no such task. One statement, so that
/// it sees the task and its openings at one moment.
pub(crate) async fn read_attempts(
    link: &Link,
    tenant: &TenantName,
    id: TaskId,
) -> Result<Option<Vec<Attempt>>, Trouble> {
    let rows = link
        .query(
            concat!(
                "SELECT t.run, t.attempt, t.token, t.worker, t.started_at, t.finished_at, t.state, t.openings,
                    a.run, a.attempt, a.token, a.worker, a.started_at, a.ended_at, a.outcome, a.error, a.next_at
             FROM tasks t LEFT JOIN attempts a ON a.seq = t.seq
             WHERE t.seq = (", find_by_id!(), ") AND t.tenant = $3 ORDER BY a.token"
            ),
            &[&id.0, &own_place(id), &tenant.as_str()],
        )
        .await?;
    let Some(task) = rows.first() else { return Ok(None) };
    let number = |count: i32| count.max(0).unsigned_abs();
    let mut attempts = Vec::new();
    for row in &rows {
        let Some(token) = row.try_get::<_, Option<i64>>(10)? else { continue };
        attempts.push(Attempt {
            run: number(row.try_get(8)?),
            attempt: number(row.try_get(9)?),
            token: Token::from_number(token),
            worker: row.try_get(11)?,
            started_at: Timestamp(row.try_get(12)?),
            ended_at: Some(Timestamp(row.try_get(13)?)),
            outcome: AttemptOutcome::from_word(row.try_get(14)?),
            error: row.try_get::<_, Option<&str>>(15)?.and_then(read_error),
            next_at: row.try_get::<_, Option<i64>>(16)?.map(Timestamp),
        });
    }
    let (state, openings): (i16, i32) = (task.try_get(6)?, task.try_get(7)?);
    let first_try = state == State::Success as i16 && openings == 1;
    if state == State::Running as i16 || first_try {
        attempts.push(Attempt {
            run: number(task.try_get(0)?),
            attempt: number(task.try_get(1)?),
            token: Token::from_number(task.try_get::<_, Option<i64>>(2)?.unwrap_or(0)),
            worker: task.try_get(3)?,
            started_at: Timestamp(task.try_get::<_, Option<i64>>(4)?.unwrap_or(0)),
            ended_at: task.try_get::<_, Option<i64>>(5)?.map(Timestamp),
            outcome: first_try.then_some(AttemptOutcome::Success),
            error: None,
            next_at: None,
        });
    }
    Ok(Some(attempts))
}
