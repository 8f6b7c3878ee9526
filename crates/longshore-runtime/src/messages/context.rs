//! What all attempts of one consumer share.

use super::{Checked, Plan, Refusal, Standing, plan};
use crate::consumer::Feed;
use crate::handler::BoxHandler;
use crate::stall::StallWatch;
use crate::telemetry::Consuming;
use longshore_core::broker::{Broker, DeclareMode};
use longshore_core::{Clock, QueueName, Timestamp};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

/// Pause after a settlement that the broker did not take, doubled with each further one up to the longest.
const BRAKE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// What all consumers of a process share.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) stall: StallWatch,
    /// Of the handlers' threads.
    pub(crate) feed: Feed,
    /// Cancelled when nothing more is to be received.
    pub(crate) fetching: CancellationToken,
}

/// One consumer.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) policy: Checked,
    /// Its name once more, as a queue's: tasks and messages share the form of a call.
    pub(crate) queue: QueueName,
    /// And once more, as messages show it.
    pub(super) label: Arc<str>,
    pub(crate) broker_name: Arc<str>,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) declare: DeclareMode,
    /// Inside of all its layers.
    pub(crate) handler: BoxHandler,
    pub(crate) shared: Shared,
    pub(crate) telemetry: Arc<Consuming>,
    /// Places for handlers.
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) paused: watch::Sender<bool>,
    standing: watch::Sender<(Standing, Timestamp)>,
    /// As it was made for the connection that is there, or was last.
    plan: Mutex<Option<Result<Plan, Vec<Refusal>>>>,
    /// How often the broker is asked for more time while a handler runs, in milliseconds; 0 where that is not needed.
    holding: AtomicU64,
    /// Settlements in a row that the broker did not take.
    unsettled: AtomicU32,
}

impl Context {
    pub(crate) fn new(
        policy: Checked,
        (broker_name, broker): (Arc<str>, Arc<dyn Broker>),
        declare: DeclareMode,
        handler: BoxHandler,
        shared: Shared,
        telemetry: Arc<Consuming>,
    ) -> Self {
        // Consumers' names have the letters of queues'.
        let queue = QueueName::new(policy.name.as_str()).unwrap_or_default();
        let now = shared.clock.now();
        Self {
            slots: Arc::new(Semaphore::new(policy.parallel as usize)),
            label: Arc::from(policy.name.as_str()),
            queue,
            policy,
            broker_name,
            broker,
            declare,
            handler,
            shared,
            telemetry,
            paused: watch::Sender::new(false),
            standing: watch::Sender::new((Standing::Idle, now)),
            plan: Mutex::default(),
            holding: AtomicU64::new(0),
            unsettled: AtomicU32::new(0),
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.policy.name.as_str()
    }

    /// Says how it is; returns whether that is news.
    pub(super) fn stand(&self, standing: Standing) -> bool {
        self.telemetry.is_ready(standing == Standing::Running);
        let now = self.shared.clock.now();
        self.standing.send_if_modified(|was| {
            let is_news = was.0 != standing;
            if is_news {
                *was = (standing, now);
            }
            is_news
        })
    }

    /// Returns how it is, and since when.
    pub(super) fn standing(&self) -> (Standing, Timestamp) {
        self.standing.borrow().clone()
    }

    /// Plans for what the broker that answers now can do.
    pub(super) fn replan(&self) -> Result<Plan, Vec<Refusal>> {
        let can = self.broker.capabilities();
        let holding = can.settle_within.filter(|_| can.extend).unwrap_or_default() / 3;
        self.holding.store(holding.as_millis() as u64, Ordering::Relaxed);
        let plan = plan(&self.policy, &can);
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = Some(plan.clone());
        plan
    }

    /// How often the broker is asked for more time while a handler runs; nothing where that is not needed.
    pub(super) fn holding(&self) -> Option<Duration> {
        let millis = self.holding.load(Ordering::Relaxed);
        (millis > 0).then(|| Duration::from_millis(millis))
    }

    pub(super) fn plan(&self) -> Option<Result<Plan, Vec<Refusal>>> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes whether the broker took a settlement.
    pub(super) fn settled(&self, taken: bool) {
        match taken {
            true => self.unsettled.store(0, Ordering::Relaxed),
            false => {
                self.unsettled.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// How long nothing is received, because what was handed out comes back at once anyway.
    pub(super) fn brake(&self) -> Option<Duration> {
        let failures = self.unsettled.load(Ordering::Relaxed).checked_sub(1)?;
        Some(BRAKE.0.saturating_mul(1 << failures.min(5)).min(BRAKE.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Consumer;
    use crate::telemetry::Telemetry;
    use longshore_conformance::ModelBroker;
    use longshore_core::SystemClock;
    use tokio::runtime::Handle;

    #[tokio::test]
    async fn settlements_that_are_not_taken_slow_it_down_until_one_is() {
        let shared = Shared {
            clock: Arc::new(SystemClock),
            stall: StallWatch::start().expect("a thread"),
            feed: Feed::start(&Handle::current(), 1).expect("a thread"),
            fetching: CancellationToken::new(),
        };
        let broker: Arc<dyn Broker> = Arc::new(ModelBroker::default());
        let cx = Context::new(
            Consumer::topic("a").checked("c").expect("it is fine"),
            (Arc::from("main"), broker),
            DeclareMode::Declare,
            crate::handler::nothing(),
            shared,
            Telemetry::default().consumer("c"),
        );
        assert_eq!(cx.brake(), None);
        let pauses: Vec<u64> = (0..7)
            .map(|_| {
                cx.settled(false);
                cx.brake().expect("it brakes").as_secs()
            })
            .collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        cx.settled(true);
        assert_eq!(cx.brake(), None);
    }
}
