//! What a stop leaves behind.

use crate::{House, group, orders, until};
use longshore_core::broker::Envelope;
use longshore_runtime::handler::Cx;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

#[tokio::test]
async fn a_drain_lets_handlers_end_and_takes_nothing_more() {
    let (begun, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let (counted, may) = (begun.clone(), go.clone());
    let house = House::with(orders(), move || {
        counted.fetch_add(1, Ordering::SeqCst);
        let may = may.clone();
        async move { may.notified().await }
    });
    house.is("running").await;
    for _ in 0..3 {
        house.publish(Envelope::new("{}")).await;
    }
    until(|| async { (begun.load(Ordering::SeqCst) == 1).then_some(()) }).await;
    let engine = house.engine.clone();
    let stop = tokio::spawn(async move { engine.stop(Duration::from_secs(10)).await });
    house.is("draining").await;

    go.notify_one();

    let report = stop.await.unwrap();
    let part = report.components.iter().find(|one| one.name == "consumer.shipping").unwrap();
    assert_eq!((part.given_back, &part.cleaned[..]), (0, &["1 messages ended".to_owned()][..]));
    assert_eq!(begun.load(Ordering::SeqCst), 1);
    assert_eq!(house.broker.waiting(&group("shipping")).len(), 2, "the rest waits for others");
}

#[tokio::test]
async fn what_does_not_end_in_time_is_given_back_as_the_same_attempt() {
    let begun = Arc::new(AtomicUsize::new(0));
    let counted = begun.clone();
    let house = House::with(orders().timeout(Duration::from_secs(60)), move |_: Cx| {
        counted.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<()>()
    });
    house.is("running").await;
    house.publish(Envelope::new("{}")).await;
    until(|| async { (begun.load(Ordering::SeqCst) == 1).then_some(()) }).await;

    let report = house.engine.stop(Duration::from_millis(50)).await;

    let part = report.components.iter().find(|one| one.name == "consumer.shipping").unwrap();
    assert_eq!(part.given_back, 1);
    let left = house.broker.waiting(&group("shipping"));
    assert_eq!((left.len(), left[0].attempt()), (1, 1));
}

#[tokio::test]
async fn a_handler_that_blocks_its_thread_stops_neither_the_others_nor_the_engine() {
    let consumer = orders().parallel(2).timeout(Duration::from_millis(500));
    let house = House::with(consumer, |cx: Cx| async move {
        if cx.headers().iter().any(|(name, _)| name == "block") {
            std::thread::sleep(Duration::from_secs(3));
        }
    });
    house.is("running").await;
    house.publish(Envelope::new("{}").with("block", "yes")).await;
    house.publish(Envelope::new("{}")).await;

    let acked = "longshore_consumer_settlements_total{consumer=\"shipping\",how=\"ack\"} ";
    until(|| async { (house.metric(acked) == 1).then_some(()) }).await;
    // Its time was half a second: it is told as one that took too long, while it still blocks.
    let retried = "longshore_consumer_settlements_total{consumer=\"shipping\",how=\"retry\"} ";
    until(|| async { (house.metric(retried) >= 1).then_some(()) }).await;
}
