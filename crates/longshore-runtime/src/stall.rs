//! Noticing that the whole process stood still: a SIGSTOP, a paused virtual machine.
//!
//! A thread of its own ticks. Where two ticks lie far apart, nothing ran in between, and the
//! gap is not held against anybody: deadlines of running attempts move by its length. A handler
//! that blocks its executor does not stop this thread, so it is not taken for a stall.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Time between two ticks.
const TICK: Duration = Duration::from_millis(250);
/// A gap longer than this is a stall.
const STALL: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
struct Ticks {
    seen: Mutex<Seen>,
    over: AtomicBool,
}

#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    /// The last tick, since the watch began.
    last: Duration,
    /// All stalls so far.
    lost: Duration,
}

/// Watches for stalls until it is dropped.
#[derive(Debug, Clone)]
pub struct StallWatch {
    began: Instant,
    ticks: Arc<Ticks>,
    _stop: Arc<Stop>,
}

#[derive(Debug)]
struct Stop(Arc<Ticks>, OnceLock<std::thread::Thread>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.1.get() {
            thread.unpark();
        }
    }
}

impl StallWatch {
    /// Starts to watch.
    pub fn start() -> std::io::Result<Self> {
        let ticks = Arc::new(Ticks::default());
        let began = Instant::now();
        let stop = Stop(ticks.clone(), OnceLock::new());
        let ticking = ticks.clone();
        let thread = std::thread::Builder::new().name("stall-watch".into()).spawn(move || {
            while !ticking.over.load(Ordering::Relaxed) {
                std::thread::park_timeout(TICK);
                ticking.tick(began.elapsed());
            }
        })?;
        let _ = stop.1.set(thread.thread().clone());
        Ok(Self { began, ticks, _stop: Arc::new(stop) })
    }

    /// Returns for how long this process has stood still so far, a stall that has just ended included.
    pub fn lost(&self) -> Duration {
        self.ticks.lost_at(self.began.elapsed())
    }
}

impl Ticks {
    fn tick(&self, now: Duration) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = Seen { last: now, lost: seen.lost_at(now) };
    }

    fn lost_at(&self, now: Duration) -> Duration {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).lost_at(now)
    }
}

impl Seen {
    fn lost_at(self, now: Duration) -> Duration {
        let gap = now.saturating_sub(self.last);
        if gap > STALL { self.lost + gap } else { self.lost }
    }
}

/// Waits for `future`, at most for `allowed`, stalls left out.
pub async fn within<F: Future>(
    watch: &StallWatch,
    allowed: Duration,
    future: F,
) -> Result<F::Output, Expired> {
    let lost_before = watch.lost();
    let began = tokio::time::Instant::now();
    tokio::pin!(future);
    let mut until = began + allowed;
    loop {
        match tokio::time::timeout_at(until, &mut future).await {
            Ok(output) => return Ok(output),
            Err(_) => {
                let extended = began + allowed + watch.lost().saturating_sub(lost_before);
                if extended <= until {
                    return Err(Expired);
                }
                until = extended;
            }
        }
    }
}

/// The time was up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expired;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_gap_between_ticks_is_lost_time_at_once_and_for_good() {
        let ticks = Ticks::default();
        let at = Duration::from_secs;
        ticks.tick(at(1));
        assert_eq!(ticks.lost_at(at(2)), at(0));
        assert_eq!(ticks.lost_at(at(61)), at(60));
        ticks.tick(at(61));
        assert_eq!(ticks.lost_at(at(62)), at(60));
    }
}
