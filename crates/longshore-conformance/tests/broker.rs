//! The broker in memory is a broker: it passes the suite.

use longshore_conformance::{BrokerRig, ManualClock, ModelBroker, async_trait};
use longshore_core::broker::Broker;
use std::sync::Arc;
use std::time::Duration;

struct InMemory {
    clock: Arc<ManualClock>,
    broker: ModelBroker,
}

#[async_trait]
impl BrokerRig for InMemory {
    async fn connect(&self) -> Arc<dyn Broker> {
        Arc::new(self.broker.connect())
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }
}

async fn fresh() -> Box<dyn BrokerRig> {
    let clock = Arc::new(ManualClock::new());
    Box::new(InMemory { broker: ModelBroker::new(clock.clone()), clock })
}

longshore_conformance::broker_suite!("model", fresh, ignored: "broker_ignored.txt");
