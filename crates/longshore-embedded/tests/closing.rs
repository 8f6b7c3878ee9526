//! What nobody can end any more when the store is closed is not held.

use longshore_core::store::{
    Claim, Ending, Hold, Intake, Leased, Lifecycle, Open, Opened, StoreError, TaskQuery, Want, Work,
};
use longshore_core::{
    KindName, NewTask, Payload, QueueName, State, TaskId, TenantName, Valid, Verdict,
};
use longshore_embedded::{EmbeddedStore, Options};
use std::future::Future;
use std::path::Path;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const ROUNDS: usize = 20;

fn kind(name: &str) -> KindName {
    KindName::new(name).expect("a name")
}

fn open(folder: &Path) -> EmbeddedStore {
    let options = Options { reserve: 1 << 20, ..Options::new(folder) };
    EmbeddedStore::open(&options).expect("it opens")
}

/// Keeps the writer at work for a while.
fn much() -> Vec<Valid<NewTask>> {
    let payload = Payload::from_json(format!("\"{}\"", "x".repeat(1_000)));
    let task = || NewTask::new(kind("other")).payload(payload.clone());
    (0..2_000).map(|_| Valid::vouch(task())).collect()
}

fn claim() -> Claim {
    let want = Want {
        queue: QueueName::default(),
        tenant: None,
        kinds: [kind("job")].into(),
        outside: [].into(),
        slots: 1,
        limit: None,
        rate: None,
    };
    let wait = Duration::from_secs(20);
    Claim { worker: "worker".into(), hold: Hold::Process, wants: vec![want], wait }
}

fn open_request(id: TaskId) -> Open {
    let queue = QueueName::default();
    let (worker, hold) = ("worker".into(), Hold::Process);
    Open { ids: vec![id], queue, worker, hold, limit: None, rate: None }
}

/// Asks, and does not wait for the answer, unless it is there already.
fn ask<T>(question: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
    let asked = std::pin::Pin::new(question).poll(&mut Context::from_waker(Waker::noop()));
    match asked {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

async fn submit(store: &EmbeddedStore) -> TaskId {
    let task = Valid::vouch(NewTask::new(kind("job")));
    store.accept(vec![task]).await.expect("accept answers").remove(0).expect("accepted").id
}

async fn give_back(store: &EmbeddedStore, leased: &Leased) {
    let (lease, verdict) = (leased.lease, Verdict::Release);
    let release = Ending { lease, verdict, result: None, error: None, then: Vec::new() };
    store.record(vec![release]).await.expect("record answers");
}

/// Opens the store again, and sees that its task lives as if nothing had been.
async fn reopened(folder: &Path, store: EmbeddedStore, id: TaskId) -> EmbeddedStore {
    drop(store);
    let store = open(folder);
    let task = store.get(TenantName::default(), id).await.expect("get answers");
    let task = task.expect("it is there");
    assert_eq!((task.state, task.crashes), (State::Pending, 0));
    store
}

/// What was handed out with an answer to a claim, or to an opening.
type Taken = Result<Vec<Leased>, StoreError>;

async fn claimed(store: &EmbeddedStore) -> Taken {
    store.claim(claim()).await
}

async fn opened(store: &EmbeddedStore, id: TaskId) -> Taken {
    let leased = |opened| match opened {
        Opened::Leased(leased) => Some(*leased),
        _ => None,
    };
    let opened = store.open(open_request(id)).await?;
    Ok(opened.into_iter().filter_map(leased).collect())
}

/// Asks for the task so, drops the question, and closes the store behind it.
async fn dropped_before_the_close(take: impl AsyncFn(&EmbeddedStore, TaskId) -> Taken) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open(folder.path());
    let id = submit(&store).await;
    for _ in 0..ROUNDS {
        let mut busy = store.accept(much());
        ask(&mut busy);
        let mut asked = Box::pin(take(&store, id));
        if let Some(taken) = ask(&mut asked) {
            give_back(&store, &taken.expect("it answers")[0]).await;
        }
        drop(asked);
        store.close().await.expect("closed");
        drop(busy);
        store = reopened(folder.path(), store, id).await;
    }
}

#[tokio::test]
async fn a_claim_that_is_dropped_before_the_close_is_no_death_of_its_task() {
    dropped_before_the_close(async |store, _| claimed(store).await).await;
}

#[tokio::test]
async fn an_opening_that_is_dropped_before_the_close_is_no_death_of_its_task() {
    dropped_before_the_close(async |store, id| opened(store, id).await).await;
}

#[tokio::test]
async fn a_close_that_was_dropped_is_waited_for_by_the_next() {
    let folder = tempfile::tempdir().expect("a folder");
    for round in 0..ROUNDS as u64 {
        let store = open(folder.path());
        store.accept(much()).await.expect("accept answers");
        // At another point of its way each time.
        let patience = Duration::from_micros(round * 500);
        let _ = tokio::time::timeout(patience, store.close()).await;
        store.close().await.expect("closed");
        open(folder.path()).close().await.expect("nobody else holds the folder");
    }
}
