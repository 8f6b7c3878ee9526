//! Where requests wait for the writer.

use super::bells::Bells;
use super::job::{Job, Needs, Reply};
use longshore_core::store::StoreError;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;

/// Tasks, acts, ends and other requests that may wait at a time; whoever has more waits outside.
const ROOM: usize = 16_384;

/// A queue with one reader and room for so many.
#[derive(Debug)]
pub(crate) struct Inbox {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    room: Semaphore,
    /// For those who wait for marks.
    pub(crate) bells: Bells,
}

#[derive(Debug, Default)]
struct Waiting {
    jobs: Vec<Entry>,
    last: u64,
    closed: bool,
}

#[derive(Debug)]
struct Entry {
    ticket: Ticket,
    /// The room it takes; nothing for what must always get in.
    weight: usize,
    job: Job,
}

/// Names a request that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

impl Default for Inbox {
    fn default() -> Self {
        Self {
            waiting: Mutex::default(),
            arrived: Condvar::default(),
            room: Semaphore::new(ROOM),
            bells: Bells::default(),
        }
    }
}

/// The room that a request takes.
fn weight_of(job: &Job) -> u32 {
    u32::try_from(job.weight().clamp(1, ROOM)).unwrap_or(u32::MAX)
}

impl Inbox {
    /// Asks the writer, and waits for the answer at most so long. `Deadline` says that nothing was
    /// done: the request never got in, or was taken back, or changes nothing.
    pub(crate) fn ask<T>(
        &self,
        deadline: Duration,
        job: impl FnOnce(Reply<T>) -> Job,
    ) -> impl Future<Output = Result<T, StoreError>> {
        let (reply, answer) = oneshot::channel();
        let job = job(reply);
        let changes = job.needs() != Needs::Look;
        let until = Instant::now() + deadline;
        let entered = self.try_enter(job); // here, so that the future need not carry the request
        async move {
            let ticket = match entered {
                Ok(ticket) => ticket?,
                Err(job) => Box::pin(self.enter(*job, until)).await?,
            };
            match tokio::time::timeout_at(until, answer).await {
                Ok(answer) => answer.unwrap_or_else(|_| Err(Self::unanswered())),
                Err(_) if !changes || self.withdraw(ticket) => {
                    Err(StoreError::Deadline { waited: deadline })
                }
                Err(_) => Err(StoreError::Unknown {
                    why: format!("the writer has it, but did not answer within {deadline:?}"),
                }),
            }
        }
    }

    /// The writer went away in the middle of a round: nobody knows.
    pub(crate) fn unanswered() -> StoreError {
        StoreError::Unknown { why: "the writer ended before it answered".into() }
    }

    /// Adds a request, as soon as there is room. An error says that it was not added.
    pub(crate) async fn enter(&self, job: Job, until: Instant) -> Result<Ticket, StoreError> {
        let job = match self.try_enter(job) {
            Ok(entered) => return entered,
            Err(job) => *job,
        };
        let began = Instant::now();
        let weight = weight_of(&job);
        let room = self.room.acquire_many(weight);
        match tokio::time::timeout_at(until, room).await {
            Ok(Ok(room)) => room.forget(), // free again once the writer has it
            Ok(Err(_)) => return Err(StoreError::Closed),
            Err(_) => return Err(StoreError::Deadline { waited: began.elapsed() }),
        }
        self.add(job, weight as usize).map_err(|_| StoreError::Closed)
    }

    /// Adds a request, or gives it back if there is no room.
    fn try_enter(&self, job: Job) -> Result<Result<Ticket, StoreError>, Box<Job>> {
        let weight = weight_of(&job);
        match self.room.try_acquire_many(weight) {
            Ok(room) => {
                room.forget();
                Ok(self.add(job, weight as usize).map_err(|_| StoreError::Closed))
            }
            Err(_) => Err(Box::new(job)),
        }
    }

    /// Adds a request that must not wait; gives it back if the writer is gone.
    pub(crate) fn push(&self, job: Job) -> Result<(), Box<Job>> {
        self.add(job, 0).map(drop)
    }

    fn add(&self, job: Job, weight: usize) -> Result<Ticket, Box<Job>> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(Box::new(job));
        }
        waiting.last += 1;
        let ticket = Ticket(waiting.last);
        waiting.jobs.push(Entry { ticket, weight, job });
        let first = waiting.jobs.len() == 1;
        drop(waiting);
        if first {
            self.arrived.notify_one();
        }
        Ok(ticket)
    }

    /// Takes a request back; false if the writer has it already.
    pub(crate) fn withdraw(&self, ticket: Ticket) -> bool {
        let mut waiting = self.lock();
        let Some(place) = waiting.jobs.iter().position(|entry| entry.ticket == ticket) else {
            return false;
        };
        let entry = waiting.jobs.remove(place);
        drop(waiting);
        self.room.add_permits(entry.weight);
        true
    }

    /// Takes everything that waits, at most after `patience`.
    pub(crate) fn drain(&self, into: &mut Vec<Job>, patience: Duration) {
        let mut waiting = self.lock();
        if waiting.jobs.is_empty() {
            waiting = self
                .arrived
                .wait_timeout_while(waiting, patience, |waiting| waiting.jobs.is_empty())
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        let mut freed = 0;
        into.extend(waiting.jobs.drain(..).map(|entry| {
            freed += entry.weight;
            entry.job
        }));
        drop(waiting);
        self.room.add_permits(freed);
    }

    /// Refuses everything from now on; returns what still waits.
    pub(crate) fn close(&self) -> Vec<Job> {
        self.room.close();
        let mut waiting = self.lock();
        waiting.closed = true;
        waiting.jobs.drain(..).map(|entry| entry.job).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use longshore_core::store::LeaseRef;

    fn look() -> Job {
        Job::Condition { reply: oneshot::channel().0 }
    }

    fn accept(count: usize) -> Job {
        let kind = longshore_core::KindName::new("job").unwrap();
        let task = longshore_core::Valid::vouch(longshore_core::NewTask::new(kind));
        Job::Accept { tasks: vec![task; count].into(), reply: oneshot::channel().0 }
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    fn drain(inbox: &Inbox) -> usize {
        let mut jobs = Vec::new();
        inbox.drain(&mut jobs, Duration::ZERO);
        jobs.len()
    }

    #[tokio::test]
    async fn whoever_finds_no_room_waits_outside_until_the_time_is_up() {
        let inbox = Inbox::default();
        inbox.enter(accept(ROOM), soon()).await.unwrap();
        let late = inbox.enter(look(), soon()).await;
        assert!(matches!(late, Err(StoreError::Deadline { .. })), "{late:?}");
        assert_eq!(drain(&inbox), 1);
        inbox.enter(look(), soon()).await.unwrap();
    }

    #[tokio::test]
    async fn what_must_get_in_does_even_when_there_is_no_room() {
        let inbox = Inbox::default();
        inbox.enter(accept(2 * ROOM), soon()).await.unwrap();
        let leases: Vec<LeaseRef> = Vec::new();
        inbox.push(Job::GiveBack { leases, reply: oneshot::channel().0 }).unwrap();
        assert_eq!(drain(&inbox), 2);
    }

    #[tokio::test]
    async fn a_request_is_taken_back_only_before_the_writer_has_it() {
        let inbox = Inbox::default();
        let first = inbox.enter(look(), soon()).await.unwrap();
        assert!(inbox.withdraw(first));
        let second = inbox.enter(look(), soon()).await.unwrap();
        assert_eq!(drain(&inbox), 1, "the first one is gone");
        assert!(!inbox.withdraw(second));
    }

    const SHORT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_request_that_the_writer_never_took_was_not_done() {
        let inbox = Inbox::default();
        let asked = inbox.ask(SHORT, |reply| Job::MakeReady { reply }).await;
        assert!(matches!(asked, Err(StoreError::Deadline { .. })), "{asked:?}");
        assert_eq!(drain(&inbox), 0, "it was taken back");
    }

    #[tokio::test]
    async fn of_a_change_that_the_writer_took_nobody_knows() {
        let inbox = Inbox::default();
        let (mut jobs, ask) = (Vec::new(), inbox.ask(SHORT, |reply| Job::MakeReady { reply }));
        let (asked, ()) = tokio::join!(ask, async { inbox.drain(&mut jobs, Duration::ZERO) });
        assert!(matches!(asked, Err(StoreError::Unknown { .. })), "{asked:?}");
    }

    #[tokio::test]
    async fn a_look_that_is_late_did_nothing() {
        let inbox = Inbox::default();
        let (mut jobs, ask) = (Vec::new(), inbox.ask(SHORT, |reply| Job::Condition { reply }));
        let (asked, ()) = tokio::join!(ask, async { inbox.drain(&mut jobs, Duration::ZERO) });
        assert!(matches!(asked, Err(StoreError::Deadline { .. })), "{asked:?}");
        assert_eq!(jobs.len(), 1, "the writer had it");
    }

    #[tokio::test]
    async fn closing_lets_those_outside_go() {
        let inbox = Inbox::default();
        inbox.enter(accept(ROOM), soon()).await.unwrap();
        let outside = inbox.enter(look(), Instant::now() + Duration::from_secs(60));
        let (outside, left) = tokio::join!(outside, async { inbox.close().len() });
        assert!(matches!(outside, Err(StoreError::Closed)), "{outside:?}");
        assert_eq!(left, 1);
    }
}
