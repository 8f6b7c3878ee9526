//! Lanes: one at a time, in accept order.

use super::bench::{Bench, in_lane, job, queue, retry, secs, tenant};
use super::case_list;
use longshore_core::readiness::BlockedBy;
use longshore_core::{NewTask, State, Verdict};
use std::time::Duration;

case_list![
    tasks_of_a_lane_run_one_at_a_time_in_accept_order,
    who_waits_for_its_lane_says_so,
    priority_does_not_count_inside_a_lane,
    lanes_are_apart_by_key_queue_and_tenant,
    a_retrying_head_holds_its_lane,
    a_snoozed_head_holds_its_lane,
    a_released_head_stays_the_head,
    a_scheduled_head_holds_its_lane,
    a_head_that_waits_for_its_parents_holds_its_lane,
    a_failed_head_lets_the_next_one_go,
    a_task_cancelled_in_the_middle_is_left_out,
    a_reopened_task_goes_to_the_tail,
    a_task_ranks_by_the_time_its_lane_let_it_go,
    a_lane_keeps_its_order_over_a_reboot,
    an_expired_head_lets_the_next_one_go,
];

async fn three(t: &Bench) -> Vec<longshore_core::TaskId> {
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(t.submit(in_lane("l")).await);
    }
    ids
}

async fn tasks_of_a_lane_run_one_at_a_time_in_accept_order(t: Bench) {
    let ids = three(&t).await;
    for id in ids {
        let head = t.claim_one().await;
        assert_eq!(head.lease.id, id);
        assert_eq!(t.next().await, None, "one at a time");
        t.end(&head.lease, Verdict::Complete).await;
    }
}

async fn who_waits_for_its_lane_says_so(t: Bench) {
    let ids = three(&t).await;
    let blocked = |task: longshore_core::Task| (task.state, task.blocked_by);
    assert_eq!(blocked(t.task(ids[0]).await), (State::Pending, None));
    assert_eq!(blocked(t.task(ids[1]).await), (State::Pending, Some(BlockedBy::Lane)));
    t.work_off().await;
    assert_eq!(blocked(t.task(ids[1]).await), (State::Success, None));
}

async fn priority_does_not_count_inside_a_lane(t: Bench) {
    let low = t.submit(NewTask { priority: 0, ..in_lane("l") }).await;
    let high = t.submit(NewTask { priority: 9, ..in_lane("l") }).await;
    assert_eq!(t.work_off().await, [low, high]);
}

async fn lanes_are_apart_by_key_queue_and_tenant(t: Bench) {
    t.submit(in_lane("l")).await;
    t.submit(in_lane("m")).await;
    t.submit(NewTask { tenant: tenant("other"), ..in_lane("l") }).await;
    t.submit(job()).await;
    let elsewhere = t.submit(NewTask { queue: queue("other"), ..in_lane("l") }).await;
    assert_eq!(t.all_ready().await.len(), 4);
    assert_eq!(t.task(elsewhere).await.blocked_by, None);
}

async fn a_retrying_head_holds_its_lane(t: Bench) {
    let ids = three(&t).await;
    let head = t.claim_one().await;
    t.end(&head.lease, retry(secs(30))).await;
    assert_eq!(t.next().await, None);
    t.pass_and_make_ready(secs(30)).await;
    assert_eq!(t.work_off().await, ids);
}

async fn a_snoozed_head_holds_its_lane(t: Bench) {
    let ids = three(&t).await;
    let head = t.claim_one().await;
    t.end(&head.lease, Verdict::Snooze { after: secs(30) }).await;
    assert_eq!(t.next().await, None);
    t.pass_and_make_ready(secs(30)).await;
    assert_eq!(t.work_off().await, ids);
}

async fn a_released_head_stays_the_head(t: Bench) {
    let ids = three(&t).await;
    let head = t.claim_one().await;
    t.end(&head.lease, Verdict::Release).await;
    assert_eq!(t.work_off().await, ids);
}

async fn a_scheduled_head_holds_its_lane(t: Bench) {
    let first = t.submit(NewTask { run_at: Some(t.now().after(secs(5))), ..in_lane("l") }).await;
    let second = t.submit(in_lane("l")).await;
    assert_eq!(t.next().await, None);
    assert_eq!(t.task(first).await.blocked_by, None);
    t.pass_and_make_ready(secs(5)).await;
    assert_eq!(t.work_off().await, [first, second]);
}

async fn a_head_that_waits_for_its_parents_holds_its_lane(t: Bench) {
    let parent = t.submit(NewTask { kind: super::bench::kind("a"), ..job() }).await;
    let head = t.submit(NewTask { after: vec![parent], ..in_lane("l") }).await;
    let second = t.submit(in_lane("l")).await;
    assert_eq!(t.task(head).await.blocked_by, Some(BlockedBy::Parents));
    assert_eq!(t.task(second).await.blocked_by, Some(BlockedBy::Lane));
    assert_eq!(t.work_off().await, [parent, head, second]);
}

async fn a_failed_head_lets_the_next_one_go(t: Bench) {
    let ids = three(&t).await;
    let head = t.claim_one().await;
    t.end(&head.lease, Verdict::Bury(longshore_core::retry::BuryReason::BadData)).await;
    assert_eq!(t.work_off().await, ids[1..]);
}

async fn a_task_cancelled_in_the_middle_is_left_out(t: Bench) {
    let ids = three(&t).await;
    t.cancel(ids[1]).await.expect("cancelled");
    assert_eq!(t.work_off().await, [ids[0], ids[2]]);
}

async fn a_reopened_task_goes_to_the_tail(t: Bench) {
    let ids = three(&t).await;
    t.cancel(ids[0]).await.expect("cancelled");
    let acted = t.reopen(ids[0]).await.expect("reopened");
    assert_eq!(acted.task.and_then(|task| task.blocked_by), Some(BlockedBy::Lane));
    assert_eq!(t.work_off().await, [ids[1], ids[2], ids[0]]);
}

async fn a_task_ranks_by_the_time_its_lane_let_it_go(t: Bench) {
    let head = t.submit(in_lane("l")).await;
    let second = t.submit(in_lane("l")).await;
    t.pass(secs(1));
    let other = t.submit(job()).await;
    t.pass(secs(1));
    t.cancel(head).await.expect("cancelled");
    t.pass(secs(1));
    let last = t.submit(job()).await;
    assert_eq!(t.work_off().await, [other, second, last]);
}

async fn a_lane_keeps_its_order_over_a_reboot(t: Bench) {
    let ids = three(&t).await;
    t.cancel(ids[0]).await.expect("cancelled");
    t.reopen(ids[0]).await.expect("reopened");
    t.reboot().await;
    let newest = t.submit(in_lane("l")).await;
    assert_eq!(t.work_off().await, [ids[1], ids[2], ids[0], newest]);
}

async fn an_expired_head_lets_the_next_one_go(t: Bench) {
    let expires_in = Some(longshore_core::Span(Duration::from_secs(5)));
    t.submit(NewTask { expires_in, run_at: Some(t.now().after(secs(60))), ..in_lane("l") }).await;
    let second = t.submit(in_lane("l")).await;
    t.pass(secs(5));
    assert_eq!(t.next().await, None);
    t.store().expire().await.expect("expire answers");
    assert_eq!(t.next().await, Some(second));
}
