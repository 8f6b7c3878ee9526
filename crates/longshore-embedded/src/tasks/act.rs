//! What operators and clients do to tasks from outside.

use super::desk::{Desk, millis};
use super::row::TaskRow;
use super::spec::{HoldSpec, Spec};
use crate::audit;
use crate::error::Trouble;
use longshore_core::queue::Scope;
use longshore_core::rescue::Crashes;
use longshore_core::state::Cause;
use longshore_core::store::{Act, ActKind, Acted, Refused};
use longshore_core::task::UniqueWhile;
use longshore_core::{Event, QueueName, State, TaskId, TenantName, Timestamp};
use std::time::Duration;

type Answer = Result<Result<Acted, Refused>, Trouble>;

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
            ActKind::Purge(queue) => self.purge(&act.tenant, queue),
            ActKind::Carry { queue, carrier } => {
                let queue = self.names.intern(self.db, queue.as_str())?;
                self.carry(queue, carrier.as_deref())?;
                Ok(Ok(Acted::default()))
            }
        }?;
        if let Ok(acted) = &done {
            audit::note(self, act, acted.count)?;
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
        match change(self, &mut row)? {
            Ok(events) => {
                let task = super::row::read_task(self.db, &self.names, id)?;
                Ok(Ok(Acted { task, count: 1, events }))
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
    fn end_waiting(
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
        if row.order_key.is_some() {
            row.lane_place = Some(self.next_seq()?);
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
        let sql = if paused {
            self.memory.paused.insert((number, name));
            "INSERT OR IGNORE INTO pauses(scope, name) VALUES (?1, ?2)"
        } else {
            self.memory.paused.remove(&(number, name));
            "DELETE FROM pauses WHERE scope = ?1 AND name = ?2"
        };
        self.db.prepare_cached(sql)?.execute((number, name))?;
        Ok(Ok(Acted::default()))
    }

    fn purge(&mut self, tenant: &TenantName, queue: &QueueName) -> Answer {
        let (Some(tenant), Some(queue)) =
            (self.names.find(tenant.as_str()), self.names.find(queue.as_str()))
        else {
            return Ok(Ok(Acted::default()));
        };
        // Whatever waits: for its time or another attempt, for others, or for a worker.
        let mut select = self.db.prepare_cached(
            "SELECT seq FROM tasks INDEXED BY tasks_standing
             WHERE state IN (0, 3) AND state <> 1 AND state <> 4 AND queue = ?1 AND tenant = ?2
             UNION SELECT seq FROM tasks INDEXED BY tasks_blocked
             WHERE blocked > 0 AND queue = ?1 AND tenant = ?2
             UNION SELECT seq FROM tasks INDEXED BY tasks_ready
             WHERE ready > 0 AND queue = ?1 AND tenant = ?2",
        )?;
        let waiting: Vec<i64> =
            select.query_map((queue, tenant), |row| row.get(0))?.collect::<Result<_, _>>()?;
        // A child is purged for itself, not failed because its parent was purged before it.
        self.cut_loose(&waiting)?;
        let mut acted = Acted::default();
        for seq in waiting {
            let Some(mut row) = TaskRow::load(self.db, seq)? else { continue };
            acted.events.extend(self.end_waiting(&mut row, Cause::Discard, "purged")?);
            acted.count += 1;
        }
        Ok(Ok(acted))
    }
}
