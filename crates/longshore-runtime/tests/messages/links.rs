//! What becomes of a consumer while its broker is away, or cannot do what it should.

use crate::{House, group, orders, until};
use longshore_conformance::ModelBroker;
use longshore_core::RetryPolicy;
use longshore_core::broker::{Broker, Envelope};
use longshore_runtime::Phase;
use longshore_runtime::messages::{Explained, Standing};
use std::time::Duration;

#[tokio::test]
async fn a_broker_that_is_away_at_the_start_stops_nothing() {
    let broker = ModelBroker::default();
    broker.be_away(true);
    let house = House::over(broker, orders(), || async {});
    house.engine.started().await.unwrap();
    until(|| async { (house.engine.phase() == Phase::Ready).then_some(()) }).await;
    house.is("waiting").await;
    assert!(matches!(
        house.engine.consumers().explain("shipping"),
        Some(Explained::Unknown { .. })
    ));

    house.broker.be_away(false);

    house.is("running").await;
    house.publish(Envelope::new("{}")).await;
    house.nothing_is_left().await;
}

#[tokio::test]
async fn a_broker_that_goes_and_comes_back_is_consumed_again() {
    let house = House::with(orders(), || async {});
    house.is("running").await;
    house.broker.be_away(true);
    house.is("waiting").await;
    let why = house.view().standing.why().unwrap();
    assert!(why.contains("away"), "{why}");

    house.broker.be_away(false);

    house.is("running").await;
    house.publish(Envelope::new("{}")).await;
    house.nothing_is_left().await;
    let ups = "longshore_broker_link{broker=\"main\",state=\"up\"} ";
    until(|| async { (house.metric(ups) == 1).then_some(()) }).await;
    assert_eq!(house.metric("longshore_broker_reconnects_total{broker=\"main\"} "), 1);
}

#[tokio::test]
async fn a_policy_that_the_broker_cannot_keep_is_refused_and_everything_else_goes_on() {
    let two_days = Duration::from_secs(2 * 86_400);
    let consumer = orders().retry(RetryPolicy::fixed(two_days).cap(two_days));
    let house = House::with(consumer, || async {});
    house.engine.started().await.unwrap();
    house.is("refused").await;

    let Standing::Refused { why } = house.view().standing else { panic!("refused") };
    assert_eq!(why[0].key, "retry");
    assert!(why[0].fix.starts_with("set `retry.cap` to 1d"), "{}", why[0].fix);
    let status = house.engine.supervisor().status();
    let one = status.iter().find(|one| one.name == "consumer.shipping").unwrap();
    assert!(!one.ready && one.reason.as_ref().unwrap().contains("retry"), "{one:?}");
    assert!(house.broker.inspect(&group("shipping")).await.is_err(), "nothing was declared");
    // It is said a moment after everything has started.
    let ready = async {
        while house.engine.phase() != Phase::Ready {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ready).await.expect("it must come");
}

#[tokio::test]
async fn a_group_that_is_deleted_is_consumed_again() {
    let house = House::with(orders(), || async {});
    house.is("running").await;
    house.broker.delete(&group("shipping"));
    house.publish(Envelope::new("{}")).await;
    house.nothing_is_left().await;
}

#[tokio::test]
async fn the_plan_is_made_for_the_broker_that_is_there() {
    let house = House::with(orders(), || async {});
    house.is("running").await;
    let Some(Explained::Planned(plan)) = house.engine.consumers().explain("shipping") else {
        panic!("it is planned")
    };
    assert_eq!(plan.server, house.broker.capabilities().server);
    assert!(plan.lines.iter().any(|line| line.about == "retry"));
    assert_eq!(house.engine.consumers().explain("nobody"), None);
}

#[tokio::test]
async fn a_paused_consumer_receives_nothing_until_it_goes_on() {
    let house = House::with(orders(), || async {});
    house.is("running").await;
    house.engine.consumers().pause("shipping", true).unwrap();
    house.is("paused").await;

    house.publish(Envelope::new("{}")).await;

    assert_eq!(house.broker.waiting(&group("shipping")).len(), 1);
    house.engine.consumers().pause("shipping", false).unwrap();
    house.nothing_is_left().await;
    assert!(house.engine.consumers().pause("nobody", true).is_none());
}
