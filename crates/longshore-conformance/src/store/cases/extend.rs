//! The heartbeat.

use super::bench::{Bench, LEASE, job, secs};
use super::case_list;
use longshore_core::store::{Claim, Extend, Hold, LeaseRef, LeaseState};
use longshore_core::{Payload, State, TaskId, Verdict};

case_list![
    a_timed_lease_lasts_from_the_heartbeat_on,
    a_heartbeat_may_change_the_length,
    what_the_process_holds_has_no_end,
    progress_is_kept_until_the_next_opening,
    a_lease_that_ended_is_held_until_it_is_rescued,
    an_unknown_lease_is_lost,
    an_ended_task_is_lost_to_its_holder,
];

async fn a_timed_lease_lasts_from_the_heartbeat_on(t: Bench) {
    t.submit(job()).await;
    let leased = t.claim_one().await;
    assert_eq!(leased.expires_at, Some(t.now().after(LEASE)));
    for _ in 0..3 {
        t.pass(LEASE - secs(1));
        t.store().rescue().await.expect("rescue answers");
        let expires_at = Some(t.now().after(LEASE));
        let held = LeaseState::Held { cancel_asked: false, expires_at };
        assert_eq!(t.extend(&leased.lease, None).await, held);
    }
}

async fn a_heartbeat_may_change_the_length(t: Bench) {
    let id = t.submit(job()).await;
    let leased = t.claim_one().await;
    let lasts = Some(secs(100));
    t.extend_with(Extend { lease: leased.lease, lasts, progress: None }).await;
    t.pass(secs(99));
    t.store().rescue().await.expect("rescue answers");
    let expires_at = Some(t.now().after(secs(100)));
    let held = LeaseState::Held { cancel_asked: false, expires_at };
    assert_eq!(t.extend(&leased.lease, None).await, held, "the last length is repeated");
    t.pass(secs(100));
    t.store().rescue().await.expect("rescue answers");
    assert_eq!(t.state(id).await, State::Pending);
}

async fn what_the_process_holds_has_no_end(t: Bench) {
    let id = t.submit(job()).await;
    let leased = t.claim_inside(1).await.remove(0);
    assert_eq!(leased.expires_at, None);
    t.pass(100 * super::bench::DAY);
    t.store().rescue().await.expect("rescue answers");
    assert_eq!(t.state(id).await, State::Running);
    let held = LeaseState::Held { cancel_asked: false, expires_at: None };
    assert_eq!(t.extend(&leased.lease, None).await, held);
}

async fn progress_is_kept_until_the_next_opening(t: Bench) {
    let id = t.submit(job()).await;
    let leased = t.claim_one().await;
    let half = Some(Payload::from_json(r#"{"done":0.5}"#));
    t.extend(&leased.lease, half.clone()).await;
    t.extend(&leased.lease, None).await;
    assert_eq!(t.task(id).await.progress, half);
    t.end(&leased.lease, Verdict::Release).await;
    assert_eq!(t.task(id).await.progress, half);
    t.claim_one().await;
    assert_eq!(t.task(id).await.progress, None);
}

async fn a_lease_that_ended_is_held_until_it_is_rescued(t: Bench) {
    t.submit(job()).await;
    let leased = t.claim_one().await;
    t.pass(2 * LEASE);
    assert!(t.holds(&leased.lease).await, "nobody has taken it back");
    t.pass(LEASE - secs(1));
    t.store().rescue().await.expect("rescue answers");
    assert_eq!(t.end(&leased.lease, Verdict::Complete).await, State::Success);
}

async fn an_unknown_lease_is_lost(t: Bench) {
    t.submit(job()).await;
    let leased = t.claim_one().await;
    let unknown = LeaseRef { id: TaskId::fresh(), ..leased.lease };
    assert!(!t.holds(&unknown).await);
    assert!(t.holds(&leased.lease).await);
}

async fn an_ended_task_is_lost_to_its_holder(t: Bench) {
    let id = t.submit(job()).await;
    let hold = Hold::Lease { lasts: None };
    let leased = t.claim_with(Claim { hold, ..t.request(1) }).await.remove(0);
    t.end(&leased.lease, Verdict::Complete).await;
    let progress = Some(Payload::from_json("1"));
    assert_eq!(t.extend(&leased.lease, progress).await, LeaseState::Lost);
    assert_eq!(t.task(id).await.progress, None);
}
