//! What has been kept long enough goes.

use super::bench::{Bench, DAY, job, secs, tenant};
use super::case_list;
use longshore_core::store::{Pruned, Refused, Retention};
use longshore_core::task::{AcceptedHow, Idempotency, OnConflict, Unique, UniqueWhile};
use longshore_core::{NewTask, Payload, TaskId, Verdict};
use std::time::Duration;

case_list![
    successes_go_after_their_retention,
    failures_are_kept_longer,
    what_has_not_ended_is_kept,
    a_reopened_task_is_kept,
    attempts_go_with_their_task,
    the_id_of_a_pruned_task_is_free,
    keys_that_are_over_go,
    a_unique_key_goes_with_its_task,
    the_oldest_successes_go_when_room_is_short,
    one_call_removes_a_thousand,
];

const KEEP: Retention =
    Retention { success: DAY, failed: Duration::from_secs(3 * 86_400), max_bytes: None };
const NOTHING: Retention =
    Retention { success: Duration::ZERO, failed: Duration::ZERO, max_bytes: None };

async fn prune(t: &Bench, keep: &Retention) -> Pruned {
    t.store().prune(keep).await.expect("prune answers")
}

async fn is_there(t: &Bench, id: TaskId) -> bool {
    t.store().get(tenant("default"), id).await.expect("get answers").is_some()
}

async fn success(t: &Bench) -> TaskId {
    let id = t.submit(job()).await;
    assert_eq!(t.work_off().await, [id]);
    id
}

async fn successes_go_after_their_retention(t: Bench) {
    let id = success(&t).await;
    t.pass(DAY - Duration::from_millis(1));
    assert_eq!(prune(&t, &KEEP).await, Pruned::default());
    assert!(is_there(&t, id).await);
    t.pass(Duration::from_millis(1));
    assert_eq!(prune(&t, &KEEP).await.tasks, 1);
    assert!(!is_there(&t, id).await);
    assert_eq!(t.store().counters().await.expect("counters answer"), []);
}

async fn failures_are_kept_longer(t: Bench) {
    let failed = t.bury(job()).await;
    let cancelled = t.submit(job()).await;
    t.cancel(cancelled).await.expect("cancelled");
    let done = success(&t).await;
    t.pass(3 * DAY - Duration::from_millis(1));
    assert_eq!(prune(&t, &KEEP).await.tasks, 1);
    let there =
        [is_there(&t, failed).await, is_there(&t, cancelled).await, is_there(&t, done).await];
    assert_eq!(there, [true, true, false]);
    t.pass(Duration::from_millis(1));
    assert_eq!(prune(&t, &KEEP).await.tasks, 2);
}

async fn what_has_not_ended_is_kept(t: Bench) {
    t.submit_jobs(3).await;
    let leased = t.claim(2).await;
    t.end(&leased[0].lease, super::bench::retry(secs(1))).await;
    t.submit(NewTask { run_at: Some(t.now().after(secs(1))), ..job() }).await;
    t.pass(1_000 * DAY);
    assert_eq!(prune(&t, &NOTHING).await, Pruned::default());
}

async fn a_reopened_task_is_kept(t: Bench) {
    let id = t.bury(job()).await;
    t.reopen(id).await.expect("reopened");
    t.pass(1_000 * DAY);
    assert_eq!(prune(&t, &KEEP).await.tasks, 0);
    assert!(is_there(&t, id).await);
}

async fn attempts_go_with_their_task(t: Bench) {
    let id = t.submit(job()).await;
    let leased = t.claim_one().await;
    t.end(&leased.lease, super::bench::retry(Duration::ZERO)).await;
    t.work_off().await;
    assert_eq!(t.attempts(id).await.len(), 2);
    prune(&t, &NOTHING).await;
    assert_eq!(t.store().attempts(tenant("default"), id).await.expect("answers"), None);
    t.submit(NewTask { id, id_is_chosen: true, ..job() }).await;
    assert_eq!(t.attempts(id).await, [], "a new task of that id has none of them");
}

async fn the_id_of_a_pruned_task_is_free(t: Bench) {
    let id = success(&t).await;
    prune(&t, &NOTHING).await;
    let refused = t.ask(NewTask { after: vec![id], ..job() }).await;
    assert_eq!(refused, Err(Refused::NoSuchParent { parent: id }));
    t.submit(NewTask { id, id_is_chosen: true, ..job() }).await;
    assert!(is_there(&t, id).await);
}

async fn keys_that_are_over_go(t: Bench) {
    let idempotency = |key: &str| {
        Some(Idempotency { route: "/v1/tasks", key: key.to_owned(), fingerprint: [1; 32] })
    };
    t.submit(NewTask { idempotency: idempotency("old"), ..job() }).await;
    t.pass(secs(1));
    t.submit(NewTask { idempotency: idempotency("young"), ..job() }).await;
    t.pass(Idempotency::KEPT);
    assert_eq!(prune(&t, &KEEP).await, Pruned { tasks: 0, keys: 1, more: false });
    let again = t.ask(NewTask { idempotency: idempotency("young"), ..job() }).await;
    assert_eq!(again.expect("replayed").how, AcceptedHow::Replayed);
}

async fn a_unique_key_goes_with_its_task(t: Bench) {
    let (hold, on_conflict) = (UniqueWhile::Window(100 * DAY), OnConflict::Existing);
    let unique = Some(Unique { key: "u".to_owned(), hold, on_conflict });
    let first = t.submit(NewTask { unique: unique.clone(), ..job() }).await;
    t.cancel(first).await.expect("cancelled");
    prune(&t, &NOTHING).await;
    let second = t.ask(NewTask { unique, ..job() }).await.expect("accepted");
    assert_eq!(second.how, AcceptedHow::New);
}

async fn the_oldest_successes_go_when_room_is_short(t: Bench) {
    let text = Payload::from_json(format!("\"{}\"", "x".repeat(100_000)));
    let failed = t.bury(job().payload(text.clone())).await;
    let before = t.store().condition().await.expect("it serves").used_bytes;
    let mut done = Vec::new();
    for _ in 0..20 {
        done.push(t.submit(job().payload(text.clone())).await);
        t.work_off().await;
        t.pass(secs(1));
    }
    let waiting = t.submit(job().payload(text)).await;
    let after = t.store().condition().await.expect("it serves").used_bytes;
    let max_bytes = Some(before + (after - before) / 2);
    let keep = Retention { success: 100 * DAY, failed: 100 * DAY, max_bytes };
    let mut removed = 0;
    for _ in 0..20 {
        let pruned = prune(&t, &keep).await;
        removed += pruned.tasks;
        if pruned.tasks == 0 {
            break;
        }
    }
    assert!((1..20).contains(&removed), "{removed} of 20 were removed to make half of the room");
    let mut kept = Vec::new();
    for id in &done {
        kept.push(is_there(&t, *id).await);
    }
    assert!(kept.is_sorted(), "the oldest go first: {kept:?}");
    assert!(is_there(&t, failed).await && is_there(&t, waiting).await, "only successes go");
}

async fn one_call_removes_a_thousand(t: Bench) {
    t.submit_jobs(1_001).await;
    let leased = t.claim(2_000).await;
    let ends = leased.iter().map(|leased| longshore_core::store::Ending {
        lease: leased.lease,
        verdict: Verdict::Complete,
        result: None,
        error: None,
        then: Vec::new(),
    });
    t.store().record(ends.collect()).await.expect("record answers");
    let first = prune(&t, &NOTHING).await;
    assert!(first.tasks <= 1_000 && first.more, "{first:?}");
    let second = prune(&t, &NOTHING).await;
    assert_eq!((first.tasks + second.tasks, second.more), (1_001, false));
}
