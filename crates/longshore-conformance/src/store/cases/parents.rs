//! Parents and children.

use super::bench::{Bench, fate, in_lane, job, kind, secs, tenant};
use super::case_list;
use longshore_core::readiness::{BlockedBy, OnParentFailure};
use longshore_core::retry::BuryReason;
use longshore_core::store::{Ending, Recorded, Refused};
use longshore_core::{NewTask, State, TaskId, Verdict};

case_list![
    a_child_waits_for_all_its_parents,
    a_child_ranks_by_the_time_its_last_parent_let_it_go,
    a_child_of_a_failed_parent_fails_is_skipped_or_runs,
    a_cancelled_and_an_expired_parent_count_as_failed,
    a_retrying_parent_is_waited_for,
    an_end_goes_down_all_generations_and_is_told,
    a_child_that_runs_all_the_same_waits_for_the_other_parents,
    parents_that_have_ended_are_judged_at_accept,
    a_parent_that_is_not_there_is_refused,
    a_parent_of_another_tenant_is_not_there,
    a_parent_named_twice_counts_once,
    a_scheduled_child_waits_for_both,
    a_child_that_fails_lets_its_lane_go,
    a_reopened_child_waits_for_those_that_have_not_ended,
    a_reopened_parent_is_not_waited_for_again,
    a_reopened_child_waits_for_a_reopened_parent,
    children_outlive_a_reboot,
];

fn child_of(parents: &[TaskId], on_parent_failure: OnParentFailure) -> NewTask {
    NewTask { after: parents.to_vec(), on_parent_failure, ..job() }
}

fn child(parents: &[TaskId]) -> NewTask {
    child_of(parents, OnParentFailure::Fail)
}

/// Ends one running task and tells what ended with it.
async fn end_telling(
    t: &Bench,
    lease: longshore_core::store::LeaseRef,
    verdict: Verdict,
) -> Vec<(TaskId, State)> {
    let ending = Ending { lease, verdict, result: None, error: None, then: Vec::new() };
    match t.record(ending).await {
        Recorded::Applied { others, .. } => others.iter().map(|e| (e.task, e.state)).collect(),
        Recorded::Stale => panic!("the lease is current"),
    }
}

async fn a_child_waits_for_all_its_parents(t: Bench) {
    let parents = t.submit_jobs(3).await;
    let id = t.submit(child(&parents)).await;
    assert_eq!(t.task(id).await.parents, parents);
    for leased in t.claim(10).await {
        let task = t.task(id).await;
        assert_eq!((task.state, task.blocked_by), (State::Pending, Some(BlockedBy::Parents)));
        assert_eq!(end_telling(&t, leased.lease, Verdict::Complete).await, []);
    }
    assert_eq!(t.task(id).await.blocked_by, None);
    assert_eq!(t.next().await, Some(id));
}

async fn a_child_ranks_by_the_time_its_last_parent_let_it_go(t: Bench) {
    let parent = t.submit(job()).await;
    let id = t.submit(child(&[parent])).await;
    let leased = t.claim_one().await;
    t.pass(secs(1));
    let before = t.submit(job()).await;
    t.pass(secs(1));
    t.end(&leased.lease, Verdict::Complete).await;
    t.pass(secs(1));
    let after = t.submit(job()).await;
    assert_eq!(t.all_ready().await, [before, id, after]);
}

async fn a_child_of_a_failed_parent_fails_is_skipped_or_runs(t: Bench) {
    let parent = t.submit(job()).await;
    let [fail, skip, run] = [OnParentFailure::Fail, OnParentFailure::Skip, OnParentFailure::Run]
        .map(|what| child_of(&[parent], what));
    let ids = [fail.id, skip.id, run.id];
    t.accept(vec![fail, skip, run]).await;
    let leased = t.claim_one().await;
    let mut told = end_telling(&t, leased.lease, Verdict::Bury(BuryReason::Exhausted)).await;
    told.sort();
    let mut expected = [(ids[0], State::Failed), (ids[1], State::Cancelled)];
    expected.sort();
    assert_eq!(told, expected);
    assert_eq!(t.fate(ids[0]).await, fate(State::Failed, "parent_failed"));
    assert_eq!(t.fate(ids[1]).await, fate(State::Cancelled, "skipped"));
    assert_eq!(t.task(ids[0]).await.finished_at, Some(t.now()));
    assert_eq!(t.all_ready().await, [ids[2]]);
}

async fn a_cancelled_and_an_expired_parent_count_as_failed(t: Bench) {
    let expires_in = Some(longshore_core::Span(secs(5)));
    let cancelled = t.submit(job()).await;
    let expired = t.submit(NewTask { expires_in, ..job() }).await;
    let children = [t.submit(child(&[cancelled])).await, t.submit(child(&[expired])).await];
    let acted = t.cancel(cancelled).await.expect("cancelled");
    assert_eq!(acted.count, 1);
    let told: Vec<_> = acted.events.iter().map(|e| (e.task, e.state)).collect();
    assert_eq!(told, [(cancelled, State::Cancelled), (children[0], State::Failed)]);
    t.pass(secs(5));
    let moved = t.store().expire().await.expect("expire answers");
    let told: Vec<_> = moved.events.iter().map(|e| (e.task, e.state)).collect();
    assert_eq!(told, [(expired, State::Expired), (children[1], State::Failed)]);
}

async fn a_retrying_parent_is_waited_for(t: Bench) {
    let parent = t.submit(job()).await;
    let id = t.submit(child(&[parent])).await;
    let leased = t.claim_one().await;
    t.end(&leased.lease, super::bench::retry(secs(1))).await;
    assert_eq!(t.task(id).await.blocked_by, Some(BlockedBy::Parents));
    t.pass_and_make_ready(secs(1)).await;
    assert_eq!(t.work_off().await, [parent, id]);
}

async fn an_end_goes_down_all_generations_and_is_told(t: Bench) {
    let root = t.submit(job()).await;
    let mut ids = vec![root];
    for what in [OnParentFailure::Skip, OnParentFailure::Fail, OnParentFailure::Skip] {
        let last = ids[ids.len() - 1];
        ids.push(t.submit(child_of(&[last], what)).await);
    }
    let runs = t.submit(child_of(&[ids[3]], OnParentFailure::Run)).await;
    let leased = t.claim_one().await;
    let told = end_telling(&t, leased.lease, Verdict::Discard("no use".to_owned())).await;
    let ends = [(ids[1], State::Cancelled), (ids[2], State::Failed), (ids[3], State::Cancelled)];
    assert_eq!(told.len(), ends.len());
    assert!(ends.iter().all(|end| told.contains(end)), "{told:?}");
    assert_eq!(t.all_ready().await, [runs]);
}

async fn a_child_that_runs_all_the_same_waits_for_the_other_parents(t: Bench) {
    let parents = t.submit_jobs(2).await;
    let id = t.submit(child_of(&parents, OnParentFailure::Run)).await;
    let leased = t.claim(2).await;
    t.end(&leased[0].lease, Verdict::Bury(BuryReason::BadData)).await;
    assert_eq!(t.task(id).await.blocked_by, Some(BlockedBy::Parents));
    t.end(&leased[1].lease, Verdict::Complete).await;
    assert_eq!(t.next().await, Some(id));
}

async fn parents_that_have_ended_are_judged_at_accept(t: Bench) {
    let done = t.submit(job()).await;
    t.work_off().await;
    let failed = t.bury(job()).await;
    let cases = [
        (child(&[done]), State::Pending, None),
        (child(&[done, failed]), State::Failed, Some("parent_failed")),
        (child_of(&[failed], OnParentFailure::Skip), State::Cancelled, Some("skipped")),
        (child_of(&[failed], OnParentFailure::Run), State::Pending, None),
    ];
    for (task, state, reason) in cases {
        let accepted = t.ask(task).await.expect("accepted");
        assert_eq!(accepted.state, state);
        assert_eq!(t.fate(accepted.id).await, (state, reason.map(str::to_owned)));
        let finished_at = t.task(accepted.id).await.finished_at;
        assert_eq!(finished_at, state.is_end().then(|| t.now()));
    }
    assert_eq!(t.all_ready().await.len(), 2);
}

async fn a_parent_that_is_not_there_is_refused(t: Bench) {
    let there = t.submit(job()).await;
    let missing = TaskId::fresh();
    let refused = t.ask(child(&[there, missing])).await;
    assert_eq!(refused, Err(Refused::NoSuchParent { parent: missing }));
    let own = job();
    let refused = t.ask(NewTask { after: vec![own.id], ..own.clone() }).await;
    assert_eq!(refused, Err(Refused::NoSuchParent { parent: own.id }), "not even itself");
}

async fn a_parent_of_another_tenant_is_not_there(t: Bench) {
    let parent = t.submit(NewTask { tenant: tenant("other"), ..job() }).await;
    assert_eq!(t.ask(child(&[parent])).await, Err(Refused::NoSuchParent { parent }));
}

async fn a_parent_named_twice_counts_once(t: Bench) {
    let parent = t.submit(job()).await;
    let id = t.submit(child(&[parent, parent])).await;
    assert_eq!(t.work_off().await, [parent, id]);
}

async fn a_scheduled_child_waits_for_both(t: Bench) {
    let parent = t.submit(job()).await;
    let run_at = Some(t.now().after(secs(10)));
    let id = t.submit(NewTask { run_at, ..child(&[parent]) }).await;
    let task = t.task(id).await;
    assert_eq!((task.state, task.blocked_by), (State::Scheduled, None));
    t.pass_and_make_ready(secs(10)).await;
    let task = t.task(id).await;
    assert_eq!((task.state, task.blocked_by), (State::Pending, Some(BlockedBy::Parents)));
    assert_eq!(t.work_off().await, [parent, id]);

    let parent = t.submit(job()).await;
    let run_at = Some(t.now().after(secs(10)));
    let id = t.submit(NewTask { run_at, ..child(&[parent]) }).await;
    assert_eq!(t.work_off().await, [parent], "its time has not come");
    t.pass_and_make_ready(secs(10)).await;
    assert_eq!(t.work_off().await, [id]);
}

async fn a_child_that_fails_lets_its_lane_go(t: Bench) {
    let parent = t.submit(NewTask { kind: kind("a"), ..job() }).await;
    let head = t.submit(NewTask { after: vec![parent], ..in_lane("l") }).await;
    let second = t.submit(in_lane("l")).await;
    t.cancel(parent).await.expect("cancelled");
    assert_eq!(t.state(head).await, State::Failed);
    assert_eq!(t.next().await, Some(second));
}

async fn a_reopened_child_waits_for_those_that_have_not_ended(t: Bench) {
    let parents = t.submit_jobs(2).await;
    let id = t.submit(child(&parents)).await;
    t.cancel(parents[0]).await.expect("cancelled");
    assert_eq!(t.state(id).await, State::Failed);
    t.reopen(id).await.expect("reopened");
    let task = t.task(id).await;
    assert_eq!((task.state, task.blocked_by), (State::Pending, Some(BlockedBy::Parents)));
    assert_eq!(t.work_off().await, [parents[1], id]);
}

async fn a_reopened_parent_is_not_waited_for_again(t: Bench) {
    let parent = t.submit(job()).await;
    let id = t.submit(child_of(&[parent], OnParentFailure::Run)).await;
    t.cancel(parent).await.expect("cancelled");
    t.reopen(parent).await.expect("reopened");
    assert_eq!(t.task(id).await.blocked_by, None);
    t.cancel(parent).await.expect("cancelled again");
    assert_eq!(t.next().await, Some(id));
}

async fn a_reopened_child_waits_for_a_reopened_parent(t: Bench) {
    let parent = t.submit(job()).await;
    let id = t.submit(child_of(&[parent], OnParentFailure::Skip)).await;
    t.cancel(parent).await.expect("cancelled");
    assert_eq!(t.state(id).await, State::Cancelled);
    t.reopen(parent).await.expect("reopened");
    t.reopen(id).await.expect("reopened too");
    assert_eq!(t.task(id).await.blocked_by, Some(BlockedBy::Parents));
    assert_eq!(t.work_off().await, [parent, id]);
}

async fn children_outlive_a_reboot(t: Bench) {
    let parent = t.submit(job()).await;
    let id = t.submit(child(&[parent])).await;
    t.reboot().await;
    assert_eq!(t.work_off().await, [parent, id]);
}
