//! The log's file is longer than what is in it, and a store that died so has all that it had.

use longshore_core::store::{Intake, Lifecycle, TaskQuery};
use longshore_core::{KindName, NewTask, Payload, State, TaskId, TenantName, Valid};
use longshore_embedded::{EmbeddedStore, Options};
use std::path::Path;
use std::time::{Duration, Instant};

/// What a small log has room for ahead of itself, at least.
const ROOM: usize = 512 << 10;

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
fn room(dir: &Path) -> usize {
    let log = std::fs::read(dir.join("longshore.db-wal")).expect("there is a log");
    log.iter().rev().take_while(|byte| **byte == 0).count()
}

#[tokio::test]
async fn a_log_has_room_and_what_is_in_it_outlives_the_process() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(first.path());
    let mut ids = accept(&store, 200).await;
    let began = Instant::now();
    while room(first.path()) < ROOM {
        assert!(began.elapsed() < Duration::from_secs(20), "no room was made");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    ids.extend(accept(&store, 200).await);
    // As a kill would leave it: nothing was tidied up.
    for file in ["longshore.db", "longshore.db-wal"] {
        std::fs::copy(first.path().join(file), second.path().join(file)).unwrap();
    }
    assert!(room(second.path()) > 0);
    let after = open(second.path());
    for id in ids {
        let task = after.get(TenantName::default(), id).await.expect("it answers");
        assert_eq!(task.map(|task| task.state), Some(State::Pending), "{id}");
    }
    after.close().await.expect("it closes");
    let left = std::fs::metadata(second.path().join("longshore.db-wal")).map_or(0, |log| log.len());
    assert_eq!(left, 0, "a store that was closed has an empty log");
}
