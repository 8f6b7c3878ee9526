//! Lives: what is cut short, and a server that goes away and comes back.

use crate::conformance::rig::{Rig, Trouble, sleeping, succeeded};
use longshore::core::State;
use std::time::{Duration, Instant};

/// How long the server is away.
const AWAY: Duration = Duration::from_secs(2);
/// Longer than the grace and the time until the server looks for leases that are over.
const CUT_SHORT: Duration = Duration::from_secs(5);
/// What a worker that ends its sleep on the second may take beyond it.
const MARGIN: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(50);

/// Before anything was cut short, no end was refused.
pub(super) async fn told_once(rig: &mut Rig) -> Result<(), Trouble> {
    rig.returns("1").await?;
    match rig.house.ends_refused().await? {
        0 => Ok(()),
        refused => Err(format!("{refused} ends were told of tasks that had ended").into()),
    }
}

/// A cancelled task is taken from the worker after its grace; what it tells afterwards is answered
/// with 409, and it must go on.
pub(super) async fn late_end(rig: &mut Rig) -> Result<(), Trouble> {
    let before = rig.house.ends_refused().await?;
    let id = rig.submit(sleeping(CUT_SHORT)?).await?;
    rig.running(id).await?;
    let began = Instant::now();
    rig.client().tasks().cancel(id).await?;
    let task = rig.end_of(id, CUT_SHORT + rig.patience).await?;
    // One that hears of the cancel may end it in time.
    let was_taken = task.status == State::Cancelled;
    // It may tell its late end, or never tell it.
    while was_taken
        && rig.house.ends_refused().await? == before
        && began.elapsed() < CUT_SHORT + MARGIN
    {
        rig.lives()?;
        tokio::time::sleep(LOOK).await;
    }
    rig.returns(r#""and on""#).await?;
    rig.lives()?;
    match rig.house.ends_refused().await? - before {
        0 | 1 => Ok(()),
        times => Err(format!("it told its late end {times} times").into()),
    }
}

/// The server goes away for a while. A worker that waits for work asks again.
pub(super) async fn restart(rig: &mut Rig) -> Result<(), Trouble> {
    rig.returns(r#""before""#).await?;
    rig.house.away(AWAY).await?;
    rig.returns(r#""after""#).await?;
    rig.lives()
}

/// The server is away when a task has been done. Its lease is still held when it comes back.
pub(super) async fn outage(rig: &mut Rig) -> Result<(), Trouble> {
    let id = rig.submit(sleeping(AWAY / 2)?).await?;
    rig.running(id).await?;
    rig.house.away(AWAY).await?;
    let task = rig.end_of(id, rig.patience).await?;
    succeeded(&task)
}
