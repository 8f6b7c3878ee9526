//! The ladder, the parking, and acks out of order.

use crate::rig::{
    SOON, declare, group, next, plain, publish, ready, shared, subscribe, text, to_group,
};
use lapin::BasicProperties;
use lapin::options::{
    BasicGetOptions, BasicPublishOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use longshore_core::broker::{Broker, DeclareMode, Settlement, Subscribed, Topology};
use std::time::{Duration, Instant};

pub(crate) async fn a_pause_takes_the_next_rung() {
    let (broker, group) = (shared().await, group("ladder"));
    declare(&broker, &group).await;
    let mut received = subscribe(&broker, &group.name, 10).await;
    // The rungs of five seconds and of one: far enough apart for a busy machine.
    let pauses = [4_000, 100].map(Duration::from_millis);
    // A rung takes a while where it is new.
    publish(&broker, vec![to_group(&group, "1"), to_group(&group, "2")]).await;
    for after in pauses {
        next(&mut received).await.settle(Settlement::Retry { after }).await.unwrap();
    }
    for _ in pauses {
        text(&mut received).await;
    }
    publish(&broker, vec![to_group(&group, "long"), to_group(&group, "short")]).await;
    let began = Instant::now();
    for after in pauses {
        next(&mut received).await.settle(Settlement::Retry { after }).await.unwrap();
    }
    let short = next(&mut received).await;
    let waited = began.elapsed().as_millis();
    assert_eq!((short.envelope.payload.as_ref(), short.envelope.attempt()), (&b"short"[..], 2));
    assert!(waited >= 1_000, "{waited} ms");
    let long = next(&mut received).await;
    let waited = began.elapsed().as_millis();
    assert_eq!((long.envelope.payload.as_ref(), long.hand_out), (&b"long"[..], Some(1)));
    assert!(waited >= 5_000, "{waited} ms");
}

pub(crate) async fn a_pause_comes_back_to_a_queue_that_somebody_else_has_made() {
    let (broker, group) = (shared().await, group("theirs"));
    let channel = plain().await;
    let mut table = FieldTable::default();
    table.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(group.name.as_str().into(), options, table).await.unwrap();
    let topology = Topology::of(group.clone());
    broker.declare(&topology, DeclareMode::Off).await.unwrap();
    publish(&broker, vec![to_group(&group, "x")]).await;
    let mut received = subscribe(&broker, &group.name, 1).await;
    next(&mut received).await.settle(Settlement::Retry { after: Duration::ZERO }).await.unwrap();
    assert_eq!(next(&mut received).await.envelope.attempt(), 2);
}

pub(crate) async fn a_pause_longer_than_the_ladder_goes_on() {
    let (broker, group) = (shared().await, group("patience"));
    declare(&broker, &group).await;
    let mut received = subscribe(&broker, &group.name, 1).await;
    // As it comes back from the last rung, with some of its pause left.
    let mut table = FieldTable::default();
    table.insert("ls-delay-left".into(), AMQPValue::LongString("900".into()));
    table.insert("ls-attempt".into(), AMQPValue::LongString("2".into()));
    let properties = BasicProperties::default().with_headers(table);
    let (channel, options) = (plain().await, BasicPublishOptions::default());
    let began = Instant::now();
    let sent =
        channel.basic_publish("".into(), group.name.as_str().into(), options, b"x", properties);
    sent.await.unwrap();
    let delivery = next(&mut received).await;
    assert!(began.elapsed() >= Duration::from_millis(1_000), "{:?}", began.elapsed());
    assert_eq!(delivery.envelope.attempt(), 2);
    assert_eq!(delivery.envelope.headers.get("ls-delay-left"), None);
}

pub(crate) async fn what_comes_back_to_nobody_is_parked() {
    let (broker, group) = (shared().await, group("leaving"));
    declare(&broker, &group).await;
    publish(&broker, vec![to_group(&group, group.name.as_str())]).await;
    let mut received = subscribe(&broker, &group.name, 1).await;
    let delivery = next(&mut received).await;
    delivery.settle(Settlement::Retry { after: Duration::ZERO }).await.unwrap();
    assert_eq!(broker.close(SOON).await.unsettled, 0);
    let channel = plain().await;
    channel.queue_delete(group.name.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
    let began = Instant::now();
    let found = loop {
        assert!(began.elapsed() < SOON, "it is not parked");
        tokio::time::sleep(Duration::from_millis(100)).await;
        let got =
            channel.basic_get("ls.lost".into(), BasicGetOptions { no_ack: true }).await.unwrap();
        match got {
            Some(got) if got.data == group.name.as_str().as_bytes() => break got,
            _ => {}
        }
    };
    assert_eq!(found.routing_key.as_str(), group.name.as_str(), "it says where it was to go");
}

pub(crate) async fn out_of_order_is_acked_too() {
    let (broker, group) = (shared().await, group("order"));
    declare(&broker, &group).await;
    publish(&broker, (0..40).map(|at| to_group(&group, &at.to_string())).collect()).await;
    let mut received = subscribe(&broker, &group.name, 8).await;
    let first = next(&mut received).await;
    for at in 1..40 {
        assert_eq!(text(&mut received).await, at.to_string(), "the first one holds nothing up");
    }
    drop(received);
    drop(first);
    let mut again = subscribe(&broker, &group.name, 8).await;
    let delivery = next(&mut again).await;
    assert_eq!((delivery.envelope.payload.as_ref(), delivery.redelivered), (&b"0"[..], true));
    delivery.settle(Settlement::Ack).await.unwrap();
    again.pause().await;
    drop(again);
    assert_eq!(ready(&broker, &group.name, 0).await, 0);
}

pub(crate) async fn a_pause_gives_back_what_was_not_taken() {
    let (broker, group) = (shared().await, group("pause"));
    declare(&broker, &group).await;
    publish(&broker, (0..10).map(|at| to_group(&group, &at.to_string())).collect()).await;
    let mut received = subscribe(&broker, &group.name, 5).await;
    let held = next(&mut received).await;
    received.pause().await;
    assert_eq!(received.state(), Subscribed::Paused);
    assert_eq!(ready(&broker, &group.name, 9).await, 9);
    let nothing = tokio::time::timeout(Duration::from_millis(200), received.receive(5)).await;
    assert!(nothing.is_err(), "{nothing:?}");
    held.settle(Settlement::Ack).await.unwrap();
    received.resume().await;
    let mut all: Vec<String> = Vec::new();
    for _ in 0..9 {
        all.push(text(&mut received).await);
    }
    all.sort();
    assert_eq!(all, (1..10).map(|at| at.to_string()).collect::<Vec<_>>());
}

pub(crate) async fn a_rung_that_was_deleted_is_made_again() {
    let (broker, group) = (shared().await, group("rung"));
    declare(&broker, &group).await;
    publish(&broker, vec![to_group(&group, "x")]).await;
    let mut received = subscribe(&broker, &group.name, 1).await;
    // Nobody else uses this one.
    let after = Duration::from_secs(1_700);
    next(&mut received).await.settle(Settlement::Retry { after }).await.unwrap();
    let channel = plain().await;
    one_is_deleted(&channel, "ls.delay.30m").await;
    publish(&broker, vec![to_group(&group, "y")]).await;
    next(&mut received).await.settle(Settlement::Retry { after }).await.unwrap();
    one_is_deleted(&channel, "ls.delay.30m").await;
}

/// Deletes a queue that holds one message. A server that is busy counts none at first.
async fn one_is_deleted(channel: &lapin::Channel, queue: &str) {
    let began = Instant::now();
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let count = async || {
        let declared = channel.queue_declare(queue.into(), passive, FieldTable::default()).await;
        declared.unwrap().message_count()
    };
    while count().await != 1 {
        assert!(began.elapsed() < SOON, "it does not wait in {queue}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
}
