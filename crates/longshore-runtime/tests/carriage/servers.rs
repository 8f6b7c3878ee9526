//! Several servers on one store and one broker.

use super::{Calls, House, carried, foreign};
use std::time::Duration;

#[tokio::test]
async fn two_servers_share_the_work_and_one_relays() {
    let (here, there) = (Calls::default(), Calls::default());
    let first = House::of([here.kind("work")]);
    first.store.be_shared();
    let second = first.beside(carried([there.kind("work")]));
    first.is_carried().await;
    second.is_carried().await;
    let mut ids = first.submit_many("work", 50).await;
    ids.extend(second.submit_many("work", 50).await);
    first.succeed(&ids).await;
    assert_eq!(here.count() + there.count(), 100);
    let relayed = [&first, &second].map(|house| house.metric("relayed_total"));
    assert!(relayed.iter().sum::<u64>() < 150, "{relayed:?}");
}

#[tokio::test]
async fn one_takes_over_when_the_other_is_gone() {
    let calls = Calls::default();
    let first = House::of([foreign("work")]);
    first.store.be_shared();
    let second = first.beside(carried([calls.kind("work")]));
    first.is_carried().await;
    second.is_carried().await;
    let ids = first.submit_many("work", 3).await;
    second.succeed(&ids).await;
    first.engine.begin_drain();
    drop(first.engine);
    let more = second.submit_many("work", 3).await;
    second.succeed(&more).await;
    assert_eq!(calls.count(), 6);
}

#[tokio::test]
async fn a_group_that_one_server_finds_gone_is_filled_again_by_whoever_relays() {
    let first = House::of([foreign("work")]);
    first.store.be_shared();
    let second = first.beside(carried([foreign("work")]));
    first.is_carried().await;
    second.is_carried().await;
    first.submit_many("work", 5).await;
    first.waiting("work", 5).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    first.broker.delete(&super::group("work"));
    first.waiting("work", 5).await;
}
