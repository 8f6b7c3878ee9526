//! Schedules, and the one task of each slot.

use super::books::Books;
use super::store::ModelStore;
use async_trait::async_trait;
use longshore_core::store::{Fired, Firing, Refused, Result, Schedule, Schedules};
use longshore_core::{TaskId, TenantName, Timestamp};
use uuid::Uuid;

impl Books {
    fn put_schedule(
        &mut self,
        mut new: Schedule,
        before: Option<u64>,
        now: Timestamp,
    ) -> Result<Schedule, Refused> {
        let there = self.schedules.get(&new.id);
        match (there, before) {
            (Some(_), None) => return Err(Refused::IdTaken { existing: TaskId(new.id) }),
            (None, None) => (new.version, new.created_at) = (1, now),
            (None, Some(_)) => return Err(Refused::NotFound),
            (Some(there), Some(before)) => {
                if there.tenant != new.tenant {
                    return Err(Refused::NotFound);
                }
                if there.version != before {
                    return Err(Refused::Changed);
                }
                (new.version, new.created_at) = (before + 1, there.created_at);
                new.last_slot = there.last_slot;
            }
        }
        self.schedules.insert(new.id, new.clone());
        Ok(new)
    }

    /// Those that make something, by their next slot.
    fn by_next_slot(&self) -> Vec<(Timestamp, &Schedule)> {
        let all = self.schedules.values().filter(|schedule| !schedule.paused);
        let mut all: Vec<_> = all.filter_map(|one| Some((one.next_slot?, one))).collect();
        all.sort_by_key(|(next, schedule)| (*next, schedule.id));
        all
    }

    fn fire(&mut self, firing: Firing, now: Timestamp) -> Fired {
        let Some(schedule) = self.schedules.get_mut(&firing.id) else { return Fired::Stale };
        let is_as_read =
            schedule.version == firing.version && schedule.next_slot == Some(firing.slot);
        if !is_as_read || schedule.paused {
            return Fired::Stale;
        }
        schedule.last_slot = Some(firing.slot);
        schedule.next_slot = firing.next;
        Fired::Done(firing.task.map(|task| self.accept(task.into_inner(), now)))
    }
}

#[async_trait]
impl Schedules for ModelStore {
    async fn put_schedule(
        &self,
        schedule: Schedule,
        before: Option<u64>,
    ) -> Result<Result<Schedule, Refused>> {
        self.change(|books, now| books.put_schedule(schedule, before, now))
    }

    async fn remove_schedule(&self, tenant: &TenantName, id: Uuid) -> Result<bool> {
        self.change(|books, _| {
            let is_theirs = books.schedules.get(&id).is_some_and(|one| one.tenant == *tenant);
            is_theirs && books.schedules.remove(&id).is_some()
        })
    }

    async fn schedules(&self, tenant: Option<TenantName>) -> Result<Vec<Schedule>> {
        let books = self.books()?;
        let theirs = |one: &&Schedule| tenant.as_ref().is_none_or(|tenant| one.tenant == *tenant);
        Ok(books.schedules.values().filter(theirs).cloned().collect())
    }

    async fn due_schedules(&self, limit: usize) -> Result<(Vec<Schedule>, Option<Timestamp>)> {
        let now = self.clock().now();
        let books = self.books()?;
        let all = books.by_next_slot();
        let due = all.iter().take_while(|(next, _)| *next <= now).take(limit);
        let due: Vec<Schedule> = due.map(|(_, schedule)| (*schedule).clone()).collect();
        let next = all.get(due.len()).map(|(next, _)| *next);
        Ok((due, next))
    }

    async fn fire(&self, firings: Vec<Firing>) -> Result<Vec<Fired>> {
        self.change(|books, now| {
            firings.into_iter().map(|firing| books.fire(firing, now)).collect()
        })
    }
}
