//! What a dead process leaves behind.

use super::bench::{Bench, LEASE, fate, job, secs};
use super::case_list;
use longshore_core::attempt::AttemptOutcome;
use longshore_core::rescue::CRASH_LIMIT;
use longshore_core::store::LeaseState;
use longshore_core::{FaultClass, NewTask, State, Verdict};
use std::time::Duration;

case_list![
    what_the_dead_process_held_runs_again_at_once,
    a_crash_costs_no_attempt_and_keeps_the_rank,
    a_crashed_task_that_was_to_be_cancelled_is_cancelled,
    timed_leases_get_a_full_length_of_grace,
    a_timed_lease_that_had_ended_gets_its_grace_too,
    deaths_outside_of_the_process_are_not_charged,
    a_killer_is_buried_at_its_third_charge_and_fifth_death,
    a_condemned_parent_is_judged_by_its_children,
    a_normal_end_lifts_the_suspicion,
    a_release_lifts_nothing,
    a_reopened_killer_starts_without_charges,
    waiting_tasks_outlive_the_process_as_they_were,
];

async fn what_the_dead_process_held_runs_again_at_once(t: Bench) {
    let ids = t.submit_jobs(3).await;
    assert_eq!(t.claim_inside(2).await.len(), 2);
    t.reboot().await;
    for id in &ids[..2] {
        assert_eq!(t.state(*id).await, State::Pending);
        assert_eq!(t.outcomes(*id).await, [Some(AttemptOutcome::Crashed)]);
        assert_eq!(t.task(*id).await.crashes, 1);
    }
    assert_eq!(t.work_off().await, ids);
}

async fn a_crash_costs_no_attempt_and_keeps_the_rank(t: Bench) {
    let id = t.submit(job()).await;
    let leased = t.claim_inside(1).await.remove(0);
    t.pass(secs(1));
    t.submit(job()).await;
    t.reboot().await;
    let again = t.claim_inside(1).await.remove(0);
    assert_eq!((again.lease.id, again.ready_at), (id, leased.ready_at));
    assert_eq!((again.attempt, again.openings, again.isolated), (1, 2, false));
}

async fn a_crashed_task_that_was_to_be_cancelled_is_cancelled(t: Bench) {
    let id = t.submit(job()).await;
    t.claim_inside(1).await;
    t.cancel(id).await.expect("told");
    t.reboot().await;
    assert_eq!(t.fate(id).await, fate(State::Cancelled, "cancelled"));
    assert_eq!(t.outcomes(id).await, [Some(AttemptOutcome::Crashed)]);
    assert_eq!(t.task(id).await.finished_at, Some(t.now()));
}

async fn timed_leases_get_a_full_length_of_grace(t: Bench) {
    let id = t.submit(job()).await;
    let leased = t.claim_one().await;
    t.pass(LEASE - secs(1));
    t.reboot().await;
    t.pass(LEASE - Duration::from_millis(1));
    t.store().rescue().await.expect("rescue answers");
    assert_eq!(t.state(id).await, State::Running);
    let expires_at = Some(t.now().after(LEASE));
    let held = LeaseState::Held { cancel_asked: false, expires_at };
    assert_eq!(t.extend(&leased.lease, None).await, held, "and may be extended");
    t.pass(LEASE);
    t.store().rescue().await.expect("rescue answers");
    assert_eq!(t.state(id).await, State::Pending);
}

async fn a_timed_lease_that_had_ended_gets_its_grace_too(t: Bench) {
    t.submit(job()).await;
    let leased = t.claim_one().await;
    t.pass(10 * LEASE);
    t.reboot().await;
    t.store().rescue().await.expect("rescue answers");
    assert_eq!(t.end(&leased.lease, Verdict::Complete).await, State::Success);
}

async fn deaths_outside_of_the_process_are_not_charged(t: Bench) {
    let id = t.submit(job()).await;
    t.claim_one().await;
    for _ in 0..5 {
        t.reboot().await;
    }
    let task = t.task(id).await;
    assert_eq!((task.state, task.crashes, task.charges), (State::Running, 0, 0));
}

async fn a_killer_is_buried_at_its_third_charge_and_fifth_death(t: Bench) {
    let id = t.submit(job()).await;
    for (death, isolated) in [false, false, true, true, true].into_iter().enumerate() {
        assert_eq!(t.state(id).await, State::Pending);
        let leased = t.claim_inside(1).await.remove(0);
        assert_eq!((leased.lease.id, leased.isolated), (id, isolated), "death {death}");
        t.reboot().await;
    }
    let task = t.task(id).await;
    assert_eq!((task.state, task.reason.as_deref()), (State::Failed, Some("crash")));
    assert_eq!((task.crashes, task.charges), (5, CRASH_LIMIT));
    assert_eq!(task.error.map(|error| error.class), Some(FaultClass::Crash));
    assert_eq!((task.attempt, task.finished_at), (1, Some(t.now())));
    assert_eq!(t.outcomes(id).await, [Some(AttemptOutcome::Crashed); 5]);
}

async fn a_condemned_parent_is_judged_by_its_children(t: Bench) {
    let id = t.submit(job()).await;
    let child = t.submit(NewTask { after: vec![id], ..job() }).await;
    for _ in 0..5 {
        t.claim_inside(1).await;
        t.reboot().await;
    }
    assert_eq!(t.fate(id).await, fate(State::Failed, "crash"));
    assert_eq!(t.fate(child).await, fate(State::Failed, "parent_failed"));
}

async fn a_normal_end_lifts_the_suspicion(t: Bench) {
    let id = t.submit(job()).await;
    for _ in 0..3 {
        t.claim_inside(1).await;
        t.reboot().await;
    }
    assert_eq!(t.task(id).await.charges, 1);
    let leased = t.claim_inside(1).await.remove(0);
    t.end(&leased.lease, super::bench::retry(Duration::ZERO)).await;
    let task = t.task(id).await;
    assert_eq!((task.crashes, task.charges), (3, 0));
    assert!(!t.claim_inside(1).await[0].isolated);
}

async fn a_release_lifts_nothing(t: Bench) {
    let id = t.submit(job()).await;
    for _ in 0..3 {
        t.claim_inside(1).await;
        t.reboot().await;
    }
    let leased = t.claim_inside(1).await.remove(0);
    t.end(&leased.lease, Verdict::Release).await;
    assert_eq!(t.task(id).await.charges, 1);
    assert!(t.claim_inside(1).await[0].isolated);
}

async fn a_reopened_killer_starts_without_charges(t: Bench) {
    let id = t.submit(job()).await;
    for _ in 0..5 {
        t.claim_inside(1).await;
        t.reboot().await;
    }
    t.reopen(id).await.expect("reopened");
    let task = t.task(id).await;
    assert_eq!((task.crashes, task.charges), (5, 0));
    assert!(!t.claim_inside(1).await[0].isolated);
}

async fn waiting_tasks_outlive_the_process_as_they_were(t: Bench) {
    let retrying = t.submit(job()).await;
    let leased = t.claim_one().await;
    t.end(&leased.lease, super::bench::retry(secs(60))).await;
    let scheduled = NewTask { run_at: Some(t.now().after(secs(30))), ..job() };
    let scheduled = t.submit(scheduled).await;
    let pending = t.submit(job()).await;
    let before = [t.task(retrying).await, t.task(scheduled).await, t.task(pending).await];
    t.reboot().await;
    let after = [t.task(retrying).await, t.task(scheduled).await, t.task(pending).await];
    assert_eq!(before, after);
    t.pass_and_make_ready(secs(60)).await;
    assert_eq!(t.work_off().await, [pending, scheduled, retrying]);
}
