//! Handing tasks out under leases, and taking their ends.

use super::{Refused, Result};
use crate::attempt::TaskError;
use crate::queue::Rate;
use crate::task::{Accepted, Seq};
use crate::{
    Event, KindName, NewTask, Payload, QueueName, Span, State, TaskId, TenantName, Timestamp,
    Token, Valid, Verdict,
};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How a claimer holds what it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// For as long as the store's own process lives, in which the handler runs: no time, no
    /// heartbeats. If that process dies, the task may have killed it.
    Process,
    /// For as long as the store's own process lives, but the handler runs outside of it (a command,
    /// a push): a death of that process says nothing of the task.
    Beside,
    /// For a time, to be extended; without a time, the task's timeout + 10 s.
    Lease {
        /// How long.
        lasts: Option<Duration>,
    },
}

/// What a claimer has room for in one queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// From this queue.
    pub queue: QueueName,
    /// Of this tenant; nothing means of all.
    pub tenant: Option<TenantName>,
    /// Of these kinds.
    pub kinds: Arc<[KindName]>,
    /// Those of them whose handlers run outside of the claimer's process; they need not be among
    /// `kinds`.
    pub outside: Arc<[KindName]>,
    /// At most so many.
    pub slots: usize,
    /// With so many tasks of the queue running, over all holders, none is handed out.
    pub limit: Option<u32>,
    /// No more of the queue's tasks are handed out in a time, over all claims that say so: see
    /// [`Bucket`](crate::bucket::Bucket).
    pub rate: Option<Rate>,
}

impl Want {
    /// Returns how a task of that kind is held by somebody who claims with `hold`.
    pub fn hold_of(&self, kind: &KindName, hold: Hold) -> Hold {
        if hold == Hold::Process && self.outside.contains(kind) { Hold::Beside } else { hold }
    }
}

/// A request for work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Who asks; unique per incarnation.
    pub worker: Arc<str>,
    /// How it holds what it is given.
    pub hold: Hold,
    /// What it has room for.
    pub wants: Vec<Want>,
    /// How long to wait for the first task; zero answers at once.
    pub wait: Duration,
}

/// Names one opening of a task: whoever comes with another token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LeaseRef {
    /// The task.
    pub id: TaskId,
    /// Its place in the store.
    pub seq: Seq,
    /// The opening's fencing token.
    pub token: Token,
}

/// A task that was handed out, with all that running it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leased {
    /// Names this opening.
    pub lease: LeaseRef,
    /// Picks the handler.
    pub kind: KindName,
    /// Where it waited.
    pub queue: QueueName,
    /// Whose it is.
    pub tenant: TenantName,
    /// What the handler is given.
    pub payload: Payload,
    /// Travel with the envelope.
    pub headers: Vec<(String, String)>,
    /// W3C `traceparent` of whoever submitted it.
    pub traceparent: Option<String>,
    /// Counts lives, from 1.
    pub run: u32,
    /// Counts attempts of this run, from 1.
    pub attempt: u32,
    /// Openings of this task so far, this one included.
    pub openings: u32,
    /// Attempts it may use, the first included.
    pub max_attempts: u32,
    /// How long this attempt may take.
    pub timeout: Span,
    /// What is left of the total timeout.
    pub total_left: Option<Duration>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// Since when it could have been handed out.
    pub ready_at: Timestamp,
    /// When this opening began.
    pub started_at: Timestamp,
    /// When a timed lease ends.
    pub expires_at: Option<Timestamp>,
    /// When it was handed out, or a little before, by this process's clock that only grows: nobody else
    /// may take it before its lease has lasted from then on. An answer may come long after that.
    pub handed_out: Instant,
    /// Whether it is suspected of killing processes and runs alone.
    pub isolated: bool,
    /// Whether it holds a lane, in which no other task may run meanwhile.
    pub in_lane: bool,
}

/// A request to open tasks that a broker carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Which.
    pub ids: Vec<TaskId>,
    /// The queue from which the broker got them, whose bounds these are.
    pub queue: QueueName,
    /// Who asks; unique per incarnation.
    pub worker: Arc<str>,
    /// How it holds what it is given.
    pub hold: Hold,
    /// As [`Want::limit`].
    pub limit: Option<u32>,
    /// As [`Want::rate`].
    pub rate: Option<Rate>,
}

/// What became of opening a task that a broker carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// It is held now.
    Leased(Box<Leased>),
    /// Somebody else holds it: drop the envelope.
    Held,
    /// It has ended or is unknown: drop the envelope.
    Over,
    /// It may not run yet (paused, not due, blocked, isolated): drop the envelope, the store gives the broker another
    /// one.
    NotReady,
    /// It could run, but the queue's limit or rate leaves no room: keep the envelope, and ask again.
    NoRoom {
        /// When the rate lets one go, if that is what stands in the way.
        after: Option<Duration>,
    },
}

impl Opened {
    /// Returns the lease, if it is held now.
    pub fn lease(&self) -> Option<LeaseRef> {
        match self {
            Self::Leased(leased) => Some(leased.lease),
            _ => None,
        }
    }
}

/// Asks to hold on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extend {
    /// Which opening.
    pub lease: LeaseRef,
    /// From now on this long; nothing repeats the last length.
    pub lasts: Option<Duration>,
    /// What the handler says of its progress.
    pub progress: Option<Payload>,
}

/// Whether an opening is still held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseState {
    /// It is.
    Held {
        /// Somebody asked to cancel; the handler has its grace to stop.
        cancel_asked: bool,
        /// When a timed lease ends.
        expires_at: Option<Timestamp>,
    },
    /// It is not: stop, nothing will be recorded.
    Lost,
}

/// The end of one opening, with everything that follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Which opening.
    pub lease: LeaseRef,
    /// What becomes of the task.
    pub verdict: Verdict,
    /// What the handler returned.
    pub result: Option<Payload>,
    /// What went wrong.
    pub error: Option<TaskError>,
    /// Tasks that follow from this end; accepted in the same transaction.
    pub then: Vec<Valid<NewTask>>,
}

/// What became of an [`Ending`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// It is stored.
    Applied {
        /// Where the task stands now.
        state: State,
        /// When that was.
        at: Timestamp,
        /// When it is due again, if it is.
        next_at: Option<Timestamp>,
        /// What became of the tasks that follow from it.
        then: Vec<Result<Accepted, Refused>>,
        /// What happened to other tasks because of it.
        others: Vec<Event>,
    },
    /// The opening is not held any more: nothing was changed.
    Stale,
}

/// Hands tasks out and takes their ends.
#[async_trait::async_trait]
pub trait Work: Send + Sync {
    /// Hands out ready tasks, best [rank](crate::readiness::rank) first, at most as many as there is
    /// room for. Dropping the future withdraws the request: nothing is handed to nobody.
    async fn claim(&self, want: Claim) -> Result<Vec<Leased>>;

    /// Opens tasks that a broker carried, in their order. Dropping the future withdraws the request, as for `claim`.
    async fn open(&self, want: Open) -> Result<Vec<Opened>>;

    /// The heartbeat: renews leases and tells what was asked of their holders.
    async fn extend(&self, leases: Vec<Extend>) -> Result<Vec<LeaseState>>;

    /// Stores ends; durable when this returns. An end whose token is not the current one changes
    /// nothing.
    async fn record(&self, ends: Vec<Ending>) -> Result<Vec<Recorded>>;
}
