//! Moving a task, and what follows from its end: its lane, its children.

use super::desk::Desk;
use super::row::TaskRow;
use crate::error::Trouble;
use longshore_core::readiness::{
    BlockedBy, OnParentFailure, ParentEnded, Readiness, parent_ended, rank, readiness, ready_at,
};
use longshore_core::rescue::Runs;
use longshore_core::retry::BuryReason;
use longshore_core::state::Cause;
use longshore_core::{Event, State, Timestamp};

/// How a row stood when it was loaded: what the counters have to be told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before {
    state: State,
    ready: u8,
    rank: Option<i64>,
    due: Option<i64>,
}

impl TaskRow {
    pub(super) fn before(&self) -> Before {
        Before { state: self.state, ready: self.ready, rank: self.rank, due: self.due }
    }

    /// Walks along an arrow of the table.
    pub(super) fn go(&mut self, cause: Cause) -> Result<(), Trouble> {
        self.state = self.state.after(cause).ok_or_else(|| {
            Trouble::Failed(format!("task {}: no way from {} by {cause:?}", self.id, self.state))
        })?;
        Ok(())
    }

    /// Clears what only a waiting or running task has.
    fn lay_down(&mut self, now: Timestamp) {
        self.ready = 0;
        self.due = None;
        self.blocked = 0;
        self.expires_at = None;
        self.cancel_grace = None;
        self.lease = None;
        self.runs = Runs::default();
        self.finished_at = Some(now.0);
    }

    /// Stands in the line of the ready, at the rank it has.
    pub(super) fn stand_ready(&mut self) {
        self.due = None;
        self.blocked = 0;
        self.ready = if self.crashes.is_suspect() { 2 } else { 1 };
    }
}

impl Desk<'_> {
    pub(super) fn event(&self, row: &TaskRow) -> Result<Event, Trouble> {
        Ok(Event {
            task: row.id,
            tenant: self.names.tenant(row.sort.tenant)?,
            queue: self.names.queue(row.sort.queue)?,
            kind: self.names.kind(row.sort.kind)?,
            state: row.state,
            at: self.now,
        })
    }

    /// Saves a row and tells the counters, the lines and the outbox.
    pub(super) fn save(&mut self, before: Before, row: &TaskRow) -> Result<(), Trouble> {
        row.write(self.db)?;
        if before.state != row.state {
            self.memory.count(row.sort, before.state as u8, -1);
            self.memory.count(row.sort, row.state as u8, 1);
        }
        if (before.ready, before.rank) != (row.ready, row.rank) || row.ready > 0 {
            if before.ready > 0 {
                self.memory.leave(row.sort, before.ready, row.seq);
            }
            if row.ready > 0 {
                self.memory.enter(row.sort, row.ready, row.rank.unwrap_or(0), row.seq);
            }
        }
        if self.memory.carriers.contains(&row.sort.queue) {
            self.mark(before.ready, row)?;
        }
        if before.due.is_some() && before.due != row.due {
            self.memory.due_is_stale = true;
        }
        if let Some(due) = row.due {
            self.memory.next_due = self.memory.next_due.min(due);
        }
        if let Some(at) = row.expires_at {
            self.memory.next_expiry = self.memory.next_expiry.min(at);
        }
        Ok(())
    }

    /// Whether nobody stands before `place` in the lane.
    fn lane_is_free(&self, row: &TaskRow) -> Result<bool, Trouble> {
        let (Some(key), Some(place)) = (&row.order_key, row.lane_place) else { return Ok(true) };
        if self.memory.lanes.alive(row.sort, key) == Some(1) {
            return Ok(true); // it is the only one
        }
        let mut select = self.db.prepare_cached(
            "SELECT 1 FROM tasks WHERE tenant = ?1 AND queue = ?2 AND order_key = ?3
             AND lane_place IS NOT NULL AND lane_place < ?4 LIMIT 1",
        )?;
        Ok(!select.exists((row.sort.tenant, row.sort.queue, key, place))?)
    }

    /// Finds out what a waiting task waits for; a ready one ranks by `ready_from`.
    pub(super) fn place(
        &mut self,
        row: &mut TaskRow,
        ready_from: Timestamp,
    ) -> Result<(), Trouble> {
        let lane_is_free = self.lane_is_free(row)?;
        row.ready = 0;
        row.blocked = 0;
        match readiness(self.now, row.due.map(Timestamp), row.open_parents, lane_is_free) {
            Readiness::Due(at) => row.due = Some(at.0),
            Readiness::Blocked(by) => {
                row.due = None;
                row.blocked = if by == BlockedBy::Parents { 1 } else { 2 };
            }
            Readiness::Ready => {
                row.rank = Some(rank(ready_from, row.priority));
                row.stand_ready();
            }
        }
        Ok(())
    }

    /// Gives a task another priority: the time it became ready counts on.
    pub(super) fn rerank(row: &mut TaskRow, priority: u8) {
        row.rank = row.rank.map(|old| rank(ready_at(old, row.priority), priority));
        row.priority = priority;
    }

    /// Ends a task, saves it, and lets everything follow that follows from it.
    pub(super) fn finish(
        &mut self,
        row: &mut TaskRow,
        before: Before,
        cause: Cause,
        others: &mut Vec<Event>,
    ) -> Result<(), Trouble> {
        row.go(cause)?;
        self.close(row, before)?;
        let mut ended = vec![row.clone()];
        while let Some(row) = ended.pop() {
            self.let_lane_go(&row)?;
            if self.memory.edges > 0 {
                self.judge_children(&row, &mut ended, others)?;
            }
        }
        Ok(())
    }

    fn close(&mut self, row: &mut TaskRow, before: Before) -> Result<(), Trouble> {
        row.lay_down(self.now);
        self.memory.held.remove(&row.seq);
        let place = row.lane_place.take();
        if let (Some(key), Some(_)) = (&row.order_key, place) {
            self.memory.lanes.leave(row.sort, key);
        }
        self.save(before, row)?;
        row.lane_place = place; // for whoever lets the lane go
        Ok(())
    }

    fn let_lane_go(&mut self, ended: &TaskRow) -> Result<(), Trouble> {
        let (Some(key), Some(_)) = (&ended.order_key, ended.lane_place) else { return Ok(()) };
        if self.memory.lanes.alive(ended.sort, key) == Some(0) {
            return Ok(());
        }
        let first: Option<i64> = {
            let mut select = self.db.prepare_cached(
                "SELECT seq FROM tasks WHERE tenant = ?1 AND queue = ?2 AND order_key = ?3
                 AND lane_place IS NOT NULL ORDER BY lane_place LIMIT 1",
            )?;
            let mut rows = select.query((ended.sort.tenant, ended.sort.queue, key))?;
            rows.next()?.map(|row| row.get(0)).transpose()?
        };
        let Some(mut next) = first.map(|seq| TaskRow::load(self.db, seq)).transpose()?.flatten()
        else {
            return Ok(());
        };
        if next.blocked == 2 {
            let before = next.before();
            self.place(&mut next, self.now)?;
            self.save(before, &next)?;
        }
        Ok(())
    }

    fn judge_children(
        &mut self,
        parent: &TaskRow,
        ended: &mut Vec<TaskRow>,
        others: &mut Vec<Event>,
    ) -> Result<(), Trouble> {
        let children: Vec<i64> = {
            let mut select = self
                .db
                .prepare_cached("SELECT child FROM edges WHERE parent = ?1 ORDER BY child")?;
            select.query_map([parent.seq], |row| row.get(0))?.collect::<Result<_, _>>()?
        };
        for seq in children {
            let cut =
                self.cut("DELETE FROM edges WHERE parent = ?1 AND child = ?2", (parent.seq, seq))?;
            let Some(mut child) = TaskRow::load(self.db, seq)? else { continue };
            if child.state.is_end() || cut == 0 {
                continue;
            }
            let before = child.before();
            match parent_ended(parent.state, on_parent_failure(child.on_parent_failure)) {
                ParentEnded::OneLess => {
                    child.open_parents = child.open_parents.saturating_sub(1);
                    if child.open_parents == 0 && child.blocked == 1 {
                        self.place(&mut child, self.now)?;
                    }
                    self.save(before, &child)?;
                }
                doom => {
                    self.cut("DELETE FROM edges WHERE child = ?1", [seq])?;
                    let cause = doom_of(&mut child, doom);
                    child.go(cause)?;
                    self.close(&mut child, before)?;
                    others.push(self.event(&child)?);
                    ended.push(child);
                }
            }
        }
        Ok(())
    }

    /// Lets tasks wait for no parent any more.
    pub(super) fn cut_loose(&mut self, children: &[i64]) -> Result<(), Trouble> {
        for child in children {
            if self.memory.edges == 0 {
                break;
            }
            self.cut("DELETE FROM edges WHERE child = ?1", [child])?;
        }
        Ok(())
    }

    /// Lets a task wait for parents; returns for how many.
    pub(super) fn tie(&mut self, parents: &[i64], child: i64) -> Result<u32, Trouble> {
        let mut insert =
            self.db.prepare_cached("INSERT INTO edges(parent, child) VALUES (?1, ?2)")?;
        for parent in parents {
            insert.execute((parent, child))?;
            self.memory.edges += 1;
        }
        Ok(u32::try_from(parents.len()).unwrap_or(u32::MAX))
    }

    /// Removes edges and counts them.
    pub(super) fn cut(
        &mut self,
        sql: &str,
        params: impl rusqlite::Params,
    ) -> Result<usize, Trouble> {
        let cut = self.db.prepare_cached(sql)?.execute(params)?;
        self.memory.edges -= i64::try_from(cut).unwrap_or(0);
        Ok(cut)
    }
}

/// What a parent's end does to a child that does not go on.
pub(super) fn doom_of(child: &mut TaskRow, doom: ParentEnded) -> Cause {
    let (cause, reason) = match doom {
        ParentEnded::Skip => (Cause::Discard, "skipped"),
        _ => (Cause::Bury, BuryReason::ParentFailed.as_str()),
    };
    child.reason = Some(reason.to_owned());
    cause
}

/// Reads the stored number.
pub(super) fn on_parent_failure(number: u8) -> OnParentFailure {
    match number {
        1 => OnParentFailure::Skip,
        2 => OnParentFailure::Run,
        _ => OnParentFailure::Fail,
    }
}
