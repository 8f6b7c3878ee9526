//! A queue that takes no more.

use super::bench::{Bench, DAY, job, kind, queue, retry, tenant};
use super::case_list;
use longshore_core::store::Refused;
use longshore_core::task::{AcceptedHow, Idempotency, OnConflict, Unique, UniqueWhile};
use longshore_core::{NewTask, QueueName, State, TaskId, Verdict};

case_list![
    a_task_is_refused_when_so_many_wait,
    what_waits_for_whatever_counts_and_what_runs_or_has_ended_does_not,
    tasks_of_a_batch_are_judged_one_by_one,
    other_queues_do_not_count_and_other_tenants_do,
    a_task_without_a_backlog_is_never_refused,
    a_repeated_request_is_answered_even_then,
    a_refusal_binds_no_key,
    an_equal_unique_task_is_answered_even_then,
    a_replaced_task_makes_room_and_a_refused_one_replaces_nothing,
    a_known_id_and_an_unknown_parent_are_told_first,
    the_count_outlives_the_process,
];

fn at_most(backlog: u64) -> NewTask {
    NewTask { backlog: Some(backlog), ..job() }
}

fn full(waiting: u64) -> Refused {
    Refused::BacklogFull { queue: QueueName::default(), waiting }
}

fn unique(on_conflict: OnConflict) -> NewTask {
    let unique = Unique { key: "u".to_owned(), hold: UniqueWhile::Active, on_conflict };
    NewTask { unique: Some(unique), ..at_most(2) }
}

async fn a_task_is_refused_when_so_many_wait(t: Bench) {
    t.submit_jobs(2).await;
    let refused = at_most(2);
    let id = refused.id;
    assert_eq!(t.ask(refused).await, Err(full(2)));
    assert_eq!(t.store().get(tenant("default"), id).await.expect("get answers"), None);
    t.next().await.expect("one goes");
    t.submit(at_most(2)).await;
}

async fn what_waits_for_whatever_counts_and_what_runs_or_has_ended_does_not(t: Bench) {
    t.submit_jobs(3).await;
    let leased = t.claim(3).await;
    t.end(&leased[0].lease, Verdict::Complete).await;
    assert!(t.ask(at_most(1)).await.is_ok(), "one runs, one waits for nothing, one has ended");
    t.end(&leased[1].lease, retry(DAY)).await;
    let parent = leased[2].lease.id;
    t.submit(NewTask { after: vec![parent], ..job() }).await;
    t.submit(NewTask { run_at: Some(t.now().after(DAY)), ..job() }).await;
    assert_eq!(t.ask(at_most(4)).await, Err(full(4)));
    assert!(t.ask(at_most(5)).await.is_ok());
}

async fn tasks_of_a_batch_are_judged_one_by_one(t: Bench) {
    let answers = t.accept((0..5).map(|_| at_most(3)).collect()).await;
    let refused: Vec<bool> = answers.iter().map(Result::is_err).collect();
    assert_eq!(refused, [false, false, false, true, true]);
    assert_eq!(answers[4], Err(full(3)));
}

async fn other_queues_do_not_count_and_other_tenants_do(t: Bench) {
    t.submit(NewTask { queue: queue("other"), ..job() }).await;
    t.submit(NewTask { tenant: tenant("other"), kind: kind("a"), ..job() }).await;
    assert_eq!(t.ask(at_most(1)).await, Err(full(1)));
}

async fn a_task_without_a_backlog_is_never_refused(t: Bench) {
    t.submit_jobs(3).await;
    assert_eq!(t.ask(at_most(1)).await, Err(full(3)));
    assert!(t.ask(job()).await.is_ok());
}

async fn a_repeated_request_is_answered_even_then(t: Bench) {
    let key = |n| Idempotency { route: "/v1/tasks", key: "k".to_owned(), fingerprint: [n; 32] };
    let first = t.submit(NewTask { idempotency: Some(key(1)), ..at_most(1) }).await;
    let again = t.ask(NewTask { idempotency: Some(key(1)), ..at_most(1) }).await;
    let again = again.expect("the first answer again");
    assert_eq!((again.id, again.how), (first, AcceptedHow::Replayed));
    let other_body = t.ask(NewTask { idempotency: Some(key(2)), ..at_most(1) }).await;
    assert_eq!(other_body, Err(Refused::KeyReused));
}

async fn a_refusal_binds_no_key(t: Bench) {
    let waiting = t.submit(job()).await;
    let key = Idempotency { route: "/v1/tasks", key: "k".to_owned(), fingerprint: [1; 32] };
    let keyed = NewTask { idempotency: Some(key), ..at_most(1) };
    assert_eq!(t.ask(keyed.clone()).await, Err(full(1)));
    t.cancel(waiting).await.expect("cancelled");
    assert_eq!(t.ask(keyed).await.map(|accepted| accepted.how), Ok(AcceptedHow::New));
}

async fn an_equal_unique_task_is_answered_even_then(t: Bench) {
    let first = t.submit(unique(OnConflict::Existing)).await;
    t.submit_jobs(2).await;
    let existing = t.ask(unique(OnConflict::Existing)).await.expect("that task");
    assert_eq!((existing.id, existing.how), (first, AcceptedHow::Existing));
    let refused = t.ask(unique(OnConflict::Reject)).await;
    assert_eq!(refused, Err(Refused::UniqueTaken { existing: first }));
}

async fn a_replaced_task_makes_room_and_a_refused_one_replaces_nothing(t: Bench) {
    let first = t.submit(unique(OnConflict::Replace)).await;
    t.submit(job()).await;
    let second = t.submit(unique(OnConflict::Replace)).await;
    assert_eq!(t.state(first).await, State::Cancelled);
    t.submit(job()).await;
    assert_eq!(t.ask(unique(OnConflict::Replace)).await, Err(full(3)));
    assert_eq!(t.state(second).await, State::Pending);
}

async fn a_known_id_and_an_unknown_parent_are_told_first(t: Bench) {
    let existing = t.submit(job()).await;
    let again = t.ask(NewTask { id: existing, id_is_chosen: true, ..at_most(1) }).await;
    assert_eq!(again, Err(Refused::IdTaken { existing }));
    let parent = TaskId::fresh();
    let orphan = t.ask(NewTask { after: vec![parent], ..at_most(1) }).await;
    assert_eq!(orphan, Err(Refused::NoSuchParent { parent }));
}

async fn the_count_outlives_the_process(t: Bench) {
    t.submit_jobs(2).await;
    t.next().await.expect("one goes");
    t.claim_inside(1).await;
    t.reboot().await;
    assert_eq!(t.ask(at_most(1)).await, Err(full(1)), "what crashed waits again");
}
