//! The openings of a task that were more than a success at first try.

use super::desk::Desk;
use super::row::{TaskRow, read_error};
use crate::error::Trouble;
use crate::names::Names;
use longshore_core::attempt::AttemptOutcome;
use longshore_core::{Attempt, State, TaskId, TenantName, Timestamp, Token};
use rusqlite::Connection;

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
    pub(super) fn note_opening(&self, row: &TaskRow, entry: Entry<'_>) -> Result<(), Trouble> {
        let mut insert = self.db.prepare_cached(
            "INSERT OR REPLACE INTO attempts(seq, token, run, attempt, worker, started_at, ended_at, outcome, error, next_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?;
        insert.execute((
            row.seq,
            row.token,
            row.run,
            entry.attempt,
            row.worker,
            row.started_at,
            self.now.0,
            entry.outcome.as_str(),
            entry.error,
            entry.next_at,
        ))?;
        Ok(())
    }
}

/// Reads the openings of a task, oldest first; nothing if there is no such task.
pub(crate) fn read_attempts(
    db: &Connection,
    names: &Names,
    tenant: &TenantName,
    id: TaskId,
) -> rusqlite::Result<Option<Vec<Attempt>>> {
    let _view = db.unchecked_transaction()?; // one view of the task and its openings
    let Some(task) = TaskRow::by_id(db, id)? else { return Ok(None) };
    if names.tenant(task.sort.tenant)? != *tenant {
        return Ok(None);
    }
    let mut select = db.prepare_cached(
        "SELECT run, attempt, token, worker, started_at, ended_at, outcome, error, next_at
         FROM attempts WHERE seq = ?1 ORDER BY token",
    )?;
    let mut attempts = select
        .query_map([task.seq], |row| {
            Ok(Attempt {
                run: row.get(0)?,
                attempt: row.get(1)?,
                token: Token::from_number(row.get(2)?),
                worker: worker(names, row.get(3)?),
                started_at: Timestamp(row.get(4)?),
                ended_at: Some(Timestamp(row.get(5)?)),
                outcome: AttemptOutcome::from_word(row.get_ref(6)?.as_str()?),
                error: row.get_ref(7)?.as_str_or_null()?.and_then(read_error),
                next_at: row.get::<_, Option<i64>>(8)?.map(Timestamp),
            })
        })?
        .collect::<Result<Vec<_>, _>>()?;
    let first_try = task.state == State::Success && task.openings == 1;
    if task.state == State::Running || first_try {
        attempts.push(Attempt {
            run: task.run,
            attempt: task.attempt,
            token: Token::from_number(task.token.unwrap_or(0)),
            worker: worker(names, task.worker),
            started_at: Timestamp(task.started_at.unwrap_or(0)),
            ended_at: task.finished_at.map(Timestamp),
            outcome: first_try.then_some(AttemptOutcome::Success),
            error: None,
            next_at: None,
        });
    }
    Ok(Some(attempts))
}

fn worker(names: &Names, id: Option<i64>) -> Option<String> {
    id.and_then(|id| names.text(id)).map(|text| text.to_string())
}
