//! What has to be there.

use super::bench::{Bench, settle_all, text};
use super::{IN_FLIGHT, case_list};
use longshore_core::broker::{BrokerError, DeclareMode, Group, Settlement, Topology};
use std::time::{Duration, Instant};

case_list![
    declaring_says_what_it_has_created,
    declaring_twice_finds_nothing_to_do,
    another_process_finds_nothing_to_do,
    verifying_tells_what_is_missing_and_creates_nothing,
    off_asks_nothing,
    a_pattern_that_is_added_is_matched,
    what_waits_is_counted,
    what_is_in_flight_is_counted needs IN_FLIGHT,
    a_group_that_is_not_there_cannot_be_inspected,
];

fn group(t: &Bench) -> Group {
    Group::new(t.name("g")).matching(t.pattern("a"))
}

async fn declare(t: &Bench, group: Group, mode: DeclareMode) -> Vec<String> {
    let diff = t.broker().declare(&Topology::of(group), mode).await.expect("it answers");
    assert_eq!(diff.different, []);
    diff.missing
}

async fn declaring_says_what_it_has_created(t: Bench) {
    let missing = declare(&t, group(&t), DeclareMode::Declare).await;
    assert!(missing.iter().any(|object| object.contains(t.name("g").as_str())), "{missing:?}");
}

async fn declaring_twice_finds_nothing_to_do(t: Bench) {
    declare(&t, group(&t), DeclareMode::Declare).await;
    assert_eq!(declare(&t, group(&t), DeclareMode::Declare).await, [""; 0]);
    assert_eq!(declare(&t, group(&t), DeclareMode::Verify).await, [""; 0]);
}

async fn another_process_finds_nothing_to_do(t: Bench) {
    declare(&t, group(&t), DeclareMode::Declare).await;
    let other = t.connect().await;
    let diff = other.declare(&Topology::of(group(&t)), DeclareMode::Declare).await;
    assert!(diff.expect("it answers").is_empty());
}

async fn verifying_tells_what_is_missing_and_creates_nothing(t: Bench) {
    for _ in 0..2 {
        let missing = declare(&t, group(&t), DeclareMode::Verify).await;
        assert!(missing.iter().any(|object| object.contains(t.name("g").as_str())), "{missing:?}");
    }
}

async fn off_asks_nothing(t: Bench) {
    assert_eq!(declare(&t, group(&t), DeclareMode::Off).await, [""; 0]);
    let missing = declare(&t, group(&t), DeclareMode::Verify).await;
    assert_ne!(missing, [""; 0], "it was not created");
}

async fn a_pattern_that_is_added_is_matched(t: Bench) {
    declare(&t, group(&t), DeclareMode::Declare).await;
    declare(&t, group(&t).matching(t.pattern("b")), DeclareMode::Declare).await;
    t.publish("a", text("1")).await;
    t.publish("b", text("2")).await;
    let mut taken = t.subscribe(&t.name("g"), 10).await.take(2).await;
    taken.sort();
    assert_eq!(taken, ["1", "2"]);
}

/// Waits until so many are ready: brokers count now and then.
async fn ready(t: &Bench, expected: u64) {
    let until = Instant::now() + t.patience();
    loop {
        let stats = t.broker().inspect(&t.name("g")).await.expect("it answers");
        if stats.ready == expected {
            return;
        }
        assert!(Instant::now() < until, "{stats:?} and not {expected}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn what_waits_is_counted(t: Bench) {
    declare(&t, group(&t), DeclareMode::Declare).await;
    ready(&t, 0).await;
    t.publish_all("a", &["1", "2", "3"]).await;
    ready(&t, 3).await;
    let mut receiving = t.subscribe(&t.name("g"), 2).await;
    let held = receiving.all(2).await;
    ready(&t, 1).await;
    settle_all(held, Settlement::Ack).await;
    receiving.take(1).await;
    ready(&t, 0).await;
}

async fn what_is_in_flight_is_counted(t: Bench) {
    declare(&t, group(&t), DeclareMode::Declare).await;
    t.publish_all("a", &["1", "2", "3"]).await;
    let mut receiving = t.subscribe(&t.name("g"), 2).await;
    let _held = receiving.all(2).await;
    let stats = t.broker().inspect(&t.name("g")).await.expect("it answers");
    assert_eq!((stats.ready, stats.in_flight, stats.consumers), (1, Some(2), Some(1)));
}

async fn a_group_that_is_not_there_cannot_be_inspected(t: Bench) {
    let refused = t.broker().inspect(&t.name("nobody")).await;
    assert!(matches!(refused, Err(BrokerError::UnknownGroup { .. })), "{refused:?}");
}
