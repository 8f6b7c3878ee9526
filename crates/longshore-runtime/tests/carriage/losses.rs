//! What a broker does to envelopes.

use super::{Calls, House, carried, foreign, group};
use longshore_core::broker::Broker;

#[tokio::test]
async fn tasks_are_accepted_while_the_broker_is_away_and_run_when_it_is_back() {
    let calls = Calls::default();
    let house = House::of([calls.kind("work")]);
    house.is_carried().await;
    house.broker.be_away(true);
    let ids = house.submit_many("work", 20).await;
    assert_eq!(calls.count(), 0);
    house.broker.be_away(false);
    house.succeed(&ids).await;
    assert_eq!(calls.count(), 20);
}

#[tokio::test]
async fn a_broker_that_comes_late_gets_everything() {
    let calls = Calls::default();
    let clock = std::sync::Arc::new(longshore_conformance::ManualClock::default());
    let store = std::sync::Arc::new(longshore_conformance::ModelStore::new(clock.clone()));
    let broker = longshore_conformance::ModelBroker::new(clock.clone());
    broker.be_away(true);
    let house = House::over(store, broker, clock, carried([calls.kind("work")]));
    house.is_carried().await;
    let ids = house.submit_many("work", 5).await;
    house.broker.be_away(false);
    house.succeed(&ids).await;
    assert_eq!(calls.count(), 5);
}

#[tokio::test]
async fn a_broker_that_takes_nothing_in_is_waited_for() {
    let house = House::of([foreign("work")]);
    house.is_carried().await;
    house.broker.block(Some("memory"));
    house.submit_many("work", 3).await;
    house.broker.block(None);
    house.waiting("work", 3).await;
}

#[tokio::test]
async fn what_was_purged_is_published_again() {
    let calls = Calls::default();
    let house = House::of([foreign("work")]);
    let ids = house.submit_many("work", 10).await;
    house.waiting("work", 10).await;
    house.broker.purge(&group("work"));
    house.waiting("work", 10).await;
    assert_eq!(house.metric("republished_total"), 10);
    house.engine.reload(carried([calls.kind("work")]));
    house.succeed(&ids).await;
    assert_eq!(calls.count(), 10);
}

#[tokio::test]
async fn what_was_in_a_deleted_group_is_published_again() {
    let calls = Calls::default();
    let house = House::of([foreign("work"), foreign("other")]);
    let ids = house.submit_many("work", 10).await;
    house.submit("other").await;
    house.waiting("work", 10).await;
    house.waiting("other", 1).await;
    house.broker.delete(&group("work"));
    house.waiting("work", 10).await;
    house.waiting("other", 1).await;
    assert_eq!(house.metric("republished_total"), 10, "the other kind has lost nothing");
    house.engine.reload(carried([calls.kind("work"), foreign("other")]));
    house.succeed(&ids).await;
    assert_eq!(calls.count(), 10);
}

#[tokio::test]
async fn a_subscription_that_gets_nothing_is_made_again() {
    let calls = Calls::default();
    let house = House::of([calls.kind("work")]);
    house.is_carried().await;
    let id = house.submit("work").await;
    house.succeed(&[id]).await;
    house.broker.deafen(&group("work"));
    let ids = house.submit_many("work", 5).await;
    house.succeed(&ids).await;
    assert_eq!((calls.count(), house.metric("relayed_total")), (6, 6));
}

#[tokio::test]
async fn while_something_is_in_hand_nothing_counts_as_lost() {
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let held = gate.clone();
    let work = super::kind("work", move || {
        let held = held.clone();
        async move {
            held.acquire().await.unwrap().forget();
        }
    });
    let house = House::of([work]);
    house.is_carried().await;
    // Four run, and what was handed out ahead waits in the process's hand.
    let ids = house.submit_many("work", 5).await;
    super::until(|| async {
        let stats = house.broker.inspect(&group("work")).await.ok()?;
        (stats.ready == 0 && stats.in_flight == Some(1)).then_some(())
    })
    .await;
    tokio::time::sleep(super::LOST_AFTER * 5).await; // several looks
    assert_eq!(house.metric("republished_total"), 0);
    gate.add_permits(5);
    house.succeed(&ids).await;
    assert_eq!(house.metric("relayed_total"), 5);
}
