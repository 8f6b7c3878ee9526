//! What this process knows of rates: until when a queue has nothing to hand out, whoever asks.
//!
//! Others can only take from a bucket, so while a gate is shut nobody here asks the database. And those here who
//! wait for the same gate look one after the other: the first may shut it again.

use longshore_core::QueueName;
use longshore_core::queue::Rate;
use longshore_core::store::Want;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;

/// The gates of all queues that have a rate.
#[derive(Debug, Default)]
pub(crate) struct Gates(Mutex<HashMap<QueueName, Gate>>);

#[derive(Debug, Default)]
struct Gate {
    /// By the clock that only grows; it holds for the rate it was seen with.
    shut: Option<(Rate, Duration)>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Gates {
    fn lock(&self) -> MutexGuard<'_, HashMap<QueueName, Gate>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns until when there is nothing for this want; nothing if there may be something now.
    pub(crate) fn shut_until(&self, want: &Want, tick: Duration) -> Option<Duration> {
        let rate = want.rate?;
        let (seen, until) = self.lock().get(&want.queue)?.shut?;
        (seen == rate && until > tick).then_some(until)
    }

    /// Notes that there is nothing until then.
    pub(crate) fn shut(&self, queue: &QueueName, rate: Rate, until: Duration) {
        self.lock().entry(queue.clone()).or_default().shut = Some((rate, until));
    }

    /// Waits until nobody else here looks into the bucket of this queue.
    pub(crate) async fn turn(&self, queue: &QueueName) -> OwnedMutexGuard<()> {
        let turn = self.lock().entry(queue.clone()).or_default().turn.clone();
        turn.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_is_shut_for_its_rate_until_its_time() {
        let gates = Gates::default();
        let rate: Rate = "1/s".parse().expect("a rate");
        let want = |rate| Want {
            queue: QueueName::default(),
            tenant: None,
            kinds: [].into(),
            outside: [].into(),
            slots: 1,
            limit: None,
            rate,
        };
        let s = Duration::from_secs;
        assert_eq!(gates.shut_until(&want(Some(rate)), s(0)), None);
        gates.shut(&QueueName::default(), rate, s(5));
        assert_eq!(gates.shut_until(&want(Some(rate)), s(4)), Some(s(5)));
        assert_eq!(gates.shut_until(&want(Some(rate)), s(5)), None);
        let faster: Rate = "9/s".parse().expect("a rate");
        assert_eq!(gates.shut_until(&want(Some(faster)), s(4)), None, "it was set anew");
        assert_eq!(gates.shut_until(&want(None), s(4)), None);
    }
}
