//! Unique keys: who holds one, and what becomes of the second.

use super::bench::{Bench, fate, job, kind, retry, secs, tenant};
use super::case_list;
use longshore_core::store::Refused;
use longshore_core::task::{AcceptedHow, OnConflict, Unique, UniqueWhile};
use longshore_core::{NewTask, State, TaskId, Verdict};
use std::time::Duration;

case_list![
    a_key_held_while_queued_is_free_once_its_task_runs,
    a_key_held_while_active_is_free_once_its_task_has_ended,
    a_key_held_for_a_window_is_free_once_that_is_over,
    a_task_given_back_holds_its_queued_key_again,
    a_retrying_task_holds_an_active_key_and_no_queued_one,
    the_second_is_answered_with_the_first_as_it_stands,
    the_second_is_refused,
    the_second_takes_the_place_of_a_waiting_first,
    the_second_takes_the_place_of_a_retrying_first,
    a_running_first_is_not_replaced,
    an_ended_first_within_its_window_is_not_replaced,
    the_holders_own_hold_decides,
    unique_keys_are_apart_by_tenant_and_kind,
    the_last_accepted_task_holds_the_key,
    a_batch_sees_its_own_unique_keys,
    a_task_is_not_reopened_while_somebody_else_holds_its_key,
    a_reopened_task_holds_its_key,
    a_replaced_parent_counts_as_ended_for_the_newcomer,
    an_existing_answer_binds_the_idempotency_key,
];

const WINDOW: Duration = Duration::from_secs(100);

fn unique(hold: UniqueWhile, on_conflict: OnConflict) -> NewTask {
    NewTask { unique: Some(Unique { key: "u".to_owned(), hold, on_conflict }), ..job() }
}

fn second() -> NewTask {
    unique(UniqueWhile::Active, OnConflict::Reject)
}

/// Whether the key is held: a second task is refused. One that is not is taken away again, but
/// then it was the last accepted one.
async fn is_held_by(t: &Bench, id: TaskId) -> bool {
    match t.ask(second()).await {
        Err(Refused::UniqueTaken { existing }) => {
            assert_eq!(existing, id);
            true
        }
        other => {
            assert_eq!(other.expect("accepted").how, AcceptedHow::New);
            false
        }
    }
}

async fn a_key_held_while_queued_is_free_once_its_task_runs(t: Bench) {
    let first = t.submit(unique(UniqueWhile::Queued, OnConflict::Reject)).await;
    assert!(is_held_by(&t, first).await);
    t.claim_one().await;
    assert!(!is_held_by(&t, first).await);
}

async fn a_key_held_while_active_is_free_once_its_task_has_ended(t: Bench) {
    let first = t.submit(unique(UniqueWhile::Active, OnConflict::Reject)).await;
    assert!(is_held_by(&t, first).await);
    let leased = t.claim_one().await;
    assert!(is_held_by(&t, first).await);
    t.end(&leased.lease, Verdict::Complete).await;
    assert!(!is_held_by(&t, first).await);
}

async fn a_key_held_for_a_window_is_free_once_that_is_over(t: Bench) {
    let first = t.submit(unique(UniqueWhile::Window(WINDOW), OnConflict::Reject)).await;
    let leased = t.claim_one().await;
    t.end(&leased.lease, Verdict::Complete).await;
    t.pass(WINDOW - Duration::from_millis(1));
    assert!(is_held_by(&t, first).await);
    t.pass(Duration::from_millis(1));
    assert!(!is_held_by(&t, first).await);
}

async fn a_task_given_back_holds_its_queued_key_again(t: Bench) {
    let first = t.submit(unique(UniqueWhile::Queued, OnConflict::Reject)).await;
    let leased = t.claim_one().await;
    t.end(&leased.lease, Verdict::Release).await;
    assert!(is_held_by(&t, first).await);
}

async fn a_retrying_task_holds_an_active_key_and_no_queued_one(t: Bench) {
    for (hold, held) in [(UniqueWhile::Active, true), (UniqueWhile::Queued, false)] {
        let first = t.submit(unique(hold, OnConflict::Reject)).await;
        let leased = t.claim_one().await;
        t.end(&leased.lease, retry(secs(10))).await;
        assert_eq!(is_held_by(&t, first).await, held);
        t.cancel(first).await.expect("cancelled");
    }
}

async fn the_second_is_answered_with_the_first_as_it_stands(t: Bench) {
    for hold in [UniqueWhile::Active, UniqueWhile::Window(WINDOW)] {
        let run_at = Some(t.now().after(secs(5)));
        let first = t.submit(NewTask { run_at, ..unique(hold, OnConflict::Reject) }).await;
        let accepted_at = t.now();
        t.pass_and_make_ready(secs(5)).await;
        let leased = t.claim_one().await;
        let again = t.ask(unique(UniqueWhile::Active, OnConflict::Existing)).await.expect("found");
        assert_eq!((again.id, again.how), (first, AcceptedHow::Existing));
        assert_eq!((again.state, again.created_at), (State::Running, accepted_at));
        assert!(again.others.is_empty());
        t.end(&leased.lease, Verdict::Complete).await;
    }
}

async fn the_second_is_refused(t: Bench) {
    for hold in [UniqueWhile::Queued, UniqueWhile::Active, UniqueWhile::Window(WINDOW)] {
        let first = t.submit(unique(hold, OnConflict::Reject)).await;
        let refused = t.ask(unique(hold, OnConflict::Reject)).await;
        assert_eq!(refused, Err(Refused::UniqueTaken { existing: first }));
        t.cancel(first).await.expect("cancelled");
        t.pass(WINDOW);
    }
}

async fn the_second_takes_the_place_of_a_waiting_first(t: Bench) {
    for hold in [UniqueWhile::Queued, UniqueWhile::Active, UniqueWhile::Window(WINDOW)] {
        let run_at = Some(t.now().after(secs(5)));
        let scheduled = t.submit(NewTask { run_at, ..unique(hold, OnConflict::Reject) }).await;
        let pending = t.ask(unique(hold, OnConflict::Replace)).await.expect("accepted");
        let last = t.ask(unique(hold, OnConflict::Replace)).await.expect("accepted");
        assert_eq!((pending.how, last.how), (AcceptedHow::New, AcceptedHow::New));
        for (replaced, by) in [(scheduled, &pending), (pending.id, &last)] {
            assert_eq!(t.fate(replaced).await, fate(State::Cancelled, "replaced"));
            let told: Vec<_> = by.others.iter().map(|e| (e.task, e.state, e.at)).collect();
            assert_eq!(told, [(replaced, State::Cancelled, t.now())]);
        }
        assert_eq!(t.task(scheduled).await.finished_at, Some(t.now()));
        assert_eq!(t.work_off().await, [last.id]);
        t.pass(WINDOW);
    }
}

async fn the_second_takes_the_place_of_a_retrying_first(t: Bench) {
    let first = t.submit(unique(UniqueWhile::Active, OnConflict::Reject)).await;
    let leased = t.claim_one().await;
    t.end(&leased.lease, retry(secs(10))).await;
    t.submit(unique(UniqueWhile::Active, OnConflict::Replace)).await;
    assert_eq!(t.fate(first).await, fate(State::Cancelled, "replaced"));
}

async fn a_running_first_is_not_replaced(t: Bench) {
    let first = t.submit(unique(UniqueWhile::Active, OnConflict::Reject)).await;
    t.claim_one().await;
    let refused = t.ask(unique(UniqueWhile::Active, OnConflict::Replace)).await;
    assert_eq!(refused, Err(Refused::UniqueTaken { existing: first }));
    assert_eq!(t.state(first).await, State::Running);
}

async fn an_ended_first_within_its_window_is_not_replaced(t: Bench) {
    let first = t.submit(unique(UniqueWhile::Window(WINDOW), OnConflict::Reject)).await;
    t.cancel(first).await.expect("cancelled");
    let refused = t.ask(unique(UniqueWhile::Active, OnConflict::Replace)).await;
    assert_eq!(refused, Err(Refused::UniqueTaken { existing: first }));
    let found = t.ask(unique(UniqueWhile::Active, OnConflict::Existing)).await.expect("found");
    assert_eq!((found.id, found.state), (first, State::Cancelled));
}

async fn the_holders_own_hold_decides(t: Bench) {
    t.submit(unique(UniqueWhile::Queued, OnConflict::Reject)).await;
    t.claim_one().await;
    let window = unique(UniqueWhile::Window(WINDOW), OnConflict::Reject);
    assert_eq!(t.ask(window).await.expect("accepted").how, AcceptedHow::New);
}

async fn unique_keys_are_apart_by_tenant_and_kind(t: Bench) {
    let first = t.submit(second()).await;
    t.submit(NewTask { tenant: tenant("other"), ..second() }).await;
    t.submit(NewTask { kind: kind("a"), ..second() }).await;
    assert!(is_held_by(&t, first).await);
}

async fn the_last_accepted_task_holds_the_key(t: Bench) {
    t.submit(unique(UniqueWhile::Queued, OnConflict::Reject)).await;
    let leased = t.claim_one().await;
    let second = t.submit(unique(UniqueWhile::Queued, OnConflict::Reject)).await;
    // Queued again, but no longer the holder.
    t.end(&leased.lease, Verdict::Release).await;
    assert!(is_held_by(&t, second).await);
    t.cancel(second).await.expect("cancelled");
    assert!(!is_held_by(&t, second).await);
}

async fn a_batch_sees_its_own_unique_keys(t: Bench) {
    let first = second();
    let existing = unique(UniqueWhile::Active, OnConflict::Existing);
    let replace = unique(UniqueWhile::Active, OnConflict::Replace);
    let (a, c) = (first.id, replace.id);
    let answers = t.accept(vec![first, existing, replace, second()]).await;
    assert_eq!(answers[1].as_ref().expect("found").id, a);
    assert_eq!(answers[2].as_ref().expect("accepted").others[0].task, a);
    assert_eq!(answers[3], Err(Refused::UniqueTaken { existing: c }));
    assert_eq!(t.state(a).await, State::Cancelled);
}

async fn a_task_is_not_reopened_while_somebody_else_holds_its_key(t: Bench) {
    let first = t.submit(second()).await;
    t.cancel(first).await.expect("cancelled");
    let holder = t.submit(second()).await;
    assert_eq!(t.reopen(first).await, Err(Refused::UniqueTaken { existing: holder }));
    assert_eq!(t.state(first).await, State::Cancelled);
    t.cancel(holder).await.expect("cancelled");
    t.reopen(first).await.expect("the key is free");
}

async fn a_reopened_task_holds_its_key(t: Bench) {
    let first = t.submit(second()).await;
    t.cancel(first).await.expect("cancelled");
    let other = t.submit(second()).await;
    t.cancel(other).await.expect("cancelled");
    t.reopen(first).await.expect("reopened");
    assert!(is_held_by(&t, first).await);
}

async fn a_replaced_parent_counts_as_ended_for_the_newcomer(t: Bench) {
    let parent = t.submit(second()).await;
    let replace = unique(UniqueWhile::Active, OnConflict::Replace);
    let child = t.ask(NewTask { after: vec![parent], ..replace }).await.expect("accepted");
    assert_eq!(child.state, State::Failed);
    assert_eq!(t.fate(child.id).await, fate(State::Failed, "parent_failed"));
}

async fn an_existing_answer_binds_the_idempotency_key(t: Bench) {
    let first = t.submit(second()).await;
    let idempotency = Some(longshore_core::task::Idempotency {
        route: "/v1/tasks",
        key: "k".to_owned(),
        fingerprint: [1; 32],
    });
    let ask = || NewTask {
        idempotency: idempotency.clone(),
        ..unique(UniqueWhile::Active, OnConflict::Existing)
    };
    t.ask(ask()).await.expect("found");
    t.cancel(first).await.expect("cancelled");
    let again = t.ask(ask()).await.expect("replayed");
    assert_eq!((again.id, again.how), (first, AcceptedHow::ReplayedExisting));
}
