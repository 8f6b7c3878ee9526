//! Says that this process lives and what it runs, and hears whether it is to take nothing new.

use super::Duty;
use crate::consumer::Context;
use longshore_core::Timestamp;
use longshore_core::store::{Share, StoreError, Worker};
use std::sync::Arc;
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(5);
/// Without a word for so long a process counts as lost.
const LASTS: Duration = Duration::from_secs(15);
/// Tasks that are shown at most.
const SHOWN: usize = 100;

/// The duty.
pub(crate) struct Announcer {
    pub(crate) context: Arc<Context>,
    pub(crate) started_at: Timestamp,
}

impl Announcer {
    fn worker(&self) -> Worker {
        let cx = &self.context;
        let now = cx.live.now();
        let here = now.registry.kinds().filter(|kind| kind.handler.is_some());
        let running = cx.running.all();
        let share = |(queue, _): (&longshore_core::QueueName, _)| {
            let used = running.iter().filter(|opening| opening.task.queue == *queue).count();
            Share {
                queue: queue.clone(),
                slots: u32::try_from(crate::live::at_once(&now.settings(queue)))
                    .unwrap_or(u32::MAX),
                used: u32::try_from(used).unwrap_or(u32::MAX),
            }
        };
        Worker {
            id: cx.worker.clone(),
            host: host(),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: self.started_at,
            kinds: here.map(|kind| kind.name.clone()).collect(),
            queues: now.registry.queues().map(share).collect(),
            tasks: running.iter().take(SHOWN).map(|opening| opening.id()).collect(),
            draining: cx.fetching.is_cancelled(),
        }
    }
}

fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[async_trait::async_trait]
impl Duty for Announcer {
    fn name(&self) -> &'static str {
        "announcer"
    }

    async fn step(&mut self) -> Result<Duration, StoreError> {
        let cx = &self.context;
        // Of a store that is ours alone nobody else takes tasks in.
        let kinds = if cx.store.is_shared() { cx.live.to_be_known() } else { Vec::new() };
        let told = cx.store.announce(self.worker(), kinds, LASTS).await?;
        if told.drain && !cx.fetching.is_cancelled() {
            tracing::info!("told to drain: nothing new is begun here");
            cx.fetching.cancel();
        }
        Ok(EVERY)
    }
}
