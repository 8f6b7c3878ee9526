//! What lies there before the measurement begins.

use crate::failure::Failure;
use clap::ValueEnum;
use longshore::core::store::StoreError;
use longshore::core::{Clock, KindName, NewTask, Payload, SystemClock, Valid};
use longshore::drivers;
use std::time::Duration;

/// What a backlog waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Waits {
    /// For a worker: ready, of a kind that nobody here runs.
    Ready,
    /// For its time.
    Scheduled,
    /// For its lane.
    Lane,
}

/// Lays down so many tasks.
pub(super) async fn fill(
    url: &str,
    count: u64,
    waits: Waits,
    payload: &Payload,
) -> Result<(), Failure> {
    let store = drivers::open(url).await?;
    let failed = |error: StoreError| Failure::Bench(error.to_string());
    let kind = KindName::new("bench.lie").map_err(|bad| Failure::Bench(bad.to_string()))?;
    let later = SystemClock.now().after(Duration::from_secs(86_400));
    let mut left = count;
    while left > 0 {
        let batch = left.min(5_000);
        let tasks = (0..batch)
            .map(|_| {
                let mut task = NewTask::new(kind.clone()).payload(payload.clone());
                task.id_is_chosen = false;
                match waits {
                    Waits::Ready => {}
                    Waits::Scheduled => task.run_at = Some(later),
                    Waits::Lane => task.order_key = Some("one".into()),
                }
                Valid::vouch(task)
            })
            .collect();
        store.accept(tasks).await.map_err(failed)?;
        left -= batch;
    }
    store.close().await.map_err(failed)
}
