//! Files of earlier and of later formats.

use longshore_conformance::ManualClock;
use longshore_core::broker::{Broker, DeclareMode, Envelope, Group, GroupName, Outgoing, Topology};
use longshore_core::queue::Scope;
use longshore_core::store::{Claim, Hold, Intake, Lifecycle, Oversight, TaskQuery, Want, Work};
use longshore_core::task::{AcceptedHow, Idempotency};
use longshore_core::{KindName, NewTask, QueueName, State, TaskId, TenantName, Timestamp, Valid};
use longshore_embedded::{EmbeddedStore, OpenError, Options};
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A file as the program of format 1 left it: six tasks (a success, one that ran when its process
/// died, a dead letter with a tag, one in the paused queue `slow`, one with an idempotency key, a
/// cancelled one), and three lines of audit.
const FORMAT_1: &[u8] = include_bytes!("files/format-1.db.gz");

/// A file as the program of format 3 left it: three tasks, of which two ran, one with a large payload.
const FORMAT_3: &[u8] = include_bytes!("files/format-3.db.gz");

fn unpack(packed: &[u8], dir: &Path) {
    let mut file = Vec::new();
    flate2::read::GzDecoder::new(packed).read_to_end(&mut file).expect("a gzip file");
    std::fs::write(dir.join("longshore.db"), file).expect("it is written");
}

/// A minute after those files were left: the key is good for a day.
const THEN: Timestamp = Timestamp(1_795_229_929_000);

fn open(dir: &Path) -> Result<EmbeddedStore, OpenError> {
    let clock = Arc::new(ManualClock::starting_at(THEN));
    EmbeddedStore::open(&Options { reserve: 1 << 20, clock, ..Options::new(dir) })
}

fn id(number: u128) -> TaskId {
    TaskId(uuid::Uuid::from_u128(number))
}

#[tokio::test]
async fn a_file_of_format_1_is_brought_up_to_date_with_all_that_it_holds() {
    let dir = tempfile::tempdir().unwrap();
    unpack(FORMAT_1, dir.path());
    let store = open(dir.path()).unwrap();
    let mut states = Vec::new();
    for number in 1..=6 {
        let task = store.get(TenantName::default(), id(number)).await.unwrap().unwrap();
        states.push(task.state);
    }
    use State::{Cancelled, Failed, Pending, Success};
    assert_eq!(states, [Success, Pending, Failed, Pending, Pending, Cancelled]);
    let controls = store.controls().await.unwrap();
    assert_eq!(controls.paused, [Scope::Queue(QueueName::new("slow").unwrap())]);
    assert!(controls.queues.is_empty());
    let kind = KindName::new("mail.send").unwrap();
    let key = Idempotency { route: "/v1/tasks", key: "k".into(), fingerprint: [7; 32] };
    let again = NewTask { idempotency: Some(key), ..NewTask::new(kind.clone()) };
    let again = store.accept(vec![Valid::vouch(again)]).await.unwrap().remove(0).unwrap();
    assert_eq!((again.id, again.how), (id(5), AcceptedHow::Replayed));
    let want = Want {
        queue: QueueName::default(),
        kinds: [kind].into(),
        tenant: None,
        outside: [].into(),
        slots: 9,
        limit: None,
        rate: None,
    };
    let (hold, wait) = (Hold::Process, Duration::ZERO);
    let claim = Claim { worker: "w".into(), hold, wants: vec![want], wait };
    let leased = store.claim(claim).await.unwrap();
    let ids: Vec<TaskId> = leased.iter().map(|leased| leased.lease.id).collect();
    assert_eq!(ids, [id(2), id(5)]);
    assert!(leased[0].payload.as_bytes().len() > 3_000, "a large payload is found");
}

#[tokio::test]
async fn the_audit_log_of_format_1_goes_on_in_one_chain() {
    let dir = tempfile::tempdir().unwrap();
    unpack(FORMAT_1, dir.path());
    let store = open(dir.path()).unwrap();
    let what = longshore_core::store::ActKind::Purge(QueueName::default());
    let act = longshore_core::store::Act { by: "olga".into(), tenant: TenantName::default(), what };
    store.act(vec![act]).await.unwrap().remove(0).unwrap();
    let mut lines = store.audit(None, 100).await.unwrap();
    lines.reverse();
    assert_eq!(lines.iter().map(|line| line.number).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(lines[0].act.starts_with("Pause(") && lines[3].act == "purge");
    let mut before = None;
    for line in &lines {
        let hash: [u8; 32] = Sha256::digest(line.sealed(before.as_ref())).into();
        assert_eq!(line.hash, hash, "line {}", line.number);
        before = Some(line.hash);
    }
}

#[tokio::test]
async fn a_file_of_format_3_keeps_its_tasks_and_takes_messages() {
    let dir = tempfile::tempdir().unwrap();
    unpack(FORMAT_3, dir.path());
    let store = open(dir.path()).unwrap();
    for number in 1..=3 {
        let task = store.get(TenantName::default(), id(number)).await.unwrap().unwrap();
        assert_eq!(task.state, State::Pending, "what ran is taken back");
    }
    let broker = store.broker();
    let group = Group::new(GroupName::new("g").unwrap());
    let missing = broker.declare(&Topology::of(group.clone()), DeclareMode::Declare).await.unwrap();
    assert_eq!(missing.missing, ["group g", "group g.dead"]);
    let outgoing = Outgoing::to_group(group.name.clone(), Envelope::new("x"));
    broker.publish(vec![outgoing]).await.remove(0).unwrap();
    drop(store);
    let store = open(dir.path()).unwrap();
    assert_eq!(store.broker().inspect(&group.name).await.unwrap().ready, 1);
}

/// Tables with their columns, and indexes.
fn shape(path: &Path) -> rusqlite::Result<BTreeMap<String, Vec<String>>> {
    let db = Connection::open(path)?;
    let texts = |sql, name: &str| -> rusqlite::Result<Vec<String>> {
        db.prepare(sql)?.query_map([name], |row| row.get(0))?.collect()
    };
    let all = "SELECT name FROM sqlite_schema WHERE name NOT LIKE ?1";
    let columns = "SELECT concat_ws(' ', name, type, \"notnull\", dflt_value, pk)
                   FROM pragma_table_xinfo(?1) ORDER BY cid";
    let shapes = texts(all, "sqlite_%")?.into_iter();
    shapes.map(|name| Ok((name.clone(), texts(columns, &name)?))).collect()
}

#[tokio::test]
async fn a_file_that_was_brought_up_to_date_is_like_a_new_one() {
    let [first, third, new] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
    unpack(FORMAT_1, first.path());
    unpack(FORMAT_3, third.path());
    for dir in [&first, &third, &new] {
        open(dir.path()).unwrap().close().await.unwrap();
    }
    let shape = |dir: &tempfile::TempDir| shape(&dir.path().join("longshore.db")).unwrap();
    assert_eq!(shape(&first), shape(&new));
    assert_eq!(shape(&third), shape(&new));
}

#[tokio::test]
async fn a_file_of_a_later_format_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).unwrap().close().await.unwrap();
    let path = dir.path().join("longshore.db");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let before = std::fs::read(&path).unwrap();
    let refused = open(dir.path()).map(drop);
    assert!(matches!(refused, Err(OpenError::TooNew { found: 99, known: 4, .. })), "{refused:?}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}
