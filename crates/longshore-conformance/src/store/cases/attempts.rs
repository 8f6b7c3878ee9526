//! The list of openings: exact rows.

use super::bench::{Bench, LEASE, error, job, retry, secs, tenant};
use super::case_list;
use longshore_core::attempt::{Attempt, AttemptOutcome};
use longshore_core::retry::BuryReason;
use longshore_core::store::Leased;
use longshore_core::{State, TaskId, Timestamp, Verdict};
use std::time::Duration;

case_list![
    a_success_at_the_first_opening_has_its_row,
    a_running_opening_has_its_row,
    each_verdict_leaves_its_row,
    a_lost_lease_leaves_its_row,
    a_crash_leaves_its_row,
    openings_that_cost_nothing_repeat_the_number,
    rows_of_all_runs_are_kept_oldest_first,
    a_task_that_was_never_opened_has_no_rows,
    attempts_of_another_tenants_task_are_not_told,
];

/// The row of an opening that ended now.
fn row(leased: &Leased, outcome: AttemptOutcome, now: Timestamp) -> Attempt {
    Attempt {
        run: leased.run,
        attempt: leased.attempt,
        token: leased.lease.token,
        worker: Some("worker-1".to_owned()),
        started_at: leased.started_at,
        ended_at: Some(now),
        outcome: Some(outcome),
        error: None,
        next_at: None,
    }
}

async fn opened(t: &Bench) -> (TaskId, Leased) {
    let id = t.submit(job()).await;
    let leased = t.claim_one().await;
    t.pass(secs(2));
    (id, leased)
}

async fn a_success_at_the_first_opening_has_its_row(t: Bench) {
    let (id, leased) = opened(&t).await;
    t.end(&leased.lease, Verdict::Complete).await;
    let ended_at = t.now();
    t.pass(secs(2));
    assert_eq!(t.attempts(id).await, [row(&leased, AttemptOutcome::Success, ended_at)]);
}

async fn a_running_opening_has_its_row(t: Bench) {
    let (id, leased) = opened(&t).await;
    let running = |leased: &Leased| Attempt {
        ended_at: None,
        outcome: None,
        ..row(leased, AttemptOutcome::Released, t.now())
    };
    assert_eq!(t.attempts(id).await, [running(&leased)]);
    t.end(&leased.lease, Verdict::Release).await;
    let released = row(&leased, AttemptOutcome::Released, t.now());
    t.pass(secs(2));
    let again = t.claim_one().await;
    assert_eq!(t.attempts(id).await, [released, running(&again)]);
}

async fn each_verdict_leaves_its_row(t: Bench) {
    let pause = Duration::from_millis(1_500);
    let cases = [
        (retry(pause), AttemptOutcome::Retry, Some(pause)),
        (retry(Duration::ZERO), AttemptOutcome::Retry, Some(Duration::ZERO)),
        (Verdict::Snooze { after: pause }, AttemptOutcome::Snoozed, Some(pause)),
        (Verdict::Bury(BuryReason::BadData), AttemptOutcome::Failed, None),
        (Verdict::Discard("why".to_owned()), AttemptOutcome::Discarded, None),
        (Verdict::Cancel, AttemptOutcome::Cancelled, None),
        (Verdict::Release, AttemptOutcome::Released, None),
    ];
    for (verdict, outcome, pause) in cases {
        let failed = matches!(outcome, AttemptOutcome::Retry | AttemptOutcome::Failed);
        let (id, leased) = opened(&t).await;
        t.end(&leased.lease, verdict).await;
        let expected = Attempt {
            error: failed.then(|| error("no")),
            next_at: pause.map(|pause| t.now().after(pause)),
            ..row(&leased, outcome, t.now())
        };
        t.pass(secs(1));
        assert_eq!(t.attempts(id).await, [expected]);
        if !t.state(id).await.is_end() {
            t.cancel(id).await.expect("out of the way");
        }
    }
}

async fn a_lost_lease_leaves_its_row(t: Bench) {
    let (id, leased) = opened(&t).await;
    t.pass(LEASE);
    t.store().rescue().await.expect("rescue answers");
    assert_eq!(t.attempts(id).await, [row(&leased, AttemptOutcome::Lost, t.now())]);
}

async fn a_crash_leaves_its_row(t: Bench) {
    let id = t.submit(job()).await;
    let leased = t.claim_inside(1).await.remove(0);
    t.pass(secs(2));
    t.reboot().await;
    let rows = t.attempts(id).await;
    let without_error = Attempt { error: None, ..rows[0].clone() };
    assert_eq!(without_error, row(&leased, AttemptOutcome::Crashed, t.now()));
    assert_eq!(rows.len(), 1);
}

async fn openings_that_cost_nothing_repeat_the_number(t: Bench) {
    let (id, first) = opened(&t).await;
    t.end(&first.lease, Verdict::Release).await;
    let second = t.claim_one().await;
    t.end(&second.lease, Verdict::Snooze { after: secs(1) }).await;
    t.pass_and_make_ready(secs(1)).await;
    let third = t.claim_one().await;
    t.end(&third.lease, retry(Duration::ZERO)).await;
    let fourth = t.claim_one().await;
    t.end(&fourth.lease, Verdict::Complete).await;
    let rows = t.attempts(id).await;
    let numbers: Vec<_> = rows.iter().map(|row| (row.run, row.attempt)).collect();
    assert_eq!(numbers, [(1, 1), (1, 1), (1, 1), (1, 2)]);
    assert_eq!(rows[3], row(&fourth, AttemptOutcome::Success, t.now()));
    assert!(rows.is_sorted_by_key(|row| row.token));
    assert_eq!(t.task(id).await.attempt, 2, "an ended task keeps its last");
}

async fn rows_of_all_runs_are_kept_oldest_first(t: Bench) {
    let (id, first) = opened(&t).await;
    t.end(&first.lease, Verdict::Cancel).await;
    t.reopen(id).await.expect("reopened");
    t.reboot().await;
    let second = t.claim_one().await;
    t.end(&second.lease, Verdict::Complete).await;
    let rows = t.attempts(id).await;
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0].run, rows[0].token), (1, first.lease.token));
    assert_eq!((rows[1].run, rows[1].attempt, rows[1].token), (2, 1, second.lease.token));
}

async fn a_task_that_was_never_opened_has_no_rows(t: Bench) {
    let id = t.submit(job()).await;
    assert_eq!(t.attempts(id).await, []);
    t.cancel(id).await.expect("cancelled");
    assert_eq!(t.attempts(id).await, []);
    assert_eq!(t.state(id).await, State::Cancelled);
}

async fn attempts_of_another_tenants_task_are_not_told(t: Bench) {
    let (id, _) = opened(&t).await;
    let store = t.store();
    assert_eq!(store.attempts(tenant("other"), id).await.expect("answers"), None);
    let unknown = TaskId::fresh();
    assert_eq!(store.attempts(tenant("default"), unknown).await.expect("answers"), None);
}
