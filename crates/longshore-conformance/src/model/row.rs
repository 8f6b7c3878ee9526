//! One task as the model keeps it.

use longshore_core::attempt::{Attempt, AttemptOutcome, TaskError};
use longshore_core::readiness::{BlockedBy, OnParentFailure, rank};
use longshore_core::rescue::{Crashes, Runs};
use longshore_core::state::Cause;
use longshore_core::task::{Seq, Unique};
use longshore_core::{
    Event, NewTask, QueueName, Span, State, Task, TaskId, TenantName, Timestamp, Token,
};
use std::collections::BTreeSet;
use std::time::Duration;

/// A task and all that only the store needs to know of it.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// What is shown.
    pub(super) task: Task,
    pub(super) unique: Option<Unique>,
    pub(super) on_parent_failure: OnParentFailure,
    pub(super) expires_in: Option<Span>,
    /// Parents that have not ended since this task was accepted.
    pub(super) open_parents: BTreeSet<TaskId>,
    /// Its place in its lane.
    pub(super) place: i64,
    /// When its pause is over; nothing once `make_ready` has seen that it is.
    pub(super) due: Option<Timestamp>,
    /// What stood in its way when that was last asked.
    pub(super) blocked: Option<BlockedBy>,
    /// Whether it may be handed out, pauses of operators aside.
    pub(super) ready: bool,
    /// Since when, for its rank.
    pub(super) ready_at: Timestamp,
    /// Its mark in the outbox.
    pub(super) mark: Option<Mark>,
    pub(super) crashes: Crashes,
    pub(super) openings: u32,
    /// When this run was first opened.
    pub(super) run_opened_at: Option<Timestamp>,
    pub(super) held: Option<Held>,
    /// All openings, oldest first; the last one is open while the task runs.
    pub(super) attempts: Vec<Attempt>,
}

/// A mark in the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Fresh,
    Relayed,
}

/// How a running task is held.
#[derive(Debug, Clone)]
pub(super) struct Held {
    /// Nothing: for as long as the process lives.
    pub(super) lease: Option<Deadline>,
    pub(super) runs: Runs,
    /// The grace of a cancel, if one was asked.
    pub(super) cancel: Option<Deadline>,
}

/// A length of monotonic time and when it is over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    pub(super) length: Duration,
    pub(super) until: Duration,
}

impl Deadline {
    pub(super) fn starting(monotonic: Duration, length: Duration) -> Self {
        Self { length, until: monotonic.saturating_add(length) }
    }

    pub(super) fn is_over(self, monotonic: Duration) -> bool {
        self.until <= monotonic
    }
}

/// (tenant, queue, order key).
pub(super) type Lane<'a> = (&'a TenantName, &'a QueueName, &'a str);

impl Row {
    /// Makes the row of a task that is accepted now.
    pub(super) fn accepted(new: NewTask, seq: Seq, place: i64, now: Timestamp) -> Self {
        let run_at = new.run_at.unwrap_or(now);
        let state = if run_at > now { State::Scheduled } else { State::Pending };
        Self {
            unique: new.unique,
            on_parent_failure: new.on_parent_failure,
            expires_in: new.expires_in,
            open_parents: BTreeSet::new(),
            place,
            due: (state == State::Scheduled).then_some(run_at),
            blocked: None,
            ready: false,
            ready_at: run_at.max(now),
            mark: None,
            crashes: Crashes::default(),
            openings: 0,
            run_opened_at: None,
            held: None,
            attempts: Vec::new(),
            task: Task {
                seq,
                id: new.id,
                kind: new.kind,
                queue: new.queue,
                tenant: new.tenant,
                name: new.name,
                state,
                blocked_by: None,
                reason: None,
                priority: new.priority,
                payload: Some(new.payload),
                result: None,
                error: None,
                run: 1,
                attempt: 1,
                max_attempts: new.max_attempts,
                crashes: 0,
                charges: 0,
                run_at,
                created_at: now,
                started_at: None,
                finished_at: None,
                timeout: new.timeout,
                total_timeout: new.total_timeout,
                expires_at: new.expires_in.map(|span| now.after(span.0)),
                order_key: new.order_key,
                tags: new.tags,
                headers: new.headers,
                progress: None,
                schedule_id: new.schedule_id,
                replay_of: new.replay_of,
                parents: new.after,
                group: new.group,
                worker: None,
                traceparent: new.traceparent,
                token: None,
                durability: longshore_core::task::Durability::None,
            },
        }
    }

    /// Whether it is neither running nor ended.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.task.state, State::Scheduled | State::Pending | State::Retrying)
    }

    pub(super) fn lane(&self) -> Option<Lane<'_>> {
        let key = self.task.order_key.as_deref()?;
        Some((&self.task.tenant, &self.task.queue, key))
    }

    /// Where it stands among the ready ones: smaller goes first.
    pub(super) fn order(&self) -> (i64, Seq) {
        (rank(self.ready_at, self.task.priority), self.task.seq)
    }

    /// Whether `token` is that of the opening that is held now.
    pub(super) fn is_held_by(&self, token: Token) -> bool {
        self.task.state == State::Running && self.task.token == Some(token)
    }

    /// Walks an arrow of the table.
    ///
    /// # Panics
    /// If there is no such arrow: the model itself is wrong.
    pub(super) fn step(&mut self, cause: Cause) {
        let from = self.task.state;
        self.task.state =
            from.after(cause).unwrap_or_else(|| panic!("{cause:?} does not lead out of {from}"));
    }

    /// Ends the run, by an arrow that leads to an end.
    pub(super) fn end(&mut self, cause: Cause, reason: Option<&str>, now: Timestamp) {
        self.step(cause);
        assert!(self.task.state.is_end(), "{cause:?} is no end");
        self.task.reason = reason.map(str::to_owned);
        self.task.finished_at = Some(now);
        self.task.blocked_by = None;
        self.due = None;
    }

    /// Lets go of an opening; its row in the list of attempts gets its last word.
    pub(super) fn let_go(
        &mut self,
        outcome: AttemptOutcome,
        error: Option<TaskError>,
        next_at: Option<Timestamp>,
        now: Timestamp,
    ) {
        self.held = None;
        let opening = self.attempts.last_mut().expect("what is held was opened");
        opening.ended_at = Some(now);
        opening.outcome = Some(outcome);
        opening.error = error;
        opening.next_at = next_at;
    }

    /// Takes over what is known of crashes.
    pub(super) fn remember(&mut self, crashes: Crashes) {
        self.crashes = crashes;
        self.task.crashes = crashes.seen;
        self.task.charges = crashes.charges;
    }

    pub(super) fn event(&self, at: Timestamp) -> Event {
        Event {
            task: self.task.id,
            tenant: self.task.tenant.clone(),
            queue: self.task.queue.clone(),
            kind: self.task.kind.clone(),
            state: self.task.state,
            at,
        }
    }
}
