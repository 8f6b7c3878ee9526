//! How messages end.

use crate::{House, group, orders, until};
use bytes::Bytes;
use longshore_core::broker::{Broker, Envelope, header};
use longshore_core::rule::{ErrorMatch, ErrorRule, Then};
use longshore_core::{FaultClass, RetryPolicy};
use longshore_runtime::handler::{Cx, Decode, HandlerError, Message, Parameters, Payload};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

fn json(payload: &'static str) -> Envelope {
    Envelope::new(payload).with(header::ID, "m1")
}

#[tokio::test]
async fn a_message_is_read_handled_and_acked() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let house = House::with(orders(), move |Payload(n): Payload<u32>, message: Message| {
        let tell = tell.clone();
        async move { drop(tell.send((n, message))) }
    });
    house.is("running").await;

    house.publish(json("7").with("region", "eu")).await;

    let (n, message) = told.recv().await.unwrap();
    assert_eq!((n, message.topic().unwrap().as_str()), (7, "orders.created"));
    assert_eq!((message.header("Region"), message.identity()), (Some("eu"), Some("m1")));
    assert_eq!((message.group().unwrap().as_str(), message.consumer()), ("shipping", "shipping"));
    house.nothing_is_left().await;
    assert_eq!(
        house.metric("longshore_consumer_settlements_total{consumer=\"shipping\",how=\"ack\"} "),
        1
    );
    assert_eq!(
        house.metric(
            "longshore_consumer_outcomes_total{consumer=\"shipping\",outcome=\"success\"} "
        ),
        1
    );
    assert_eq!(house.metric("longshore_consumer_ready{consumer=\"shipping\"} "), 1);
}

#[tokio::test]
async fn a_plain_message_without_headers_of_ours_is_received() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let house = House::with(orders(), move |message: Message, cx: Cx| {
        let tell = tell.clone();
        async move { drop(tell.send((message.identity().map(str::to_owned), cx.attempt()))) }
    });
    house.is("running").await;

    house.publish(Envelope::new("{\"from\": \"elsewhere\"}")).await;

    assert_eq!(told.recv().await.unwrap(), (None, 1));
}

#[tokio::test]
async fn a_failure_is_tried_again_as_the_next_attempt_and_then_succeeds() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let house = House::with(orders(), move |cx: Cx| {
        let tell = tell.clone();
        async move {
            let _ = tell.send((cx.attempt(), cx.max_attempts(), cx.id()));
            if cx.attempt() < 3 { Err(HandlerError::transient("not yet")) } else { Ok(()) }
        }
    });
    house.is("running").await;

    house.publish(json("{}")).await;

    let seen = [told.recv().await, told.recv().await, told.recv().await].map(Option::unwrap);
    assert_eq!(seen.map(|(attempt, most, _)| (attempt, most)), [(1, 3), (2, 3), (3, 3)]);
    assert!(seen.iter().all(|(_, _, id)| *id == seen[0].2), "it is one message");
    house.nothing_is_left().await;
    assert!(house.broker.waiting(&group("shipping.dead")).is_empty());
}

#[tokio::test]
async fn the_last_failure_makes_a_dead_letter_that_says_why() {
    let house =
        House::with(orders(), || async { Err::<(), _>(HandlerError::transient("no stock")) });
    house.is("running").await;

    house.publish(json("{\"n\": 1}")).await;

    let letter = house.letter().await;
    let said = |name| letter.headers.get(name);
    assert_eq!(letter.payload, "{\"n\": 1}");
    assert_eq!(said(header::DEAD_REASON), Some("no stock"));
    assert_eq!(said(header::DEAD_CLASS), Some("transient"));
    assert_eq!(said(header::ATTEMPT), Some("3"));
    assert_eq!(said(header::ORIGIN_TOPIC), Some("orders.created"));
    assert_eq!(said(header::ORIGIN_GROUP), Some("shipping"));
    house.nothing_is_left().await;
}

#[tokio::test]
async fn what_is_not_json_is_buried_at_once_and_no_handler_sees_it() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let house = House::with(orders(), move || {
        counted.fetch_add(1, Ordering::SeqCst);
        async {}
    });
    house.is("running").await;

    house.publish(Envelope::new("{\"n\": ")).await;

    let letter = house.letter().await;
    let reason = letter.headers.get(header::DEAD_REASON).unwrap();
    assert!(reason.starts_with("the payload is not JSON: "), "{reason}");
    assert_eq!(letter.headers.get(header::DEAD_CLASS), Some("bad_data"));
    assert_eq!(letter.payload, "{\"n\": ", "byte for byte");
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_does_not_fit_the_handlers_type_is_buried_at_once() {
    let house = House::with(orders(), |Payload(_): Payload<u32>| async {});
    house.is("running").await;

    house.publish(json("\"seven\"")).await;

    let letter = house.letter().await;
    let reason = letter.headers.get(header::DEAD_REASON).unwrap();
    assert!(reason.starts_with("the payload does not fit: "), "{reason}");
    assert_eq!(letter.headers.get(header::ATTEMPT), None, "at the first attempt");
}

#[tokio::test]
async fn text_and_bytes_are_read_as_such() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let text = tell.clone();
    let house =
        House::with(orders().decode(Decode::Text), move |Payload(said): Payload<String>| {
            let text = text.clone();
            async move { drop(text.send(said.into_bytes())) }
        });
    house.is("running").await;
    house.publish(Envelope::new("no: json")).await;
    assert_eq!(told.recv().await.unwrap(), b"no: json");
    house.publish(Envelope::new(vec![0xff])).await;
    let letter = house.letter().await;
    assert!(letter.headers.get(header::DEAD_REASON).unwrap().contains("not UTF-8"));

    let raw = move |Payload(said): Payload<Vec<u8>>, whole: Bytes| {
        let tell = tell.clone();
        async move {
            assert_eq!(said, whole);
            drop(tell.send(said));
        }
    };
    let house = House::with(orders().decode(Decode::Bytes), raw);
    house.is("running").await;
    house.publish(Envelope::new(vec![0xff, 0])).await;
    assert_eq!(told.recv().await.unwrap(), [0xff, 0]);
}

#[tokio::test]
async fn a_panic_and_a_timeout_are_failures_like_others() {
    let panics =
        House::with(orders(), |cx: Cx| async move { assert!(cx.run() == 0, "out of eggs") });
    panics.is("running").await;
    panics.publish(json("{}")).await;
    let letter = panics.letter().await;
    assert_eq!(letter.headers.get(header::DEAD_REASON), Some("out of eggs"));
    assert_eq!(letter.headers.get(header::DEAD_CLASS), Some("panic"));

    let slow = orders().timeout(Duration::from_millis(100));
    let slow = House::with(slow, std::future::pending::<()>);
    slow.is("running").await;
    slow.publish(json("{}")).await;
    let letter = slow.letter().await;
    assert_eq!(letter.headers.get(header::DEAD_REASON), Some("did not end within 100ms"));
    assert_eq!(letter.headers.get(header::DEAD_CLASS), Some("timeout"));
}

#[tokio::test]
async fn a_rule_goes_before_the_policy() {
    let matches = ErrorMatch { classes: vec![FaultClass::Dependency], ..ErrorMatch::default() };
    let rules = vec![ErrorRule { matches, then: Then::Discard }];
    let house = House::with(orders().on_error(rules), || async {
        Err::<(), _>(HandlerError::dependency("no scales"))
    });
    house.is("running").await;

    house.publish(json("{}")).await;

    let discarded = "longshore_consumer_settlements_total{consumer=\"shipping\",how=\"discard\"} ";
    until(|| async { (house.metric(discarded) == 1).then_some(()) }).await;
    assert!(house.broker.waiting(&group("shipping.dead")).is_empty());
}

#[tokio::test]
async fn a_snooze_uses_no_attempt() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = seen.clone();
    let house = House::with(orders(), move |cx: Cx| {
        let calls = {
            let mut seen = noted.lock().unwrap();
            seen.push(cx.attempt());
            seen.len()
        };
        async move {
            match calls {
                1 | 3 => Err(HandlerError::snooze(Duration::from_millis(1))),
                2 => Err(HandlerError::transient("once")),
                _ => Ok(()),
            }
        }
    });
    house.is("running").await;

    house.publish(json("{}")).await;

    until(|| async { (seen.lock().unwrap().len() == 4).then_some(()) }).await;
    house.nothing_is_left().await;
    assert_eq!(*seen.lock().unwrap(), [1, 1, 2, 2]);
}

#[tokio::test]
async fn no_more_run_at_once_than_were_asked_for() {
    let (now, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (gate, opened) = tokio::sync::watch::channel(false);
    let (running, peak) = (now.clone(), most.clone());
    let house = House::with(orders().parallel(3), move || {
        let (running, peak, mut gate) = (running.clone(), peak.clone(), opened.clone());
        async move {
            peak.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let _ = gate.wait_for(|is_open| *is_open).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            running.fetch_sub(1, Ordering::SeqCst);
        }
    });
    house.is("running").await;

    for _ in 0..20 {
        house.publish(Envelope::new("{}")).await;
    }

    until(|| async { (most.load(Ordering::SeqCst) == 3).then_some(()) }).await;
    gate.send_replace(true);
    let done = "longshore_consumer_settlements_total{consumer=\"shipping\",how=\"ack\"} ";
    until(|| async { (house.metric(done) == 20).then_some(()) }).await;
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_message_that_is_handed_out_again_and_again_without_an_end_is_buried() {
    let house = House::with(orders(), || async {});
    house.is("running").await;
    house.engine.consumers().pause("shipping", true).unwrap();
    house.is("paused").await;
    house.publish(json("{}")).await;
    // Whoever else gets it dies with it, 23 times: three attempts and twenty more.
    let what = longshore_core::broker::Subscription::to_group(
        group("shipping"),
        std::num::NonZeroUsize::MIN,
    );
    for _ in 0..23 {
        let mut dying = house.broker.subscribe(&what).await.unwrap();
        assert_eq!(dying.receive(1).await.len(), 1);
    }
    house.engine.consumers().pause("shipping", false).unwrap();

    let letter = house.letter().await;

    assert_eq!(letter.headers.get(header::DEAD_CLASS), Some("crash"));
    let reason = letter.headers.get(header::DEAD_REASON);
    assert_eq!(reason, Some("was handed out 24 times without an end"));
}

#[tokio::test]
async fn handlers_are_given_the_parameters() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let consumer = orders().parameters(serde_json::json!({"region": "eu"}));
    let house = House::with(consumer, move |Parameters(said): Parameters<serde_json::Value>| {
        let tell = tell.clone();
        async move { drop(tell.send(said)) }
    });
    house.is("running").await;
    house.publish(json("1")).await;
    assert_eq!(told.recv().await.unwrap()["region"], "eu");
}

#[tokio::test]
async fn a_pause_that_is_longer_than_the_broker_can_keep_is_the_longest_it_can() {
    let house = House::with(orders(), || async {
        Err::<(), _>(HandlerError::rate_limited("later", Duration::from_secs(1_000_000)))
    });
    house.is("running").await;
    house.publish(json("1")).await;
    let retried = "longshore_consumer_settlements_total{consumer=\"shipping\",how=\"retry\"} ";
    until(|| async { (house.metric(retried) == 1).then_some(()) }).await;
}

#[tokio::test]
async fn a_broadcast_that_fails_is_thrown_away() {
    let retry = RetryPolicy::immediate().max_attempts(1);
    let consumer = longshore_runtime::messages::Consumer::topic("orders.*")
        .mode(longshore_runtime::messages::Mode::Broadcast)
        .retry(retry);
    let house = House::with(consumer, || async { Err::<(), _>(HandlerError::transient("no")) });
    house.is("running").await;
    house.publish(json("1")).await;
    let discarded = "longshore_consumer_settlements_total{consumer=\"shipping\",how=\"discard\"} ";
    until(|| async { (house.metric(discarded) == 1).then_some(()) }).await;
}
