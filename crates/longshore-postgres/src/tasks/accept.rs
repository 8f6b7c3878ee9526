//! Taking a task in that has to be looked at: its key, its parents, its lane, who holds its `unique` key. Others go
//! [by one statement](super::plain).

use super::desk::{Desk, millis};
use super::end::{doom_of, failure_number};
use super::marks::ROW_BYTES;
use super::row::TaskRow;
use super::sort::Sort;
use super::spec::Spec;
use crate::base::Base;
use crate::error::Trouble;
use crate::index::{find_by_id, find_by_ids, own_place, own_places};
use longshore_core::readiness::{ParentEnded, Readiness, parent_ended, rank, readiness};
use longshore_core::rescue::{Crashes, Runs};
use longshore_core::store::Refused;
use longshore_core::task::{Accepted, AcceptedHow};
use longshore_core::{NewTask, State, TaskId, Timestamp};
use std::collections::HashMap;
use tokio_postgres::types::ToSql;

/// What the parents of a new task say.
#[derive(Debug, Default)]
struct Parents {
    open: Vec<i64>,
    doom: Option<ParentEnded>,
}

pub(super) fn state_of(task: &NewTask, now: Timestamp) -> State {
    if task.run_at.is_some_and(|at| at > now) { State::Scheduled } else { State::Pending }
}

pub(super) fn accepted(task: &NewTask, now: Timestamp, base: &Base, state: State) -> Accepted {
    Accepted {
        id: task.id,
        kind: task.kind.clone(),
        queue: task.queue.clone(),
        state,
        run_at: task.run_at.unwrap_or(now),
        created_at: now,
        durability: base.durability,
        how: AcceptedHow::New,
        others: Vec::new(),
    }
}

/// Writes a row; none if the id, or the place that is asked for, is taken.
const INSERT: &str = "
INSERT INTO tasks(seq, lane_place, id, tenant, queue, kind, state, ready, rank, due, blocked, expires_at, priority,
    max_attempts, created_at, run_at, finished_at, timeout, total_timeout, expires_in, order_key, open_parents,
    on_parent_failure, group_id, spec, reason, payload)
VALUES (coalesce($27, drawn_place()), CASE WHEN $1 THEN nextval('task_seq') END, $2, $3, $4, $5, $6, $7, $8, $9, $10,
    $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26)
ON CONFLICT DO NOTHING RETURNING seq";

impl Desk<'_> {
    /// Judges and accepts one task, whose names are [locked](Desk::lock_accepts).
    pub(crate) async fn accept(
        &mut self,
        task: &NewTask,
    ) -> Result<Result<Accepted, Refused>, Trouble> {
        let sort = Sort::of(task);
        if let Some(key) = &task.idempotency
            && let Some(answer) = self.replay(&sort.tenant, key).await?
        {
            return Ok(answer);
        }
        let related = !task.after.is_empty() || task.unique.is_some();
        if related && self.id_is_taken(task.id).await? {
            return Ok(Err(Refused::IdTaken { existing: task.id }));
        }
        if let Err(refused) = self.parents_of(task).await? {
            return Ok(Err(refused));
        }
        let mut others = Vec::new();
        if let Some(unique) = &task.unique {
            match self.settle_unique(task, &sort, unique, &mut others).await? {
                Ok(None) => {}
                Ok(Some(existing)) => {
                    self.bind_key(task, &existing).await?;
                    return Ok(Ok(existing));
                }
                Err(refused) => return Ok(Err(refused)),
            }
        }
        if let Some(refused) = self.backlog_is_full(task, 0).await? {
            // A repeated request is told so, not to come back later.
            let taken = !related && self.id_is_taken(task.id).await?;
            return Ok(Err(if taken { Refused::IdTaken { existing: task.id } } else { refused }));
        }
        // Only now: a parent may be the very task that this one replaces.
        let parents = match self.parents_of(task).await? {
            Ok(parents) => parents,
            Err(refused) => return Ok(Err(refused)),
        };
        let Some(state) = self.insert(task, &sort, parents).await? else {
            return Ok(Err(Refused::IdTaken { existing: task.id }));
        };
        let accepted = Accepted { others, ..accepted(task, self.now, &self.base, state) };
        self.bind_key(task, &accepted).await?;
        Ok(Ok(accepted))
    }

    /// Refuses a task if too many wait in its queue, of which `leaving` make room for it.
    pub(super) async fn backlog_is_full(
        &mut self,
        task: &NewTask,
        leaving: i64,
    ) -> Result<Option<Refused>, Trouble> {
        let Some(most) = task.backlog else { return Ok(None) };
        let before = match self.waiting.get(&task.queue) {
            Some(before) => *before,
            None => {
                let row = self
                    .row(
                        "SELECT coalesce(sum(n), 0)::int8 FROM counts
                         WHERE queue = $1 AND state IN (0, 1, 3)",
                        &[&task.queue.as_str()],
                    )
                    .await?;
                let before = row.map_or(Ok(0), |row| row.try_get(0))?;
                self.waiting.insert(task.queue.clone(), before);
                before
            }
        };
        let waiting = (before + self.marks.waiting(&task.queue)).max(0).unsigned_abs();
        let counted = waiting.saturating_sub(leaving.unsigned_abs());
        Ok((counted >= most).then(|| Refused::BacklogFull { queue: task.queue.clone(), waiting }))
    }

    async fn id_is_taken(&self, id: TaskId) -> Result<bool, Trouble> {
        self.exists(find_by_id!(), &[&id.0, &own_place(id)]).await
    }

    /// Looks at the parents, and locks them: none ends before the child is tied to it.
    async fn parents_of(&mut self, task: &NewTask) -> Result<Result<Parents, Refused>, Trouble> {
        let mut parents = Parents::default();
        if task.after.is_empty() {
            return Ok(Ok(parents));
        }
        let (ids, places) = own_places(&task.after);
        let rows = self
            .rows(
                concat!(
                    "SELECT id, seq, state FROM tasks WHERE seq IN (",
                    find_by_ids!(),
                    ") AND tenant = $3 ORDER BY seq FOR UPDATE"
                ),
                &[&ids, &places, &task.tenant.as_str()],
            )
            .await?;
        let mut found = HashMap::new();
        for row in &rows {
            let state = u8::try_from(row.try_get::<_, i16>(2)?).ok().and_then(State::from_number);
            found.insert(TaskId(row.try_get(0)?), (row.try_get::<_, i64>(1)?, state));
        }
        for parent in &task.after {
            let Some((seq, Some(state))) = found.get(parent).copied() else {
                return Ok(Err(Refused::NoSuchParent { parent: *parent }));
            };
            if !state.is_end() {
                if !parents.open.contains(&seq) {
                    parents.open.push(seq);
                }
                continue;
            }
            match parent_ended(state, task.on_parent_failure) {
                ParentEnded::OneLess => {}
                doom => parents.doom = parents.doom.or(Some(doom)),
            }
        }
        Ok(Ok(parents))
    }

    /// Writes the row; nothing if the id is taken. Returns the state it is accepted in.
    async fn insert(
        &mut self,
        task: &NewTask,
        sort: &Sort,
        parents: Parents,
    ) -> Result<Option<State>, Trouble> {
        let mut row = self.row_of(task, sort, &parents).await?;
        let number = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
        let mut place = own_place(task.id);
        // Whoever has it may lie apart from where it leads.
        if task.id_is_chosen && place.is_some() && self.id_is_taken(task.id).await? {
            return Ok(None);
        }
        let inserted = loop {
            let values: [&(dyn ToSql + Sync); 27] = [
                &row.lane_place.is_some(),
                &row.id.0,
                &sort.tenant.as_str(),
                &sort.queue.as_str(),
                &sort.kind.as_str(),
                &(row.state as i16),
                &i16::from(row.ready),
                &row.rank,
                &row.due,
                &i16::from(row.blocked),
                &row.expires_at,
                &i16::from(row.priority),
                &number(row.max_attempts),
                &row.created_at,
                &row.run_at,
                &row.finished_at,
                &row.timeout,
                &row.total_timeout,
                &row.expires_in,
                &row.order_key,
                &number(row.open_parents),
                &i16::from(row.on_parent_failure),
                &row.group,
                &row.spec,
                &row.reason,
                &task.payload.as_bytes(),
                &place,
            ];
            let inserted = self.row(INSERT, &values).await?;
            // Another task may lie where the id leads.
            if inserted.is_some() || place.is_none() || self.id_is_taken(task.id).await? {
                break inserted;
            }
            place = None;
        };
        let Some(inserted) = inserted else { return Ok(None) };
        row.seq = inserted.try_get(0)?;
        self.marks.count(sort, row.state as u8, 1);
        let bytes = i64::try_from(task.payload.as_bytes().len()).unwrap_or(i64::MAX);
        self.marks.weigh(sort, row.state as u8, ROW_BYTES + bytes);
        if row.ready > 0 {
            self.marks.count_ready(sort, row.ready, 1);
            self.after.woken.insert(sort.queue.clone());
            self.mark(0, &row).await?;
        }
        if parents.doom.is_none() && !parents.open.is_empty() {
            self.tie(&parents.open, row.seq).await?;
        }
        if let Some(unique) = &task.unique {
            self.hold_unique(sort, &unique.key, unique.hold, row.seq, self.now).await?;
        }
        Ok(Some(row.state))
    }

    /// The row of a new task. Its place is given when it is written; a lane has it then.
    async fn row_of(
        &mut self,
        task: &NewTask,
        sort: &Sort,
        parents: &Parents,
    ) -> Result<TaskRow, Trouble> {
        let now = self.now;
        let later = task.run_at.filter(|at| *at > now);
        let expires_in = task.expires_in.map(|span| millis(span.0));
        let mut row = TaskRow {
            seq: 0,
            id: task.id,
            sort: sort.clone(),
            state: state_of(task, now),
            ready: 0,
            rank: None,
            due: None,
            blocked: 0,
            expires_at: expires_in.map(|span| now.0.saturating_add(span)),
            priority: task.priority,
            run: 1,
            attempt: 1,
            max_attempts: task.max_attempts,
            openings: 0,
            token: None,
            worker: None,
            instance: None,
            lease: None,
            crashes: Crashes::default(),
            runs: Runs::default(),
            cancel_grace: None,
            cancels: 0,
            created_at: now.0,
            run_at: task.run_at.unwrap_or(now).0,
            began_at: None,
            started_at: None,
            finished_at: None,
            timeout: millis(task.timeout.0),
            total_timeout: task.total_timeout.map(|span| millis(span.0)),
            expires_in,
            order_key: task.order_key.as_ref().map(|key| key.as_bytes().to_vec()),
            lane_place: task.order_key.as_ref().map(|_| 0),
            open_parents: u32::try_from(parents.open.len()).unwrap_or(u32::MAX),
            on_parent_failure: u8::try_from(failure_number(task.on_parent_failure)).unwrap_or(0),
            has_children: false,
            spec: Spec::of(task).map(|spec| serde_json::to_string(&spec)).transpose()?,
            reason: None,
            error: None,
            progress: None,
            group: task.group,
            renewals: 0,
        };
        if let Some(doom) = parents.doom {
            let cause = doom_of(&mut row, doom);
            row.go(cause)?;
            row.finished_at = Some(now.0);
            row.expires_at = None;
            row.lane_place = None;
            row.open_parents = 0;
            return Ok(row);
        }
        let lane_is_free = row.order_key.is_none() || self.lane_is_empty(&row).await?;
        match readiness(now, later, row.open_parents, lane_is_free) {
            Readiness::Due(at) => row.due = Some(at.0),
            Readiness::Blocked(by) => row.blocked = by as u8 + 1,
            Readiness::Ready => {
                row.rank = Some(rank(now, task.priority));
                row.ready = 1;
            }
        }
        Ok(row)
    }

    async fn lane_is_empty(&self, row: &TaskRow) -> Result<bool, Trouble> {
        let somebody = self
            .exists(
                "SELECT 1 FROM tasks WHERE tenant = $1 AND queue = $2 AND order_key = $3
                 AND lane_place IS NOT NULL LIMIT 1",
                &[&row.sort.tenant.as_str(), &row.sort.queue.as_str(), &row.order_key],
            )
            .await?;
        Ok(!somebody)
    }
}
