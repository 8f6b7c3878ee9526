//! Settling: what becomes of a delivery.

use super::bench::{Bench, dead, read, secs, settle, settle_all, text};
use super::{DEAD, RETRY, case_list};
use longshore_core::broker::{BrokerError, Group, Settlement, header};
use std::time::Duration;

case_list![
    what_is_acknowledged_never_comes_again,
    what_is_discarded_never_comes_again,
    what_is_released_comes_again_as_the_same_attempt,
    what_is_released_may_go_to_others,
    a_retry_comes_after_its_pause_as_the_next_attempt needs RETRY,
    a_retry_does_not_come_before_its_pause_is_over needs RETRY,
    a_retry_comes_to_its_own_group_alone needs RETRY,
    a_retry_keeps_payload_headers_and_identity needs RETRY,
    retries_of_several_pauses_do_not_wait_for_each_other needs RETRY,
    a_dead_letter_has_its_origin_and_reason needs DEAD,
    a_dead_letter_never_comes_again needs DEAD,
    a_dead_letter_of_a_later_attempt_remembers_its_topic needs DEAD,
    without_dead_letters_burying_is_an_error_and_loses_nothing needs DEAD,
    acknowledging_in_any_order_is_fine,
    a_thousand_at_once_are_settled,
    a_drain_under_load_loses_nothing,
];

async fn what_is_acknowledged_never_comes_again(t: Bench) {
    let group = t.group("g", "a").await;
    t.publish_all("a", &["1", "2", "3"]).await;
    let mut receiving = t.subscribe(&group, 10).await;
    receiving.take(3).await;
    receiving.nothing().await;
    drop(receiving);
    t.subscribe(&group, 10).await.nothing().await;
}

async fn what_is_discarded_never_comes_again(t: Bench) {
    let group = t.group("g", "a").await;
    t.publish_all("a", &["1"]).await;
    let mut receiving = t.subscribe(&group, 10).await;
    settle(receiving.one().await, Settlement::Discard).await;
    drop(receiving);
    t.subscribe(&group, 10).await.nothing().await;
}

async fn what_is_released_comes_again_as_the_same_attempt(t: Bench) {
    let group = t.group("g", "a").await;
    t.publish_all("a", &["1"]).await;
    let mut receiving = t.subscribe(&group, 1).await;
    settle(receiving.one().await, Settlement::Release).await;
    let again = receiving.one().await;
    assert_eq!((read(&again).as_str(), again.envelope.attempt()), ("1", 1));
    settle(again, Settlement::Ack).await;
}

async fn what_is_released_may_go_to_others(t: Bench) {
    let group = t.group("g", "a").await;
    t.publish_all("a", &["1"]).await;
    let mut one = t.subscribe(&group, 1).await;
    let held = one.one().await;
    one.deliveries().pause().await;
    one.until(&longshore_core::broker::Subscribed::Paused).await;
    settle(held, Settlement::Release).await;
    assert_eq!(t.subscribe(&group, 1).await.take(1).await, ["1"]);
}

async fn a_retry_comes_after_its_pause_as_the_next_attempt(t: Bench) {
    let group = t.group("g", "a").await;
    t.publish_all("a", &["1"]).await;
    let mut receiving = t.subscribe(&group, 10).await;
    for attempt in 1..=3 {
        let delivery = receiving.one().await;
        assert_eq!((read(&delivery).as_str(), delivery.envelope.attempt()), ("1", attempt));
        assert_eq!(delivery.origin.topic, Some(t.topic("a")), "attempt {attempt}");
        settle(delivery, Settlement::Retry { after: secs(1) }).await;
        t.pass(secs(1)).await;
    }
    settle(receiving.one().await, Settlement::Ack).await;
    receiving.nothing().await;
}

async fn a_retry_does_not_come_before_its_pause_is_over(t: Bench) {
    let group = t.group("g", "a").await;
    t.publish_all("a", &["1"]).await;
    let mut receiving = t.subscribe(&group, 10).await;
    settle(receiving.one().await, Settlement::Retry { after: secs(5) }).await;
    // The pause began somewhat before the settlement was answered.
    t.pass(Duration::from_millis(2_200)).await;
    receiving.nothing().await;
    t.pass(Duration::from_millis(2_800)).await;
    settle(receiving.one().await, Settlement::Ack).await;
}

async fn a_retry_comes_to_its_own_group_alone(t: Bench) {
    let (one, two) = (t.group("one", "a").await, t.group("two", "a").await);
    t.publish_all("a", &["1"]).await;
    let mut other = t.subscribe(&two, 10).await;
    assert_eq!(other.take(1).await, ["1"]);
    let mut receiving = t.subscribe(&one, 10).await;
    settle(receiving.one().await, Settlement::Retry { after: secs(1) }).await;
    t.pass(secs(1)).await;
    assert_eq!(receiving.take(1).await, ["1"]);
    other.nothing().await;
}

async fn a_retry_keeps_payload_headers_and_identity(t: Bench) {
    let group = t.group("g", "a").await;
    let sent = text("x").with("region", "eu").with(header::CONTENT_TYPE, "text/plain");
    t.publish("a", sent.clone()).await;
    let mut receiving = t.subscribe(&group, 10).await;
    settle(receiving.one().await, Settlement::Retry { after: secs(1) }).await;
    t.pass(secs(1)).await;
    let again = receiving.one().await;
    assert_eq!(again.envelope.payload, sent.payload);
    for (name, value) in sent.headers.iter() {
        assert_eq!(again.envelope.headers.get(name), Some(value), "{name}");
    }
    assert_eq!(again.identity(), sent.headers.get(header::ID));
    settle(again, Settlement::Ack).await;
}

async fn retries_of_several_pauses_do_not_wait_for_each_other(t: Bench) {
    let group = t.group("g", "a").await;
    t.publish_all("a", &["long", "short"]).await;
    let mut receiving = t.subscribe(&group, 10).await;
    for delivery in receiving.all(2).await {
        let after = if read(&delivery) == "long" { secs(600) } else { secs(1) };
        settle(delivery, Settlement::Retry { after }).await;
    }
    t.pass(secs(1)).await;
    assert_eq!(receiving.take(1).await, ["short"]);
    receiving.nothing().await;
}

/// Receives the letter of a group.
async fn letter(t: &Bench, group: &str) -> longshore_core::broker::Delivery {
    let dead = t.name(&format!("{group}.dead"));
    t.subscribe(&dead, 10).await.one().await
}

async fn a_dead_letter_has_its_origin_and_reason(t: Bench) {
    let group = t.group("g", "a").await;
    let sent = text("x").with("region", "eu");
    t.publish("a", sent.clone()).await;
    let mut receiving = t.subscribe(&group, 10).await;
    settle(receiving.one().await, dead()).await;
    let letter = letter(&t, "g").await;
    let said = |name: &str| letter.envelope.headers.get(name).map(str::to_owned);
    assert_eq!(letter.envelope.payload, "x");
    assert_eq!(said("region").as_deref(), Some("eu"));
    assert_eq!(said(header::DEAD_CLASS).as_deref(), Some("bad_data"));
    assert_eq!(said(header::DEAD_REASON).as_deref(), Some("no such address"));
    assert_eq!(said(header::ORIGIN_TOPIC).as_deref(), Some(t.topic("a").as_str()));
    assert_eq!(said(header::ORIGIN_GROUP).as_deref(), Some(group.as_str()));
    assert!(
        said(header::DEAD_AT).is_some_and(|at| longshore_core::Timestamp::parse(&at).is_some())
    );
    assert_eq!(letter.identity(), sent.headers.get(header::ID));
}

async fn a_dead_letter_never_comes_again(t: Bench) {
    let group = t.group("g", "a").await;
    t.publish_all("a", &["1"]).await;
    let mut receiving = t.subscribe(&group, 10).await;
    settle(receiving.one().await, dead()).await;
    receiving.nothing().await;
    drop(receiving);
    t.subscribe(&group, 10).await.nothing().await;
}

async fn a_dead_letter_of_a_later_attempt_remembers_its_topic(t: Bench) {
    if t.broker().capabilities().retry.is_none() {
        return; // there is no later attempt then
    }
    let group = t.group("g", "a").await;
    t.publish_all("a", &["1"]).await;
    let mut receiving = t.subscribe(&group, 10).await;
    settle(receiving.one().await, Settlement::Retry { after: secs(1) }).await;
    t.pass(secs(1)).await;
    settle(receiving.one().await, dead()).await;
    let letter = letter(&t, "g").await;
    let topic = letter.envelope.headers.get(header::ORIGIN_TOPIC);
    assert_eq!(topic, Some(t.topic("a").as_str()));
    assert_eq!(letter.envelope.attempt(), 2);
}

async fn without_dead_letters_burying_is_an_error_and_loses_nothing(t: Bench) {
    let group = Group { dead: None, ..Group::new(t.name("g")).matching(t.pattern("a")) };
    let group = t.declare(group).await;
    t.publish_all("a", &["1"]).await;
    let mut receiving = t.subscribe(&group, 10).await;
    let refused = receiving.one().await.settle(dead()).await;
    assert!(matches!(refused, Err(BrokerError::Unsupported { .. })), "{refused:?}");
    assert_eq!(receiving.take(1).await, ["1"]);
}

async fn acknowledging_in_any_order_is_fine(t: Bench) {
    let group = t.group("g", "a").await;
    let texts: Vec<String> = (0..60).map(|n| n.to_string()).collect();
    t.publish_all("a", &texts).await;
    let mut receiving = t.subscribe(&group, 20).await;
    for _ in 0..3 {
        let mut held = receiving.all(20).await;
        fastrand::shuffle(&mut held);
        settle_all(held, Settlement::Ack).await;
    }
    receiving.nothing().await;
    drop(receiving);
    t.subscribe(&group, 100).await.nothing().await;
}

async fn a_thousand_at_once_are_settled(t: Bench) {
    let group = t.group("g", "a").await;
    let texts: Vec<String> = (0..1_000).map(|n| n.to_string()).collect();
    t.publish_all("a", &texts).await;
    let mut receiving = t.subscribe(&group, 1_000).await;
    let held = receiving.all(1_000).await;
    let acks = held.into_iter().map(|delivery| settle(delivery, Settlement::Ack));
    futures_util::future::join_all(acks).await;
    drop(receiving);
    t.subscribe(&group, 10).await.nothing().await;
}

async fn a_drain_under_load_loses_nothing(t: Bench) {
    let group = t.group("g", "a").await;
    let texts: Vec<String> = (0..1_000).map(|n| format!("{n:04}")).collect();
    t.publish_all("a", &texts).await;
    let mut leaving = t.subscribe(&group, 50).await;
    let mut done = leaving.take(130).await;
    let held = leaving.some(20).await;
    leaving.deliveries().pause().await;
    done.extend(super::bench::reads(&held));
    settle_all(held, Settlement::Ack).await;
    drop(leaving);
    let mut staying = t.subscribe(&group, 50).await;
    done.extend(staying.take(1_000 - done.len()).await);
    done.sort();
    assert_eq!(done, texts, "each once");
    staying.nothing().await;
}
