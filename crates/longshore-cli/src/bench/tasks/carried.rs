//! Tasks that a broker carries, and what they are held against.

use super::house::{KIND, QUEUE};
use crate::bench::produce::failed;
use crate::failure::Failure;
use longshore::drivers::RawMessages;
use std::time::Instant;

/// How many deliveries may be unsettled.
const PREFETCH: u16 = 1_000;

/// Returns how many messages a second a loop over the client publishes and consumes at once, each acknowledged by itself.
pub(super) async fn by_hand(url: &str, number: u64, size: usize) -> Result<f64, Failure> {
    let queue = format!("longshore.bench.{}.raw", std::process::id());
    let there = RawMessages::make(url, &queue).await.map_err(failed)?;
    let back = RawMessages::make(url, &queue).await.map_err(failed)?;
    let payload = vec![b'x'; size];
    let began = Instant::now();
    let (published, consumed) = futures_util::future::try_join(
        there.publish_own(number, &payload),
        back.consume(number, PREFETCH, 1),
    )
    .await
    .map_err(failed)?;
    let took = began.elapsed();
    if published.min(consumed) < number {
        return Err(Failure::Bench("the loop by hand has lost messages".to_owned()));
    }
    there.remove(&[]).await.map_err(failed)?;
    Ok(number as f64 / took.as_secs_f64())
}

/// Leaves nothing at the broker.
pub(super) async fn clear(url: &str) -> Result<(), Failure> {
    let queue = format!("ls.tasks/{QUEUE}/{KIND}");
    let raw = RawMessages::make(url, &format!("{queue}.end")).await.map_err(failed)?;
    raw.remove(&[&queue]).await.map_err(failed)
}
