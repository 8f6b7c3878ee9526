//! The usual way, and what people do on it.

use super::{Calls, House, carried, foreign, group, kind, queue, registry, until};
use longshore_core::broker::{Broker, Envelope, Outgoing, header};
use longshore_core::queue::{QueueSettings, Scope};
use longshore_core::{State, TaskId, TenantName};
use longshore_runtime::handler::HandlerError;
use longshore_runtime::{EngineError, Options};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[tokio::test]
async fn tasks_of_a_carried_queue_run_to_success() {
    let calls = Calls::default();
    let house = House::of([calls.kind("work"), calls.kind("more")]);
    house.is_carried().await;
    let mut ids = house.submit_many("work", 20).await;
    ids.extend(house.submit_many("more", 20).await);
    house.succeed(&ids).await;
    house.nothing_is_left("work").await;
    house.nothing_is_left("more").await;
    assert_eq!((calls.count(), house.metric("relayed_total")), (40, 40));
}

#[tokio::test]
async fn what_waited_before_the_queue_was_carried_goes_by_the_broker_too() {
    let house = House::of([foreign("work")]);
    let ids = house.submit_many("work", 3).await;
    house.waiting("work", 3).await;
    let envelope = &house.broker.waiting(&group("work"))[0];
    assert_eq!(envelope.headers.get(header::ID), Some(ids[0].to_string().as_str()));
    assert_eq!(envelope.headers.get(header::KIND), Some("work"));
    assert_eq!(envelope.headers.get(header::TENANT), Some("default"));
    assert!(envelope.payload.is_empty(), "the truth is in the store");
}

#[tokio::test]
async fn a_kind_that_nobody_runs_here_is_relayed_and_not_received() {
    let calls = Calls::default();
    let house = House::of([foreign("other"), calls.kind("work")]);
    house.is_carried().await;
    house.submit_many("other", 3).await;
    let ids = house.submit_many("work", 3).await;
    house.succeed(&ids).await;
    house.waiting("other", 3).await;
    let stats = house.broker.inspect(&group("other")).await.unwrap();
    assert_eq!((stats.in_flight, stats.consumers), (Some(0), Some(0)));
}

#[tokio::test]
async fn a_retry_goes_by_the_broker_again() {
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = tries.clone();
    let work = kind("work", move || {
        let try_number = counted.fetch_add(1, Ordering::SeqCst);
        async move { if try_number < 2 { Err(HandlerError::transient("not yet")) } else { Ok(()) } }
    });
    let house = House::of([work]);
    house.is_carried().await;
    let id = house.submit("work").await;
    house.succeed(&[id]).await;
    assert_eq!((tries.load(Ordering::SeqCst), house.metric("relayed_total")), (3, 3));
    assert_eq!(house.task(id).await.attempt, 3);
}

#[tokio::test]
async fn a_task_that_was_cancelled_on_its_way_does_not_run() {
    let calls = Calls::default();
    let house = House::of([foreign("work")]);
    let ids = house.submit_many("work", 2).await;
    house.waiting("work", 2).await;
    house.engine.tasks().cancel("test", TenantName::default(), ids[0]).await.expect("cancelled");
    house.engine.reload(carried([calls.kind("work")]));
    house.succeed(&ids[1..]).await;
    house.nothing_is_left("work").await;
    assert_eq!((calls.count(), house.task(ids[0]).await.state), (1, State::Cancelled));
}

#[tokio::test]
async fn an_envelope_that_is_there_twice_runs_its_task_once() {
    let calls = Calls::default();
    let house = House::of([foreign("work")]);
    let ids = house.submit_many("work", 10).await;
    house.waiting("work", 10).await;
    house.broker.double(&group("work"));
    house.engine.reload(carried([calls.kind("work")]));
    house.succeed(&ids).await;
    house.nothing_is_left("work").await;
    assert_eq!(calls.count(), 10);
}

#[tokio::test]
async fn old_and_foreign_envelopes_are_taken_and_run_nothing() {
    let calls = Calls::default();
    let house = House::of([calls.kind("work")]);
    house.is_carried().await;
    let id = house.submit("work").await;
    house.succeed(&[id]).await;
    let named = |id: TaskId| Envelope::default().with(header::ID, id.to_string());
    let garbage = Envelope::new("no task at all");
    let batch = [named(id), named(TaskId::fresh()), garbage];
    let batch = batch.map(|envelope| Outgoing::to_group(group("work"), envelope));
    house.broker.publish(batch.into()).await;
    house.nothing_is_left("work").await;
    let next = house.submit("work").await;
    house.succeed(&[next]).await;
    assert_eq!(calls.count(), 2);
}

#[tokio::test]
async fn a_paused_queue_is_not_relayed_and_goes_on_when_it_is_resumed() {
    let calls = Calls::default();
    let house = House::of([calls.kind("work")]);
    house.is_carried().await;
    let (tenant, scope) = (TenantName::default(), Scope::Queue(queue()));
    house.engine.queues().pause("test", tenant.clone(), scope.clone()).await.expect("paused");
    let ids = house.submit_many("work", 3).await;
    until(|| async { (house.metric("window_used") == 0).then_some(()) }).await;
    assert_eq!((calls.count(), house.metric("relayed_total")), (0, 0));
    house.engine.queues().resume("test", tenant, scope).await.expect("resumed");
    house.succeed(&ids).await;
}

#[tokio::test]
async fn what_was_on_its_way_when_its_queue_was_paused_neither_gets_lost_nor_goes_in_circles() {
    let calls = Calls::default();
    let house = House::of([foreign("work")]);
    let ids = house.submit_many("work", 5).await;
    house.waiting("work", 5).await;
    let (tenant, scope) = (TenantName::default(), Scope::Queue(queue()));
    house.engine.queues().pause("test", tenant.clone(), scope.clone()).await.expect("paused");
    house.engine.reload(carried([calls.kind("work")]));
    house.nothing_is_left("work").await;
    assert_eq!((calls.count(), house.metric("relayed_total")), (0, 5));
    house.engine.queues().resume("test", tenant, scope).await.expect("resumed");
    house.succeed(&ids).await;
    assert_eq!((calls.count(), house.metric("relayed_total")), (5, 10));
}

#[tokio::test]
async fn a_queue_whose_carrier_is_taken_away_is_handed_out_by_the_store() {
    let calls = Calls::default();
    let house = House::of([foreign("work")]);
    let ids = house.submit_many("work", 5).await;
    house.waiting("work", 5).await;
    let mut plain = registry([calls.kind("work")], QueueSettings::default());
    plain.carry(queue(), None);
    house.engine.reload(plain);
    house.succeed(&ids).await;
    house.engine.reload(carried([calls.kind("work")]));
    house.nothing_is_left("work").await;
    assert_eq!(calls.count(), 5, "what is still at the broker is over");
}

#[tokio::test]
async fn a_carrier_that_is_no_broker_is_refused_at_the_start() {
    let store = House::of([]).store;
    let options = Options::new(store, carried([]));
    let refused = longshore_runtime::Engine::start(options);
    let Err(EngineError::Carrier(refused)) = refused else { panic!("it starts") };
    assert_eq!(
        refused.to_string(),
        "the queue mail is to be carried by the broker \"main\", which there is not; declare it under `brokers`"
    );
}
