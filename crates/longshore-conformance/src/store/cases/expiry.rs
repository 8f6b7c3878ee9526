//! Tasks that were not started in time.

use super::bench::{Bench, DAY, fate, job, secs};
use super::case_list;
use longshore_core::readiness::OnParentFailure;
use longshore_core::{NewTask, Span, State, TaskId, Verdict};
use std::time::Duration;

case_list![
    waiting_tasks_expire_when_their_time_is_over,
    what_was_opened_does_not_expire,
    blocked_tasks_expire_too,
    a_child_that_is_over_expires_by_itself,
    an_expired_task_is_handed_out_until_somebody_looks,
];

fn short() -> NewTask {
    NewTask { expires_in: Some(Span(secs(10))), ..job() }
}

async fn expire(t: &Bench) -> Vec<(TaskId, State)> {
    let moved = t.store().expire().await.expect("expire answers");
    assert!(!moved.more);
    moved.events.iter().map(|event| (event.task, event.state)).collect()
}

async fn waiting_tasks_expire_when_their_time_is_over(t: Bench) {
    let pending = t.submit(short()).await;
    let scheduled = t.submit(NewTask { run_at: Some(t.now().after(DAY)), ..short() }).await;
    t.submit(job()).await;
    t.pass(secs(10) - Duration::from_millis(1));
    assert_eq!(expire(&t).await, []);
    t.pass(Duration::from_millis(1));
    let mut told = expire(&t).await;
    told.sort();
    let mut expected = [(pending, State::Expired), (scheduled, State::Expired)];
    expected.sort();
    assert_eq!(told, expected);
    for id in [pending, scheduled] {
        let task = t.task(id).await;
        assert_eq!((task.state, task.reason), (State::Expired, None));
        assert_eq!(task.finished_at, Some(t.now()));
    }
    assert_eq!(expire(&t).await, []);
    assert_eq!(t.work_off().await.len(), 1);
}

async fn what_was_opened_does_not_expire(t: Bench) {
    let id = t.submit(short()).await;
    let leased = t.claim_one().await;
    t.pass(secs(20));
    assert_eq!(expire(&t).await, []);
    t.end(&leased.lease, Verdict::Release).await;
    assert_eq!(expire(&t).await, []);
    let again = t.claim_one().await;
    t.end(&again.lease, Verdict::Snooze { after: secs(60) }).await;
    t.pass(secs(20));
    assert_eq!(expire(&t).await, []);
    assert_eq!(t.state(id).await, State::Scheduled);
}

async fn blocked_tasks_expire_too(t: Bench) {
    let parent = t.submit(job()).await;
    let child = t.submit(NewTask { after: vec![parent], ..short() }).await;
    let lane = NewTask { order_key: Some("l".to_owned()), ..job() };
    t.submit(lane.clone()).await;
    let second = NewTask { id: TaskId::fresh(), expires_in: Some(Span(secs(10))), ..lane };
    let second = t.submit(second).await;
    t.pass(secs(10));
    assert_eq!(expire(&t).await.len(), 2);
    assert_eq!((t.state(child).await, t.state(second).await), (State::Expired, State::Expired));
    assert_eq!(t.task(child).await.blocked_by, None);
}

async fn a_child_that_is_over_expires_by_itself(t: Bench) {
    let parent = t.submit(short()).await;
    let skip = OnParentFailure::Skip;
    let over = NewTask { after: vec![parent], on_parent_failure: skip, ..short() };
    let over = t.submit(over).await;
    let later = NewTask { after: vec![parent], on_parent_failure: skip, ..job() };
    let later = t.submit(later).await;
    t.pass(secs(10));
    assert_eq!(expire(&t).await.len(), 3);
    assert_eq!(t.fate(over).await, (State::Expired, None));
    assert_eq!(t.fate(later).await, fate(State::Cancelled, "skipped"));
}

async fn an_expired_task_is_handed_out_until_somebody_looks(t: Bench) {
    let id = t.submit(short()).await;
    t.pass(secs(60));
    assert_eq!(t.next().await, Some(id));
    assert_eq!(expire(&t).await, []);
}
