//! Tokens: who comes with an old one changes nothing.

use super::bench::{Bench, LEASE, job, retry, secs};
use super::case_list;
use longshore_core::store::{Claim, Ending, Hold, LeaseRef, Recorded};
use longshore_core::{Payload, State, Valid, Verdict};
use std::time::Duration;

case_list![
    an_end_is_recorded_once,
    a_late_end_after_a_rescue_is_stale,
    an_end_from_before_a_crash_is_stale,
    an_old_token_is_stale_while_a_new_one_runs,
    a_stale_end_brings_nothing_with_it,
    an_end_of_a_cancelled_run_is_stale_after_a_reopen,
    tokens_grow_over_openings_and_reboots,
];

async fn an_end_is_recorded_once(t: Bench) {
    let id = t.submit(job()).await;
    let leased = t.claim_one().await;
    t.end(&leased.lease, Verdict::Complete).await;
    let before = t.task(id).await;
    t.pass(secs(1));
    for verdict in [Verdict::Complete, Verdict::Release, retry(secs(1)), Verdict::Cancel] {
        assert_eq!(t.try_end(&leased.lease, verdict).await, Recorded::Stale);
    }
    assert_eq!(t.task(id).await, before);
    assert_eq!(t.attempts(id).await.len(), 1);
}

async fn a_late_end_after_a_rescue_is_stale(t: Bench) {
    let id = t.submit(job()).await;
    let leased = t.claim_one().await;
    t.pass(LEASE);
    t.store().rescue().await.expect("rescue answers");
    assert!(!t.holds(&leased.lease).await);
    assert_eq!(t.try_end(&leased.lease, Verdict::Complete).await, Recorded::Stale);
    assert_eq!(t.state(id).await, State::Pending);
}

async fn an_end_from_before_a_crash_is_stale(t: Bench) {
    let id = t.submit(job()).await;
    let leased = t.claim_inside(1).await.remove(0);
    t.reboot().await;
    assert!(!t.holds(&leased.lease).await);
    assert_eq!(t.try_end(&leased.lease, Verdict::Complete).await, Recorded::Stale);
    assert_eq!(t.state(id).await, State::Pending);
}

async fn an_old_token_is_stale_while_a_new_one_runs(t: Bench) {
    let id = t.submit(job()).await;
    let old = t.claim_one().await;
    t.end(&old.lease, Verdict::Release).await;
    let new = t.claim_one().await;
    assert!(!t.holds(&old.lease).await);
    assert_eq!(t.try_end(&old.lease, Verdict::Complete).await, Recorded::Stale);
    assert_eq!(t.state(id).await, State::Running);
    let forged = LeaseRef { token: longshore_core::Token::from_number(i64::MAX), ..new.lease };
    assert_eq!(t.try_end(&forged, Verdict::Complete).await, Recorded::Stale);
    assert_eq!(t.end(&new.lease, Verdict::Complete).await, State::Success);
}

async fn a_stale_end_brings_nothing_with_it(t: Bench) {
    let id = t.submit(job()).await;
    let leased = t.claim_one().await;
    t.end(&leased.lease, Verdict::Complete).await;
    let follower = job();
    let ending = Ending {
        lease: leased.lease,
        verdict: Verdict::Complete,
        result: Some(Payload::from_json("2")),
        error: None,
        then: vec![Valid::vouch(follower.clone())],
    };
    assert_eq!(t.record(ending).await, Recorded::Stale);
    assert_eq!(t.task(id).await.result, None);
    let absent = t.store().get(follower.tenant, follower.id).await.expect("get answers");
    assert_eq!(absent, None);
}

async fn an_end_of_a_cancelled_run_is_stale_after_a_reopen(t: Bench) {
    let id = t.submit(job()).await;
    let old = t.claim_one().await;
    t.end(&old.lease, Verdict::Cancel).await;
    t.reopen(id).await.expect("reopened");
    assert_eq!(t.try_end(&old.lease, Verdict::Complete).await, Recorded::Stale);
    assert_eq!(t.state(id).await, State::Pending);
}

async fn tokens_grow_over_openings_and_reboots(t: Bench) {
    let mut last = None;
    for round in 0..5 {
        t.submit_jobs(2).await;
        let hold = if round % 2 == 0 { Hold::Process } else { Hold::Lease { lasts: None } };
        for _ in 0..2 {
            let leased = t.claim_with(Claim { hold, ..t.request(1) }).await.remove(0);
            assert!(Some(leased.lease.token) > last, "a token is larger than all before");
            last = Some(leased.lease.token);
            t.end(&leased.lease, retry(Duration::ZERO)).await;
        }
        t.reboot().await;
    }
}
