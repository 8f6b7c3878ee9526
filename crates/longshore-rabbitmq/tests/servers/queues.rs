//! Queues with other properties, and queues that are deleted.

use crate::rig::{
    SOON, bound, declare, group, next, plain, publish, ready, shared, subscribe, text, to_group,
    to_topic, unique,
};
use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use longshore_core::broker::{
    Broker, BrokerError, DeclareMode, GroupName, Settlement, Subscribed, Topology,
};
use longshore_rabbitmq::GroupOptions;

async fn delete(queue: &str) {
    let options = QueueDeleteOptions::default();
    plain().await.queue_delete(queue.into(), options).await.unwrap();
}

pub(crate) async fn other_arguments_are_told_and_left() {
    let (broker, group) = (shared().await, group("theirs"));
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let name = group.name.as_str();
    plain().await.queue_declare(name.into(), options, FieldTable::default()).await.unwrap();
    let diff = declare(&broker, &group).await;
    let [difference] = diff.different.as_slice() else { panic!("{diff:?}") };
    assert_eq!(difference.object, format!("queue {name}"));
    assert!(!difference.property.is_empty() && difference.wanted != "properties", "{difference}");
    publish(&broker, vec![to_group(&group, "x")]).await;
    assert_eq!(text(&mut subscribe(&broker, &group.name, 1).await).await, "x");
    assert_eq!(declare(&broker, &group).await.different.len(), 1);
}

pub(crate) async fn to_look_makes_nothing() {
    let (broker, group) = (shared().await, group("looked-for"));
    let topology = Topology::of(group.clone());
    for _ in 0..2 {
        let diff = broker.declare(&topology, DeclareMode::Verify).await.unwrap();
        assert_eq!(
            diff.missing,
            [format!("queue {}", group.name), format!("queue {}.dead", group.name)]
        );
    }
    let missing = broker.inspect(&group.name).await;
    assert!(matches!(missing, Err(BrokerError::Refused { .. })), "{missing:?}");
    declare(&broker, &group).await;
    assert!(broker.declare(&topology, DeclareMode::Verify).await.unwrap().is_empty());
    assert!(broker.declare(&topology, DeclareMode::Declare).await.unwrap().is_empty());
}

pub(crate) async fn a_queue_may_have_another_name_type_and_arguments() {
    let (broker, queue) = (shared().await, unique("named"));
    let options = GroupOptions::default()
        .queue(&queue)
        .classic()
        .argument("x-max-length", 2)
        .argument("x-overflow", "reject-publish");
    let group = bound("short", None, options);
    assert!(declare(&broker, &group).await.missing.contains(&format!("queue {queue}")));
    publish(&broker, vec![to_group(&group, "1"), to_group(&group, "2")]).await;
    let full = broker.publish(vec![to_group(&group, "3")]).await;
    let nacked = longshore_core::broker::PublishError::is_temporary;
    assert!(full[0].as_ref().is_err_and(nacked), "{full:?}");
    let delivery = next(&mut subscribe(&broker, &group.name, 1).await).await;
    assert_eq!(delivery.hand_out, None, "a classic queue does not count");
    assert!(declare(&broker, &group).await.is_empty());
}

pub(crate) async fn what_is_unknown_is_refused_by_name() {
    let (broker, mut group) = (shared().await, group("typo"));
    group.options.insert("queue_tpye".to_owned(), "classic".to_owned());
    let refused = broker.declare(&Topology::of(group.clone()), DeclareMode::Declare).await;
    let Err(BrokerError::Refused { why }) = refused else { panic!("{refused:?}") };
    assert!(why.contains(group.name.as_str()) && why.contains("did you mean queue_type?"), "{why}");
}

pub(crate) async fn a_deleted_queue_comes_back_with_its_subscription() {
    let (broker, group) = (shared().await, group("deleted"));
    declare(&broker, &group).await;
    let mut received = subscribe(&broker, &group.name, 10).await;
    delete(group.name.as_str()).await;
    let remade = tokio::time::timeout(SOON, broker.remade()).await.unwrap();
    assert_eq!(remade, std::slice::from_ref(&group.name));
    let wait = async {
        let mut state = received.state();
        while state != Subscribed::Confirmed {
            state = received.state_changed(&state).await;
        }
    };
    tokio::time::timeout(SOON, wait).await.unwrap();
    publish(&broker, vec![to_group(&group, "x")]).await;
    assert_eq!(text(&mut received).await, "x");
}

pub(crate) async fn a_deleted_queue_that_nobody_reads_comes_back_when_something_is_published() {
    let (broker, prefix) = (shared().await, unique("t"));
    let group = bound("unread", Some(&format!("{prefix}.*")), GroupOptions::default());
    declare(&broker, &group).await;
    delete(group.name.as_str()).await;
    publish(&broker, vec![to_topic(&format!("{prefix}.a"), "x"), to_group(&group, "y")]).await;
    assert_eq!(broker.remade().await, std::slice::from_ref(&group.name));
    assert_eq!(ready(&broker, &group.name, 2).await, 2);
}

pub(crate) async fn a_breaker_puts_aside_and_loses_nothing() {
    let (broker, mut group) = (shared().await, group("poison"));
    group.breaker = 2;
    declare(&broker, &group).await;
    publish(&broker, vec![to_group(&group, "x")]).await;
    let mut received = subscribe(&broker, &group.name, 1).await;
    for hand_out in 1..=3 {
        let delivery = next(&mut received).await;
        assert_eq!(delivery.hand_out, Some(hand_out));
        assert_eq!(delivery.redelivered, hand_out > 1);
        delivery.settle(Settlement::Release).await.unwrap();
    }
    let dead = GroupName::new(&format!("{}.dead", group.name)).unwrap();
    assert_eq!(ready(&broker, &dead, 1).await, 1);
    assert_eq!(text(&mut subscribe(&broker, &dead, 1).await).await, "x");
}
