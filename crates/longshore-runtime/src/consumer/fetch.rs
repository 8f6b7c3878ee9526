//! Keeps the slots of one queue filled.

use super::attempt;
use super::context::Context;
use super::slots::Slots;
use longshore_core::store::{Claim, ErrorClass, Hold, Want};
use longshore_core::{KindName, QueueName, failpoint};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// How long one claim waits for work; a claim that comes back empty is made again.
const WAIT: Duration = Duration::from_secs(20);
/// Pause after a failure of the store, doubled up to the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// Fetches the tasks of one queue.
#[derive(Debug, Clone)]
pub(crate) struct Fetch {
    pub(crate) queue: QueueName,
    pub(crate) kinds: Arc<[KindName]>,
    pub(crate) slots: Slots,
    pub(crate) worker: Arc<str>,
}

impl Fetch {
    /// Claims until fetching is stopped; every task that was handed out is run.
    pub(crate) async fn run(self, cx: Arc<Context>, attempts: TaskTracker) {
        let mut pause = BACKOFF.0;
        while let Some(mut free) = cx.fetching.run_until_cancelled(self.slots.take()).await {
            let claim = Claim {
                worker: self.worker.clone(),
                hold: Hold::Process,
                wants: vec![Want {
                    queue: self.queue.clone(),
                    kinds: self.kinds.clone(),
                    slots: free.len(),
                }],
                wait: WAIT,
            };
            // A dropped claim hands nothing out, so stopping here loses nothing.
            let claimed = cx.fetching.run_until_cancelled(cx.store.claim(claim)).await;
            let leased = match claimed {
                None => return,
                Some(Ok(leased)) => leased,
                Some(Err(error)) if error.class() == ErrorClass::Final => {
                    cx.fatal.send_replace(Some(error));
                    return;
                }
                Some(Err(error)) => {
                    tracing::warn!(queue = %self.queue, %error, "claiming failed, will be tried again");
                    drop(free);
                    let _ = cx.fetching.run_until_cancelled(tokio::time::sleep(pause)).await;
                    pause = (pause * 2).min(BACKOFF.1);
                    continue;
                }
            };
            pause = BACKOFF.0;
            // An injected error has no meaning here: what was handed out must be run.
            let _ = failpoint::pass("consumer.claimed");
            for task in leased {
                let slot = free.pop();
                attempts.spawn(attempt::run(task, slot, cx.clone()));
            }
        }
    }
}
