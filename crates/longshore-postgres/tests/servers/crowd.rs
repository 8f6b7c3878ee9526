//! No connection is left: all of the server's are taken by others, or all of the pool's stand still.

use crate::bench::{
    claim_inside, complete, connect, is_waited_for, job, open_with, submit, until,
    with_fresh_schema,
};
use longshore_conformance::postgres::PostgresServer;
use longshore_core::store::{ErrorClass, Intake, StoreError, TaskQuery};
use longshore_core::{TaskId, TenantName, Valid};
use longshore_postgres::{OpenError, Options, PostgresStore};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// More than the server lets in.
const CROWD: usize = 400;
/// A call that finds no connection says so within this, far below its deadline.
const SOON: Duration = Duration::from_secs(5);
/// It goes on by itself within this.
const RECOVERED: Duration = Duration::from_secs(60);

async fn accept(store: &PostgresStore) -> (TaskId, Result<(), StoreError>) {
    let task = job();
    let id = task.id;
    (id, store.accept(vec![Valid::vouch(task)]).await.map(|_| ()))
}

/// What was answered is there, and what was refused is not.
async fn is_true(store: &PostgresStore, answers: &[(TaskId, Result<(), StoreError>)]) {
    for (id, answer) in answers {
        let task = store.get(TenantName::default(), *id).await.expect("get answers");
        let class = answer.as_ref().err().map(StoreError::class);
        match class {
            None => assert!(task.is_some(), "{id} was accepted, and is lost"),
            Some(ErrorClass::Temporary) => assert!(task.is_none(), "{id} was refused: {answer:?}"),
            Some(_) => panic!("the class of {answer:?} is {class:?}"),
        }
    }
}

pub(crate) async fn a_server_without_a_connection_left_refuses_and_nothing_is_lost() {
    let server = PostgresServer::start().expect("PostgreSQL is installed");
    let url = with_fresh_schema(&server.url());
    let store = open_with(Options::new(&url)).await;
    submit(&store, job()).await;
    let held = claim_inside(&store, 1).await.remove(0);
    let admin = connect(&url).await;
    let mut answers = vec![accept(&store).await];

    // Whatever the store lets go of is taken by the crowd.
    let mut crowd = Vec::new();
    while crowd.len() < CROWD {
        admin
            .execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND application_name <> 'crowd'",
                &[],
            )
            .await
            .expect("sessions are ended");
        let taken = take_all(&server, &mut crowd).await;
        if taken && accept(&store).await.1.is_err() {
            break;
        }
    }
    for _ in 0..5 {
        let began = Instant::now();
        let answer = accept(&store).await;
        assert!(answer.1.is_err() && began.elapsed() < SOON, "{answer:?}");
        answers.push(answer);
    }
    let refused = answers.last().and_then(|(_, answer)| answer.as_ref().err());
    let text = refused.expect("it was refused").to_string();
    assert!(text.contains("too many clients") || text.contains("reserved"), "{text}");
    let failed = PostgresStore::open(Options::new(&url)).await.expect_err("there is no room");
    assert!(matches!(failed, OpenError::NotNow { .. }) && failed.may_pass(), "{failed}");

    drop(crowd);
    let began = Instant::now();
    while answers.last().is_some_and(|(_, answer)| answer.is_err()) {
        assert!(began.elapsed() < RECOVERED, "{answers:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
        answers.push(accept(&store).await);
    }
    is_true(&store, &answers).await;
    assert!(complete(&store, held.lease).await, "what ran meanwhile may end");
}

/// Takes connections until the server lets nobody in; tells whether that is so.
async fn take_all(server: &PostgresServer, crowd: &mut Vec<tokio_postgres::Client>) -> bool {
    let url = format!("{}?application_name=crowd", server.url());
    while crowd.len() < CROWD {
        match tokio_postgres::connect(&url, tokio_postgres::NoTls).await {
            Ok((client, connection)) => {
                tokio::spawn(connection);
                crowd.push(client);
            }
            Err(_) => return true,
        }
    }
    false
}

pub(crate) async fn a_pool_whose_sessions_stand_still_refuses_and_goes_on_by_itself() {
    let server = PostgresServer::start().expect("PostgreSQL is installed");
    let url = with_fresh_schema(&server.url());
    let store = open_with(Options { connections: 2, ..Options::new(&url) }).await;
    let there = submit(&store, job()).await;
    let (other, admin) = (connect(&url).await, connect(&url).await);
    // Whoever writes waits for it, and whoever reads does not.
    other.batch_execute("BEGIN; LOCK TABLE tasks IN SHARE MODE").await.expect("it is locked");
    let session: i32 =
        other.query_one("SELECT pg_backend_pid()", &[]).await.expect("it answers").get(0);
    let mut calls = vec![tokio::spawn(called(store.clone()))];
    // The others come when it is under way, or all of them might go with it.
    until("it waits", async || is_waited_for(&admin, session).await).await;
    calls.extend((0..11).map(|_| tokio::spawn(called(store.clone()))));
    until("some are refused", async || calls.iter().any(|call| call.is_finished())).await;
    let task = store.get(TenantName::default(), there).await.expect("reading goes on");
    assert!(task.is_some());
    other.batch_execute("ROLLBACK").await.expect("it is unlocked");
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.expect("no panic"));
    }
    let count = |is_ok: bool| answers.iter().filter(|(_, answer)| answer.is_ok() == is_ok).count();
    assert!(count(false) > 0 && count(true) > 0, "{answers:?}");
    answers.push(accept(&store).await);
    assert!(answers.last().is_some_and(|(_, answer)| answer.is_ok()), "it goes on by itself");
    is_true(&store, &answers).await;
}

/// An accept that nobody else's is put together with.
async fn called(store: Arc<PostgresStore>) -> (TaskId, Result<(), StoreError>) {
    tokio::time::sleep(Duration::from_millis(fastrand::u64(..100))).await;
    accept(&store).await
}
