//! Two servers on one database.

use crate::bench::{claim_inside, complete, fresh_url, job, open, request, submit, submit_jobs};
use longshore_core::store::{Claim, Hold, Intake, Refused, TaskQuery, Want, Work};
use longshore_core::task::{AcceptedHow, Idempotency, OnConflict, Unique, UniqueWhile};
use longshore_core::{NewTask, State, TaskId, TenantName, Valid};
use longshore_postgres::PostgresStore;
use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

async fn count(store: &PostgresStore, state: State) -> u64 {
    let counters = store.counters().await.expect("counters answer");
    counters.iter().filter(|count| count.state == state).map(|count| count.count).sum()
}

pub(crate) async fn claims_of_two_servers_never_overlap() {
    const TASKS: usize = 10_000;
    let url = fresh_url();
    let stores = [open(&url).await, open(&url).await];
    for _ in 0..10 {
        submit_jobs(&stores[0], TASKS / 10).await;
    }
    let seen: Arc<Mutex<Vec<TaskId>>> = Arc::default();
    let mut workers = Vec::new();
    for n in 0..6 {
        let (store, seen) = (stores[n % 2].clone(), seen.clone());
        workers.push(tokio::spawn(async move {
            loop {
                let leased = claim_inside(&store, 50).await;
                if leased.is_empty() && count(&store, State::Pending).await == 0 {
                    return;
                }
                seen.lock().expect("no panic").extend(leased.iter().map(|leased| leased.lease.id));
                let ends =
                    leased.iter().map(|leased| crate::bench::success(leased.lease)).collect();
                store.record(ends).await.expect("record answers");
            }
        }));
    }
    for worker in workers {
        worker.await.expect("it works");
    }
    let seen = std::mem::take(&mut *seen.lock().expect("no panic"));
    let different: HashSet<&TaskId> = seen.iter().collect();
    assert_eq!((seen.len(), different.len()), (TASKS, TASKS));
    assert_eq!(count(&stores[1], State::Success).await, TASKS as u64);
}

pub(crate) async fn a_limit_holds_over_two_servers() {
    const TASKS: usize = 150;
    let url = fresh_url();
    let stores = [open(&url).await, open(&url).await];
    submit_jobs(&stores[0], TASKS).await;
    let (running, done) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut workers = Vec::new();
    for n in 0..4 {
        let (store, running, done) = (stores[n % 2].clone(), running.clone(), done.clone());
        workers.push(tokio::spawn(async move {
            while done.load(Ordering::SeqCst) < TASKS {
                let mut claim = request(2, Hold::Process);
                claim.wants[0].limit = Some(3);
                for leased in store.claim(claim).await.expect("claim answers") {
                    let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                    assert!(now <= 3, "{now} run");
                    tokio::task::yield_now().await;
                    running.fetch_sub(1, Ordering::SeqCst);
                    assert!(complete(&store, leased.lease).await);
                    done.fetch_add(1, Ordering::SeqCst);
                }
            }
        }));
    }
    for worker in workers {
        worker.await.expect("the limit holds");
    }
    assert_eq!(done.load(Ordering::SeqCst), TASKS);
}

pub(crate) async fn a_lane_runs_one_at_a_time_in_order_over_two_servers() {
    const TASKS: usize = 60;
    let url = fresh_url();
    let stores = [open(&url).await, open(&url).await];
    let mut accepted = Vec::new();
    for n in 0..TASKS {
        let task = NewTask { order_key: Some("lane".to_owned()), ..job() };
        accepted.push(submit(&stores[n % 2], task).await);
    }
    let (order, inside) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicI64::new(0)));
    let mut workers = Vec::new();
    for n in 0..4 {
        let (store, order, inside) = (stores[n % 2].clone(), order.clone(), inside.clone());
        workers.push(tokio::spawn(async move {
            while order.lock().expect("no panic").len() < TASKS {
                for leased in claim_inside(&store, 4).await {
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "one at a time");
                    order.lock().expect("no panic").push(leased.lease.id);
                    tokio::task::yield_now().await;
                    inside.fetch_sub(1, Ordering::SeqCst);
                    assert!(complete(&store, leased.lease).await);
                }
            }
        }));
    }
    for worker in workers {
        worker.await.expect("the lane holds");
    }
    assert_eq!(*order.lock().expect("no panic"), accepted);
}

/// Asks both servers at the same moment, again and again.
async fn race(
    stores: &[Arc<PostgresStore>; 2],
    task: impl Fn(usize) -> NewTask,
    judge: impl Fn([Result<longshore_core::task::Accepted, Refused>; 2]),
) {
    for round in 0..50 {
        let ask = |n: usize| {
            let (store, task) = (stores[n].clone(), task(round));
            tokio::spawn(async move {
                store.accept(vec![Valid::vouch(task)]).await.expect("accept answers").remove(0)
            })
        };
        let (first, second) = tokio::join!(ask(0), ask(1));
        judge([first.expect("answered"), second.expect("answered")]);
    }
}

pub(crate) async fn one_key_asked_for_at_two_servers_makes_one_task() {
    let url = fresh_url();
    let stores = [open(&url).await, open(&url).await];
    let task = |round: usize| {
        let key = format!("key-{round}");
        let idempotency = Some(Idempotency { route: "/v1/tasks", key, fingerprint: [7; 32] });
        NewTask { idempotency, ..job() }
    };
    race(&stores, task, |answers| {
        let answers = answers.map(|answer| answer.expect("accepted"));
        assert_eq!(answers[0].id, answers[1].id);
        let new = answers.iter().filter(|answer| answer.how == AcceptedHow::New).count();
        assert_eq!(new, 1);
    })
    .await;
    assert_eq!(count(&stores[0], State::Pending).await, 50);
}

pub(crate) async fn a_unique_key_is_taken_by_one_of_two_servers() {
    let url = fresh_url();
    let stores = [open(&url).await, open(&url).await];
    let task = |round: usize| {
        let (hold, on_conflict) = (UniqueWhile::Active, OnConflict::Reject);
        NewTask { unique: Some(Unique { key: format!("key-{round}"), hold, on_conflict }), ..job() }
    };
    race(&stores, task, |answers| {
        let taken = |answer: &&Result<_, _>| matches!(answer, Err(Refused::UniqueTaken { .. }));
        assert_eq!(answers.iter().filter(taken).count(), 1, "{answers:?}");
    })
    .await;
}

pub(crate) async fn a_child_is_not_forgotten_by_a_parent_that_ends_at_the_same_moment() {
    let url = fresh_url();
    let stores = [open(&url).await, open(&url).await];
    for _ in 0..60 {
        let parent = submit(&stores[0], job()).await;
        let lease = claim_inside(&stores[0], 1).await.remove(0).lease;
        let child = NewTask { after: vec![parent], ..job() };
        let id = child.id;
        let (ender, asker) = (stores[0].clone(), stores[1].clone());
        let end = tokio::spawn(async move { complete(&ender, lease).await });
        let ask = tokio::spawn(async move { submit(&asker, child).await });
        assert!(end.await.expect("ended"));
        ask.await.expect("accepted");
        let next = claim_inside(&stores[1], 1).await;
        assert_eq!(next.first().map(|leased| leased.lease.id), Some(id), "the child may run");
        assert!(complete(&stores[1], next[0].lease).await);
    }
}

pub(crate) async fn a_claim_that_waits_is_woken_by_another_server() {
    let url = fresh_url();
    let stores = [open(&url).await, open(&url).await];
    let wait = Duration::from_secs(20);
    let claim = stores[0].claim(Claim { wait, ..request(1, Hold::Process) });
    let submit = async {
        tokio::task::yield_now().await;
        submit(&stores[1], job()).await
    };
    let began = std::time::Instant::now();
    let (leased, id) = tokio::join!(claim, submit);
    assert_eq!(leased.expect("claim answers")[0].lease.id, id);
    assert!(began.elapsed() < wait / 2, "the claim was woken");
}

pub(crate) async fn tokens_grow_over_servers() {
    let url = fresh_url();
    let stores = [open(&url).await, open(&url).await];
    let id = submit(&stores[0], job()).await;
    let mut last = None;
    for n in 0..6 {
        let claim = Want { slots: 1, ..request(1, Hold::Process).wants.remove(0) };
        let claim = Claim { wants: vec![claim], ..request(1, Hold::Process) };
        let leased = stores[n % 2].claim(claim).await.expect("claim answers").remove(0);
        assert!(Some(leased.lease.token) > last, "whichever server hands out");
        last = Some(leased.lease.token);
        let verdict = longshore_core::Verdict::Release;
        let end = longshore_core::store::Ending { verdict, ..crate::bench::success(leased.lease) };
        stores[n % 2].record(vec![end]).await.expect("record answers");
    }
    let task = stores[0].get(TenantName::default(), id).await.expect("get answers");
    assert_eq!(task.and_then(|task| task.token), last);
}
