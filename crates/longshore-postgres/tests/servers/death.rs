//! Servers that die, and servers that are taken for dead.

use crate::bench::{
    claim_inside, complete, connect, fresh_url, is_waited_for, job, open, open_at, open_with,
    request, submit, submit_jobs, until,
};
use longshore_conformance::ManualClock;
use longshore_core::attempt::AttemptOutcome;
use longshore_core::store::{Hold, Lifecycle, Open, Opened, StoreError, TaskQuery, Upkeep, Work};
use longshore_core::{QueueName, State, Task, TaskId, TenantName};
use longshore_postgres::{Options, PostgresStore};
use std::sync::Arc;
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(15);

async fn task(store: &PostgresStore, id: TaskId) -> Task {
    let task = store.get(TenantName::default(), id).await.expect("get answers");
    task.expect("it is there")
}

async fn outcomes(store: &PostgresStore, id: TaskId) -> Vec<Option<AttemptOutcome>> {
    let attempts = store.attempts(TenantName::default(), id).await.expect("attempts answers");
    attempts.expect("it is there").iter().map(|attempt| attempt.outcome).collect()
}

async fn rescued(store: &PostgresStore) -> usize {
    store.rescue().await.expect("rescue answers").events.len()
}

pub(crate) async fn what_a_dead_server_held_is_taken_back_after_its_lease() {
    let (url, clock) = (fresh_url(), Arc::new(ManualClock::default()));
    let dead = open_at(&url, &clock).await;
    let ids = submit_jobs(&dead, 2).await;
    let leased = claim_inside(&dead, 1).await.remove(0);
    drop(dead); // without closing: as after a kill
    let alive = open_at(&url, &clock).await;
    assert_eq!(rescued(&alive).await, 0, "it is seen for the first time");
    clock.advance(LEASE - Duration::from_millis(1));
    assert_eq!(rescued(&alive).await, 0);
    assert_eq!(task(&alive, ids[0]).await.state, State::Running);
    clock.advance(Duration::from_millis(1));
    assert_eq!(rescued(&alive).await, 1);
    assert_eq!(task(&alive, ids[0]).await.crashes, 1);
    assert_eq!(outcomes(&alive, ids[0]).await, [Some(AttemptOutcome::Crashed)]);
    assert!(!complete(&alive, leased.lease).await, "a late end changes nothing");
    assert_eq!(claim_inside(&alive, 1).await[0].lease.id, ids[0], "it kept its rank");
    clock.advance(10 * LEASE);
    assert_eq!(rescued(&alive).await, 0, "once is enough");
}

async fn lines(database: &tokio_postgres::Client) -> i64 {
    let lines = database.query_one("SELECT count(*) FROM holds", &[]).await;
    lines.expect("it answers").get(0)
}

pub(crate) async fn a_line_of_what_was_handed_out_goes_with_the_last_of_it() {
    let url = fresh_url();
    let (store, database) = (open(&url).await, connect(&url).await);
    submit_jobs(&store, 5).await;
    let first = claim_inside(&store, 3).await;
    let second = claim_inside(&store, 2).await;
    assert_eq!((first.len(), second.len()), (3, 2));
    assert_eq!(lines(&database).await, 2);
    for leased in second.iter().chain(&first[..2]) {
        assert!(complete(&store, leased.lease).await);
    }
    until("the second has gone", async || lines(&database).await == 1).await;
    drop(store); // without closing: as after a kill
    let clock = Arc::new(ManualClock::default());
    let alive = open_at(&url, &clock).await;
    rescued(&alive).await;
    clock.advance(LEASE);
    assert_eq!(rescued(&alive).await, 1, "one of the first was held");
    assert_eq!(lines(&database).await, 0);
    assert_eq!(claim_inside(&alive, 5).await[0].lease.id, first[2].lease.id);
}

pub(crate) async fn what_is_handed_out_to_a_server_that_is_buried_already_is_taken_back() {
    let url = fresh_url();
    let (store, database) = (open(&url).await, connect(&url).await);
    let alive = open(&url).await;
    let id = submit(&store, job()).await;
    assert_eq!(claim_inside(&store, 1).await.len(), 1);
    // As if its claim had been on its way for longer than its burial took.
    let buried = "DELETE FROM instances WHERE epoch = (SELECT instance FROM tasks)";
    assert_eq!(database.execute(buried, &[]).await.expect("it answers"), 1);
    assert_eq!(rescued(&alive).await, 1);
    assert_eq!(task(&alive, id).await.state, State::Pending);
    assert_eq!(task(&alive, id).await.crashes, 0, "nobody died of it");
    assert_eq!(lines(&database).await, 0);
}

pub(crate) async fn several_that_fall_silent_together_are_charged_nothing() {
    let (url, clock) = (fresh_url(), Arc::new(ManualClock::default()));
    let mut ids = Vec::new();
    let mut dead = Vec::new();
    for _ in 0..2 {
        let store = open_at(&url, &clock).await;
        ids.push(submit(&store, job()).await);
        assert_eq!(claim_inside(&store, 1).await.len(), 1);
        dead.push(store);
    }
    drop(dead);
    let alive = open_at(&url, &clock).await;
    rescued(&alive).await;
    clock.advance(LEASE);
    assert_eq!(rescued(&alive).await, 2);
    for id in ids {
        assert_eq!(task(&alive, id).await.crashes, 0);
        assert_eq!(outcomes(&alive, id).await, [Some(AttemptOutcome::Lost)]);
    }
}

pub(crate) async fn a_server_that_lives_keeps_what_it_holds() {
    let (url, clock) = (fresh_url(), Arc::new(ManualClock::default()));
    let beat = Duration::from_millis(50);
    let holder = open_with(Options { beat, ..Options::new(&url) }).await;
    let id = submit(&holder, job()).await;
    let lease = claim_inside(&holder, 1).await.remove(0).lease;
    let judge = open_at(&url, &clock).await;
    let beats = connect(&url).await;
    for _ in 0..5 {
        rescued(&judge).await;
        clock.advance(beat * 2);
        let seen: i64 = beats
            .query_one("SELECT max(beats) FROM instances", &[])
            .await
            .expect("it answers")
            .get(0);
        until("it beats", async || {
            let row =
                beats.query_one("SELECT max(beats) FROM instances", &[]).await.expect("it answers");
            row.get::<_, i64>(0) > seen
        })
        .await;
    }
    assert_eq!(task(&judge, id).await.state, State::Running);
    assert!(complete(&holder, lease).await);
}

pub(crate) async fn the_same_name_opened_again_takes_back_at_once() {
    let (url, clock) = (fresh_url(), Arc::new(ManualClock::default()));
    let named = |name: &str| Options {
        name: Some(name.to_owned()),
        clock: clock.clone(),
        ..Options::new(&url)
    };
    let other = open_with(named("other")).await;
    let held_by_other = submit(&other, job()).await;
    claim_inside(&other, 1).await;
    let dead = open_with(named("first")).await;
    let id = submit(&dead, job()).await;
    claim_inside(&dead, 1).await;
    drop(dead);
    let again = open_with(named("first")).await;
    assert_eq!(task(&again, id).await.state, State::Pending);
    assert_eq!(task(&again, id).await.crashes, 1);
    assert_eq!(task(&again, held_by_other).await.state, State::Running, "that one lives");
}

pub(crate) async fn a_closed_server_that_holds_nothing_is_not_missed() {
    let (url, clock) = (fresh_url(), Arc::new(ManualClock::default()));
    let store = open_at(&url, &clock).await;
    let looking = connect(&url).await;
    let there = async || {
        let row =
            looking.query_one("SELECT count(*) FROM instances", &[]).await.expect("it answers");
        row.get::<_, i64>(0)
    };
    assert_eq!(there().await, 1);
    store.close().await.expect("closed");
    assert_eq!(there().await, 0);
}

pub(crate) async fn who_was_taken_for_dead_begins_anew() {
    let (url, clock) = (fresh_url(), Arc::new(ManualClock::default()));
    let beat = Duration::from_millis(50);
    let cut_off = open_with(Options { beat, ..Options::new(&url) }).await;
    let id = submit(&cut_off, job()).await;
    let old = claim_inside(&cut_off, 1).await.remove(0).lease;
    let looking = connect(&url).await;
    looking.execute("UPDATE instances SET fate = 1", &[]).await.expect("declared dead");
    let judge = open_at(&url, &clock).await;
    assert_eq!(task(&judge, id).await.state, State::Pending, "an opening buries the dead");
    until("it has begun anew", async || {
        let row = looking.query_one("SELECT count(*) FROM instances WHERE beats > 0", &[]).await;
        row.expect("it answers").get::<_, i64>(0) > 0
    })
    .await;
    assert!(!complete(&cut_off, old).await, "what it held is lost to it");
    let new = claim_inside(&cut_off, 1).await.remove(0).lease;
    assert!(new.token > old.token);
    assert!(complete(&cut_off, new).await);
}

/// Claims the task, or opens it as if a broker had carried it.
async fn take(store: &PostgresStore, id: TaskId, by_a_broker: bool) -> Result<usize, StoreError> {
    if !by_a_broker {
        return store.claim(request(1, Hold::Process)).await.map(|claimed| claimed.len());
    }
    let queue = QueueName::default();
    let (worker, hold) = ("worker".into(), Hold::Process);
    let want = Open { ids: vec![id], queue, worker, hold, limit: None, rate: None };
    store.open(want).await.map(|opened| opened.iter().filter_map(Opened::lease).count())
}

/// A task that is being taken, and is held up in the database by a lock.
struct HeldUp {
    store: Arc<PostgresStore>,
    id: TaskId,
    taking: tokio::task::JoinHandle<Result<usize, StoreError>>,
    database: tokio_postgres::Client,
    locking: tokio_postgres::Client,
}

impl HeldUp {
    async fn begin(by_a_broker: bool) -> Self {
        let url = fresh_url();
        let (database, locking) = (connect(&url).await, connect(&url).await);
        let beat = Duration::from_millis(50);
        let store = open_with(Options { beat, ..Options::new(&url) }).await;
        let id = submit(&store, job()).await;
        let lock = "BEGIN; LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE";
        locking.batch_execute(lock).await.expect("locked");
        let session = locking.query_one("SELECT pg_backend_pid()", &[]).await.expect("it answers");
        let taking = tokio::spawn({
            let store = store.clone();
            async move { take(&store, id, by_a_broker).await }
        });
        until("it is held up", async || is_waited_for(&database, session.get(0)).await).await;
        Self { store, id, taking, database, locking }
    }

    async fn let_go(&self) {
        self.locking.batch_execute("COMMIT").await.expect("unlocked");
    }

    async fn is_untouched(&self) -> bool {
        let sql = "SELECT state, instance, coalesce(crashes, 0) FROM tasks WHERE id = $1";
        let row = self.database.query_one(sql, &[&self.id.0]).await.expect("it is there");
        let stands: (i16, Option<i32>, i32) = (row.get(0), row.get(1), row.get(2));
        stands == (State::Pending as i16, None, 0)
    }
}

/// Lets a close come to where it waits for the database.
async fn begin(closing: &mut (impl Future<Output = Result<(), StoreError>> + Unpin)) {
    let closed = tokio::time::timeout(Duration::from_millis(50), closing).await;
    assert!(closed.is_err(), "it cannot go past the lock");
}

pub(crate) async fn what_nobody_waits_for_any_more_is_given_back() {
    for by_a_broker in [false, true] {
        let held_up = HeldUp::begin(by_a_broker).await;
        held_up.taking.abort();
        held_up.let_go().await;
        until("it can be had again", async || {
            let again = take(&held_up.store, held_up.id, by_a_broker).await;
            again.expect("it answers") == 1
        })
        .await;
    }
}

pub(crate) async fn a_close_gives_back_what_nobody_waits_for_any_more() {
    for by_a_broker in [false, true] {
        let held_up = HeldUp::begin(by_a_broker).await;
        held_up.taking.abort();
        let mut closing = held_up.store.close();
        begin(&mut closing).await;
        held_up.let_go().await;
        closing.await.expect("closed");
        assert!(held_up.is_untouched().await);
    }
}

pub(crate) async fn a_close_hands_nobody_what_could_not_be_ended_any_more() {
    for by_a_broker in [false, true] {
        let mut held_up = HeldUp::begin(by_a_broker).await;
        let mut closing = held_up.store.close();
        begin(&mut closing).await;
        held_up.let_go().await;
        closing.await.expect("closed");
        let taken = (&mut held_up.taking).await.expect("no panic");
        assert!(matches!(taken, Err(StoreError::Closed)), "{taken:?}");
        assert!(held_up.is_untouched().await);
    }
}

pub(crate) async fn a_close_that_was_dropped_is_finished_by_the_next() {
    let held_up = HeldUp::begin(false).await;
    held_up.taking.abort();
    begin(&mut held_up.store.close()).await; // and dropped
    held_up.let_go().await;
    held_up.store.close().await.expect("closed");
    assert!(held_up.is_untouched().await);
    let open = held_up.database.query_one("SELECT count(*) FROM instances", &[]).await;
    assert_eq!(open.expect("it answers").get::<_, i64>(0), 0, "it has signed off");
}

pub(crate) async fn a_close_that_takes_its_time_is_not_taken_for_a_death() {
    let held_up = HeldUp::begin(false).await;
    held_up.taking.abort();
    let mut closing = held_up.store.close();
    begin(&mut closing).await;
    let beats = async || {
        let row = held_up.database.query_one("SELECT beats FROM instances", &[]).await;
        row.expect("it is open").get::<_, i64>(0)
    };
    let before = beats().await;
    until("it gives signs of life", async || beats().await > before + 3).await;
    held_up.let_go().await;
    closing.await.expect("closed");
    assert!(held_up.is_untouched().await);
}
