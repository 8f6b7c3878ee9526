//! Claim, open and extend.

use super::books::Books;
use super::row::{Deadline, Held, Mark, Row};
use super::store::ModelStore;
use async_trait::async_trait;
use longshore_core::attempt::Attempt;
use longshore_core::rescue::Runs;
use longshore_core::state::Cause;
use longshore_core::store::{
    Claim, Ending, Extend, Hold, LeaseRef, LeaseState, Leased, Open, Opened, Recorded, Result,
    Want, Work,
};
use longshore_core::{QueueName, State, TaskId, Timestamp, Token};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What a lease of no named length lasts beyond the task's timeout.
const LEASE_MARGIN: Duration = Duration::from_secs(10);

fn runs_in(row: &Row, queue: &QueueName) -> bool {
    row.task.state == State::Running && row.task.queue == *queue
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// Who opens a task, and when.
struct Opener<'a> {
    worker: &'a Arc<str>,
    hold: Hold,
    now: Timestamp,
    monotonic: Duration,
}

impl Books {
    fn claim(&mut self, want: &Want, by: &Opener<'_>) -> Vec<Leased> {
        if self.carried.contains_key(&want.queue) {
            return Vec::new();
        }
        let wanted = |row: &Row| {
            let of_tenant = want.tenant.as_ref().is_none_or(|tenant| *tenant == row.task.tenant);
            let fits = row.task.queue == want.queue && want.kinds.contains(&row.task.kind);
            row.ready && fits && of_tenant
        };
        let mut ready: Vec<usize> =
            (0..self.rows.len()).filter(|i| wanted(&self.rows[*i])).collect();
        ready.sort_by_key(|i| self.rows[*i].order());
        let mut leased = Vec::new();
        let slots = want.slots.min(self.free(want, by.monotonic));
        for i in ready {
            let running = || self.rows.iter().filter(|row| runs_in(row, &want.queue)).count();
            let is_full = want.limit.is_some_and(|limit| running() >= limit as usize);
            if leased.len() == slots || is_full {
                break;
            }
            let hold = want.hold_of(&self.rows[i].task.kind, by.hold);
            if self.may_open(i, hold) {
                leased.push(self.open(i, hold, by));
            }
        }
        if let Some(rate) = want.rate {
            let bucket = self.buckets.entry(want.queue.clone()).or_default();
            bucket.take(rate, micros(by.monotonic), leased.len());
        }
        leased
    }

    /// How many of a queue its rate lets go.
    fn free(&self, want: &Want, now: Duration) -> usize {
        let Some(rate) = want.rate else { return usize::MAX };
        let bucket = self.buckets.get(&want.queue).copied().unwrap_or_default();
        bucket.free(rate, micros(now))
    }

    /// When a rate lets one go at the earliest, of those that let none go.
    fn next_by_rate(&self, wants: &[Want], now: Duration) -> Option<Duration> {
        let wait = |want: &Want| {
            let bucket = self.buckets.get(&want.queue)?;
            Some(bucket.wait(want.rate?, micros(now))).filter(|wait| !wait.is_zero())
        };
        wants.iter().filter_map(wait).min()
    }

    /// Whether a ready task may be handed out now: not paused, and not a second suspect.
    fn may_open(&self, i: usize, hold: Hold) -> bool {
        let row = &self.rows[i];
        let is_isolated = |held: &Held| held.runs == Runs::Isolated;
        let must_be_alone = Runs::of(hold, row.crashes.is_suspect()) == Runs::Isolated;
        let somebody_is = || self.rows.iter().any(|row| row.held.as_ref().is_some_and(is_isolated));
        row.ready && !self.is_paused(row) && !(must_be_alone && somebody_is())
    }

    fn open(&mut self, i: usize, hold: Hold, by: &Opener<'_>) -> Leased {
        self.openings += 1;
        let token = Token::new(self.epoch, self.openings);
        let row = &mut self.rows[i];
        row.step(Cause::Open);
        row.ready = false;
        row.mark = None;
        row.openings += 1;
        let run_opened_at = *row.run_opened_at.get_or_insert(by.now);
        let runs = Runs::of(hold, row.crashes.is_suspect());
        let lease = match hold {
            Hold::Process | Hold::Beside => None,
            Hold::Lease { lasts } => {
                let length = lasts.unwrap_or(row.task.timeout.0 + LEASE_MARGIN);
                Some(Deadline::starting(by.monotonic, length))
            }
        };
        row.held = Some(Held { lease, runs, cancel: None });
        let task = &mut row.task;
        task.started_at = Some(by.now);
        task.worker = Some(Arc::clone(by.worker));
        task.token = Some(token);
        task.progress = None;
        task.expires_at = None;
        row.attempts.push(Attempt {
            run: task.run,
            attempt: task.attempt,
            token,
            worker: Some(by.worker.to_string()),
            started_at: by.now,
            ended_at: None,
            outcome: None,
            error: None,
            next_at: None,
        });
        Leased {
            lease: LeaseRef { id: task.id, seq: task.seq, token },
            kind: task.kind.clone(),
            queue: task.queue.clone(),
            tenant: task.tenant.clone(),
            payload: task.payload.clone().unwrap_or_default(),
            headers: task.headers.clone(),
            traceparent: task.traceparent.clone(),
            run: task.run,
            attempt: task.attempt,
            openings: row.openings,
            max_attempts: task.max_attempts,
            timeout: task.timeout,
            total_left: task
                .total_timeout
                .map(|total| total.0.saturating_sub(by.now.since(run_opened_at))),
            created_at: task.created_at,
            ready_at: row.ready_at,
            started_at: by.now,
            expires_at: lease.map(|lease| by.now.after(lease.length)),
            handed_out: std::time::Instant::now(),
            isolated: runs == Runs::Isolated,
            in_lane: row.task.order_key.is_some(),
        }
    }

    /// Opens a task that a broker carried, if it may run now.
    fn open_carried(&mut self, id: TaskId, want: &Open, by: &Opener<'_>) -> Opened {
        let Some(i) = self.find(id) else { return Opened::Over };
        match self.rows[i].task.state {
            State::Running => Opened::Held,
            state if state.is_end() => Opened::Over,
            _ if self.may_open(i, by.hold) => self.open_in_bounds(i, want, by),
            _ => {
                // Its envelope will be dropped: a broker must be given it once more.
                self.rows[i].mark = self.rows[i].mark.map(|_| Mark::Fresh);
                Opened::NotReady
            }
        }
    }

    /// Opens it, unless the queue's limit or rate lets none go now.
    fn open_in_bounds(&mut self, i: usize, want: &Open, by: &Opener<'_>) -> Opened {
        let queue = self.rows[i].task.queue.clone();
        if queue != want.queue {
            return Opened::Leased(Box::new(self.open(i, by.hold, by)));
        }
        let running = self.rows.iter().filter(|row| runs_in(row, &queue)).count();
        if want.limit.is_some_and(|limit| running >= limit as usize) {
            return Opened::NoRoom { after: None };
        }
        if let Some(rate) = want.rate {
            let (now, bucket) = (micros(by.monotonic), self.buckets.entry(queue).or_default());
            let after = bucket.wait(rate, now);
            if !after.is_zero() {
                return Opened::NoRoom { after: Some(after) };
            }
            bucket.take(rate, now, 1);
        }
        Opened::Leased(Box::new(self.open(i, by.hold, by)))
    }

    fn extend(&mut self, asked: Extend, now: Timestamp, monotonic: Duration) -> LeaseState {
        let Some(row) = self
            .find(asked.lease.id)
            .map(|i| &mut self.rows[i])
            .filter(|row| row.is_held_by(asked.lease.token))
        else {
            return LeaseState::Lost;
        };
        if asked.progress.is_some() {
            row.task.progress = asked.progress;
        }
        let held = row.held.as_mut().expect("what runs is held");
        if let Some(lease) = &mut held.lease {
            *lease = Deadline::starting(monotonic, asked.lasts.unwrap_or(lease.length));
        }
        LeaseState::Held {
            cancel_asked: held.cancel.is_some(),
            expires_at: held.lease.map(|lease| now.after(lease.length)),
        }
    }
}

impl ModelStore {
    fn claim_now(&self, claim: &Claim) -> Result<Vec<Leased>> {
        let (hold, monotonic) = (claim.hold, self.clock().monotonic());
        let now = self.clock().now();
        let by = Opener { worker: &claim.worker, hold, now, monotonic };
        let mut books = self.books()?;
        let mut leased: Vec<Leased> =
            claim.wants.iter().flat_map(|want| books.claim(want, &by)).collect();
        if !leased.is_empty() {
            books.refresh(now);
        }
        leased.iter_mut().for_each(|leased| leased.handed_out -= self.late());
        Ok(leased)
    }
}

#[async_trait]
impl Work for ModelStore {
    async fn claim(&self, want: Claim) -> Result<Vec<Leased>> {
        let deadline = Instant::now() + want.wait;
        loop {
            // Listens before it looks, so that nothing is missed in between. Tasks are only
            // taken in the same poll that answers: a dropped claim has taken none.
            let mut changed = std::pin::pin!(self.changed().notified());
            changed.as_mut().enable();
            let leased = self.claim_now(&want)?;
            let wait = self.books()?.next_by_rate(&want.wants, self.clock().monotonic());
            let look = wait.map_or(deadline, |wait| deadline.min(Instant::now() + wait));
            let is_late = || Instant::now() >= deadline;
            if !leased.is_empty()
                || tokio::time::timeout_at(look, changed).await.is_err() && is_late()
            {
                return Ok(leased);
            }
        }
    }

    async fn open(&self, want: Open) -> Result<Vec<Opened>> {
        let monotonic = self.clock().monotonic();
        self.change(|books, now| {
            let by = Opener { worker: &want.worker, hold: want.hold, now, monotonic };
            want.ids.iter().map(|id| books.open_carried(*id, &want, &by)).collect()
        })
    }

    async fn extend(&self, leases: Vec<Extend>) -> Result<Vec<LeaseState>> {
        let monotonic = self.clock().monotonic();
        self.change(|books, now| {
            leases.into_iter().map(|asked| books.extend(asked, now, monotonic)).collect()
        })
    }

    async fn record(&self, ends: Vec<Ending>) -> Result<Vec<Recorded>> {
        self.change(|books, now| ends.into_iter().map(|end| books.record(end, now)).collect())
    }
}
