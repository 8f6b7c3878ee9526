//! Taking a task in.

use super::desk::{Desk, millis};
use super::end::doom_of;
use super::fresh::NewRow;
use super::keys::Known;
use super::open::Opening;
use super::row::TaskRow;
use super::spec::Spec;
use crate::error::Trouble;
use crate::memory::Sort;
use crate::schema::INLINE;
use longshore_core::readiness::{
    OnParentFailure, ParentEnded, Readiness, parent_ended, rank, readiness,
};
use longshore_core::rescue::{Crashes, Runs};
use longshore_core::store::Refused;
use longshore_core::task::{Accepted, AcceptedHow, Durability};
use longshore_core::{Event, NewTask, State, TaskId, Timestamp};

/// What the parents of a new task say.
#[derive(Debug, Default)]
struct Parents {
    open: Vec<i64>,
    doom: Option<ParentEnded>,
}

/// What became of a task that was accepted. Whoever asked adds the names: to count their owners up here, and down
/// there, would cost each of the two threads more than the rest of the answer.
#[derive(Debug, Clone)]
pub(crate) enum Taken {
    New { state: State, run_at: Timestamp, created_at: Timestamp, others: Vec<Event> },
    Known(Box<Accepted>),
}

impl Taken {
    /// Returns the answer for `task`, which it stands for.
    pub(crate) fn accepted(self, task: &NewTask) -> Accepted {
        match self {
            Self::New { state, run_at, created_at, others } => Accepted {
                id: task.id,
                kind: task.kind.clone(),
                queue: task.queue.clone(),
                state,
                run_at,
                created_at,
                durability: Durability::Disk,
                how: AcceptedHow::New,
                others,
            },
            Self::Known(accepted) => *accepted,
        }
    }
}

impl Desk<'_> {
    /// Judges and accepts one task, for an answer that is given here.
    pub(crate) fn accept(&mut self, task: &NewTask) -> Result<Result<Accepted, Refused>, Trouble> {
        Ok(self.take(task)?.map(|taken| taken.accepted(task)))
    }

    /// Judges and accepts one task.
    pub(crate) fn take(&mut self, task: &NewTask) -> Result<Result<Taken, Refused>, Trouble> {
        let sort = self.sort_of(task)?;
        if let Some(key) = &task.idempotency
            && let Some(known) = self.known_key(sort.tenant, key)?
        {
            return Ok(match known {
                Known::Answer(answer) => Ok(Taken::Known(Box::new(answer))),
                Known::OtherBody => Err(Refused::KeyReused),
            });
        }
        let related = !task.after.is_empty() || task.unique.is_some();
        if related && self.id_is_taken(task.id)? {
            return Ok(Err(Refused::IdTaken { existing: task.id }));
        }
        if let Err(refused) = self.parents_of(task, sort)? {
            return Ok(Err(refused));
        }
        let mut others = Vec::new();
        if let Some(unique) = &task.unique {
            match self.settle_unique(task, sort, unique, &mut others)? {
                Ok(None) => {}
                Ok(Some(mut existing)) => {
                    existing.how = AcceptedHow::Existing;
                    self.bind_key(sort.tenant, task, &existing)?;
                    return Ok(Ok(Taken::Known(Box::new(existing))));
                }
                Err(refused) => return Ok(Err(refused)),
            }
        }
        if let Some(refused) = self.backlog_is_full(task, sort, 0) {
            // A repeated request is told so, not to come back later.
            let taken = !related && self.id_is_taken(task.id)?;
            return Ok(Err(if taken { Refused::IdTaken { existing: task.id } } else { refused }));
        }
        // Only now: a parent may be the very task that this one replaces.
        let parents = match self.parents_of(task, sort)? {
            Ok(parents) => parents,
            Err(refused) => return Ok(Err(refused)),
        };
        let Some(state) = self.insert(task, sort, parents)? else {
            return Ok(Err(Refused::IdTaken { existing: task.id }));
        };
        let run_at = task.run_at.unwrap_or(self.now);
        let taken = Taken::New { state, run_at, created_at: self.now, others };
        if task.idempotency.is_some() {
            let accepted = taken.clone().accepted(task);
            self.bind_key(sort.tenant, task, &accepted)?;
        }
        Ok(Ok(taken))
    }

    /// Refuses a task if too many wait in its queue, of which `leaving` make room for it.
    pub(super) fn backlog_is_full(
        &self,
        task: &NewTask,
        sort: Sort,
        leaving: u64,
    ) -> Option<Refused> {
        let most = task.backlog?;
        let waiting = self.memory.waiting(sort.queue);
        (waiting.saturating_sub(leaving) >= most)
            .then(|| Refused::BacklogFull { queue: task.queue.clone(), waiting })
    }

    fn id_is_taken(&mut self, id: TaskId) -> Result<bool, Trouble> {
        self.write_fresh()?;
        let mut select = self.db.prepare_cached("SELECT 1 FROM tasks WHERE id = ?1")?;
        Ok(select.exists([id.0.as_bytes()])?)
    }

    fn parents_of(
        &mut self,
        task: &NewTask,
        sort: Sort,
    ) -> Result<Result<Parents, Refused>, Trouble> {
        let mut parents = Parents::default();
        if !task.after.is_empty() {
            self.write_fresh()?;
        }
        for parent in &task.after {
            let found = TaskRow::by_id(self.db, *parent)?;
            let Some(row) = found.filter(|row| row.sort.tenant == sort.tenant) else {
                return Ok(Err(Refused::NoSuchParent { parent: *parent }));
            };
            if !row.state.is_end() {
                if !parents.open.contains(&row.seq) {
                    parents.open.push(row.seq);
                }
                continue;
            }
            match parent_ended(row.state, task.on_parent_failure) {
                ParentEnded::OneLess => {}
                doom => parents.doom = parents.doom.or(Some(doom)),
            }
        }
        Ok(Ok(parents))
    }

    /// Writes the row; nothing if the id is taken. Returns the state it is accepted in.
    fn insert(
        &mut self,
        task: &NewTask,
        sort: Sort,
        parents: Parents,
    ) -> Result<Option<State>, Trouble> {
        let seq = self.next_seq()?;
        let mut row = self.row_of(task, sort, seq, &parents)?;
        let state = row.state;
        let taker = if row.ready == 1 { self.taker_for(sort) } else { None };
        let opening = taker.map(|taker| self.opening_for(taker, &mut row));
        let body = Some(task.payload.as_bytes()).filter(|body| body.len() <= INLINE);
        row.big = u8::from(body.is_none());
        let group = task.group.map(|group| *group.as_bytes());
        let at_once = self.may_be_taken(task);
        if at_once && !self.fresh.write(self.db, NewRow { row: &row, group, body })? {
            self.memory.held.remove(&seq);
            return Ok(None);
        }
        if body.is_none() {
            self.keep_body(2 * seq, task.payload.as_bytes())?;
        }
        self.note_new(&row, &parents)?;
        if let (Some(taker), Some(opening)) = (taker, opening) {
            self.hand_over(taker, opening, &row, task);
        }
        if let Some(unique) = &task.unique {
            self.hold_unique(sort, &unique.key, unique.hold, seq, self.now)?;
        }
        if !at_once {
            self.fresh.add(row, group, body);
        }
        Ok(Some(state))
    }

    fn row_of(
        &mut self,
        task: &NewTask,
        sort: Sort,
        seq: i64,
        parents: &Parents,
    ) -> Result<TaskRow, Trouble> {
        let now = self.now;
        let later = task.run_at.filter(|at| *at > now);
        let spec = Spec::of(task).map(|spec| serde_json::to_string(&spec)).transpose()?;
        let expires_in = task.expires_in.map(|span| millis(span.0));
        let mut row = TaskRow {
            seq,
            id: task.id,
            sort,
            state: if later.is_some() { State::Scheduled } else { State::Pending },
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
            lease: None,
            crashes: Crashes::default(),
            runs: Runs::default(),
            cancel_grace: None,
            created_at: now.0,
            run_at: task.run_at.unwrap_or(now).0,
            began_at: None,
            started_at: None,
            finished_at: None,
            timeout: millis(task.timeout.0),
            total_timeout: task.total_timeout.map(|span| millis(span.0)),
            expires_in,
            order_key: task.order_key.clone(),
            lane_place: task.order_key.as_ref().map(|_| seq),
            open_parents: u32::try_from(parents.open.len()).unwrap_or(u32::MAX),
            on_parent_failure: match task.on_parent_failure {
                OnParentFailure::Fail => 0,
                OnParentFailure::Skip => 1,
                OnParentFailure::Run => 2,
            },
            spec,
            reason: None,
            error: None,
            progress: None,
            big: 0,
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
        let lane_is_free = match &row.order_key {
            Some(key) => self.lane_is_empty(sort, key)?,
            None => true,
        };
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

    fn lane_is_empty(&mut self, sort: Sort, key: &str) -> Result<bool, Trouble> {
        if let Some(alive) = self.memory.lanes.alive(sort, key) {
            return Ok(alive == 0);
        }
        self.write_fresh()?;
        let mut select = self.db.prepare_cached(
            "SELECT 1 FROM tasks WHERE tenant = ?1 AND queue = ?2 AND order_key = ?3
             AND lane_place IS NOT NULL LIMIT 1",
        )?;
        let is_empty = !select.exists((sort.tenant, sort.queue, key))?;
        if is_empty {
            self.memory.lanes.learn_empty(sort, key);
        }
        Ok(is_empty)
    }

    /// Tells the memory and the side tables of a new row.
    fn note_new(&mut self, row: &TaskRow, parents: &Parents) -> Result<(), Trouble> {
        self.memory.count(row.sort, row.state as u8, 1);
        if let (Some(key), Some(_)) = (&row.order_key, row.lane_place) {
            self.memory.lanes.join(row.sort, key);
        }
        if row.ready > 0 {
            self.memory.enter(row.sort, row.ready, row.rank.unwrap_or(0), row.seq);
            if self.memory.carriers.contains(&row.sort.queue) {
                self.mark(0, row)?;
            }
        }
        if let Some(due) = row.due {
            self.memory.next_due = self.memory.next_due.min(due);
        }
        if let Some(at) = row.expires_at {
            self.memory.next_expiry = self.memory.next_expiry.min(at);
        }
        if parents.doom.is_none() && !parents.open.is_empty() {
            self.tie(&parents.open, row.seq)?;
        }
        Ok(())
    }

    /// Finds a waiting claim that may have the task at once: nothing else is ready for it, and
    /// nothing better comes in behind this one.
    fn taker_for(&self, sort: Sort) -> Option<usize> {
        if self.memory.is_paused(sort) || self.memory.carriers.contains(&sort.queue) {
            return None;
        }
        let lines = self.memory.lines.get(&sort.queue);
        self.takers.iter().position(|taker| {
            taker.queue == sort.queue
                && self.room(taker) > 0
                && taker.wants(sort)
                && self.incoming.is_in_order_for(self.room(taker) + taker.given.len())
                && lines.is_none_or(|lines| !lines.keys().any(|(sort, _)| taker.wants(*sort)))
        })
    }

    fn opening_for(&mut self, taker: usize, row: &mut TaskRow) -> Opening {
        let (hold, worker) = (self.takers[taker].hold_of(row.sort.kind), self.takers[taker].worker);
        let opening = self.opening(hold, row);
        row.state = State::Running;
        row.ready = 0;
        row.expires_at = None;
        row.openings = 1;
        row.token = Some(opening.token.number());
        row.worker = Some(worker);
        row.lease = opening.lasts.map(millis);
        row.runs = opening.runs;
        row.began_at = Some(self.now.0);
        row.started_at = Some(self.now.0);
        opening
    }

    fn hand_over(&mut self, taker: usize, opening: Opening, row: &TaskRow, task: &NewTask) {
        let names = (task.kind.clone(), task.queue.clone(), task.tenant.clone());
        let carried = (task.headers.clone(), task.traceparent.clone());
        let leased = self.leased(row, opening, names, task.payload.clone(), carried);
        self.spend(row.sort.queue, self.takers[taker].rate);
        let taker = &mut self.takers[taker];
        taker.left -= 1;
        taker.given.push(leased);
    }

    /// Reads how a task stands, as an accept would answer it.
    pub(super) fn answer_for(&self, row: &TaskRow) -> Result<Accepted, Trouble> {
        Ok(Accepted {
            id: row.id,
            kind: self.names.kind(row.sort.kind)?,
            queue: self.names.queue(row.sort.queue)?,
            state: row.state,
            run_at: Timestamp(row.run_at),
            created_at: Timestamp(row.created_at),
            durability: Durability::Disk,
            how: AcceptedHow::Existing,
            others: Vec::new(),
        })
    }
}
