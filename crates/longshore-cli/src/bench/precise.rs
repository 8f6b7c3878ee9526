//! A sleep that ends when it should. The async runtime's timers go by whole milliseconds and end up to two of
//! them late, which is more than what is measured with them.

use crate::failure::Failure;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Ends sleeps on a thread of its own.
#[derive(Debug, Clone)]
pub(super) struct Alarm(Sender<(Instant, oneshot::Sender<()>)>);

/// One who sleeps.
struct Sleeper(Reverse<(Instant, u64)>, oneshot::Sender<()>);

impl PartialEq for Sleeper {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl Eq for Sleeper {}
impl PartialOrd for Sleeper {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Sleeper {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl Alarm {
    /// Starts the thread; it ends with the last clone.
    pub(super) fn start() -> Result<Self, Failure> {
        let (tell, told) = channel();
        std::thread::Builder::new()
            .name("alarm".into())
            .spawn(move || ring(&told))
            .map_err(Failure::system("cannot start threads"))?;
        Ok(Self(tell))
    }

    /// Returns after that time.
    pub(super) async fn sleep(&self, time: Duration) {
        self.sleep_until(Instant::now() + time).await;
    }

    /// Returns at that time, at once if it has passed.
    pub(super) async fn sleep_until(&self, at: Instant) {
        let (tell, told) = oneshot::channel();
        if at > Instant::now() && self.0.send((at, tell)).is_ok() {
            let _ = told.await;
        }
    }
}

fn ring(told: &Receiver<(Instant, oneshot::Sender<()>)>) {
    let mut sleepers: BinaryHeap<Sleeper> = BinaryHeap::new();
    let mut number = 0;
    loop {
        let now = Instant::now();
        while sleepers.peek().is_some_and(|Sleeper(Reverse((at, _)), _)| *at <= now) {
            if let Some(Sleeper(_, tell)) = sleepers.pop() {
                let _ = tell.send(());
            }
        }
        let next = sleepers.peek().map(|Sleeper(Reverse((at, _)), _)| *at);
        let wait =
            next.map_or(Duration::from_secs(1), |at| at.saturating_duration_since(Instant::now()));
        match told.recv_timeout(wait) {
            Ok((at, tell)) => {
                number += 1;
                sleepers.push(Sleeper(Reverse((at, number)), tell));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) if sleepers.is_empty() => return,
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(wait),
        }
    }
}
