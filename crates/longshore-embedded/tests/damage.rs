//! A file that has lost a part of some tasks goes on with the others.

use longshore_core::store::{
    Act, ActKind, Claim, Hold, Intake, Leased, Lifecycle, Open, Opened, TaskQuery, Want, Work,
};
use longshore_core::{KindName, NewTask, Payload, QueueName, State, Task, TaskId};
use longshore_core::{TenantName, Valid};
use longshore_embedded::{EmbeddedStore, Options};
use rusqlite::Connection;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

fn open(dir: &Path) -> EmbeddedStore {
    EmbeddedStore::open(&Options { reserve: 1 << 20, ..Options::new(dir) }).expect("it opens")
}

fn kind() -> KindName {
    KindName::new("job").expect("a name")
}

fn large() -> NewTask {
    NewTask::new(kind()).payload(Payload::from_json(format!("\"{}\"", "x".repeat(5_000))))
}

fn small() -> NewTask {
    NewTask::new(kind()).payload(Payload::from_json("1"))
}

/// A folder with these tasks, in which `sql` was done to the file afterwards.
async fn damaged(tasks: Vec<NewTask>, sql: &str) -> (TempDir, Vec<TaskId>) {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let ids = tasks.iter().map(|task| task.id).collect();
    let accepted = store.accept(tasks.into_iter().map(Valid::vouch).collect()).await;
    assert!(accepted.expect("accept answers").iter().all(Result::is_ok));
    store.close().await.expect("it closes");
    let db = Connection::open(dir.path().join("longshore.db")).expect("a database");
    assert_eq!(db.execute(sql, []).expect("done"), 1, "one row is damaged");
    (dir, ids)
}

async fn claim(store: &EmbeddedStore, slots: usize) -> Vec<Leased> {
    let want = Want {
        queue: QueueName::default(),
        kinds: [kind()].into(),
        tenant: None,
        outside: [].into(),
        slots,
        limit: None,
        rate: None,
    };
    let (hold, wait) = (Hold::Process, Duration::ZERO);
    let claim = Claim { worker: "w".into(), hold, wants: vec![want], wait };
    store.claim(claim).await.expect("claim answers")
}

async fn task(store: &EmbeddedStore, id: TaskId) -> Task {
    store.get(TenantName::default(), id).await.expect("get answers").expect("it is there")
}

fn ids(leased: &[Leased]) -> Vec<TaskId> {
    leased.iter().map(|leased| leased.lease.id).collect()
}

#[tokio::test]
async fn a_task_whose_payload_is_lost_is_set_aside_and_the_others_go_on() {
    let (dir, all) = damaged(vec![small(), large(), small()], "DELETE FROM bodies").await;
    let store = open(dir.path());
    assert_eq!(ids(&claim(&store, 3).await), [all[0], all[2]]);
    let lost = task(&store, all[1]).await;
    assert_eq!((lost.state, lost.reason.as_deref()), (State::Failed, Some("invariant")));
    assert_eq!(lost.error.and_then(|error| error.code).as_deref(), Some("damaged"));
    assert_eq!((lost.payload, lost.attempt, lost.started_at), (None, 1, None));
    assert_eq!(store.condition().await.expect("it serves").set_aside, 1);
}

#[tokio::test]
async fn a_payload_that_is_no_text_is_lost() {
    let sql = "UPDATE tasks SET payload = X'ff' WHERE seq = (SELECT max(seq) FROM tasks)";
    let (dir, all) = damaged(vec![small(), small()], sql).await;
    let store = open(dir.path());
    assert_eq!(ids(&claim(&store, 3).await), [all[0]]);
    assert_eq!(store.condition().await.expect("it serves").set_aside, 1);
}

#[tokio::test]
async fn a_lane_goes_on_behind_a_task_that_is_set_aside() {
    let lane = |task| NewTask { order_key: Some("l".into()), ..task };
    let (dir, all) = damaged(vec![lane(large()), lane(small())], "DELETE FROM bodies").await;
    let store = open(dir.path());
    assert_eq!(ids(&claim(&store, 3).await), [all[1]]);
}

#[tokio::test]
async fn a_damaged_task_that_is_reopened_is_set_aside_again() {
    let (dir, all) = damaged(vec![large()], "DELETE FROM bodies").await;
    let store = open(dir.path());
    assert_eq!(ids(&claim(&store, 3).await), []);
    let (by, tenant, what) = ("olga".into(), TenantName::default(), ActKind::Reopen { id: all[0] });
    let acted = store.act(vec![Act { by, tenant, what }]).await.expect("act answers");
    assert!(acted[0].is_ok(), "{acted:?}");
    assert_eq!(ids(&claim(&store, 3).await), []);
    assert_eq!(task(&store, all[0]).await.run, 2);
    assert_eq!(store.condition().await.expect("it serves").set_aside, 2);
}

#[tokio::test]
async fn a_damaged_task_that_a_broker_carried_is_over() {
    let (dir, all) = damaged(vec![large()], "DELETE FROM bodies").await;
    let store = open(dir.path());
    let opening = Open {
        ids: vec![all[0]],
        queue: QueueName::default(),
        worker: "w".into(),
        hold: Hold::Process,
        limit: None,
        rate: None,
    };
    let opened = store.open(opening).await.expect("open answers");
    assert_eq!(opened, [Opened::Over]);
    assert_eq!(task(&store, all[0]).await.state, State::Failed);
}
