//! The log's file is longer than what is in it, and a store that died so has all that it had.

use longshore_core::store::{Intake, Lifecycle, TaskQuery};
use longshore_core::{KindName, NewTask, Payload, State, TaskId, TenantName, Valid};
use longshore_embedded::{EmbeddedStore, Options};
use std::path::Path;
use std::process::Command;

/// How far ahead of a small log the file reaches, at least.
const RUNWAY: usize = 512 << 10;
/// Tasks that are accepted until then, at most.
const MOST: usize = 20_000;

fn open(dir: &Path) -> EmbeddedStore {
    let options = Options { reserve: 1 << 20, ..Options::new(dir) };
    EmbeddedStore::open(&options).expect("it opens")
}

async fn accept(store: &EmbeddedStore, count: usize) -> Vec<TaskId> {
    let payload = Payload::from_json(format!("\"{}\"", "x".repeat(500)));
    let task = || {
        let task = NewTask::new(KindName::new("job").expect("a name"));
        Valid::vouch(task.payload(payload.clone()))
    };
    let accepted = store.accept((0..count).map(|_| task()).collect()).await.expect("it answers");
    accepted.into_iter().map(|task| task.expect("accepted").id).collect()
}

/// How many zeros the log of a folder ends with.
fn runway(dir: &Path) -> usize {
    let log = std::fs::read(dir.join("longshore.db-wal")).expect("there is a log");
    log.iter().rev().take_while(|byte| **byte == 0).count()
}

#[tokio::test]
async fn a_log_has_a_runway_and_what_is_in_it_outlives_the_process() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(first.path());
    let mut ids = accept(&store, 100).await;
    while runway(first.path()) < RUNWAY {
        assert!(ids.len() < MOST, "the file is not longer than its log");
        ids.extend(accept(&store, 100).await);
    }
    ids.extend(accept(&store, 100).await);
    // As a kill would leave it: nothing was tidied up. By a process of its own, for one that opened the store's file
    // again, and closed it, would lose its locks.
    for file in ["longshore.db", "longshore.db-wal"] {
        let copied = Command::new("cp").arg(first.path().join(file)).arg(second.path()).status();
        assert!(copied.unwrap().success(), "{file}");
    }
    assert!(runway(second.path()) > 0);
    let after = open(second.path());
    for id in ids {
        let task = after.get(TenantName::default(), id).await.expect("it answers");
        assert_eq!(task.map(|task| task.state), Some(State::Pending), "{id}");
    }
    after.close().await.expect("it closes");
    let left = std::fs::metadata(second.path().join("longshore.db-wal")).map_or(0, |log| log.len());
    assert_eq!(left, 0, "a store that was closed has an empty log");
}
