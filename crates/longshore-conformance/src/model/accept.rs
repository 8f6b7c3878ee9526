//! Accept: idempotency keys, ids, parents, unique keys.

use super::books::{Answer, Books, RequestName, UniqueName, judge_parent};
use super::row::Row;
use super::store::ModelStore;
use async_trait::async_trait;
use longshore_core::state::Cause;
use longshore_core::store::{Act, Acted, Intake, Refused, Result};
use longshore_core::task::{
    Accepted, AcceptedHow, Durability, Idempotency, OnConflict, Seq, Unique, UniqueWhile,
};
use longshore_core::{Event, NewTask, State, Task, TaskId, TenantName, Timestamp, Valid};

impl Books {
    /// Accepts one task, or answers why not.
    pub(super) fn accept(&mut self, new: NewTask, now: Timestamp) -> Result<Accepted, Refused> {
        let request = new.idempotency.clone().map(|key| (new.tenant.clone(), key));
        if let Some((tenant, key)) = &request
            && let Some(answer) = self.replay(tenant, key, now)
        {
            return answer;
        }
        let accepted = self.admit(new, now)?;
        if let Some((tenant, key)) = request {
            let answer =
                Answer { fingerprint: key.fingerprint, accepted: accepted.clone(), at: now };
            self.answers.insert(request_name(&tenant, &key), answer);
        }
        Ok(accepted)
    }

    /// Looks up what a request was answered with.
    pub(super) fn replay(
        &self,
        tenant: &TenantName,
        key: &Idempotency,
        now: Timestamp,
    ) -> Option<Result<Accepted, Refused>> {
        let answer = self.answers.get(&request_name(tenant, key))?;
        if answer.is_over(now) {
            return None;
        }
        if answer.fingerprint != key.fingerprint {
            return Some(Err(Refused::KeyReused));
        }
        // What happened to others happened then, not now.
        let others = Vec::new();
        let accepted = answer.accepted.clone();
        Some(Ok(Accepted { how: accepted.how.again(), others, ..accepted }))
    }

    fn admit(&mut self, new: NewTask, now: Timestamp) -> Result<Accepted, Refused> {
        if self.find(new.id).is_some() {
            return Err(Refused::IdTaken { existing: new.id });
        }
        if let Some(parent) = new.after.iter().find(|id| self.find_of(&new.tenant, **id).is_none())
        {
            return Err(Refused::NoSuchParent { parent: *parent });
        }
        let mut others = Vec::new();
        if let Some(unique) = &new.unique {
            let name = (new.tenant.clone(), new.kind.clone(), unique.key.clone());
            if let Some(holder) = self.conflict(&name, now) {
                match unique.on_conflict {
                    OnConflict::Existing => {
                        let task = &self.rows[holder].task;
                        return Ok(accepted(task, AcceptedHow::Existing, Vec::new()));
                    }
                    OnConflict::Replace if self.rows[holder].is_waiting() => {
                        let leaves = self.rows[holder].task.queue == new.queue;
                        self.check_backlog(&new, u64::from(leaves))?;
                        others = self.replace(holder, now);
                    }
                    OnConflict::Reject | OnConflict::Replace => {
                        return Err(Refused::UniqueTaken { existing: self.rows[holder].task.id });
                    }
                }
            }
            self.check_backlog(&new, 0)?;
            self.holders.insert(name, new.id);
        }
        self.check_backlog(&new, 0)?;
        let row = self.insert(new, now);
        Ok(accepted(&row.task, AcceptedHow::New, others))
    }

    /// Refuses a task if too many wait in its queue, of which `leaving` make room for it.
    fn check_backlog(&self, new: &NewTask, leaving: u64) -> Result<(), Refused> {
        let Some(most) = new.backlog else { return Ok(()) };
        let waits = |row: &&Row| row.task.queue == new.queue && row.is_waiting();
        let waiting = self.rows.iter().filter(waits).count() as u64;
        if waiting - leaving >= most {
            return Err(Refused::BacklogFull { queue: new.queue.clone(), waiting });
        }
        Ok(())
    }

    /// Returns the holder of a unique key, if it still conflicts.
    pub(super) fn conflict(&self, name: &UniqueName, now: Timestamp) -> Option<usize> {
        let holder = self.find(*self.holders.get(name)?)?;
        let Row { task, unique, .. } = &self.rows[holder];
        let Unique { hold, .. } = unique.as_ref()?;
        let conflicts = match hold {
            UniqueWhile::Queued => matches!(task.state, State::Scheduled | State::Pending),
            UniqueWhile::Active => !task.state.is_end(),
            UniqueWhile::Window(window) => now < task.created_at.after(*window),
        };
        conflicts.then_some(holder)
    }

    fn replace(&mut self, holder: usize, now: Timestamp) -> Vec<Event> {
        let row = &mut self.rows[holder];
        row.end(Cause::Discard, Some("replaced"), now);
        let mut events = vec![row.event(now)];
        events.extend(self.tell_children(vec![events[0].task], now));
        events
    }

    /// Writes the task down. Parents that have ended are judged here, so that one which was just
    /// replaced counts as ended.
    fn insert(&mut self, new: NewTask, now: Timestamp) -> &Row {
        self.last_seq += 1;
        let place = self.next_place();
        let mut row = Row::accepted(new, Seq(self.last_seq), place, now);
        let parents: Vec<(TaskId, State)> = row
            .task
            .parents
            .iter()
            .map(|id| {
                let parent = self.find(*id).expect("parents were looked up");
                (*id, self.rows[parent].task.state)
            })
            .collect();
        for (id, state) in parents {
            if !state.is_end() {
                row.open_parents.insert(id);
            } else if row.is_waiting() {
                judge_parent(&mut row, state, now);
            }
        }
        self.rows.push(row);
        self.rows.last().expect("just pushed")
    }
}

impl Answer {
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        now.since(self.at) > Idempotency::KEPT
    }
}

fn request_name(tenant: &TenantName, key: &Idempotency) -> RequestName {
    (tenant.clone(), key.route, key.key.clone())
}

fn accepted(task: &Task, how: AcceptedHow, others: Vec<Event>) -> Accepted {
    Accepted {
        id: task.id,
        kind: task.kind.clone(),
        queue: task.queue.clone(),
        state: task.state,
        run_at: task.run_at,
        created_at: task.created_at,
        durability: Durability::None,
        how,
        others,
    }
}

#[async_trait]
impl Intake for ModelStore {
    async fn accept(&self, tasks: Vec<Valid<NewTask>>) -> Result<Vec<Result<Accepted, Refused>>> {
        self.change(|books, now| {
            tasks.into_iter().map(|task| books.accept(task.into_inner(), now)).collect()
        })
    }

    async fn replay(
        &self,
        tenant: TenantName,
        key: Idempotency,
    ) -> Result<Option<Result<Accepted, Refused>>> {
        let now = self.clock().now();
        Ok(self.books()?.replay(&tenant, &key, now))
    }

    async fn act(&self, acts: Vec<Act>) -> Result<Vec<Result<Acted, Refused>>> {
        let monotonic = self.clock().monotonic();
        self.change(|books, now| {
            acts.into_iter().map(|act| books.act(act, now, monotonic)).collect()
        })
    }
}
