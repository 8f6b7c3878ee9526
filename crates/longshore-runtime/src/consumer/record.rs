//! From an outcome to its recorded end: decide → record → emit, off the slots, many at a time.

use super::context::Context;
use super::opening::{Asked, Opening};
use super::watchdog;
use crate::panic::message_of;
use crate::supervisor::{ComponentError, Life};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use longshore_core::attempt::TaskError;
use longshore_core::retry::BuryReason;
use longshore_core::rule::apply;
use longshore_core::store::{Ending, ErrorClass, Recorded, StoreError};
use longshore_core::{
    Budget, Fault, FaultClass, Outcome, Payload, RetryPolicy, Span, Verdict, decide, failpoint,
};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Ends that may wait to be recorded before slots are held back.
const WAITING: usize = 4_096;
/// Ends that are given to the store at once.
const BATCH: usize = 256;
/// Batches that are under way at the same time: one is being synced, the next is gathered by the
/// store.
const FLIGHTS: usize = 3;
/// Pause before an end is offered to a failing store again, doubled up to the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));

/// The end of a handler, to be recorded.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) opening: Arc<Opening>,
    pub(crate) outcome: Outcome,
    pub(crate) ran: Duration,
    /// Held until it is recorded, so that a drain waits for it.
    pub(crate) _unrecorded: TaskTrackerToken,
}

/// Where ends are told, and where they are taken from.
#[derive(Debug)]
pub(crate) struct Ends {
    tell: mpsc::Sender<End>,
    told: tokio::sync::Mutex<mpsc::Receiver<End>>,
}

impl Default for Ends {
    fn default() -> Self {
        let (tell, told) = mpsc::channel(WAITING);
        Self { tell, told: tokio::sync::Mutex::new(told) }
    }
}

impl Ends {
    /// Returns once there is a place for it.
    pub(crate) async fn tell(&self, end: End) {
        // The other end is here, so it is never closed.
        let _ = self.tell.send(end).await;
    }
}

/// Records ends until it is told to stop, and then those that wait.
pub(crate) async fn run(cx: Arc<Context>, life: Life) -> Result<(), ComponentError> {
    let mut told = cx.ends.told.lock().await;
    let mut under_way = FuturesUnordered::new();
    // One that cannot be recorded must not hold up others.
    let mut alone = FuturesUnordered::new();
    loop {
        let mut batch = Vec::new();
        let stopping = life.is_stopping() && told.is_empty();
        tokio::select! {
            biased;
            Some(failed) = under_way.next() => {
                for end in Vec::into_iter(failed) {
                    alone.push(record_alone(end, &cx));
                }
            }
            Some(()) = alone.next() => {}
            _ = told.recv_many(&mut batch, BATCH), if under_way.len() < FLIGHTS && alone.len() < WAITING && !stopping => {
                under_way.push(record_all(batch, &cx));
            }
            () = life.stopping(), if !life.is_stopping() => {}
            else => return Ok(()),
        }
    }
}

/// Stores a batch of ends; returns those that are not known to be stored.
async fn record_all(batch: Vec<End>, cx: &Context) -> Vec<End> {
    // A fault of ours in one of them must not lose the others.
    match AssertUnwindSafe(offer(&batch, cx)).catch_unwind().await {
        Ok(Ok(())) => return Vec::new(),
        Ok(Err(error)) => {
            tracing::warn!(%error, ends = batch.len(), "recording failed, will be tried again one by one");
        }
        Err(panic) => {
            let why = message_of(&*panic).unwrap_or_default();
            tracing::error!(%why, ends = batch.len(), "recording panicked, will be tried again one by one");
        }
    }
    batch
}

async fn offer(batch: &[End], cx: &Context) -> Result<(), StoreError> {
    // The last word of a handler is kept with its end.
    watchdog::beat(batch.iter().map(|end| &end.opening), cx).await;
    let endings = batch.iter().map(|end| ending_of(end, cx)).collect();
    let _ = failpoint::pass("consumer.judged");
    let recorded = cx.store.record(endings).await?;
    let _ = failpoint::pass("consumer.recorded");
    for (end, recorded) in batch.iter().zip(recorded) {
        emit(end, Ok(recorded), cx);
    }
    Ok(())
}

/// Stores one end, however long that takes. One that cannot even be judged is set aside.
async fn record_alone(end: End, cx: &Context) {
    let judged = async {
        let ending = ending_of(&end, cx);
        record(&end, ending, cx).await
    };
    let recorded = match AssertUnwindSafe(judged).catch_unwind().await {
        Ok(recorded) => recorded,
        Err(panic) => {
            let why = message_of(&*panic).unwrap_or_default();
            tracing::error!(task = %end.opening.id(), %why, "an end could not be judged; its task is set aside");
            record(&end, set_aside(&end, cx), cx).await
        }
    };
    let _ = failpoint::pass("consumer.recorded");
    emit(&end, recorded, cx);
}

fn set_aside(end: &End, cx: &Context) -> Ending {
    let error = TaskError {
        class: FaultClass::Panic,
        code: Some("invariant".to_owned()),
        message: "the server could not judge how this task ended; its log says why".to_owned(),
        trace: None,
        at: cx.clock.now(),
    };
    let verdict = Verdict::Bury(BuryReason::Invariant);
    let lease = end.opening.task.lease;
    Ending { lease, verdict, result: None, error: Some(error), then: Vec::new() }
}

fn ending_of(end: &End, cx: &Context) -> Ending {
    let End { opening, outcome, .. } = end;
    let task = &opening.task;
    let outcome = match &opening.kind {
        Some(kind) if !kind.on_error.is_empty() => &apply(&kind.on_error, outcome.clone()),
        _ => outcome,
    };
    let verdict = verdict(opening, outcome, cx);
    let (result, error) = split(outcome, cx);
    Ending { lease: task.lease, verdict, result, error, then: Vec::new() }
}

fn verdict(opening: &Opening, outcome: &Outcome, cx: &Context) -> Verdict {
    let task = &opening.task;
    let default = RetryPolicy::default();
    let policy = opening.kind.as_ref().map_or(&default, |kind| &kind.retry);
    let spent = cx.clock.now().since(task.started_at);
    let budget = Budget {
        max_attempts: Some(task.max_attempts),
        total_left: task.total_left.map(|left| left.saturating_sub(spent)),
        cancel_asked: matches!(opening.asked(), Some((Asked::Cancel, _))),
    };
    decide(outcome, task.attempt, policy, budget, fastrand::u64(..))
}

/// Stores one end. It is offered until the store takes or refuses it: a repeated one is fenced by
/// its token, so asking again is safe.
async fn record(end: &End, ending: Ending, cx: &Context) -> Result<Recorded, StoreError> {
    let mut pause = BACKOFF.0;
    loop {
        match cx.store.record(vec![ending.clone()]).await {
            Ok(mut recorded) => return recorded.pop().ok_or(StoreError::Closed),
            Err(error) if error.class() == ErrorClass::Final => return Err(error),
            Err(error) => {
                let task = end.opening.id();
                tracing::warn!(%task, %error, "recording failed, will be tried again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(BACKOFF.1);
            }
        }
    }
}

/// What is kept of an outcome: the result of a success, the error of a failure.
fn split(outcome: &Outcome, cx: &Context) -> (Option<Payload>, Option<TaskError>) {
    let fault = match outcome {
        Outcome::Success(result) => return (result.clone(), None),
        Outcome::Fault(fault) => fault.clone(),
        Outcome::Timeout { allowed } => {
            Fault::new(FaultClass::Timeout, format!("did not end within {}", Span(*allowed)))
        }
        Outcome::Panic(message) => Fault::new(FaultClass::Panic, message),
        Outcome::Snooze(_) | Outcome::Discard(_) | Outcome::Cancelled | Outcome::Released => {
            return (None, None);
        }
    };
    let Fault { class, code, message, trace, .. } = fault;
    (None, Some(TaskError { class, code, message, trace, at: cx.clock.now() }))
}

/// Tells those who wait, and counts.
fn emit(end: &End, recorded: Result<Recorded, StoreError>, cx: &Context) {
    let task = &end.opening.task;
    match recorded {
        Ok(Recorded::Applied { state, next_at, others, .. }) => {
            cx.hub.emit(task.lease.id, state);
            cx.hub.emit_all(&others);
            if let Some(at) = next_at {
                cx.nudge.due(at);
            }
            let waited = task.started_at.since(task.ready_at);
            cx.telemetry.attempt(&task.queue, &task.kind, state, waited, end.ran);
        }
        Ok(Recorded::Stale) => {
            tracing::warn!(task = %task.lease.id, token = %task.lease.token, "an end came too late and was refused");
            cx.telemetry.stale();
        }
        Err(error) => {
            // The task is held by this process, and made ready again when it is gone.
            tracing::error!(task = %task.lease.id, %error, "an end could not be recorded");
            cx.fatal.send_replace(Some(error));
        }
    }
}
