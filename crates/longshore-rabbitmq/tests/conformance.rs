//! RabbitMQ behind this driver is a broker: it passes the suite.

mod rig;

use longshore_conformance::{BrokerRig, rabbitmq};

async fn fresh() -> Box<dyn BrokerRig> {
    Box::new(rig::Rig::default())
}

longshore_conformance::broker_suite!(
    "rabbitmq", fresh, ignored: "ignored.txt", needs: rabbitmq::needed, after: rabbitmq::stop_shared
);
