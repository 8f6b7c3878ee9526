//! A database, stores on it, and verbs that keep tests short.

use longshore_conformance::{ManualClock, postgres};
use longshore_core::store::{Claim, Ending, Hold, Intake, LeaseRef, Leased, Recorded, Want, Work};
use longshore_core::{KindName, NewTask, QueueName, TaskId, Valid, Verdict};
use longshore_postgres::{Options, PostgresStore};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A schema of its own in the shared server.
pub(crate) fn fresh_url() -> String {
    let server = postgres::shared().expect("it is needed");
    with_fresh_schema(&server)
}

/// A schema of its own in that server.
pub(crate) fn with_fresh_schema(server: &str) -> String {
    static TESTS: AtomicU32 = AtomicU32::new(0);
    let test = TESTS.fetch_add(1, Ordering::Relaxed);
    let separator = if server.contains('?') { '&' } else { '?' };
    format!("{server}{separator}schema=servers_{}_{test}", std::process::id())
}

/// Opens a server on that database.
pub(crate) async fn open(url: &str) -> Arc<PostgresStore> {
    open_with(Options::new(url)).await
}

/// Opens a server whose time is in the test's hand.
pub(crate) async fn open_at(url: &str, clock: &Arc<ManualClock>) -> Arc<PostgresStore> {
    open_with(Options { clock: clock.clone(), ..Options::new(url) }).await
}

pub(crate) async fn open_with(options: Options) -> Arc<PostgresStore> {
    Arc::new(PostgresStore::open(options).await.expect("the schema is ours"))
}

/// A task of kind `job`.
pub(crate) fn job() -> NewTask {
    NewTask::new(KindName::new("job").expect("a name"))
}

pub(crate) async fn submit(store: &PostgresStore, task: NewTask) -> TaskId {
    let answers = store.accept(vec![Valid::vouch(task)]).await.expect("accept answers");
    answers.into_iter().next().expect("one answer").expect("accepted").id
}

pub(crate) async fn submit_jobs(store: &PostgresStore, count: usize) -> Vec<TaskId> {
    let tasks = (0..count).map(|_| Valid::vouch(job())).collect();
    let answers = store.accept(tasks).await.expect("accept answers");
    answers.into_iter().map(|answer| answer.expect("accepted").id).collect()
}

/// A request for tasks of kind `job`.
pub(crate) fn request(slots: usize, hold: Hold) -> Claim {
    let kinds = [KindName::new("job").expect("a name")].into();
    let want = Want {
        queue: QueueName::default(),
        tenant: None,
        kinds,
        outside: [].into(),
        slots,
        limit: None,
        rate: None,
    };
    Claim { worker: "worker".into(), hold, wants: vec![want], wait: Duration::ZERO }
}

/// Claims for as long as the process lives.
pub(crate) async fn claim_inside(store: &PostgresStore, slots: usize) -> Vec<Leased> {
    store.claim(request(slots, Hold::Process)).await.expect("claim answers")
}

/// Claims under leases of 15 s.
pub(crate) async fn claim_timed(store: &PostgresStore, slots: usize) -> Vec<Leased> {
    let hold = Hold::Lease { lasts: Some(Duration::from_secs(15)) };
    store.claim(request(slots, hold)).await.expect("claim answers")
}

pub(crate) fn success(lease: LeaseRef) -> Ending {
    Ending { lease, verdict: Verdict::Complete, result: None, error: None, then: Vec::new() }
}

/// Ends an opening as succeeded; tells whether it was still held.
pub(crate) async fn complete(store: &PostgresStore, lease: LeaseRef) -> bool {
    let recorded = store.record(vec![success(lease)]).await.expect("record answers");
    recorded != [Recorded::Stale]
}

/// Asks again and again until it is so.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let asked = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let patience = Duration::from_secs(30);
    tokio::time::timeout(patience, asked)
        .await
        .unwrap_or_else(|_| panic!("not within 30 s: {what}"));
}

/// A connection of the test's own, in the schema of that address.
pub(crate) async fn connect(url: &str) -> tokio_postgres::Client {
    let (server, schema) = url.split_once("?schema=").expect("a schema in the address");
    let (client, connection) =
        tokio_postgres::connect(server, tokio_postgres::NoTls).await.expect("connected");
    tokio::spawn(connection);
    client.batch_execute(&format!("SET search_path = {schema}")).await.expect("set");
    client
}

/// Whether somebody waits for what that session has locked.
pub(crate) async fn is_waited_for(database: &tokio_postgres::Client, session: i32) -> bool {
    let waits = "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE pg_blocking_pids(pid) @> ARRAY[$1::int4])";
    database.query_one(waits, &[&session]).await.expect("it answers").get(0)
}
