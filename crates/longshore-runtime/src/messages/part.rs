//! A consumer as a component: at a stop, handlers have until the deadline, and what still runs then is given back.

use super::context::Context;
use super::receive;
use crate::brokers;
use crate::supervisor::{Component, ComponentError, Deadline, Life, Policy, Stopped};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long it may take until handlers that yield have returned, once they are told to.
const RELEASING: Duration = Duration::from_secs(1);
/// How long the broker may take to hear how what has returned ended.
const SETTLING: Duration = Duration::from_secs(8);

/// Between two looks whether all is settled: a tracker only tells those who let nothing more begin.
const LOOK: Duration = Duration::from_millis(50);

/// What runs between a start and its stop. Cloning gives another handle.
#[derive(Debug, Clone, Default)]
pub(super) struct Round {
    /// Cancelled when what runs is to be given back.
    pub(super) stop: CancellationToken,
    /// Cancelled when nothing of it is unsettled, or nobody waits any more.
    pub(super) drained: CancellationToken,
    /// One for each delivery that is not settled.
    unsettled: TaskTracker,
}

impl Round {
    /// Begins with a delivery, beside the others.
    pub(super) fn begin(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.unsettled.spawn(work);
    }

    /// Returns once nothing is unsettled.
    pub(super) async fn settled(&self) {
        while !self.unsettled.is_empty() {
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// A consumer that runs.
pub(crate) struct Part {
    cx: Arc<Context>,
    name: String,
    needs: Vec<String>,
    round: Mutex<Option<Round>>,
}

impl Part {
    pub(crate) fn new(cx: Arc<Context>) -> Self {
        let name = format!("consumer.{}", cx.name());
        let needs = vec![brokers::component(&cx.broker_name)];
        Self { cx, name, needs, round: Mutex::default() }
    }
}

#[async_trait::async_trait]
impl Component for Part {
    fn name(&self) -> &str {
        &self.name
    }

    fn needs(&self) -> &[String] {
        &self.needs
    }

    fn policy(&self) -> Policy {
        // One that fails must not take the others with it.
        let give_up = crate::supervisor::GiveUp::Degraded;
        Policy { grace: RELEASING + SETTLING, give_up, ..Policy::default() }
    }

    async fn start(&self, life: Life) -> Result<(), ComponentError> {
        let round = Round::default();
        *self.round.lock().unwrap_or_else(PoisonError::into_inner) = Some(round.clone());
        life.spawn(receive::run(self.cx.clone(), round, life.clone()));
        Ok(())
    }

    async fn stop(&self, deadline: Deadline) -> Result<Stopped, ComponentError> {
        let round = self.round.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(round) = round else { return Ok(Stopped::default()) };
        round.unsettled.close();
        let running = round.unsettled.len();
        tokio::select! {
            () = round.unsettled.wait() => {}
            () = deadline.passed() => {}
        }
        let released = round.unsettled.len();
        round.stop.cancel();
        let _ = tokio::time::timeout(RELEASING + SETTLING, round.unsettled.wait()).await;
        if !round.unsettled.is_empty() {
            let messages = round.unsettled.len();
            tracing::warn!(component = %self.name, messages, "messages were not settled; they are handed out again");
        }
        round.drained.cancel();
        let ended = running.saturating_sub(released);
        let cleaned = if ended > 0 { vec![format!("{ended} messages ended")] } else { Vec::new() };
        Ok(Stopped { cleaned, given_back: released as u64 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consumer::Feed;
    use crate::handler;
    use crate::messages::Consumer;
    use crate::messages::context::Shared;
    use crate::stall::StallWatch;
    use crate::supervisor::stress;
    use crate::telemetry::Telemetry;
    use longshore_conformance::ModelBroker;
    use longshore_core::SystemClock;
    use longshore_core::broker::{Broker, DeclareMode};

    /// A consumer without the component of its broker.
    fn alone(threads: &tokio::runtime::Runtime) -> Part {
        let broker: Arc<dyn Broker> = Arc::new(ModelBroker::default());
        let shared = Shared {
            clock: Arc::new(SystemClock),
            stall: StallWatch::start().expect("a thread"),
            feed: Feed::start(threads.handle(), 1).expect("a thread"),
            fetching: CancellationToken::new(),
        };
        let policy = Consumer::topic("orders.*").checked("shipping").expect("it is fine");
        let telemetry = Telemetry::default().consumer("shipping");
        let named = (Arc::from("main"), broker);
        let cx = Context::new(
            policy,
            named,
            DeclareMode::Declare,
            handler::nothing(),
            shared,
            telemetry,
        );
        Part { needs: Vec::new(), ..Part::new(Arc::new(cx)) }
    }

    #[test]
    fn a_consumer_survives_every_life() {
        let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build();
        let threads = threads.expect("a thread");
        stress::lifecycle(|| alone(&threads));
    }
}
