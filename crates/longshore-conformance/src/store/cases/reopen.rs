//! Reopening: a new run of an ended task.

use super::bench::{Bench, DAY, error, job, secs};
use super::case_list;
use longshore_core::store::Refused;
use longshore_core::{NewTask, Payload, Span, State, Verdict};

case_list![
    an_ended_task_runs_again,
    what_has_succeeded_or_not_ended_is_not_reopened,
    the_new_run_starts_from_scratch_and_keeps_its_error,
    the_new_run_expires_anew,
    the_new_run_has_its_total_time_anew,
    a_cancel_of_the_old_run_is_forgotten,
    a_reopened_task_ranks_by_the_time_of_the_reopening,
];

async fn an_ended_task_runs_again(t: Bench) {
    let failed = t.bury(job()).await;
    let cancelled = t.submit(job()).await;
    t.cancel(cancelled).await.expect("cancelled");
    let expires_in = Some(Span(secs(1)));
    let expired = t.submit(NewTask { expires_in, ..job() }).await;
    t.pass(secs(1));
    t.store().expire().await.expect("expire answers");
    for id in [failed, cancelled, expired] {
        let acted = t.reopen(id).await.expect("reopened");
        assert_eq!((acted.count, acted.events.len()), (1, 1));
        assert_eq!((acted.events[0].task, acted.events[0].state), (id, State::Pending));
        assert_eq!(acted.task.map(|task| (task.state, task.run)), Some((State::Pending, 2)));
    }
    assert_eq!(t.work_off().await, [failed, cancelled, expired]);
}

async fn what_has_succeeded_or_not_ended_is_not_reopened(t: Bench) {
    let success = t.submit(job()).await;
    t.work_off().await;
    let retrying = t.submit(job()).await;
    let leased = t.claim_one().await;
    t.end(&leased.lease, super::bench::retry(DAY)).await;
    let running = t.submit(job()).await;
    t.claim_one().await;
    let pending = t.submit(job()).await;
    let scheduled = t.submit(NewTask { run_at: Some(t.now().after(DAY)), ..job() }).await;
    for id in [success, retrying, running, pending, scheduled] {
        let before = t.task(id).await;
        assert_eq!(t.reopen(id).await, Err(Refused::WrongState { state: before.state }));
        assert_eq!(t.task(id).await, before);
    }
}

async fn the_new_run_starts_from_scratch_and_keeps_its_error(t: Bench) {
    let id = t.submit(job()).await;
    for _ in 0..2 {
        let leased = t.claim_one().await;
        t.end(&leased.lease, super::bench::retry(std::time::Duration::ZERO)).await;
    }
    let leased = t.claim_one().await;
    t.end(&leased.lease, Verdict::Bury(longshore_core::retry::BuryReason::Exhausted)).await;
    let before = t.task(id).await;
    assert_eq!((before.run, before.attempt), (1, 3));
    t.pass(secs(5));
    t.reopen(id).await.expect("reopened");
    let task = t.task(id).await;
    assert_eq!((task.state, task.run, task.attempt), (State::Pending, 2, 1));
    assert_eq!((task.result, task.reason), (None::<Payload>, None));
    assert_eq!((task.started_at, task.finished_at), (None, None));
    assert_eq!((task.error, task.run_at), (Some(error("no")), t.now()));
    assert_eq!((task.seq, task.created_at), (before.seq, before.created_at));
    let again = t.claim_one().await;
    assert_eq!((again.run, again.attempt, again.openings), (2, 1, 4));
    assert!(again.lease.token > leased.lease.token);
}

async fn the_new_run_expires_anew(t: Bench) {
    let expires_in = Some(Span(secs(10)));
    let id = t.submit(NewTask { expires_in, ..job() }).await;
    let leased = t.claim_one().await;
    assert_eq!(t.task(id).await.expires_at, None);
    t.end(&leased.lease, Verdict::Cancel).await;
    t.pass(secs(60));
    t.reopen(id).await.expect("reopened");
    assert_eq!(t.task(id).await.expires_at, Some(t.now().after(secs(10))));
    t.pass(secs(10));
    t.store().expire().await.expect("expire answers");
    assert_eq!(t.state(id).await, State::Expired);
}

async fn the_new_run_has_its_total_time_anew(t: Bench) {
    let total_timeout = Some(Span(secs(100)));
    let id = t.submit(NewTask { total_timeout, ..job() }).await;
    let leased = t.claim_one().await;
    t.pass(secs(60));
    t.end(&leased.lease, Verdict::Cancel).await;
    t.reopen(id).await.expect("reopened");
    t.pass(secs(60));
    assert_eq!(t.claim_one().await.total_left, Some(secs(100)));
}

async fn a_cancel_of_the_old_run_is_forgotten(t: Bench) {
    let id = t.submit(job()).await;
    let leased = t.claim_one().await;
    t.cancel(id).await.expect("told");
    t.end(&leased.lease, Verdict::Cancel).await;
    t.reopen(id).await.expect("reopened");
    let again = t.claim_one().await;
    assert_eq!(t.end(&again.lease, Verdict::Release).await, State::Pending);
}

async fn a_reopened_task_ranks_by_the_time_of_the_reopening(t: Bench) {
    let id = t.submit(job()).await;
    t.cancel(id).await.expect("cancelled");
    t.pass(secs(1));
    let before = t.submit(job()).await;
    t.pass(secs(1));
    t.reopen(id).await.expect("reopened");
    t.pass(secs(1));
    let after = t.submit(job()).await;
    assert_eq!(t.work_off().await, [before, id, after]);
}
