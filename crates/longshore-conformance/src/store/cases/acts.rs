//! Cancel, discard, reprioritise, purge. Reopening has a file of its own.

use super::bench::{Bench, DAY, fate, job, kind, queue, retry, secs, tenant};
use super::case_list;
use longshore_core::store::{ActKind, BATCH, LeaseState, Refused};
use longshore_core::{NewTask, State, TaskId, Verdict};
use std::time::Duration;

case_list![
    a_waiting_task_is_cancelled_at_once,
    a_running_task_is_told_to_cancel,
    an_ended_task_is_not_cancelled,
    waiting_and_failed_tasks_are_discarded,
    running_and_otherwise_ended_tasks_are_not_discarded,
    only_waiting_tasks_change_their_priority,
    a_purge_cancels_what_waits_in_a_tenants_queue,
    a_purge_cancels_children_too_instead_of_failing_them,
    a_long_queue_is_purged_to_its_end,
    tasks_of_another_tenant_are_not_found,
    unknown_tasks_are_not_found,
    acts_of_a_batch_are_done_in_order,
];

/// One task in each state that is no end, `running` last.
async fn unended(t: &Bench) -> [TaskId; 4] {
    let retrying = t.submit(job()).await;
    let leased = t.claim_one().await;
    t.end(&leased.lease, retry(DAY)).await;
    let running = t.submit(job()).await;
    t.claim_one().await;
    let pending = t.submit(job()).await;
    let scheduled = t.submit(NewTask { run_at: Some(t.now().after(DAY)), ..job() }).await;
    [scheduled, pending, retrying, running]
}

/// One task in each state that is an end.
async fn ended(t: &Bench) -> [TaskId; 4] {
    let success = t.submit(job()).await;
    t.work_off().await;
    let failed = t.bury(job()).await;
    let cancelled = t.submit(job()).await;
    t.cancel(cancelled).await.expect("cancelled");
    let expires_in = Some(longshore_core::Span(secs(1)));
    let expired = t.submit(NewTask { expires_in, ..job() }).await;
    t.pass(secs(1));
    t.store().expire().await.expect("expire answers");
    let ids = [success, failed, cancelled, expired];
    let states = [State::Success, State::Failed, State::Cancelled, State::Expired];
    for (id, state) in ids.into_iter().zip(states) {
        assert_eq!(t.state(id).await, state);
    }
    ids
}

async fn a_waiting_task_is_cancelled_at_once(t: Bench) {
    for id in &unended(&t).await[..3] {
        let acted = t.cancel(*id).await.expect("cancelled");
        assert_eq!((acted.count, acted.events.len()), (1, 1));
        assert_eq!((acted.events[0].task, acted.events[0].state), (*id, State::Cancelled));
        let task = acted.task.expect("the task");
        assert_eq!((task.id, task.state), (*id, State::Cancelled));
        assert_eq!((task.reason.as_deref(), task.finished_at), (Some("cancelled"), Some(t.now())));
        assert_eq!(t.fate(*id).await, fate(State::Cancelled, "cancelled"));
    }
    t.pass_and_make_ready(DAY).await;
    assert_eq!(t.next().await, None);
}

async fn a_running_task_is_told_to_cancel(t: Bench) {
    let id = t.submit(job()).await;
    let leased = t.claim_one().await;
    let held = |cancel_asked| LeaseState::Held { cancel_asked, expires_at: leased.expires_at };
    assert_eq!(t.extend(&leased.lease, None).await, held(false));
    let acted = t.cancel(id).await.expect("told");
    assert_eq!(acted.task.map(|task| task.state), Some(State::Running));
    assert_eq!(t.extend(&leased.lease, None).await, held(true));
    assert_eq!(t.state(id).await, State::Running);
    t.cancel(id).await.expect("told twice");
    assert_eq!(t.end(&leased.lease, Verdict::Complete).await, State::Success, "what it did wins");
}

async fn an_ended_task_is_not_cancelled(t: Bench) {
    for id in ended(&t).await {
        let before = t.task(id).await;
        t.pass(secs(1));
        assert_eq!(t.cancel(id).await, Err(Refused::WrongState { state: before.state }));
        assert_eq!(t.task(id).await, before);
    }
}

async fn waiting_and_failed_tasks_are_discarded(t: Bench) {
    let failed = t.bury(job()).await;
    let [scheduled, pending, retrying, _] = unended(&t).await;
    t.pass(secs(1));
    for id in [scheduled, pending, retrying, failed] {
        let acted = t.discard(id).await.expect("discarded");
        assert_eq!((acted.count, acted.events.len()), (1, 1));
        assert_eq!(t.fate(id).await, fate(State::Cancelled, "discarded"));
        assert_eq!(t.task(id).await.finished_at, Some(t.now()));
    }
    assert!(t.task(failed).await.error.is_some(), "what went wrong is still told");
}

async fn running_and_otherwise_ended_tasks_are_not_discarded(t: Bench) {
    let [success, _, cancelled, expired] = ended(&t).await;
    let [.., running] = unended(&t).await;
    for id in [success, cancelled, expired, running] {
        let before = t.task(id).await;
        assert_eq!(t.discard(id).await, Err(Refused::WrongState { state: before.state }));
        assert_eq!(t.task(id).await, before);
    }
}

async fn only_waiting_tasks_change_their_priority(t: Bench) {
    let ended = ended(&t).await;
    let [scheduled, pending, retrying, running] = unended(&t).await;
    for id in [scheduled, pending, retrying] {
        let acted = t.act(ActKind::Reprioritise { id, priority: 8 }).await.expect("done");
        assert_eq!((acted.count, acted.events.len()), (1, 0));
        assert_eq!(t.task(id).await.priority, 8);
    }
    for id in [running].into_iter().chain(ended) {
        let state = t.state(id).await;
        let refused = t.act(ActKind::Reprioritise { id, priority: 8 }).await;
        assert_eq!(refused, Err(Refused::WrongState { state }));
        assert_eq!(t.task(id).await.priority, 4);
    }
}

async fn a_purge_cancels_what_waits_in_a_tenants_queue(t: Bench) {
    let [scheduled, pending, retrying, running] = unended(&t).await;
    let elsewhere = t.submit(NewTask { queue: queue("other"), ..job() }).await;
    let foreign = NewTask { tenant: tenant("other"), ..job() };
    let foreign_id = t.submit(foreign).await;
    let acted = t.act(ActKind::Purge(queue("default"))).await.expect("purged");
    assert_eq!((acted.count, acted.events.len(), acted.task), (3, 3, None));
    for id in [scheduled, pending, retrying] {
        assert_eq!(t.fate(id).await, fate(State::Cancelled, "purged"));
    }
    assert_eq!(t.state(running).await, State::Running);
    assert_eq!(t.state(elsewhere).await, State::Pending);
    assert_eq!(t.next().await, Some(foreign_id));
}

async fn a_purge_cancels_children_too_instead_of_failing_them(t: Bench) {
    let parent = t.submit(job()).await;
    let child = t.submit(NewTask { after: vec![parent], ..job() }).await;
    let elsewhere = NewTask { queue: queue("other"), after: vec![child], ..job() };
    let elsewhere = t.submit(elsewhere).await;
    let acted = t.act(ActKind::Purge(queue("default"))).await.expect("purged");
    assert_eq!((acted.count, acted.events.len()), (2, 3));
    for id in [parent, child] {
        assert_eq!(t.fate(id).await, fate(State::Cancelled, "purged"));
    }
    assert_eq!(t.fate(elsewhere).await, fate(State::Failed, "parent_failed"));
}

async fn a_long_queue_is_purged_to_its_end(t: Bench) {
    const COUNT: usize = 2 * BATCH + 500;
    let first = t.submit(NewTask { kind: kind("a"), ..job() }).await;
    let parent = t.submit(job()).await;
    t.submit_jobs(COUNT).await;
    let child = t.submit(NewTask { after: vec![parent], ..job() }).await;
    assert_eq!(t.next().await, Some(first));
    let acted = t.act(ActKind::Purge(queue("default"))).await.expect("purged");
    assert_eq!((acted.count, acted.events.len()), (COUNT as u64 + 2, COUNT + 2));
    for id in [parent, child] {
        assert_eq!(t.fate(id).await, fate(State::Cancelled, "purged"));
    }
    assert_eq!(t.state(first).await, State::Running);
    let counts = t.store().counters().await.expect("counters answer");
    let states: Vec<_> = counts.iter().map(|count| (count.state, count.count)).collect();
    assert!(states.contains(&(State::Cancelled, COUNT as u64 + 2)), "{states:?}");
    let lines = t.store().audit(None, 1_000).await.expect("audit answers");
    assert_eq!(lines.iter().map(|line| line.count).sum::<u64>(), COUNT as u64 + 2);
}

async fn tasks_of_another_tenant_are_not_found(t: Bench) {
    let id = t.submit(job()).await;
    let failed = t.submit(NewTask { kind: kind("a"), ..job() }).await;
    t.cancel(failed).await.expect("cancelled");
    let acts = [
        ActKind::Cancel { id, grace: Duration::ZERO },
        ActKind::Discard { id },
        ActKind::Reopen { id: failed },
        ActKind::Reprioritise { id, priority: 9 },
    ];
    for act in acts {
        assert_eq!(t.act_as(tenant("other"), act).await, Err(Refused::NotFound));
    }
    let purged = t.act_as(tenant("other"), ActKind::Purge(queue("default"))).await;
    assert_eq!(purged.expect("nothing to purge").count, 0);
    assert_eq!((t.state(id).await, t.state(failed).await), (State::Pending, State::Cancelled));
}

async fn unknown_tasks_are_not_found(t: Bench) {
    let id = TaskId::fresh();
    assert_eq!(t.cancel(id).await, Err(Refused::NotFound));
    assert_eq!(t.discard(id).await, Err(Refused::NotFound));
    assert_eq!(t.reopen(id).await, Err(Refused::NotFound));
    let refused = t.act(ActKind::Reprioritise { id, priority: 9 }).await;
    assert_eq!(refused, Err(Refused::NotFound));
}

async fn acts_of_a_batch_are_done_in_order(t: Bench) {
    let id = t.submit(job()).await;
    let act = |what| longshore_core::store::Act {
        by: "the suite".to_owned(),
        tenant: tenant("default"),
        what,
    };
    let acts = vec![
        act(ActKind::Reopen { id }),
        act(ActKind::Discard { id }),
        act(ActKind::Reopen { id }),
        act(ActKind::Reprioritise { id, priority: 1 }),
    ];
    let answers = t.store().act(acts).await.expect("act answers");
    assert_eq!(answers[0], Err(Refused::WrongState { state: State::Pending }));
    assert!(answers[1..].iter().all(Result::is_ok), "{answers:?}");
    let task = t.task(id).await;
    assert_eq!((task.state, task.run, task.priority), (State::Pending, 2, 1));
}
