//! Keeps the slots of the queues filled.

use super::attempt;
use super::context::Context;
use super::opening::Opening;
use super::slots::{Slot, Slots};
use crate::live::{Now, at_once};
use crate::supervisor::{ComponentError, Life};
use longshore_core::queue::QueueSettings;
use longshore_core::store::{Claim, ErrorClass, Leased, Want};
use longshore_core::{KindName, QueueName, failpoint};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Claims that each queue makes at the same time: while one is answered, another one waits at the
/// store, so that what comes in meanwhile is handed over at once.
pub(super) const CLAIMS: usize = 4;
/// How long one claim waits for work; a claim that comes back empty is made again.
const WAIT: Duration = Duration::from_secs(20);
/// Pause after a failure of the store, doubled up to the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// Fetches all queues of the registry as it changes, until fetching is stopped.
pub(crate) async fn run(
    cx: Arc<Context>,
    attempts: TaskTracker,
    life: Life,
) -> Result<(), ComponentError> {
    let stop = cx.fetching.child_token();
    let stopping = life.token();
    let mut live = cx.live.watch();
    let mut queues: HashMap<QueueName, Fetch> = HashMap::new();
    let mut loops = JoinSet::new();
    loop {
        let now = live.borrow_and_update().clone();
        queues.retain(|name, fetch| {
            let stays = now.registry.queue(name.as_str()).is_some() && now.carrier(name).is_none();
            if !stays {
                fetch.stop.cancel();
            }
            stays
        });
        // What a broker carries comes from there.
        for (name, _) in now.registry.queues().filter(|(name, _)| now.carrier(name).is_none()) {
            let settings = now.settings(name);
            if let Some(fetch) = queues.get(name) {
                fetch.change(&settings);
                continue;
            }
            let slots = cx.slots_of(name);
            let fetch = Fetch { queue: name.clone(), slots, stop: stop.child_token() };
            for _ in 0..CLAIMS {
                loops.spawn(fetch.clone().run(cx.clone(), attempts.clone()));
            }
            queues.insert(name.clone(), fetch);
        }
        tokio::select! {
            () = stopping.cancelled() => break,
            () = stop.cancelled() => stopping.cancelled().await,
            _ = live.changed() => {}
            Some(ended) = loops.join_next() => ended.map_err(ComponentError::failed)?,
        }
    }
    stop.cancel();
    while let Some(ended) = loops.join_next().await {
        ended.map_err(ComponentError::failed)?;
    }
    Ok(())
}

/// Fetches the tasks of one queue.
#[derive(Debug, Clone)]
struct Fetch {
    queue: QueueName,
    slots: Slots,
    stop: CancellationToken,
}

impl Fetch {
    fn change(&self, settings: &QueueSettings) {
        self.slots.resize(at_once(settings));
    }

    /// Claims until it is stopped; every task that was handed out is run.
    async fn run(self, cx: Arc<Context>, attempts: TaskTracker) {
        let mut pause = BACKOFF.0;
        let mut live = cx.live.watch();
        let mut blocked = cx.executor.blocked();
        let mut now = live.borrow_and_update().clone();
        let (mut kinds, mut outside) = kinds_of(&now);
        while let Some(free) = self.stop.run_until_cancelled(self.slots.take()).await {
            if live.has_changed().unwrap_or(false) {
                now = live.borrow_and_update().clone();
                (kinds, outside) = kinds_of(&now);
            }
            let set = now.settings(&self.queue);
            let want = Want {
                queue: self.queue.clone(),
                tenant: None,
                kinds: kinds.clone(),
                outside: outside.clone(),
                slots: free.len(),
                limit: set.limit,
                rate: set.rate,
            };
            let claim =
                Claim { worker: cx.worker.clone(), hold: cx.hold, wants: vec![want], wait: WAIT };
            // A dropped claim hands nothing out, so leaving it loses nothing.
            let claimed = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                _ = live.changed() => {
                    live.mark_changed();
                    Ok(Vec::new()) // asked anew, for what holds now
                }
                () = is(&mut blocked, true) => {
                    Ok(Vec::new()) // whoever cannot run anything takes nothing
                }
                claimed = cx.store.claim(claim) => claimed,
            };
            let leased = match claimed {
                Ok(leased) => leased,
                Err(error) if error.class() == ErrorClass::Final => {
                    cx.fatal.send_replace(Some(error));
                    return;
                }
                Err(error) => {
                    tracing::warn!(queue = %self.queue, %error, "claiming failed, will be tried again");
                    drop(free);
                    let _ = self.stop.run_until_cancelled(tokio::time::sleep(pause)).await;
                    pause = (pause * 2).min(BACKOFF.1);
                    continue;
                }
            };
            if !leased.is_empty() {
                // An injected error has no meaning here: what was handed out must be run.
                let _ = failpoint::pass("consumer.claimed");
            }
            let is_late = leased.iter().any(|task| cx.is_endangered(task.handed_out.elapsed()));
            begin(leased, free, &now, &cx, &attempts);
            if is_late {
                // It is given back: the next one would come as late.
                let _ = self.stop.run_until_cancelled(tokio::time::sleep(pause)).await;
            }
            pause = if is_late { (pause * 2).min(BACKOFF.1) } else { BACKOFF.0 };
            let _ = self.stop.run_until_cancelled(is(&mut blocked, false)).await;
        }
    }
}

/// Returns once the value is `wanted`.
pub(crate) async fn is(value: &mut watch::Receiver<bool>, wanted: bool) {
    // The other end lives as long as the context does.
    let _ = value.wait_for(|value| *value == wanted).await;
}

/// Gives each task its slot and a place among the handlers.
pub(crate) fn begin(
    leased: Vec<Leased>,
    free: Vec<Slot>,
    now: &Now,
    cx: &Arc<Context>,
    attempts: &TaskTracker,
) {
    let lost = cx.stall.lost();
    // The store never hands out more than there are slots.
    for (task, slot) in leased.into_iter().zip(free) {
        let kind = now.registry.kind(task.kind.as_str()).cloned();
        let opening = Opening::new(task, kind, lost, attempts.token());
        cx.running.insert(&opening);
        cx.executor.feed().run(attempt::run(opening, slot, cx.clone()));
    }
}

/// All kinds that are run here, and those of them whose handlers run outside of this process.
fn kinds_of(now: &Now) -> (Arc<[KindName]>, Arc<[KindName]>) {
    let here = || now.registry.kinds().filter_map(|kind| Some((kind, kind.handler.as_ref()?)));
    let all = here().map(|(kind, _)| kind.name.clone()).collect();
    let outside = here().filter(|(_, handler)| handler.runs_outside());
    (all, outside.map(|(kind, _)| kind.name.clone()).collect())
}
