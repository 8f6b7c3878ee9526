//! What the tests share.

use longshore_conformance::rabbitmq;
use longshore_core::broker::{
    Broker, DeclareMode, Deliveries, Delivery, Envelope, Group, GroupName, Outgoing, Pattern,
    Settlement, Subscription, TopicName, Topology, TopologyDiff,
};
use longshore_rabbitmq::{GroupOptions, Options, RabbitMq};
use std::num::NonZeroUsize;
use std::time::Duration;

/// Nothing that is to come takes longer.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Opens the shared server.
pub(crate) async fn shared() -> RabbitMq {
    open(&rabbitmq::shared().unwrap()).await
}

/// Opens a server, and waits until it answers.
pub(crate) async fn open(url: &str) -> RabbitMq {
    let broker = RabbitMq::open(Options::new([url])).unwrap();
    broker.first_contact(SOON).await.unwrap();
    broker
}

/// A plain client on the shared server.
pub(crate) async fn plain() -> lapin::Channel {
    plain_at(&rabbitmq::shared().unwrap()).await
}

/// A plain client.
pub(crate) async fn plain_at(url: &str) -> lapin::Channel {
    let connection = lapin::Connection::connect(url, lapin::ConnectionProperties::default());
    connection.await.unwrap().create_channel().await.unwrap()
}

/// A name that nobody else has.
pub(crate) fn unique(start: &str) -> String {
    format!("{start}-{}", uuid::Uuid::now_v7().simple())
}

/// A group with a name of its own.
pub(crate) fn group(start: &str) -> Group {
    Group::new(GroupName::new(&unique(start)).unwrap())
}

/// A group with a pattern and options.
pub(crate) fn bound(start: &str, pattern: Option<&str>, options: GroupOptions) -> Group {
    let mut group = group(start);
    group.patterns = pattern.map(|pattern| Pattern::new(pattern).unwrap()).into_iter().collect();
    group.options = options.raw();
    group
}

/// Declares a group.
pub(crate) async fn declare(broker: &RabbitMq, group: &Group) -> TopologyDiff {
    broker.declare(&Topology::of(group.clone()), DeclareMode::Declare).await.unwrap()
}

/// Something for a topic.
pub(crate) fn to_topic(topic: &str, payload: &str) -> Outgoing {
    Outgoing::to_topic(TopicName::new(topic).unwrap(), Envelope::new(payload.to_owned()))
}

/// Something for a group.
pub(crate) fn to_group(group: &Group, payload: &str) -> Outgoing {
    Outgoing::to_group(group.name.clone(), Envelope::new(payload.to_owned()))
}

/// Publishes, and every one is confirmed.
pub(crate) async fn publish(broker: &RabbitMq, batch: Vec<Outgoing>) {
    for answer in broker.publish(batch).await {
        answer.unwrap();
    }
}

/// Subscribes to a group.
pub(crate) async fn subscribe(
    broker: &RabbitMq,
    group: &GroupName,
    prefetch: usize,
) -> Box<dyn Deliveries> {
    let prefetch = NonZeroUsize::new(prefetch).unwrap();
    broker.subscribe(&Subscription::to_group(group.clone(), prefetch)).await.unwrap()
}

/// Returns the next delivery.
pub(crate) async fn next(deliveries: &mut Box<dyn Deliveries>) -> Delivery {
    let received = tokio::time::timeout(SOON, deliveries.receive(1)).await;
    received.expect("nothing came").pop().expect("it has ended")
}

/// Returns the next payload, and acks it.
pub(crate) async fn text(deliveries: &mut Box<dyn Deliveries>) -> String {
    let delivery = next(deliveries).await;
    let text = String::from_utf8_lossy(&delivery.envelope.payload).into_owned();
    delivery.settle(Settlement::Ack).await.unwrap();
    text
}

/// Returns how many wait in a group once there are so many, or after a while.
pub(crate) async fn ready(broker: &RabbitMq, group: &GroupName, expected: u64) -> u64 {
    let mut ready = 0;
    for _ in 0..100 {
        ready = broker.inspect(group).await.unwrap().ready;
        if ready == expected {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ready
}
