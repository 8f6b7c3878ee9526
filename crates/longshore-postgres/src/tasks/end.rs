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
    was_isolated: bool,
}

impl TaskRow {
    pub(super) fn before(&self) -> Before {
        let was_isolated = self.state == State::Running && self.runs == Runs::Isolated;
        Before { state: self.state, ready: self.ready, was_isolated }
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
        self.instance = None;
        self.runs = Runs::default();
        self.finished_at = Some(now.0);
    }

    /// Stands in the line of the ready, at the rank it has.
    pub(super) fn stand_ready(&mut self) {
        self.due = None;
        self.blocked = 0;
        self.ready = if self.crashes.is_suspect() { 2 } else { 1 };
    }

    /// The task gets another priority: the time it became ready counts on.
    pub(super) fn rerank(&mut self, priority: u8) {
        self.rank = self.rank.map(|old| rank(ready_at(old, self.priority), priority));
        self.priority = priority;
    }
}

impl Desk<'_> {
    pub(super) fn event(&self, row: &TaskRow) -> Event {
        Event {
            task: row.id,
            tenant: row.sort.tenant.clone(),
            queue: row.sort.queue.clone(),
            kind: row.sort.kind.clone(),
            state: row.state,
            at: self.now,
        }
    }

    /// Saves a row, and tells the counters, the outbox, and those who wait for work.
    pub(super) async fn save(&mut self, before: Before, row: &TaskRow) -> Result<(), Trouble> {
        self.write(row).await?;
        if before.state != row.state {
            self.marks.count(&row.sort, before.state as u8, -1);
            self.marks.count(&row.sort, row.state as u8, 1);
        }
        if before.ready != row.ready {
            self.marks.count_ready(&row.sort, before.ready, -1);
            self.marks.count_ready(&row.sort, row.ready, 1);
        }
        // Another suspect may run when one has stopped.
        if row.ready > 0 || before.was_isolated {
            self.after.woken.insert(row.sort.queue.clone());
        } else if before.state == State::Running && row.state != State::Running {
            self.after.room.insert(row.sort.queue.clone());
        }
        self.after.suspects |= row.ready == 2;
        self.mark(before.ready, row).await
    }

    /// Whether nobody stands before it in its lane.
    async fn lane_is_free(&self, row: &TaskRow) -> Result<bool, Trouble> {
        let (Some(key), Some(place)) = (&row.order_key, row.lane_place) else { return Ok(true) };
        let before = self
            .exists(
                "SELECT 1 FROM tasks WHERE tenant = $1 AND queue = $2 AND order_key = $3
                 AND lane_place IS NOT NULL AND lane_place < $4 LIMIT 1",
                &[&row.sort.tenant.as_str(), &row.sort.queue.as_str(), key, &place],
            )
            .await?;
        Ok(!before)
    }

    /// Finds out what a waiting task waits for; a ready one ranks by `ready_from`.
    pub(super) async fn place(
        &mut self,
        row: &mut TaskRow,
        ready_from: Timestamp,
    ) -> Result<(), Trouble> {
        let lane_is_free = self.lane_is_free(row).await?;
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

    /// Ends a task, saves it, and lets everything follow that follows from it.
    pub(super) async fn finish(
        &mut self,
        row: &mut TaskRow,
        before: Before,
        cause: Cause,
        others: &mut Vec<Event>,
    ) -> Result<(), Trouble> {
        row.go(cause)?;
        self.close(row, before).await?;
        let mut ended = vec![row.clone()];
        while let Some(row) = ended.pop() {
            self.let_lane_go(&row).await?;
            if row.has_children {
                self.judge_children(&row, &mut ended, others).await?;
            }
        }
        Ok(())
    }

    async fn close(&mut self, row: &mut TaskRow, before: Before) -> Result<(), Trouble> {
        row.lay_down(self.now);
        let place = row.lane_place.take();
        self.save(before, row).await?;
        row.lane_place = place; // for whoever lets the lane go
        Ok(())
    }

    async fn let_lane_go(&mut self, ended: &TaskRow) -> Result<(), Trouble> {
        let (Some(key), Some(_)) = (&ended.order_key, ended.lane_place) else { return Ok(()) };
        let first = self
            .row(
                "SELECT seq FROM tasks WHERE tenant = $1 AND queue = $2 AND order_key = $3
                 AND lane_place IS NOT NULL ORDER BY lane_place LIMIT 1",
                &[&ended.sort.tenant.as_str(), &ended.sort.queue.as_str(), key],
            )
            .await?;
        let Some(first) = first else { return Ok(()) };
        let Some(mut next) = self.load(first.try_get(0)?).await? else { return Ok(()) };
        if next.blocked == 2 {
            let before = next.before();
            self.place(&mut next, self.now).await?;
            self.save(before, &next).await?;
        }
        Ok(())
    }

    async fn judge_children(
        &mut self,
        parent: &TaskRow,
        ended: &mut Vec<TaskRow>,
        others: &mut Vec<Event>,
    ) -> Result<(), Trouble> {
        let edges = self
            .rows("DELETE FROM edges WHERE parent = $1 RETURNING child", &[&parent.seq])
            .await?;
        let mut children =
            edges.iter().map(|edge| edge.try_get(0)).collect::<Result<Vec<i64>, _>>()?;
        children.sort_unstable();
        self.lock_rows(&children).await?;
        for seq in children {
            let Some(mut child) = self.load(seq).await? else { continue };
            if child.state.is_end() {
                continue;
            }
            let before = child.before();
            match parent_ended(parent.state, on_parent_failure(child.on_parent_failure)) {
                ParentEnded::OneLess => {
                    child.open_parents = child.open_parents.saturating_sub(1);
                    if child.open_parents == 0 && child.blocked == 1 {
                        self.place(&mut child, self.now).await?;
                    }
                    self.save(before, &child).await?;
                }
                doom => {
                    self.cut_loose(&[seq]).await?;
                    let cause = doom_of(&mut child, doom);
                    child.go(cause)?;
                    self.close(&mut child, before).await?;
                    others.push(self.event(&child));
                    ended.push(child);
                }
            }
        }
        Ok(())
    }

    /// Lets tasks wait for no parent any more.
    pub(super) async fn cut_loose(&mut self, children: &[i64]) -> Result<(), Trouble> {
        self.execute("DELETE FROM edges WHERE child = ANY($1)", &[&children]).await?;
        Ok(())
    }

    /// Lets a task wait for parents, whose rows are locked; returns for how many.
    pub(super) async fn tie(&mut self, parents: &[i64], child: i64) -> Result<u32, Trouble> {
        self.execute(
            "INSERT INTO edges(parent, child) SELECT parent, $2 FROM unnest($1::int8[]) AS parent",
            &[&parents, &child],
        )
        .await?;
        self.execute("UPDATE tasks SET has_children = true WHERE seq = ANY($1)", &[&parents])
            .await?;
        Ok(u32::try_from(parents.len()).unwrap_or(u32::MAX))
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

/// The number that is stored.
pub(super) fn failure_number(on_failure: OnParentFailure) -> i16 {
    match on_failure {
        OnParentFailure::Fail => 0,
        OnParentFailure::Skip => 1,
        OnParentFailure::Run => 2,
    }
}
