//! Publishing: confirmed, to whom, and unchanged.

use super::bench::{Bench, read, settle, text};
use super::{UNROUTABLE, case_list};
use longshore_core::broker::{Envelope, Group, Outgoing, PublishError, Settlement, To, header};

case_list![
    what_is_confirmed_is_delivered,
    a_group_without_a_subscription_keeps_it,
    every_group_that_matches_gets_it_once,
    what_is_sent_to_a_group_reaches_that_group_alone,
    what_nobody_receives_is_an_error needs UNROUTABLE,
    one_that_is_refused_does_not_touch_the_others needs UNROUTABLE,
    what_nobody_received_is_not_kept needs UNROUTABLE,
    answers_are_in_the_order_of_the_batch needs UNROUTABLE,
    any_bytes_arrive_as_they_were_sent,
    an_empty_payload_arrives,
    a_large_payload_arrives,
    what_is_too_large_is_refused_and_nothing_else,
    headers_and_trace_context_survive,
    many_at_once_are_all_confirmed,
    of_ten_thousand_none_is_lost,
];

async fn what_is_confirmed_is_delivered(t: Bench) {
    let group = t.group("g", "a").await;
    let mut receiving = t.subscribe(&group, 10).await;
    t.publish("a", text("hello").with("region", "eu")).await;
    let delivery = receiving.one().await;
    assert_eq!(read(&delivery), "hello");
    assert_eq!(delivery.envelope.headers.get("region"), Some("eu"));
    assert_eq!(delivery.envelope.attempt(), 1);
    assert_eq!(delivery.origin.topic, Some(t.topic("a")));
    assert_eq!(delivery.origin.group, Some(group));
    assert!(!delivery.redelivered);
    settle(delivery, Settlement::Ack).await;
    receiving.nothing().await;
}

async fn a_group_without_a_subscription_keeps_it(t: Bench) {
    let group = t.group("g", "a").await;
    t.publish_all("a", &["1", "2"]).await;
    let mut taken = t.subscribe(&group, 10).await.take(2).await;
    taken.sort();
    assert_eq!(taken, ["1", "2"]);
}

async fn every_group_that_matches_gets_it_once(t: Bench) {
    let (one, two, other) =
        (t.group("one", "a").await, t.group("two", "a").await, t.group("other", "b").await);
    t.publish("a", text("1")).await;
    for group in [&one, &two] {
        let mut receiving = t.subscribe(group, 10).await;
        assert_eq!(receiving.take(1).await, ["1"]);
        receiving.nothing().await;
    }
    t.subscribe(&other, 10).await.nothing().await;
}

async fn what_is_sent_to_a_group_reaches_that_group_alone(t: Bench) {
    let (one, two) = (t.group("one", "a").await, t.group("two", "a").await);
    let none = t.declare(Group::new(t.name("none"))).await;
    for group in [&one, &none] {
        let outgoing = Outgoing::to_group(group.clone(), text(group.as_str()));
        t.broker().publish(vec![outgoing]).await.remove(0).expect("it is confirmed");
        let delivery = t.subscribe(group, 10).await.one().await;
        assert_eq!((read(&delivery).as_str(), &delivery.origin.topic), (group.as_str(), &None));
    }
    t.subscribe(&two, 10).await.nothing().await;
}

async fn what_nobody_receives_is_an_error(t: Bench) {
    let to = To::Topic(t.topic("nobody"));
    assert_eq!(t.try_publish("nobody", text("1")).await, Err(PublishError::Unroutable { to }));
    let group = t.name("nobody");
    let answers = t.broker().publish(vec![Outgoing::to_group(group.clone(), text("1"))]).await;
    assert_eq!(answers, [Err(PublishError::Unroutable { to: To::Group(group) })]);
}

async fn one_that_is_refused_does_not_touch_the_others(t: Bench) {
    let group = t.group("g", "a").await;
    let batch = ["a", "nobody", "a"].map(|topic| Outgoing::to_topic(t.topic(topic), text(topic)));
    let answers = t.broker().publish(batch.into()).await;
    assert!(answers[0].is_ok() && answers[2].is_ok(), "{answers:?}");
    assert!(matches!(answers[1], Err(PublishError::Unroutable { .. })), "{answers:?}");
    let mut receiving = t.subscribe(&group, 10).await;
    assert_eq!(receiving.take(2).await, ["a", "a"]);
    receiving.nothing().await;
}

async fn what_nobody_received_is_not_kept(t: Bench) {
    t.try_publish("a", text("too early")).await.expect_err("nobody is there");
    let group = t.group("g", "a").await;
    t.subscribe(&group, 10).await.nothing().await;
}

async fn answers_are_in_the_order_of_the_batch(t: Bench) {
    t.group("g", "a").await;
    let topics: Vec<&str> = (0..300).map(|n| if n % 7 == 0 { "nobody" } else { "a" }).collect();
    let batch = topics.iter().map(|topic| Outgoing::to_topic(t.topic(topic), text("x"))).collect();
    let answers = t.broker().publish(batch).await;
    assert_eq!(answers.len(), topics.len());
    for (topic, answer) in topics.iter().zip(answers) {
        assert_eq!(answer.is_ok(), *topic == "a", "{topic}: {answer:?}");
    }
}

async fn any_bytes_arrive_as_they_were_sent(t: Bench) {
    let group = t.group("g", "a").await;
    let bytes: Vec<u8> = (0..=255).cycle().take(5_000).collect();
    t.publish("a", Envelope::new(bytes.clone())).await;
    assert_eq!(t.subscribe(&group, 10).await.one().await.envelope.payload, bytes);
}

async fn an_empty_payload_arrives(t: Bench) {
    let group = t.group("g", "a").await;
    t.publish("a", Envelope::new("").with("n", "1")).await;
    let delivery = t.subscribe(&group, 10).await.one().await;
    assert_eq!(delivery.envelope.payload, "");
    assert_eq!(delivery.envelope.headers.get("n"), Some("1"));
}

async fn a_large_payload_arrives(t: Bench) {
    let group = t.group("g", "a").await;
    let size = t.broker().capabilities().max_payload.min(4 * 1024 * 1024);
    let bytes: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
    t.publish("a", Envelope::new(bytes.clone())).await;
    assert_eq!(t.subscribe(&group, 1).await.one().await.envelope.payload, bytes);
}

async fn what_is_too_large_is_refused_and_nothing_else(t: Bench) {
    let group = t.group("g", "a").await;
    let limit = t.broker().capabilities().max_payload;
    let size = limit + 1;
    let refused = t.try_publish("a", Envelope::new(vec![0; size])).await;
    assert_eq!(refused, Err(PublishError::TooLarge { size, limit }));
    t.publish("a", text("fits")).await;
    assert_eq!(t.subscribe(&group, 10).await.take(1).await, ["fits"]);
}

async fn headers_and_trace_context_survive(t: Bench) {
    let group = t.group("g", "a").await;
    let sent = Envelope::new("{}")
        .with(header::ID, "0199")
        .with(header::KIND, "order.created")
        .with(header::ORDER_KEY, "customer 7")
        .with(header::TENANT, "acme")
        .with(header::CREATED, "2026-11-28T09:00:00.000Z")
        .with(header::CONTENT_TYPE, "application/json")
        .with(header::TRACEPARENT, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .with(header::TRACESTATE, "congo=t61rcWkgMzE")
        .with(header::BAGGAGE, "user=7,plan=x%20y")
        .with("X-Weird_Name.1", "ä ö ü ✓")
        .with("empty", "");
    t.publish("a", sent.clone()).await;
    let got = t.subscribe(&group, 10).await.one().await;
    for (name, value) in sent.headers.iter() {
        assert_eq!(got.envelope.headers.get(name), Some(value), "{name}");
    }
    assert_eq!(got.identity(), Some("0199"));
}

async fn many_at_once_are_all_confirmed(t: Bench) {
    let group = t.group("g", "a").await;
    let publishers = (0..20).map(|n| {
        let texts: Vec<String> = (0..20).map(|m| format!("{n}.{m}")).collect();
        let t = &t;
        async move { t.publish_all("a", &texts).await }
    });
    futures_util::future::join_all(publishers).await;
    let mut taken = t.subscribe(&group, 100).await.take(400).await;
    taken.sort();
    taken.dedup();
    assert_eq!(taken.len(), 400);
}

async fn of_ten_thousand_none_is_lost(t: Bench) {
    let group = t.group("g", "a").await;
    let texts: Vec<String> = (0..10_000).map(|n| format!("{n:05}")).collect();
    let mut receiving = t.subscribe(&group, 500).await;
    let (_, mut taken) = tokio::join!(t.publish_all("a", &texts), receiving.take(texts.len()));
    taken.sort();
    assert_eq!(taken, texts);
    receiving.nothing().await;
}
