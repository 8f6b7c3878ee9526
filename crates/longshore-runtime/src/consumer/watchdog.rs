//! Looks after what runs: writes down progress, hears of cancels, and gives up handlers that do not
//! answer any more.

use super::context::Context;
use super::opening::{Asked, Opening};
use super::record::End;
use crate::supervisor::{ComponentError, Life};
use longshore_core::Outcome;
use longshore_core::store::{Extend, LeaseState, StoreError};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Where others may cancel or take what runs here, the store is asked this often; leases are held on by it.
const BEAT: Duration = Duration::from_secs(5);
/// How long writing down progress, and holding on, may take there: the watch must go on.
const SAY: Duration = Duration::from_secs(1);
const HEAR: Duration = Duration::from_secs(3);
/// Time between two looks.
const EVERY: Duration = Duration::from_millis(500);
/// So much later than a handler's own clock it is given up from outside.
const SLACK: Duration = Duration::from_secs(1);

/// Looks until it is told to stop.
pub(crate) async fn run(cx: Arc<Context>, life: Life) -> Result<(), ComponentError> {
    let mut lost = cx.stall.lost();
    let mut beaten = Instant::now();
    loop {
        let pause = life.token();
        if pause.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
            return Ok(());
        }
        let stalled = cx.stall.lost();
        if stalled > lost {
            lost = stalled; // nobody had time to end: look again first
            continue;
        }
        let all = cx.running.all();
        if all.is_empty() && !*cx.executor.blocked().borrow() {
            continue;
        }
        cx.executor.check().await;
        if !cx.is_one_of_many() {
            beat(all.iter(), &cx).await;
        } else if tokio::time::timeout(SAY, beat(all.iter(), &cx)).await.is_err() {
            tracing::warn!("the store takes long; progress is written down later");
        }
        if cx.is_one_of_many() && beaten.elapsed() >= BEAT {
            beaten = Instant::now();
            hold_on(&all, &cx).await;
        }
        stop_in_danger(&all, &cx);
        for opening in all.iter().filter(|opening| is_lost(opening, &cx)) {
            give_up(opening, &cx).await;
        }
    }
}

/// Writes down what handlers said of their progress, and hears what was asked of them.
pub(crate) async fn beat(all: impl Iterator<Item = &Arc<Opening>>, cx: &Context) {
    let said = |opening: &Arc<Opening>| {
        let progress = Some(opening.progress.take()?);
        Some((opening.clone(), Extend { lease: opening.task.lease, lasts: None, progress }))
    };
    let (openings, extends): (Vec<_>, Vec<_>) = all.filter_map(said).unzip();
    if extends.is_empty() {
        return;
    }
    match cx.store.extend(extends).await {
        Ok(states) => {
            for (opening, state) in openings.iter().zip(states) {
                obey(opening, state);
            }
        }
        // Views only; the next word of the handler is written again.
        Err(error) => tracing::warn!(%error, "progress was not written down"),
    }
}

/// Holds on to everything that runs, and hears what was asked of it.
async fn hold_on(all: &[Arc<Opening>], cx: &Context) {
    let extend =
        |opening: &Arc<Opening>| Extend { lease: opening.task.lease, lasts: None, progress: None };
    let asked = Instant::now();
    let extended = cx.store.extend(all.iter().map(extend).collect());
    let extended = tokio::time::timeout(HEAR, extended).await;
    match extended.unwrap_or(Err(StoreError::Deadline { waited: HEAR })) {
        Ok(states) => {
            for (opening, state) in all.iter().zip(states) {
                if let LeaseState::Held { .. } = state {
                    opening.held(asked);
                }
                obey(opening, state);
            }
        }
        Err(error) => {
            tracing::warn!(%error, "leases were not held on, will be tried again");
        }
    }
}

/// Of a lane nobody else may run a task while this one does: it is told to stop before its lease can have ended.
fn stop_in_danger(all: &[Arc<Opening>], cx: &Context) {
    let in_danger = |opening: &&Arc<Opening>| {
        let lost = matches!(opening.asked(), Some((Asked::Lost, _)));
        opening.task.in_lane && !lost && cx.is_endangered(opening.held_for())
    };
    for opening in all.iter().filter(in_danger) {
        tracing::warn!(task = %opening.id(), "stops, for another worker may soon have its lane");
        opening.ask(Asked::Lost, Duration::ZERO);
    }
}

fn obey(opening: &Opening, state: LeaseState) {
    match state {
        LeaseState::Held { cancel_asked: false, .. } => {}
        LeaseState::Held { .. } => opening.ask(Asked::Cancel, opening.grace()),
        LeaseState::Lost => opening.ask(Asked::Lost, Duration::ZERO),
    }
}

/// Whether a handler had all its time, and more, and is still there.
fn is_lost(opening: &Opening, cx: &Context) -> bool {
    if opening.is_over() {
        return false;
    }
    let deadline = opening.deadline(cx.stall.lost());
    let until = match opening.asked() {
        Some((_, grace)) => deadline.min(grace),
        None => deadline,
    };
    Instant::now() > until + SLACK
}

/// Tells the end of a handler that does not, so that its task goes on. The slot stays taken: the
/// thread does. With a lane, the task stays too, for two of a lane must never run at once. What has
/// not begun is given back.
async fn give_up(opening: &Arc<Opening>, cx: &Context) {
    let task = &opening.task;
    if let Some(unrecorded) = opening.withdraw() {
        cx.running.remove(opening);
        let outcome = opening.unfinished();
        opening.ask(Asked::Lost, Duration::ZERO);
        return tell(opening, outcome, cx, unrecorded).await;
    }
    if !is_lost(opening, cx) {
        return; // it has begun just now
    }
    cx.running.stick(opening);
    let inside = opening.inside_for();
    if task.in_lane {
        if opening.first_complaint() {
            tracing::error!(task = %task.lease.id, kind = %task.kind, blocked_for = ?inside, "a handler cannot be stopped; its slot stays taken and its lane closed until it returns");
        }
        return;
    }
    let Some(unrecorded) = opening.end() else {
        return cx.running.came_back(opening); // it ended by itself just now
    };
    cx.running.remove(opening);
    let outcome = match opening.asked() {
        None => Outcome::Timeout { allowed: opening.allowed },
        Some(_) => opening.unfinished(),
    };
    // If it comes back to itself, it ends there.
    opening.ask(Asked::Lost, Duration::ZERO);
    tracing::error!(task = %task.lease.id, kind = %task.kind, blocked_for = ?inside, "a handler cannot be stopped; its slot stays taken until it returns");
    tell(opening, outcome, cx, unrecorded).await;
}

async fn tell(
    opening: &Arc<Opening>,
    outcome: Outcome,
    cx: &Context,
    unrecorded: TaskTrackerToken,
) {
    let ran = opening.ran();
    cx.ends.tell(End { opening: opening.clone(), outcome, ran, _unrecorded: unrecorded }).await;
}
