//! Windows, limits and rates.

use super::{Calls, House, foreign, group, kind, queue, registry, until};
use longshore_core::queue::QueueSettings;
use longshore_core::store::Intake;
use longshore_core::{NewTask, Valid};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[tokio::test]
async fn the_broker_gets_no_more_than_a_window_of_a_large_backlog() {
    let calls = Calls::default();
    let house = House::of([foreign("other"), calls.kind("work")]);
    house.is_carried().await;
    let one = || NewTask { queue: queue(), ..NewTask::new(foreign("other").name) };
    let many: Vec<NewTask> = (0..5_000).map(|_| one()).collect();
    let first = many[0].id;
    let many = many.into_iter().map(Valid::vouch).collect();
    assert_eq!(house.store.accept(many).await.expect("accepted").len(), 5_000);
    house.waiting("other", 1_000).await;
    let ids = house.submit_many("work", 5).await;
    house.succeed(&ids).await;
    assert_eq!(
        house.broker.waiting(&group("other")).len(),
        1_000,
        "and no other kind waits for it"
    );
    until(|| async { (house.metric("window_used") == 1_000).then_some(()) }).await;
    let cancel = house.engine.tasks().cancel("test", Default::default(), first);
    cancel.await.expect("cancelled");
    house.waiting("other", 1_001).await; // the envelope of the one that was cancelled is still there
}

#[tokio::test]
async fn a_limit_holds_over_all_processes() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let work = || {
        let (running, most) = (running.clone(), most.clone());
        kind("work", move || {
            let (running, most) = (running.clone(), most.clone());
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(10)).await;
                running.fetch_sub(1, Ordering::SeqCst);
            }
        })
    };
    let settings = QueueSettings { slots: Some(4), limit: Some(2), ..QueueSettings::default() };
    let first = House::with(registry([work()], settings.clone()));
    first.store.be_shared();
    let second = first.beside(registry([work()], settings));
    first.is_carried().await;
    second.is_carried().await;
    let ids = first.submit_many("work", 30).await;
    first.succeed(&ids).await;
    assert!(most.load(Ordering::SeqCst) <= 2, "{most:?}");
}

#[tokio::test]
async fn a_rate_holds_and_nothing_goes_in_circles() {
    let calls = Calls::default();
    let rate = "10/s".parse().ok();
    let settings = QueueSettings { slots: Some(4), rate, ..QueueSettings::default() };
    let house = House::with(registry([calls.kind("work")], settings));
    house.is_carried().await;
    let ids = house.submit_many("work", 4).await;
    house.succeed(&ids[..1]).await;
    assert_eq!(calls.count(), 1, "the clock stands");
    for passed in 2..=4 {
        house.clock.advance(Duration::from_millis(100));
        until(|| async { (calls.count() == passed).then_some(()) }).await;
    }
    house.succeed(&ids).await;
    assert_eq!(house.metric("relayed_total"), 4);
}
