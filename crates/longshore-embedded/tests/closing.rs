//! A claim that nobody waits for any more when the store is closed holds nothing.

use longshore_core::store::{Claim, Hold, Intake, Lifecycle, TaskQuery, Want, Work};
use longshore_core::{KindName, NewTask, Payload, QueueName, State, TaskId, TenantName, Valid};
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

/// Asks, and does not wait for the answer.
fn ask<T>(question: &mut (impl Future<Output = T> + Unpin)) {
    let asked = std::pin::Pin::new(question).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(asked, Poll::Pending), "the writer cannot have been so quick");
}

async fn submit(store: &EmbeddedStore) -> TaskId {
    let task = Valid::vouch(NewTask::new(kind("job")));
    store.accept(vec![task]).await.expect("accept answers").remove(0).expect("accepted").id
}

#[tokio::test]
async fn a_claim_that_is_dropped_before_the_close_is_no_death_of_its_task() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open(folder.path());
    let id = submit(&store).await;
    for _ in 0..ROUNDS {
        let mut busy = store.accept(much());
        ask(&mut busy);
        let mut asked = store.claim(claim());
        ask(&mut asked);
        drop(asked);
        store.close().await.expect("closed");
        drop(busy);
        drop(store);
        store = open(folder.path());
        let task = store.get(TenantName::default(), id).await.expect("get answers");
        let task = task.expect("it is there");
        assert_eq!((task.state, task.crashes), (State::Pending, 0));
    }
}
