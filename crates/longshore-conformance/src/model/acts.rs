//! Acts: what operators and clients do to tasks from outside.

use super::books::Books;
use super::row::{Deadline, Row};
use longshore_core::rescue::Crashes;
use longshore_core::state::Cause;
use longshore_core::store::{Act, ActKind, Acted, AuditLine, Refused};
use longshore_core::{QueueName, State, TaskId, TenantName, Timestamp};
use std::time::Duration;

type Result<T> = std::result::Result<T, Refused>;

impl Books {
    /// Does one act, and leaves a line in the audit log if it was possible.
    pub(super) fn act(&mut self, act: Act, now: Timestamp, monotonic: Duration) -> Result<Acted> {
        let Act { by, tenant, what } = act;
        let before = self.shown(&tenant, &what);
        let acted = self.perform(&tenant, &what, now, monotonic)?;
        let (before, after) = match &what {
            ActKind::Note { before, after, .. } => (before.clone(), after.clone()),
            what => (before, self.shown(&tenant, what)),
        };
        let (act, target) = (what.word().to_owned(), what.target());
        self.note(AuditLine {
            number: 0,
            at: now,
            by,
            tenant,
            act,
            target,
            before,
            after,
            count: acted.count,
            hash: [0; 32],
        });
        Ok(acted)
    }

    fn perform(
        &mut self,
        tenant: &TenantName,
        what: &ActKind,
        now: Timestamp,
        monotonic: Duration,
    ) -> Result<Acted> {
        match what {
            ActKind::Cancel { id, grace } => self.cancel(tenant, *id, *grace, now, monotonic),
            ActKind::Discard { id } => {
                let i = self.find_of(tenant, *id).ok_or(Refused::NotFound)?;
                if self.rows[i].task.state == State::Running {
                    return Err(Refused::WrongState { state: State::Running });
                }
                self.throw_away(i, Cause::Discard, "discarded", now)
            }
            ActKind::Reopen { id } => self.reopen(tenant, *id, now),
            ActKind::Reprioritise { id, priority } => {
                let i = self.find_of(tenant, *id).ok_or(Refused::NotFound)?;
                let row = &mut self.rows[i];
                if !row.is_waiting() {
                    return Err(Refused::WrongState { state: row.task.state });
                }
                row.task.priority = *priority;
                Ok(touched(row))
            }
            ActKind::Purge(queue) => Ok(self.purge(tenant, queue, now)),
            control => {
                self.control(control);
                Ok(Acted::default())
            }
        }
    }

    fn control(&mut self, what: &ActKind) {
        match what {
            ActKind::Pause(scope) => {
                self.paused.insert(scope.clone());
            }
            ActKind::Resume(scope) => {
                self.paused.remove(scope);
            }
            ActKind::Carry { queue, carrier } => self.carry(queue.clone(), carrier.clone()),
            ActKind::Configure { queue, settings: Some(settings) } => {
                self.settings.insert(queue.clone(), settings.clone());
            }
            ActKind::Configure { queue, settings: None } => {
                self.settings.remove(queue);
            }
            _ => {}
        }
    }

    fn cancel(
        &mut self,
        tenant: &TenantName,
        id: TaskId,
        grace: Duration,
        now: Timestamp,
        monotonic: Duration,
    ) -> Result<Acted> {
        let i = self.find_of(tenant, id).ok_or(Refused::NotFound)?;
        let row = &mut self.rows[i];
        if let Some(held) = &mut row.held {
            let asked = Deadline::starting(monotonic, grace);
            // A second cancel may shorten the grace, never lengthen it.
            held.cancel = Some(match held.cancel {
                Some(before) if before.until < asked.until => before,
                _ => asked,
            });
            return Ok(touched(row));
        }
        self.throw_away(i, Cause::Cancel, "cancelled", now)
    }

    fn throw_away(&mut self, i: usize, by: Cause, why: &str, now: Timestamp) -> Result<Acted> {
        let row = &mut self.rows[i];
        if row.task.state.after(by).is_none() {
            return Err(Refused::WrongState { state: row.task.state });
        }
        row.end(by, Some(why), now);
        let mut acted = touched(row);
        acted.events.push(row.event(now));
        let id = row.task.id;
        acted.events.extend(self.tell_children(vec![id], now));
        Ok(acted)
    }

    fn reopen(&mut self, tenant: &TenantName, id: TaskId, now: Timestamp) -> Result<Acted> {
        let i = self.find_of(tenant, id).ok_or(Refused::NotFound)?;
        let Row { task, unique, .. } = &self.rows[i];
        if task.state.after(Cause::Reopen).is_none() {
            return Err(Refused::WrongState { state: task.state });
        }
        if let Some(unique) = unique {
            let name = (tenant.clone(), task.kind.clone(), unique.key.clone());
            if let Some(holder) = self.conflict(&name, now).filter(|holder| *holder != i) {
                return Err(Refused::UniqueTaken { existing: self.rows[holder].task.id });
            }
            self.holders.insert(name, id);
        }
        let place = self.next_place();
        let open_parents = self.open_among(&self.rows[i].task.parents);
        let row = &mut self.rows[i];
        row.step(Cause::Reopen);
        // A parent that was itself reopened is waited for again.
        row.open_parents = open_parents;
        row.place = place;
        row.ready_at = now;
        row.run_opened_at = None;
        row.remember(Crashes { suspicion: 0, charges: 0, ..row.crashes });
        row.task.run += 1;
        row.task.attempt = 1;
        row.task.run_at = now;
        row.task.expires_at = row.expires_in.map(|span| now.after(span.0));
        row.task.result = None;
        row.task.reason = None;
        row.task.started_at = None;
        row.task.finished_at = None;
        self.refresh(now);
        let row = &self.rows[i];
        Ok(Acted { events: vec![row.event(now)], ..touched(row) })
    }

    /// All that waits is cancelled first, and only then do children hear of it: a child in the
    /// same queue is purged, not failed.
    fn purge(&mut self, tenant: &TenantName, queue: &QueueName, now: Timestamp) -> Acted {
        let mut acted = Acted::default();
        let mut ended = Vec::new();
        for row in &mut self.rows {
            if row.task.tenant == *tenant && row.task.queue == *queue && row.is_waiting() {
                row.end(Cause::Discard, Some("purged"), now);
                acted.count += 1;
                acted.events.push(row.event(now));
                ended.push(row.task.id);
            }
        }
        acted.events.extend(self.tell_children(ended, now));
        acted
    }

    fn carry(&mut self, queue: QueueName, carrier: Option<String>) {
        if self.carried.get(&queue) == carrier.as_ref() {
            return;
        }
        // Another broker has none of what the one before was given.
        for row in self.rows.iter_mut().filter(|row| row.task.queue == queue) {
            row.mark = None;
        }
        match carrier {
            Some(carrier) => self.carried.insert(queue, carrier),
            None => self.carried.remove(&queue),
        };
    }
}

fn touched(row: &Row) -> Acted {
    Acted { task: Some(row.task.clone()), count: 1, events: Vec::new() }
}
