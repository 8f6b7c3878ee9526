//! Making ready what is due, and how much one call does.

use super::bench::{Bench, LEASE, job, retry, secs};
use super::case_list;
use longshore_core::readiness::BlockedBy;
use longshore_core::store::{BATCH, Moved};
use longshore_core::{NewTask, Span, State, Verdict};
use std::time::Duration;

case_list![
    what_is_due_becomes_ready_and_is_told,
    the_next_time_to_look_is_told,
    a_due_task_may_still_be_blocked,
    a_rescheduled_head_ranks_by_the_time_it_was_due,
    the_duties_of_upkeep_touch_a_thousand_at_most,
    upkeep_of_an_empty_store_does_nothing,
];

async fn make_ready(t: &Bench) -> Moved {
    t.store().make_ready().await.expect("make_ready answers")
}

async fn what_is_due_becomes_ready_and_is_told(t: Bench) {
    let retrying = t.submit(job()).await;
    let leased = t.claim_one().await;
    t.end(&leased.lease, retry(secs(5))).await;
    let scheduled = NewTask { run_at: Some(t.now().after(secs(5))), ..job() };
    let scheduled = t.submit(scheduled).await;
    t.pass(secs(5));
    let moved = make_ready(&t).await;
    assert!(!moved.more);
    let told: Vec<_> = moved.events.iter().map(|event| (event.task, event.state)).collect();
    assert_eq!(told, [(scheduled, State::Pending)], "the retrying one stays retrying");
    assert_eq!(t.state(scheduled).await, State::Pending);
    assert_eq!(t.state(retrying).await, State::Retrying);
    assert_eq!(t.all_ready().await, [retrying, scheduled]);
    assert_eq!(make_ready(&t).await.events, []);
}

async fn the_next_time_to_look_is_told(t: Bench) {
    assert_eq!(make_ready(&t).await, Moved::default());
    let late = t.now().after(secs(90));
    let early = t.now().after(secs(30));
    for run_at in [late, early] {
        t.submit(NewTask { run_at: Some(run_at), ..job() }).await;
    }
    assert_eq!(make_ready(&t).await.next, Some(early));
    t.pass(secs(30));
    assert_eq!(make_ready(&t).await.next, Some(late));
}

async fn a_due_task_may_still_be_blocked(t: Bench) {
    let parent = t.submit(job()).await;
    let run_at = Some(t.now().after(secs(5)));
    let child = t.submit(NewTask { run_at, after: vec![parent], ..job() }).await;
    t.pass_and_make_ready(secs(5)).await;
    let task = t.task(child).await;
    assert_eq!((task.state, task.blocked_by), (State::Pending, Some(BlockedBy::Parents)));
    assert_eq!(t.work_off().await, [parent, child]);
}

async fn a_rescheduled_head_ranks_by_the_time_it_was_due(t: Bench) {
    let id = t.submit(job()).await;
    let leased = t.claim_one().await;
    t.end(&leased.lease, Verdict::Snooze { after: secs(10) }).await;
    t.pass(secs(9));
    let before = t.submit(job()).await;
    t.pass(secs(2));
    let after = t.submit(job()).await;
    t.pass_and_make_ready(secs(10)).await;
    assert_eq!(t.all_ready().await, [before, id, after]);
}

async fn the_duties_of_upkeep_touch_a_thousand_at_most(t: Bench) {
    let later = NewTask { run_at: Some(t.now().after(secs(5))), ..job() };
    let tasks = (0..BATCH + 1).map(|_| NewTask {
        id: longshore_core::TaskId::fresh(),
        expires_in: Some(Span(secs(60))),
        ..later.clone()
    });
    t.accept(tasks.collect()).await;
    t.pass(secs(5));
    assert_twice(make_ready(&t).await, make_ready(&t).await);

    assert_eq!(t.claim(2 * BATCH).await.len(), BATCH + 1);
    t.pass(LEASE);
    let store = t.store();
    let first = store.rescue().await.expect("rescue answers");
    assert_twice(first, store.rescue().await.expect("rescue answers"));

    let waiting = (0..BATCH + 1).map(|_| NewTask { expires_in: Some(Span(secs(1))), ..job() });
    t.accept(waiting.collect()).await;
    t.pass(secs(1));
    let first = store.expire().await.expect("expire answers");
    assert_twice(first, store.expire().await.expect("expire answers"));
}

/// Two calls did it all, the first of them as much as it may and no more.
fn assert_twice(first: Moved, second: Moved) {
    assert!(first.events.len() <= BATCH && first.more);
    assert_eq!((first.events.len() + second.events.len(), second.more), (BATCH + 1, false));
}

async fn upkeep_of_an_empty_store_does_nothing(t: Bench) {
    let store = t.store();
    t.pass(Duration::from_secs(86_400));
    assert_eq!(store.rescue().await.expect("rescue answers").events, []);
    assert_eq!(store.expire().await.expect("expire answers").events, []);
    let pruned = store.prune(&longshore_core::store::Retention::default()).await;
    assert_eq!(pruned.expect("prune answers"), longshore_core::store::Pruned::default());
    assert_eq!(t.outbox().await, []);
    store.relayed(Vec::new()).await.expect("nothing to note");
}
