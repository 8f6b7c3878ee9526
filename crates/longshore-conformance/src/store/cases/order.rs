//! The order in which tasks are handed out.

use super::bench::{Bench, job, kind, queue, rest, secs, tenant};
use super::case_list;
use longshore_core::readiness::PRIORITY_STEP_MS;
use longshore_core::store::{ActKind, Claim, Hold, Want};
use longshore_core::{NewTask, State, Verdict};
use std::time::Duration;

case_list![
    tasks_are_handed_out_in_the_order_of_accepting,
    higher_priority_goes_first,
    old_work_overtakes_young_work_of_higher_priority,
    at_equal_rank_the_first_accepted_goes_first,
    kinds_and_tenants_share_one_order,
    a_scheduled_task_ranks_by_the_time_it_was_due,
    a_task_for_the_past_ranks_by_its_accept,
    a_claim_takes_only_the_kinds_and_queues_it_names,
    a_claim_takes_no_more_than_its_slots,
    wants_are_served_in_order_each_with_its_slots,
    a_want_for_one_tenant_takes_nothing_of_others,
    a_limit_holds_over_all_holders,
    a_limit_holds_for_what_is_accepted_while_a_claim_waits,
    what_is_handed_out_is_not_handed_out_again,
    what_is_given_back_keeps_its_place,
    a_new_priority_counts_and_the_time_waited_too,
    a_lease_tells_all_that_running_it_takes,
    the_total_time_runs_from_the_first_opening,
];

async fn tasks_are_handed_out_in_the_order_of_accepting(t: Bench) {
    let mut ids = t.submit_jobs(3).await;
    t.pass(secs(1));
    ids.push(t.submit(job()).await);
    assert_eq!(t.work_off().await, ids);
}

async fn higher_priority_goes_first(t: Bench) {
    let mut ids = Vec::new();
    for priority in [4, 0, 9, 5] {
        ids.push(t.submit(NewTask { priority, ..job() }).await);
    }
    assert_eq!(t.work_off().await, [ids[2], ids[3], ids[0], ids[1]]);
}

async fn old_work_overtakes_young_work_of_higher_priority(t: Bench) {
    let old = t.submit(NewTask { priority: 3, ..job() }).await;
    let step = Duration::from_millis(PRIORITY_STEP_MS.unsigned_abs());
    t.pass(step - Duration::from_millis(1));
    let still_first = t.submit(NewTask { priority: 4, ..job() }).await;
    t.pass(Duration::from_millis(2));
    let too_young = t.submit(NewTask { priority: 4, ..job() }).await;
    assert_eq!(t.work_off().await, [still_first, old, too_young]);
}

async fn at_equal_rank_the_first_accepted_goes_first(t: Bench) {
    let low = t.submit(NewTask { priority: 3, ..job() }).await;
    t.pass(Duration::from_millis(PRIORITY_STEP_MS.unsigned_abs()));
    let high = t.submit(NewTask { priority: 4, ..job() }).await;
    assert_eq!(t.work_off().await, [low, high]);
}

async fn kinds_and_tenants_share_one_order(t: Bench) {
    let mut ids = Vec::new();
    for (name, owner) in [("b", "x"), ("a", "default"), ("job", "y"), ("a", "x"), ("c", "y")] {
        let task = NewTask { kind: kind(name), tenant: tenant(owner), ..job() };
        ids.push(t.submit(task).await);
        t.pass(Duration::from_millis(1));
    }
    assert_eq!(t.all_ready().await, ids);
}

async fn a_scheduled_task_ranks_by_the_time_it_was_due(t: Bench) {
    let scheduled = t.submit(NewTask { run_at: Some(t.now().after(secs(10))), ..job() }).await;
    t.pass(secs(9));
    let before = t.submit(job()).await;
    t.pass(secs(2));
    let after = t.submit(job()).await;
    assert_eq!(t.state(scheduled).await, State::Scheduled, "until make_ready");
    t.pass_and_make_ready(secs(60)).await;
    assert_eq!(t.work_off().await, [before, scheduled, after]);
}

async fn a_task_for_the_past_ranks_by_its_accept(t: Bench) {
    let first = t.submit(job()).await;
    t.pass(secs(1));
    let long_ago = longshore_core::Timestamp(t.now().0 - 3_600_000);
    let second = t.submit(NewTask { run_at: Some(long_ago), ..job() }).await;
    assert_eq!(t.work_off().await, [first, second]);
}

async fn a_claim_takes_only_the_kinds_and_queues_it_names(t: Bench) {
    let a = t.submit(NewTask { kind: kind("a"), ..job() }).await;
    t.submit(NewTask { kind: kind("b"), ..job() }).await;
    t.submit(NewTask { kind: kind("a"), queue: queue("other"), ..job() }).await;
    let want = Want { kinds: [kind("a")].into(), ..t.want("default", 10) };
    let leased = t.claim_with(Claim { wants: vec![want], ..t.request(0) }).await;
    assert_eq!(leased.iter().map(|l| l.lease.id).collect::<Vec<_>>(), [a]);
}

async fn a_claim_takes_no_more_than_its_slots(t: Bench) {
    let ids = t.submit_jobs(5).await;
    assert_eq!(t.claim(0).await.len(), 0);
    let taken: Vec<_> = t.claim(3).await.iter().map(|leased| leased.lease.id).collect();
    assert_eq!(taken, ids[..3]);
    assert_eq!(t.claim(3).await.len(), 2);
}

async fn wants_are_served_in_order_each_with_its_slots(t: Bench) {
    let mut ids = Vec::new();
    for name in ["one", "one", "two", "two", "two"] {
        ids.push(t.submit(NewTask { queue: queue(name), ..job() }).await);
    }
    let wants = vec![t.want("two", 2), t.want("one", 5), t.want("two", 5)];
    let leased = t.claim_with(Claim { wants, ..t.request(0) }).await;
    let order: Vec<_> = leased.iter().map(|leased| leased.lease.id).collect();
    assert_eq!(order, [ids[2], ids[3], ids[0], ids[1], ids[4]]);
}

async fn what_is_handed_out_is_not_handed_out_again(t: Bench) {
    t.submit_jobs(2).await;
    assert_eq!(t.claim(10).await.len(), 2);
    assert_eq!(t.claim(10).await.len(), 0);
    assert_eq!(t.claim_inside(10).await.len(), 0);
}

async fn what_is_given_back_keeps_its_place(t: Bench) {
    let ids = t.submit_jobs(2).await;
    let first = t.claim(1).await.remove(0);
    t.pass(secs(100));
    assert_eq!(t.end(&first.lease, Verdict::Release).await, State::Pending);
    let again = t.claim(1).await.remove(0);
    assert_eq!((again.lease.id, again.ready_at), (ids[0], first.ready_at));
    assert_eq!((again.attempt, again.openings), (1, 2));
}

async fn a_new_priority_counts_and_the_time_waited_too(t: Bench) {
    let old = t.submit(NewTask { priority: 0, ..job() }).await;
    t.pass(secs(1));
    let young = t.submit(NewTask { priority: 9, ..job() }).await;
    let acted = t.act(ActKind::Reprioritise { id: old, priority: 9 }).await.expect("done");
    assert_eq!(acted.task.map(|task| task.priority), Some(9));
    assert_eq!(t.work_off().await, [old, young]);
}

async fn a_lease_tells_all_that_running_it_takes(t: Bench) {
    let asked = NewTask {
        headers: vec![("h".to_owned(), "1".to_owned())],
        traceparent: Some("00-ab-cd-01".to_owned()),
        payload: longshore_core::Payload::from_json(r#"{"a":1}"#),
        max_attempts: 7,
        ..job()
    };
    t.submit(asked.clone()).await;
    let accepted_at = t.now();
    t.pass(secs(3));
    let timeout = asked.timeout;
    let hold = Hold::Lease { lasts: None };
    let leased = t.claim_with(Claim { hold, ..t.request(1) }).await.remove(0);
    assert_eq!((leased.lease.id, leased.payload), (asked.id, asked.payload));
    assert_eq!((leased.kind, leased.queue, leased.tenant), (asked.kind, asked.queue, asked.tenant));
    assert_eq!((leased.headers, leased.traceparent), (asked.headers, asked.traceparent));
    assert_eq!((leased.run, leased.attempt, leased.openings), (1, 1, 1));
    assert_eq!((leased.max_attempts, leased.timeout, leased.total_left), (7, timeout, None));
    assert_eq!((leased.created_at, leased.ready_at), (accepted_at, accepted_at));
    assert_eq!(leased.started_at, t.now());
    assert_eq!(leased.expires_at, Some(t.now().after(timeout.0 + secs(10))));
    assert!(!leased.isolated);

    let task = t.task(asked.id).await;
    assert_eq!((task.state, task.started_at), (State::Running, Some(t.now())));
    assert_eq!((task.token, task.seq), (Some(leased.lease.token), leased.lease.seq));
    assert_eq!(task.worker.as_deref(), Some("worker-1"));
}

async fn the_total_time_runs_from_the_first_opening(t: Bench) {
    let total_timeout = Some(longshore_core::Span(secs(100)));
    t.submit(NewTask { total_timeout, ..job() }).await;
    t.pass(secs(500));
    let first = t.claim_one().await;
    assert_eq!(first.total_left, Some(secs(100)), "waiting costs nothing");
    t.pass(secs(30));
    t.end(&first.lease, super::bench::retry(secs(20))).await;
    t.pass_and_make_ready(secs(20)).await;
    let second = t.claim_one().await;
    assert_eq!(second.total_left, Some(secs(50)));
    t.pass(secs(60));
    t.end(&second.lease, super::bench::retry(Duration::ZERO)).await;
    assert_eq!(t.claim_one().await.total_left, Some(Duration::ZERO));
}

async fn a_limit_holds_over_all_holders(t: Bench) {
    let ids = t.submit_jobs(5).await;
    t.submit(NewTask { queue: queue("other"), ..job() }).await;
    assert_eq!(t.claim_inside(1).await.len(), 1);
    let limited = |slots| Want { limit: Some(3), ..t.want("default", slots) };
    let claim = |slots| t.claim_with(Claim { wants: vec![limited(slots)], ..t.request(0) });
    let leased = claim(10).await;
    assert_eq!(leased.iter().map(|leased| leased.lease.id).collect::<Vec<_>>(), ids[1..3]);
    assert_eq!(claim(10).await, []);
    t.end(&leased[0].lease, Verdict::Complete).await;
    assert_eq!(claim(10).await[0].lease.id, ids[3]);
    assert_eq!(t.claim(10).await.len(), 1, "who names no limit has none");
}

async fn a_limit_holds_for_what_is_accepted_while_a_claim_waits(t: Bench) {
    let wants = vec![Want { limit: Some(1), ..t.want("default", 10) }];
    let waiting = Claim { wants, wait: secs(20), ..t.request(0) };
    let claim = t.claim_with(waiting.clone());
    let submit = async {
        rest().await;
        t.submit_jobs(3).await
    };
    let (leased, ids) = tokio::join!(claim, submit);
    assert_eq!(leased.iter().map(|leased| leased.lease.id).collect::<Vec<_>>(), ids[..1]);
    assert_eq!(t.claim_with(Claim { wait: Duration::ZERO, ..waiting }).await, []);
}

async fn a_want_for_one_tenant_takes_nothing_of_others(t: Bench) {
    t.submit(job()).await;
    let theirs = t.submit(NewTask { tenant: tenant("acme"), ..job() }).await;
    let wants = vec![Want { tenant: Some(tenant("acme")), ..t.want("default", 10) }];
    let claim = Claim { wants, ..t.request(0) };
    let leased = t.claim_with(claim.clone()).await;
    assert_eq!(leased.iter().map(|leased| leased.lease.id).collect::<Vec<_>>(), [theirs]);
    let waiting = t.claim_with(Claim { wait: Duration::from_millis(200), ..claim });
    let submit = t.submit_jobs(1);
    let (leased, _) = tokio::join!(waiting, submit);
    assert_eq!(leased, [], "nor what comes in while it waits");
}
