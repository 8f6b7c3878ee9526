//! The time of an attempt.

use super::{Layer, Next};
use crate::handler::Call;
use crate::stall::{self, StallWatch};
use longshore_core::Outcome;
use longshore_core::store::Leased;
use std::pin::Pin;
use std::time::Duration;

/// What a handler that ends itself after its grace still needs.
pub(crate) const ENDING: Duration = Duration::from_secs(1);

/// Gives up what takes longer than the attempt may, and answers [`Outcome::Timeout`]. Time in which
/// the whole process stood still does not count. In a lane it is told to stop first, and has its grace.
#[derive(Debug, Clone)]
pub struct Timeout {
    stall: StallWatch,
}

impl Timeout {
    /// Leaves out the stalls that `stall` sees.
    pub fn new(stall: StallWatch) -> Self {
        Self { stall }
    }
}

/// Returns how long an attempt may take: its own timeout, or what is left of the total if that is less.
pub(crate) fn allowed(task: &Leased) -> Duration {
    task.total_left.unwrap_or(task.timeout.0).min(task.timeout.0)
}

impl Layer for Timeout {
    fn call(&self, call: Call, next: Next) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
        let stall = self.stall.clone();
        let allowed = allowed(&call.task);
        let (in_lane, stop, grace) = (call.task.in_lane, call.cancel.clone(), call.grace);
        Box::pin(async move {
            let mut running = next.run(call);
            if let Ok(outcome) = stall::within(&stall, allowed, &mut running).await {
                return outcome;
            }
            if in_lane {
                // The next of the lane must not meet what is still ending.
                stop.cancel();
                let _ = tokio::time::timeout(grace + ENDING, running).await;
            }
            Outcome::Timeout { allowed }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler;
    use crate::layers::stack::tests::call;
    use crate::layers::{Stack, from_fn};
    use std::sync::Arc;

    fn with_left(left: Duration) -> Call {
        let mut call = call();
        Arc::get_mut(&mut call.task).expect("only here").total_left = Some(left);
        call
    }

    #[test]
    fn an_attempt_has_no_more_than_what_is_left_of_the_total() {
        let (less, more) = (Duration::from_millis(200), Duration::from_secs(60));
        assert_eq!(allowed(&with_left(less).task), less);
        assert_eq!(allowed(&with_left(more).task), Duration::from_millis(500));
    }

    #[tokio::test]
    async fn what_never_ends_is_given_up() {
        let stall = StallWatch::start().expect("a thread");
        let endless = from_fn(|_, _| std::future::pending());
        let stack = Stack::default().with(Timeout::new(stall)).with(endless);
        let allowed = Duration::from_millis(1);
        let outcome = stack.wrap(handler::nothing()).call(with_left(allowed)).await;
        assert_eq!(outcome, Outcome::Timeout { allowed });
    }
}
