//! Exchanges of each kind.

use crate::rig::{
    bound, declare, group, next, plain, publish, shared, subscribe, text, to_topic, unique,
};
use lapin::options::ExchangeDeclareOptions;
use lapin::types::FieldTable;
use longshore_core::broker::{
    Broker, BrokerError, DeclareMode, Envelope, Outgoing, Pattern, PublishError, Settlement,
    TopicName, Topology,
};
use longshore_rabbitmq::{ExchangeType, GroupOptions};

fn on(exchange: &str, kind: ExchangeType) -> GroupOptions {
    GroupOptions::default().exchange(exchange, Some(kind))
}

pub(crate) async fn a_direct_exchange_goes_by_the_key_itself() {
    let (broker, exchange) = (shared().await, unique("direct"));
    let red = bound("red", Some("red"), on(&exchange, ExchangeType::Direct));
    let blue = bound("blue", Some("blue"), on(&exchange, ExchangeType::Direct));
    declare(&broker, &red).await;
    declare(&broker, &blue).await;
    publish(&broker, vec![to_topic(&format!("{exchange}/red"), "r")]).await;
    publish(&broker, vec![to_topic(&format!("{exchange}/blue"), "b")]).await;
    let mut received = subscribe(&broker, &blue.name, 10).await;
    let delivery = next(&mut received).await;
    assert_eq!(delivery.envelope.payload, "b");
    let topic = delivery.origin.topic.as_ref().map(TopicName::as_str).map(str::to_owned);
    assert_eq!(topic, Some(format!("{exchange}/blue")));
    delivery.settle(Settlement::Ack).await.unwrap();
    assert_eq!(text(&mut subscribe(&broker, &red.name, 10).await).await, "r");
}

pub(crate) async fn a_fanout_exchange_reaches_everybody() {
    let (broker, exchange) = (shared().await, unique("fanout"));
    let (one, other) = (
        bound("one", None, on(&exchange, ExchangeType::Fanout)),
        bound("other", Some("whatever"), on(&exchange, ExchangeType::Fanout)),
    );
    declare(&broker, &one).await;
    declare(&broker, &other).await;
    publish(&broker, vec![to_topic(&format!("{exchange}/any.key"), "x")]).await;
    assert_eq!(text(&mut subscribe(&broker, &one.name, 1).await).await, "x");
    assert_eq!(text(&mut subscribe(&broker, &other.name, 1).await).await, "x");
}

pub(crate) async fn a_topic_exchange_of_ones_own_has_patterns() {
    let (broker, exchange) = (shared().await, unique("topic"));
    let group = bound("eu", Some("orders.*.eu"), on(&exchange, ExchangeType::Topic));
    declare(&broker, &group).await;
    let nobody = broker.publish(vec![to_topic(&format!("{exchange}/orders.us"), "x")]).await;
    assert!(matches!(nobody[0], Err(PublishError::Unroutable { .. })), "{nobody:?}");
    publish(&broker, vec![to_topic(&format!("{exchange}/orders.paid.eu"), "x")]).await;
    assert_eq!(text(&mut subscribe(&broker, &group.name, 1).await).await, "x");
}

pub(crate) async fn a_headers_exchange_compares_headers() {
    let (broker, exchange) = (shared().await, unique("headers"));
    let options =
        on(&exchange, ExchangeType::Headers).matching("region", "eu").matching("kind", "order");
    let group = bound("eu", None, options);
    declare(&broker, &group).await;
    let topic = TopicName::new(&format!("{exchange}/")).unwrap();
    let send = |region: &str| {
        let envelope = Envelope::new("x").with("region", region).with("kind", "order");
        Outgoing::to_topic(topic.clone(), envelope)
    };
    let answers = broker.publish(vec![send("us"), send("eu")]).await;
    assert!(matches!(answers[0], Err(PublishError::Unroutable { .. })), "{answers:?}");
    assert!(answers[1].is_ok(), "{answers:?}");
    let delivery = next(&mut subscribe(&broker, &group.name, 1).await).await;
    assert_eq!(delivery.envelope.headers.get("region"), Some("eu"));
}

pub(crate) async fn one_that_is_not_there_is_refused_and_touches_nothing_else() {
    let (broker, missing) = (shared().await, unique("missing"));
    let lost = bound("lost", Some("a.b"), GroupOptions::default().exchange(&missing, None));
    let mut fine = group("fine");
    fine.patterns.push(Pattern::new(&format!("{}.#", fine.name)).unwrap());
    let topology = Topology { topics: Vec::new(), groups: vec![lost, fine.clone()] };
    let refused = broker.declare(&topology, DeclareMode::Declare).await.unwrap_err();
    let BrokerError::Refused { why } = &refused else { panic!("{refused:?}") };
    assert!(why.contains(&missing), "{why}");
    let batch =
        vec![to_topic(&format!("{missing}/x"), "x"), to_topic(&format!("{}.a", fine.name), "y")];
    let answers = broker.publish(batch).await;
    assert!(
        matches!(&answers[0], Err(PublishError::Refused { why }) if why.contains(&missing)),
        "{answers:?}"
    );
    assert!(answers[1].is_ok(), "{answers:?}");
    assert_eq!(text(&mut subscribe(&broker, &fine.name, 1).await).await, "y");
}

pub(crate) async fn one_that_is_there_needs_no_type() {
    let (broker, exchange) = (shared().await, unique("theirs"));
    let channel = plain().await;
    let (kind, options) = (lapin::ExchangeKind::Topic, ExchangeDeclareOptions::default());
    channel
        .exchange_declare(exchange.as_str().into(), kind, options, FieldTable::default())
        .await
        .unwrap();
    let group = bound("ours", Some(&format!("{exchange}/a.*")), GroupOptions::default());
    declare(&broker, &group).await;
    publish(&broker, vec![to_topic(&format!("{exchange}/a.b"), "x")]).await;
    assert_eq!(text(&mut subscribe(&broker, &group.name, 1).await).await, "x");
}
