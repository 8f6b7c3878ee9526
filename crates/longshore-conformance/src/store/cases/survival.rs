//! What was answered is there after the store was opened again.

use super::bench::{Bench, in_lane, job, kind, queue, secs, tenant};
use super::case_list;
use longshore_core::queue::Scope;
use longshore_core::store::{ActKind, Ending, Filter, Opened, Relay};
use longshore_core::task::{AcceptedHow, Idempotency, OnConflict, Unique, UniqueWhile};
use longshore_core::{NewTask, Payload, Span, State, Task, Verdict};

case_list![
    everything_outlives_a_clean_reboot,
    keys_outlive_a_crash,
    an_end_that_was_answered_is_kept,
    places_in_the_order_of_accepting_are_never_reused,
];

async fn everything(t: &Bench) -> (Vec<Task>, Vec<longshore_core::store::Count>) {
    let filter = Filter { limit: 1_000, ..Filter::default() };
    let listed = t.store().page(filter).await.expect("page answers").items;
    let mut tasks = Vec::new();
    for task in listed {
        let task = t.store().get(task.tenant, task.id).await.expect("get answers");
        tasks.push(task.expect("what is listed is there"));
    }
    let mut counters = t.store().counters().await.expect("counters answer");
    counters.sort();
    (tasks, counters)
}

async fn everything_outlives_a_clean_reboot(t: Bench) {
    let parent = t.submit(NewTask { kind: kind("a"), ..job() }).await;
    t.submit(NewTask { after: vec![parent], tags: vec!["x".to_owned()], ..job() }).await;
    t.submit(in_lane("l")).await;
    t.submit(in_lane("l")).await;
    t.submit(NewTask { expires_in: Some(Span(secs(60))), tenant: tenant("them"), ..job() }).await;
    t.submit(NewTask { run_at: Some(t.now().after(secs(60))), ..job() }).await;
    let buried = t.submit(NewTask { queue: queue("carried"), ..job() }).await;
    t.carry("carried", Some("broker")).await;
    let hold = longshore_core::store::Hold::Lease { lasts: Some(secs(60)) };
    let Opened::Leased(leased) = t.open(buried, hold).await else { panic!("opened") };
    t.end(&leased.lease, Verdict::Bury(longshore_core::retry::BuryReason::BadData)).await;
    let carried = t.submit(NewTask { queue: queue("carried"), ..job() }).await;
    t.pause(Scope::Kind(kind("b"))).await;
    let paused = t.submit(NewTask { kind: kind("b"), ..job() }).await;
    let running = t.claim(1).await.remove(0);
    t.extend(&running.lease, Some(Payload::from_json("[0.5]"))).await;
    let done = t.claim(1).await.remove(0);
    t.end(&done.lease, Verdict::Complete).await;

    let before = everything(&t).await;
    t.store().close().await.expect("closed");
    t.reboot().await;
    assert_eq!(everything(&t).await, before);
    assert_eq!(t.attempts(buried).await[0].token, leased.lease.token);
    let want = Relay { queue: queue("carried"), ..t.relay() };
    assert_eq!(t.outbox_with(want).await.marks[0].id, carried);
    assert!(!t.all_ready().await.contains(&paused));
    assert_eq!(t.end(&running.lease, Verdict::Complete).await, State::Success);
}

async fn keys_outlive_a_crash(t: Bench) {
    let idempotency =
        Some(Idempotency { route: "/v1/tasks", key: "k".to_owned(), fingerprint: [1; 32] });
    let unique = Some(Unique {
        key: "u".to_owned(),
        hold: UniqueWhile::Active,
        on_conflict: OnConflict::Existing,
    });
    let first = t.submit(NewTask { idempotency: idempotency.clone(), ..job() }).await;
    let second = t.submit(NewTask { unique: unique.clone(), ..job() }).await;
    t.reboot().await;
    let replayed = t.ask(NewTask { idempotency, ..job() }).await.expect("replayed");
    assert_eq!((replayed.id, replayed.how), (first, AcceptedHow::Replayed));
    let existing = t.ask(NewTask { unique, ..job() }).await.expect("found");
    assert_eq!((existing.id, existing.how), (second, AcceptedHow::Existing));
}

async fn an_end_that_was_answered_is_kept(t: Bench) {
    let ids = t.submit_jobs(3).await;
    let follower = job();
    let leased = t.claim_inside(3).await;
    let ending = Ending {
        lease: leased[0].lease,
        verdict: Verdict::Complete,
        result: Some(Payload::from_json("1")),
        error: None,
        then: vec![longshore_core::Valid::vouch(follower.clone())],
    };
    t.record(ending).await;
    t.end(&leased[1].lease, Verdict::Cancel).await;
    t.reboot().await;
    let states = [State::Success, State::Cancelled, State::Pending];
    for (id, state) in ids.iter().zip(states) {
        assert_eq!(t.state(*id).await, state);
    }
    assert_eq!(t.task(ids[0]).await.result, Some(Payload::from_json("1")));
    assert_eq!(t.state(follower.id).await, State::Pending);
}

async fn places_in_the_order_of_accepting_are_never_reused(t: Bench) {
    let mut last = None;
    let nothing = longshore_core::store::Retention {
        success: std::time::Duration::ZERO,
        failed: std::time::Duration::ZERO,
        max_bytes: None,
    };
    for _ in 0..4 {
        let id = t.submit(job()).await;
        let seq = t.task(id).await.seq;
        assert!(Some(seq) > last);
        last = Some(seq);
        t.act(ActKind::Purge(queue("default"))).await.expect("purged");
        t.store().prune(&nothing).await.expect("prune answers");
        t.reboot().await;
    }
}
