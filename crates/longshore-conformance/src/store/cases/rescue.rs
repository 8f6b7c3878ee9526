//! Timed leases that ended.

use super::bench::{Bench, DAY, LEASE, fate, job, retry, secs};
use super::case_list;
use longshore_core::attempt::AttemptOutcome;
use longshore_core::store::{ActKind, Claim, Hold, Leased};
use longshore_core::{NewTask, State, TaskId, Verdict};
use std::time::Duration;

case_list![
    a_lease_is_rescued_after_its_end_and_not_before,
    the_wall_clock_rescues_nobody,
    a_lost_task_keeps_its_rank_and_pays_nothing,
    a_lost_task_that_was_to_be_cancelled_is_cancelled,
    a_cancel_whose_grace_is_over_is_carried_out,
    the_grace_of_a_cancel_is_not_measured_by_the_wall_clock,
    lost_leases_make_no_suspects,
    a_rescued_head_keeps_its_lane,
    a_rescue_tells_what_ended_because_of_it,
    a_lease_without_a_length_lasts_the_timeout_and_ten_seconds,
];

async fn rescue(t: &Bench) -> Vec<(TaskId, State)> {
    let moved = t.store().rescue().await.expect("rescue answers");
    assert!(!moved.more);
    moved.events.iter().map(|event| (event.task, event.state)).collect()
}

async fn opened(t: &Bench) -> (TaskId, Leased) {
    let id = t.submit(job()).await;
    (id, t.claim_one().await)
}

async fn a_lease_is_rescued_after_its_end_and_not_before(t: Bench) {
    let (id, leased) = opened(&t).await;
    t.pass(LEASE - Duration::from_millis(1));
    assert_eq!(rescue(&t).await, []);
    assert_eq!(t.state(id).await, State::Running);
    t.pass(Duration::from_millis(1));
    assert_eq!(rescue(&t).await, [(id, State::Pending)]);
    assert_eq!(rescue(&t).await, []);
    assert!(!t.holds(&leased.lease).await);
}

async fn the_wall_clock_rescues_nobody(t: Bench) {
    let day = i64::try_from(DAY.as_millis()).expect("a day fits");
    for jump in [day, -day] {
        let (id, leased) = opened(&t).await;
        t.clock().jump_wall(jump);
        assert_eq!(rescue(&t).await, []);
        assert!(t.holds(&leased.lease).await);
        t.pass(LEASE - Duration::from_millis(1));
        t.clock().jump_wall(-2 * jump);
        assert_eq!(rescue(&t).await, []);
        t.pass(Duration::from_millis(1));
        assert_eq!(rescue(&t).await, [(id, State::Pending)], "by the monotonic clock");
        t.cancel(id).await.expect("out of the way");
    }
}

async fn a_lost_task_keeps_its_rank_and_pays_nothing(t: Bench) {
    let (id, leased) = opened(&t).await;
    t.pass(secs(1));
    t.submit(job()).await;
    t.pass(LEASE);
    rescue(&t).await;
    let task = t.task(id).await;
    assert_eq!((task.attempt, task.crashes, task.charges), (1, 0, 0));
    assert_eq!((task.error, task.finished_at), (None, None));
    let again = t.claim(1).await.remove(0);
    assert_eq!((again.lease.id, again.ready_at), (id, leased.ready_at));
    assert_eq!(t.outcomes(id).await, [Some(AttemptOutcome::Lost), None]);
}

async fn a_lost_task_that_was_to_be_cancelled_is_cancelled(t: Bench) {
    let (id, _) = opened(&t).await;
    t.act(ActKind::Cancel { id, grace: DAY }).await.expect("told");
    t.pass(LEASE);
    assert_eq!(rescue(&t).await, [(id, State::Cancelled)]);
    assert_eq!(t.fate(id).await, fate(State::Cancelled, "cancelled"));
    assert_eq!(t.outcomes(id).await, [Some(AttemptOutcome::Lost)]);
    assert_eq!(t.task(id).await.finished_at, Some(t.now()));
}

async fn a_cancel_whose_grace_is_over_is_carried_out(t: Bench) {
    let (id, leased) = opened(&t).await;
    t.act(ActKind::Cancel { id, grace: secs(10) }).await.expect("told");
    t.pass(secs(10) - Duration::from_millis(1));
    assert!(t.holds(&leased.lease).await);
    assert_eq!(rescue(&t).await, []);
    t.pass(Duration::from_millis(1));
    assert_eq!(rescue(&t).await, [(id, State::Cancelled)]);
    assert_eq!(t.fate(id).await, fate(State::Cancelled, "cancelled"));
    assert!(!t.holds(&leased.lease).await);
}

async fn the_grace_of_a_cancel_is_not_measured_by_the_wall_clock(t: Bench) {
    let (id, _) = opened(&t).await;
    t.act(ActKind::Cancel { id, grace: secs(10) }).await.expect("told");
    t.clock().jump_wall(3_600_000);
    assert_eq!(rescue(&t).await, []);
    assert_eq!(t.state(id).await, State::Running);
}

async fn lost_leases_make_no_suspects(t: Bench) {
    let id = t.submit(job()).await;
    for _ in 0..6 {
        assert_eq!(t.next().await, Some(id));
        t.pass(LEASE);
        rescue(&t).await;
    }
    let leased = t.claim_inside(1).await.remove(0);
    assert!(!leased.isolated);
    assert_eq!((leased.attempt, leased.openings), (1, 7));
}

async fn a_rescued_head_keeps_its_lane(t: Bench) {
    let lane = || super::bench::in_lane("l");
    let ids = [t.submit(lane()).await, t.submit(lane()).await];
    t.claim_one().await;
    t.pass(LEASE);
    rescue(&t).await;
    assert_eq!(t.work_off().await, ids);
}

async fn a_rescue_tells_what_ended_because_of_it(t: Bench) {
    let (id, _) = opened(&t).await;
    let child = t.submit(NewTask { after: vec![id], ..job() }).await;
    t.cancel(id).await.expect("told");
    t.pass(LEASE);
    assert_eq!(rescue(&t).await, [(id, State::Cancelled), (child, State::Failed)]);
}

async fn a_lease_without_a_length_lasts_the_timeout_and_ten_seconds(t: Bench) {
    let timeout = longshore_core::Span(secs(30));
    let id = t.submit(NewTask { timeout, ..job() }).await;
    let hold = Hold::Lease { lasts: None };
    let leased = t.claim_with(Claim { hold, ..t.request(1) }).await.remove(0);
    assert_eq!(leased.expires_at, Some(t.now().after(secs(40))));
    t.pass(secs(40) - Duration::from_millis(1));
    assert_eq!(rescue(&t).await, []);
    t.pass(Duration::from_millis(1));
    assert_eq!(rescue(&t).await, [(id, State::Pending)]);
    let again = t.claim_one().await;
    assert_eq!(t.end(&again.lease, retry(secs(1))).await, State::Retrying);
    assert_eq!(
        t.end(
            &{
                t.pass_and_make_ready(secs(1)).await;
                t.claim_one().await.lease
            },
            Verdict::Complete
        )
        .await,
        State::Success
    );
}
