//! One opening of a task, from top to bottom.

use super::context::Context;
use super::slots::Slot;
use crate::handler::Call;
use crate::stall;
use futures_util::FutureExt;
use longshore_core::attempt::TaskError;
use longshore_core::store::{Ending, ErrorClass, Leased, Recorded, StoreError};
use longshore_core::{
    Budget, Fault, FaultClass, Outcome, Payload, RetryPolicy, Verdict, decide, failpoint,
};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How long a handler that is told to stop may go on before it is given up.
const RELEASE_GRACE: Duration = Duration::from_millis(250);
/// Pause before an end is offered to a failing store again, doubled up to the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));

/// Runs one opening. The store handed it out and holds it open for us (claim → open), so
/// from here to `record` a death of this process makes it ready again.
pub(super) async fn run(task: Leased, slot: Option<Slot>, cx: Arc<Context>) {
    let began = Instant::now();
    let task = Arc::new(task);
    // The handler's own panics are caught where it is called; this is for those of its parts that
    // panic when they are dropped.
    let performed = AssertUnwindSafe(perform(&task, &cx)).catch_unwind().await;
    let outcome = performed.unwrap_or_else(|panic| Outcome::Panic(message_of(&*panic)));
    let ran = began.elapsed();
    let _ = failpoint::pass("consumer.performed");
    let verdict = verdict(&task, &outcome, &cx);
    // A place among the ends first, then the slot is free: a slow store pushes back.
    let place = cx.recording.clone().acquire_owned().await;
    drop(slot);
    let recorded = record(&task, outcome, verdict, &cx).await;
    let _ = failpoint::pass("consumer.recorded");
    emit(&task, recorded, ran, &cx);
    drop(place);
}

/// Calls the handler; a success, a fault, a panic and a timeout are all values.
async fn perform(task: &Arc<Leased>, cx: &Context) -> Outcome {
    let Some(kind) = cx.registry.kind(task.kind.as_str()) else {
        return Outcome::Fault(Fault::transient(format!("nobody here runs {}", task.kind)));
    };
    let stop = CancellationToken::new();
    let allowed = task.total_left.unwrap_or(task.timeout.0).min(task.timeout.0);
    let call = Call::new(task.clone(), allowed, stop.clone());
    // The call itself may panic too, before its first await.
    let handler = AssertUnwindSafe(async { kind.handler.call(call).await }).catch_unwind();
    let timed = stall::within(&cx.stall, allowed, handler);
    tokio::pin!(timed);
    let ended = tokio::select! {
        biased;
        ended = &mut timed => ended,
        () = cx.releasing.cancelled() => {
            stop.cancel();
            match tokio::time::timeout(RELEASE_GRACE, &mut timed).await {
                Ok(ended) => ended,
                Err(_) => return Outcome::Released,
            }
        }
    };
    match ended {
        Ok(Ok(Outcome::Cancelled)) if cx.releasing.is_cancelled() => Outcome::Released,
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => Outcome::Panic(message_of(&*panic)),
        Err(stall::Expired) => Outcome::Timeout { allowed },
    }
}

fn message_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("the handler panicked").to_owned()
}

fn verdict(task: &Leased, outcome: &Outcome, cx: &Context) -> Verdict {
    let default = RetryPolicy::default();
    let kind = cx.registry.kind(task.kind.as_str());
    let policy = kind.map_or(&default, |kind| &kind.retry);
    let spent = task.started_at;
    let budget = Budget {
        max_attempts: Some(task.max_attempts),
        total_left: task.total_left.map(|left| left.saturating_sub(cx.clock.now().since(spent))),
        cancel_asked: false, // the store knows, and has the last word
    };
    decide(outcome, task.attempt, policy, budget, fastrand::u64(..))
}

/// Stores the end. An end is offered until the store takes or refuses it: a repeated one is
/// fenced by its token, so asking again is safe.
async fn record(
    task: &Leased,
    outcome: Outcome,
    verdict: Verdict,
    cx: &Context,
) -> Result<Recorded, StoreError> {
    let (result, error) = split(outcome, cx);
    let ending = Ending { lease: task.lease, verdict, result, error, then: Vec::new() };
    let mut pause = BACKOFF.0;
    loop {
        match cx.store.record(vec![ending.clone()]).await {
            Ok(mut recorded) => return recorded.pop().ok_or(StoreError::Closed),
            Err(error) if error.class() == ErrorClass::Final => return Err(error),
            Err(error) => {
                tracing::warn!(task = %task.lease.id, %error, "recording failed, will be tried again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(BACKOFF.1);
            }
        }
    }
}

/// What is kept of an outcome: the result of a success, the error of a failure.
fn split(outcome: Outcome, cx: &Context) -> (Option<Payload>, Option<TaskError>) {
    let fault = match outcome {
        Outcome::Success(result) => return (result, None),
        Outcome::Fault(fault) => fault,
        Outcome::Timeout { allowed } => Fault::new(
            FaultClass::Timeout,
            format!("did not end within {}", longshore_core::Span(allowed)),
        ),
        Outcome::Panic(message) => Fault::new(FaultClass::Panic, message),
        Outcome::Snooze(_) | Outcome::Discard(_) | Outcome::Cancelled | Outcome::Released => {
            return (None, None);
        }
    };
    let Fault { class, code, message, trace, .. } = fault;
    (None, Some(TaskError { class, code, message, trace, at: cx.clock.now() }))
}

/// Tells those who wait, and counts.
fn emit(task: &Leased, recorded: Result<Recorded, StoreError>, ran: Duration, cx: &Context) {
    match recorded {
        Ok(Recorded::Applied { state, next_at, others, .. }) => {
            cx.hub.emit(task.lease.id, state);
            cx.hub.emit_all(&others);
            if let Some(at) = next_at {
                cx.nudge.due(at);
            }
            let waited = task.started_at.since(task.ready_at);
            cx.telemetry.attempt(&task.queue, &task.kind, state, waited, ran);
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
