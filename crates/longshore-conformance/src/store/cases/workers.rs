//! The register of workers, and the kinds that are known because of them.

use super::bench::{Bench, DAY, kind, queue, secs};
use super::case_list;
use longshore_core::store::{KnownKind, SeenWorker, Share, Worker};
use longshore_core::{Span, TaskId};
use std::time::Duration;

case_list![
    a_worker_is_seen_as_it_last_said,
    a_silent_worker_is_lost_and_then_forgotten,
    who_leaves_is_gone_at_once,
    a_worker_is_told_to_drain_until_it_leaves,
    kinds_are_known_while_workers_run_them_and_long_after,
    a_kind_is_known_as_it_was_last_announced,
    known_kinds_outlive_the_process,
];

const LASTS: Duration = Duration::from_secs(15);

fn worker(t: &Bench, id: &str) -> Worker {
    Worker {
        id: id.into(),
        host: "here".to_owned(),
        pid: 7,
        version: "1".to_owned(),
        started_at: t.now(),
        kinds: vec![kind("job")],
        queues: vec![Share { queue: queue("default"), slots: 16, used: 1 }],
        tasks: vec![TaskId(uuid::Uuid::from_u128(1))],
        draining: false,
    }
}

fn known(name: &str) -> KnownKind {
    KnownKind {
        name: kind(name),
        queue: queue("default"),
        max_attempts: 4,
        timeout: Span(secs(300)),
        total_timeout: None,
        schema: None,
    }
}

async fn say(t: &Bench, worker: Worker, kinds: Vec<KnownKind>) -> bool {
    t.store().announce(worker, kinds, LASTS).await.expect("announce answers").drain
}

async fn seen(t: &Bench) -> Vec<SeenWorker> {
    t.store().workers().await.expect("workers answers")
}

async fn kinds(t: &Bench) -> Vec<KnownKind> {
    t.store().known_kinds().await.expect("known kinds answers")
}

async fn a_worker_is_seen_as_it_last_said(t: Bench) {
    say(&t, worker(&t, "b"), vec![]).await;
    say(&t, worker(&t, "a"), vec![]).await;
    t.pass(secs(5));
    let later = Worker { draining: true, tasks: vec![], ..worker(&t, "a") };
    say(&t, later.clone(), vec![]).await;
    t.pass(secs(2));
    let seen = seen(&t).await;
    assert_eq!(seen.len(), 2);
    assert_eq!((&seen[0].worker, seen[0].silent, seen[0].lost), (&later, secs(2), false));
    assert_eq!(seen[0].seen_at.after(secs(2)), t.now());
    assert_eq!((&*seen[1].worker.id, seen[1].silent), ("b", secs(7)));
}

async fn a_silent_worker_is_lost_and_then_forgotten(t: Bench) {
    say(&t, worker(&t, "w"), vec![]).await;
    t.pass(LASTS);
    assert!(!seen(&t).await[0].lost);
    t.pass(secs(1));
    assert!(seen(&t).await[0].lost);
    t.pass(longshore_core::store::LOST_SHOWN);
    assert_eq!(seen(&t).await, []);
}

async fn who_leaves_is_gone_at_once(t: Bench) {
    say(&t, worker(&t, "w"), vec![known("job")]).await;
    t.store().leave("w").await.expect("leave answers");
    t.store().leave("nobody").await.expect("leave answers");
    assert_eq!(seen(&t).await, []);
    assert_eq!(kinds(&t).await, [known("job")], "what it ran stays known");
}

async fn a_worker_is_told_to_drain_until_it_leaves(t: Bench) {
    assert!(!t.store().drain("w").await.expect("drain answers"), "there is none");
    assert!(!say(&t, worker(&t, "w"), vec![]).await);
    assert!(t.store().drain("w").await.expect("drain answers"));
    assert!(say(&t, worker(&t, "w"), vec![]).await);
    assert!(say(&t, worker(&t, "w"), vec![]).await);
    assert!(!say(&t, worker(&t, "another"), vec![]).await);
    t.store().leave("w").await.expect("leave answers");
    assert!(!say(&t, worker(&t, "w"), vec![]).await);
}

async fn kinds_are_known_while_workers_run_them_and_long_after(t: Bench) {
    say(&t, worker(&t, "w"), vec![known("b"), known("a")]).await;
    assert_eq!(kinds(&t).await, [known("a"), known("b")]);
    for _ in 0..25 {
        t.pass(DAY);
        say(&t, worker(&t, "w"), vec![known("a")]).await;
    }
    t.pass(4 * DAY);
    assert_eq!(kinds(&t).await.len(), 2);
    t.pass(3 * DAY);
    assert_eq!(kinds(&t).await, [known("a")]);
}

async fn a_kind_is_known_as_it_was_last_announced(t: Bench) {
    say(&t, worker(&t, "w"), vec![known("a")]).await;
    let schema = Some(r#"{"type":"object"}"#.to_owned());
    let changed =
        KnownKind { max_attempts: 9, total_timeout: Some(Span(secs(9))), schema, ..known("a") };
    say(&t, worker(&t, "w2"), vec![changed.clone()]).await;
    assert_eq!(kinds(&t).await, [changed]);
}

async fn known_kinds_outlive_the_process(t: Bench) {
    say(&t, worker(&t, "w"), vec![known("a")]).await;
    t.reboot().await;
    assert_eq!(kinds(&t).await, [known("a")]);
}
