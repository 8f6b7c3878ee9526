//! One opening of a task, from top to bottom.

use super::context::Context;
use super::opening::{AHEAD, Asked, Opening};
use super::record::End;
use super::slots::Slot;
use crate::panic::message_of;
use futures_util::FutureExt;
use longshore_core::{Fault, Outcome, failpoint};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

/// Pause of a task that its handler gave back.
const RELEASED: Duration = Duration::from_secs(1);

/// Runs one opening on the handlers' threads. The store handed it out and holds it open for us
/// (claim → open), so from here to its record a death of this process makes it ready again. What
/// follows (decide, record, emit) is done beside, in [`record`](super::record).
pub(super) async fn run(opening: Arc<Opening>, mut slot: Slot, cx: Arc<Context>) {
    // The handler's own panics are caught by a layer; this is for those of its parts that panic when
    // they are dropped.
    let performed = AssertUnwindSafe(async {
        let is_to_run = its_turn(&opening, &mut slot, &cx).await && still_ours(&opening, &cx);
        if is_to_run && opening.begin() {
            return perform(&opening).await;
        }
        opening.unfinished()
    });
    let performed = performed.catch_unwind().await;
    let outcome = performed.unwrap_or_else(|panic| {
        Outcome::Panic(message_of(&*panic).unwrap_or("the handler panicked").to_owned())
    });
    if let Some(unrecorded) = opening.end() {
        cx.running.remove(&opening);
        let _ = failpoint::pass("consumer.performed");
        let ran = opening.ran();
        slot.ran(opening.has_begun().then_some(ran));
        // A place among the ends first, then the slot is free: a slow store pushes back.
        let end = End { opening: opening.clone(), outcome, ran, _unrecorded: unrecorded };
        cx.ends.tell(end).await;
    } // else it was given up, and its end told for it
    cx.running.came_back(&opening);
    drop(slot);
}

/// Waits until the task may run. One that was fetched ahead and does not come to run soon, or not
/// before fetching is stopped, is given back, for others to run.
async fn its_turn(opening: &Opening, slot: &mut Slot, cx: &Context) -> bool {
    if opening.asked().is_some() {
        return false;
    }
    if slot.has_turn() {
        return true;
    }
    tokio::select! {
        biased;
        () = opening.told() => false,
        () = cx.fetching.cancelled() => false,
        () = slot.turn() => true,
        () = tokio::time::sleep(AHEAD) => false,
    }
}

/// Whether nobody else can have it yet. If the answer to a claim comes late (a link was silent, this process
/// stood still), its lease is over or nearly so: it is given back, unless somebody runs it already.
fn still_ours(opening: &Opening, cx: &Context) -> bool {
    let held_for = opening.held_for();
    let is_late = cx.is_endangered(held_for);
    if is_late {
        tracing::warn!(task = %opening.id(), ?held_for, "a task came so late that somebody else may run it; it is not begun");
        cx.telemetry.late();
    }
    !is_late
}

/// Calls the handler; a success, a fault, a panic and a timeout are all values.
async fn perform(opening: &Arc<Opening>) -> Outcome {
    let Some(handler) = opening.kind.as_ref().and_then(|kind| kind.handler.as_ref()) else {
        let kind = &opening.task.kind;
        return Outcome::Fault(Fault::transient(format!("nobody here runs {kind}")));
    };
    // Its layers see to panics and to its time.
    let call = async { handler.call(opening.call()).await };
    let call = opening.watched(call);
    tokio::pin!(call);
    let outcome = tokio::select! {
        biased;
        outcome = &mut call => outcome,
        () = opening.told() => tokio::select! {
            biased;
            outcome = &mut call => outcome,
            () = opening.grace_over() => None,
        },
    };
    let Some(outcome) = outcome else { return opening.unfinished() };
    let asked = opening.asked().map(|(why, _)| why);
    match outcome {
        // What stopped because it was told to did so for the reason that it was told.
        Outcome::Cancelled if asked.is_some() => opening.unfinished(),
        // Our own stop is no failure of the task.
        Outcome::Fault(_) | Outcome::Panic(_) | Outcome::Timeout { .. }
            if asked == Some(Asked::Release) =>
        {
            Outcome::Released
        }
        // Given back by the handler itself: not to be handed out to it again at once.
        Outcome::Released if asked.is_none() => Outcome::Snooze(RELEASED),
        outcome => outcome,
    }
}
