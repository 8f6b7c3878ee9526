//! A database that goes away, and comes back.

use crate::bench::{
    claim_inside, claim_timed, complete, job, open, open_at, open_with, submit, until,
    with_fresh_schema,
};
use longshore_conformance::ManualClock;
use longshore_conformance::postgres::PostgresServer;
use longshore_core::store::{
    ErrorClass, Intake, Lifecycle, Oversight, StoreError, TaskQuery, Upkeep,
};
use longshore_core::{State, TaskId, TenantName, Valid};
use longshore_postgres::Options;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn server() -> PostgresServer {
    PostgresServer::start().expect("PostgreSQL is installed")
}

/// What clients were told: accepted, unknown, and how often nothing was done.
type Told = (Vec<TaskId>, Vec<TaskId>, usize);

fn note(told: &mut Told, id: TaskId, answer: Result<(), StoreError>) {
    match answer.map_err(|error| error.class()) {
        Ok(()) => told.0.push(id),
        Err(ErrorClass::Unknown) => told.1.push(id),
        Err(ErrorClass::Temporary) => told.2 += 1,
        Err(ErrorClass::Final) => panic!("an outage is never final"),
    }
}

pub(crate) async fn a_killed_database_loses_nothing_that_was_answered() {
    let mut server = server();
    let url = with_fresh_schema(&server.url());
    let store = open_with(Options::new(&url)).await;
    let held = {
        submit(&store, job()).await;
        claim_inside(&store, 1).await.remove(0)
    };
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::new(Mutex::new(Told::default()));
    let mut clients = Vec::new();
    for _ in 0..8 {
        let (store, stop, told) = (store.clone(), stop.clone(), told.clone());
        clients.push(tokio::spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                let task = job();
                let id = task.id;
                let answer = store.accept(vec![Valid::vouch(task)]).await;
                note(&mut told.lock().expect("no panic"), id, answer.map(|_| ()));
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }));
    }
    let accepted = || told.lock().expect("no panic").0.len();
    until("some are accepted", async || accepted() > 100).await;
    server.kill();
    until("calls fail", async || told.lock().expect("no panic").2 > 10).await;
    assert!(store.condition().await.is_err(), "it says that it cannot be written to");
    server.restart().expect("it starts again");
    let before = accepted();
    until("accepting goes on by itself", async || accepted() > before + 100).await;
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.expect("no outage is final");
    }
    let (accepted, ..) = std::mem::take(&mut *told.lock().expect("no panic"));
    for id in &accepted {
        let task = store.get(TenantName::default(), *id).await.expect("get answers");
        assert!(task.is_some(), "{id} was answered and is lost");
    }
    assert!(complete(&store, held.lease).await, "what ran meanwhile may end");
    let counters = store.counters().await.expect("counters answer");
    let waiting: u64 = counters.iter().filter(|c| c.state == State::Pending).map(|c| c.count).sum();
    assert!(waiting >= accepted.len() as u64);
}

pub(crate) async fn leases_get_a_full_length_of_grace_after_an_outage() {
    let server = server();
    let clock = Arc::new(ManualClock::default());
    let beat = Duration::from_millis(100);
    let url = with_fresh_schema(&server.url());
    let options = Options { beat, clock: clock.clone(), ..Options::new(&url) };
    let store = open_with(options).await;
    let id = submit(&store, job()).await;
    let lease = claim_timed(&store, 1).await.remove(0).lease;
    server.freeze(true);
    let began = Instant::now();
    until("signs of life are missed", async || began.elapsed() > beat * 5).await;
    clock.advance(Duration::from_secs(60));
    server.freeze(false);
    let moved = store.rescue().await.expect("rescue answers");
    assert!(moved.events.is_empty(), "nobody could renew anything meanwhile");
    let task = store.get(TenantName::default(), id).await.expect("get answers").expect("there");
    assert_eq!(task.state, State::Running);
    assert!(complete(&store, lease).await);
}

pub(crate) async fn calls_fail_at_once_while_the_database_is_away() {
    let mut server = server();
    let clock = Arc::new(ManualClock::default());
    let url = with_fresh_schema(&server.url());
    let store = open_at(&url, &clock).await;
    submit(&store, job()).await;
    server.kill();
    let began = Instant::now();
    for _ in 0..100 {
        let error = store.accept(vec![Valid::vouch(job())]).await.expect_err("it is away");
        let is_told = matches!(error, StoreError::Unavailable { .. } | StoreError::Unknown { .. });
        assert!(is_told, "{error:?}");
        assert!(store.rescue().await.is_err() && store.controls().await.is_err());
    }
    assert!(began.elapsed() < Duration::from_secs(15), "none of them waits for its deadline");
}

pub(crate) async fn who_watches_hears_at_once_that_the_database_is_away() {
    let mut database = server();
    let store = open(&with_fresh_schema(&database.url())).await;
    store.overview().await.expect("it answers");
    let stirred = async |within| tokio::time::timeout(within, store.stirred()).await.is_ok();
    while stirred(Duration::from_millis(200)).await {}
    database.kill();
    assert!(stirred(Duration::from_secs(20)).await, "the connection that listens has ended");
    assert!(store.overview().await.is_err());
    database.restart().expect("it starts again");
    let answers = async || store.overview().await.is_ok();
    until("it answers again", answers).await;
}
