//! What operators and clients do to tasks from outside.

use super::desk::{Desk, millis};
use super::row::TaskRow;
use super::spec::{HoldSpec, Spec};
use crate::audit;
use crate::error::Trouble;
use longshore_core::queue::{QueueSettings, Scope};
use longshore_core::rescue::Crashes;
use longshore_core::state::Cause;
use longshore_core::store::{Act, ActKind, Acted, Refused};
use longshore_core::task::UniqueWhile;
use longshore_core::{Event, Payload, QueueName, State, TaskId, Timestamp};
use rusqlite::OptionalExtension;
use std::time::Duration;

/// What an act did, and what the audit log says of it.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) acted: Acted,
    /// How its target stood before, as JSON.
    pub(crate) before: Option<String>,
    /// How it stood afterwards.
    pub(crate) after: Option<String>,
    /// Below which place there is more to do.
    pub(crate) rest: Option<i64>,
}

pub(super) type Answer = Result<Result<Done, Refused>, Trouble>;

impl Desk<'_> {
    /// Does one act, and leaves a line in the audit log if it was possible.
    pub(crate) fn act(&mut self, act: &Act) -> Answer {
        let done = match &act.what {
            ActKind::Cancel { id, grace } => {
                self.on_task(act, *id, |desk, row| desk.cancel(row, *grace))
            }
            ActKind::Reopen { id } => self.on_task(act, *id, Self::reopen),
            ActKind::Discard { id } => self.on_task(act, *id, Self::discard),
            ActKind::Reprioritise { id, priority } => {
                self.on_task(act, *id, |desk, row| desk.reprioritise(row, *priority))
            }
            ActKind::Pause(scope) => self.set_pause(scope, true),
            ActKind::Resume(scope) => self.set_pause(scope, false),
            ActKind::Purge(queue) => self.purge(&act.tenant, queue, i64::MAX).map(Ok),
            ActKind::Carry { queue, carrier } => self.set_carrier(queue, carrier.as_deref()),
            ActKind::Configure { queue, settings } => self.configure(queue, settings.as_ref()),
            ActKind::Note { before, after, .. } => {
                let text = |payload: &Payload| payload.as_str().to_owned();
                let (before, after) = (before.as_ref().map(text), after.as_ref().map(text));
                Ok(Ok(Done { before, after, ..Done::default() }))
            }
        }?;
        if let Ok(done) = &done {
            audit::note(self, act, done)?;
        }
        Ok(done)
    }

    /// Loads the task, does something to it, and answers with how it stands then.
    fn on_task(
        &mut self,
        act: &Act,
        id: TaskId,
        change: impl FnOnce(&mut Self, &mut TaskRow) -> Result<Result<Vec<Event>, Refused>, Trouble>,
    ) -> Answer {
        let tenant = self.names.find(act.tenant.as_str());
        let found = TaskRow::by_id(self.db, id)?;
        let Some(mut row) = found.filter(|row| Some(row.sort.tenant) == tenant) else {
            return Ok(Err(Refused::NotFound));
        };
        let shown = |row: &TaskRow| match act.what {
            ActKind::Reprioritise { .. } => format!("{{\"priority\":{}}}", row.priority),
            _ => format!("{{\"state\":\"{}\"}}", row.state),
        };
        let before = Some(shown(&row));
        match change(self, &mut row)? {
            Ok(events) => {
                let task = super::row::read_task(self.db, &self.names, id)?;
                let acted = Acted { task, count: 1, events };
                Ok(Ok(Done { acted, before, after: Some(shown(&row)), rest: None }))
            }
            Err(refused) => Ok(Err(refused)),
        }
    }

    fn cancel(
        &mut self,
        row: &mut TaskRow,
        grace: Duration,
    ) -> Result<Result<Vec<Event>, Refused>, Trouble> {
        if row.state.is_end() {
            return Ok(Err(Refused::WrongState { state: row.state }));
        }
        if row.state != State::Running {
            return self.end_waiting(row, Cause::Cancel, "cancelled").map(Ok);
        }
        let until = self.tick.saturating_add(grace);
        let Some(held) = self.memory.held.get_mut(&row.seq) else { return Ok(Ok(Vec::new())) };
        // A second cancel may shorten the grace, never lengthen it.
        if held.cancel_until.is_none_or(|before| until < before) {
            held.cancel_until = Some(until);
            let before = row.before();
            row.cancel_grace = Some(millis(grace));
            self.save(before, row)?;
        }
        Ok(Ok(Vec::new()))
    }

    fn discard(&mut self, row: &mut TaskRow) -> Result<Result<Vec<Event>, Refused>, Trouble> {
        match row.state {
            State::Scheduled | State::Pending | State::Retrying => {
                self.end_waiting(row, Cause::Discard, "discarded").map(Ok)
            }
            State::Failed => {
                let before = row.before();
                row.go(Cause::Discard)?;
                row.reason = Some("discarded".into());
                row.finished_at = Some(self.now.0);
                self.save(before, row)?;
                Ok(Ok(vec![self.event(row)?]))
            }
            state => Ok(Err(Refused::WrongState { state })),
        }
    }

    /// Ends a waiting task; returns everything that happened, the task itself first.
    pub(super) fn end_waiting(
        &mut self,
        row: &mut TaskRow,
        cause: Cause,
        reason: &str,
    ) -> Result<Vec<Event>, Trouble> {
        let before = row.before();
        row.reason = Some(reason.to_owned());
        self.cut("DELETE FROM edges WHERE child = ?1", [row.seq])?;
        let mut others = Vec::new();
        self.finish(row, before, cause, &mut others)?;
        others.insert(0, self.event(row)?);
        Ok(others)
    }

    fn reopen(&mut self, row: &mut TaskRow) -> Result<Result<Vec<Event>, Refused>, Trouble> {
        if !matches!(row.state, State::Failed | State::Cancelled | State::Expired) {
            return Ok(Err(Refused::WrongState { state: row.state }));
        }
        if let Some(refused) = self.take_unique_back(row)? {
            return Ok(Err(refused));
        }
        let before = row.before();
        row.go(Cause::Reopen)?;
        row.run += 1;
        row.attempt = 1;
        row.run_at = self.now.0;
        row.due = None;
        row.open_parents = self.wait_for_parents(row)?;
        row.crashes = Crashes { seen: row.crashes.seen, ..Crashes::default() };
        row.expires_at = row.expires_in.map(|span| self.now.0.saturating_add(span));
        row.reason = None;
        row.began_at = None;
        row.started_at = None;
        row.finished_at = None;
        if let Some(key) = &row.order_key {
            row.lane_place = Some(self.next_seq()?);
            self.memory.lanes.join(row.sort, key);
        }
        self.clear_result(row)?;
        self.place(row, self.now)?;
        self.save(before, row)?;
        Ok(Ok(vec![self.event(row)?]))
    }

    /// A reopened task waits again for those of its parents that have not ended.
    fn wait_for_parents(&mut self, row: &TaskRow) -> Result<u32, Trouble> {
        let mut open = Vec::new();
        for id in Spec::read(row.spec.as_deref()).parents {
            if let Some(parent) = TaskRow::by_id(self.db, id)?
                && !parent.state.is_end()
                && !open.contains(&parent.seq)
            {
                open.push(parent.seq);
            }
        }
        if open.is_empty() { Ok(0) } else { self.tie(&open, row.seq) }
    }

    fn take_unique_back(&mut self, row: &TaskRow) -> Result<Option<Refused>, Trouble> {
        let Some(unique) = Spec::read(row.spec.as_deref()).unique else { return Ok(None) };
        if let Some(holder) = self.unique_holder(row.sort, &unique.key)?
            && holder.seq != row.seq
        {
            return Ok(Some(Refused::UniqueTaken { existing: holder.id }));
        }
        let hold = match unique.hold {
            HoldSpec::Queued => UniqueWhile::Queued,
            HoldSpec::Active => UniqueWhile::Active,
            HoldSpec::Window(window) => UniqueWhile::Window(window),
        };
        self.hold_unique(row.sort, &unique.key, hold, row.seq, Timestamp(row.created_at))?;
        Ok(None)
    }

    fn clear_result(&mut self, row: &mut TaskRow) -> Result<(), Trouble> {
        let mut update = self
            .db
            .prepare_cached("UPDATE tasks SET result = NULL, big = big & 1 WHERE seq = ?1")?;
        update.execute([row.seq])?;
        if row.big & 2 != 0 {
            row.big &= 1;
            let mut delete = self.db.prepare_cached("DELETE FROM bodies WHERE key = ?1")?;
            delete.execute([2 * row.seq + 1])?;
        }
        Ok(())
    }

    fn reprioritise(
        &mut self,
        row: &mut TaskRow,
        priority: u8,
    ) -> Result<Result<Vec<Event>, Refused>, Trouble> {
        if row.state.is_end() || row.state == State::Running {
            return Ok(Err(Refused::WrongState { state: row.state }));
        }
        let before = row.before();
        Self::rerank(row, priority);
        let mut update = self.db.prepare_cached("UPDATE tasks SET priority = ?2 WHERE seq = ?1")?;
        update.execute((row.seq, priority))?;
        self.save(before, row)?;
        Ok(Ok(Vec::new()))
    }

    fn set_pause(&mut self, scope: &Scope, paused: bool) -> Answer {
        let (number, name) = match scope {
            Scope::Queue(name) => (0u8, name.as_str()),
            Scope::Kind(name) => (1, name.as_str()),
            Scope::Tenant(name) => (2, name.as_str()),
        };
        let name = self.names.intern(self.db, name)?;
        let was_paused = self.memory.paused.contains(&(number, name));
        let sql = if paused {
            self.memory.paused.insert((number, name));
            "INSERT OR IGNORE INTO pauses(scope, name) VALUES (?1, ?2)"
        } else {
            self.memory.paused.remove(&(number, name));
            self.memory.marked.extend(&self.memory.carriers);
            "DELETE FROM pauses WHERE scope = ?1 AND name = ?2"
        };
        self.db.prepare_cached(sql)?.execute((number, name))?;
        let shown = |paused| Some(format!("{{\"paused\":{paused}}}"));
        Ok(Ok(Done { before: shown(was_paused), after: shown(paused), ..Done::default() }))
    }

    fn set_carrier(&mut self, queue: &QueueName, carrier: Option<&str>) -> Answer {
        let queue = self.names.intern(self.db, queue.as_str())?;
        let mut select = self.db.prepare_cached("SELECT carrier FROM carriers WHERE queue = ?1")?;
        let old: Option<String> = select.query_row([queue], |row| row.get(0)).optional()?;
        let shown = |carrier: Option<&str>| -> Result<_, Trouble> {
            Ok(Some(format!("{{\"carrier\":{}}}", serde_json::to_string(&carrier)?)))
        };
        let (before, after) = (shown(old.as_deref())?, shown(carrier)?);
        self.carry(queue, old.as_deref(), carrier)?;
        Ok(Ok(Done { before, after, ..Done::default() }))
    }

    fn configure(&mut self, queue: &QueueName, settings: Option<&QueueSettings>) -> Answer {
        let queue = self.names.intern(self.db, queue.as_str())?;
        let mut select =
            self.db.prepare_cached("SELECT settings FROM settings WHERE queue = ?1")?;
        let before: Option<String> = select.query_row([queue], |row| row.get(0)).optional()?;
        let after = settings.map(serde_json::to_string).transpose()?;
        match &after {
            Some(settings) => {
                let mut upsert = self.db.prepare_cached(
                    "INSERT OR REPLACE INTO settings(queue, settings) VALUES (?1, ?2)",
                )?;
                upsert.execute((queue, settings))?;
            }
            None => {
                let mut delete = self.db.prepare_cached("DELETE FROM settings WHERE queue = ?1")?;
                delete.execute([queue])?;
            }
        }
        Ok(Ok(Done { before, after, ..Done::default() }))
    }
}
