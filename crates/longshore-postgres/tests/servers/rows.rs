//! Ends of tasks whose rows do not lie where they lay when they were handed out.

use crate::bench::{
    claim_inside, connect, fresh_url, job, open, request, submit, submit_jobs, success, until,
};
use longshore_core::store::{Ending, Extend, Hold, Recorded, TaskQuery, Work};
use longshore_core::{KindName, NewTask, Payload, State, TaskId, TenantName};
use longshore_postgres::PostgresStore;

async fn state_of(store: &PostgresStore, id: TaskId) -> State {
    let task = store.get(TenantName::default(), id).await.expect("get answers");
    task.expect("it is there").state
}

async fn lies(database: &tokio_postgres::Client, id: TaskId) -> String {
    let lies = database.query_one("SELECT ctid::text FROM tasks WHERE id = $1", &[&id.0]).await;
    lies.expect("it is there").get(0)
}

/// How many are counted as running, and as succeeded.
async fn counted(store: &PostgresStore) -> (u64, u64) {
    let counts = store.counters().await.expect("it answers");
    let of =
        |state| counts.iter().filter(|count| count.state == state).map(|count| count.count).sum();
    (of(State::Running), of(State::Success))
}

/// What all tasks weigh, as it is counted.
async fn weight(database: &tokio_postgres::Client) -> i64 {
    let weight = database.query_one("SELECT sum(bytes)::int8 FROM counts", &[]).await;
    weight.expect("it answers").get(0)
}

async fn all_succeed(store: &PostgresStore, ends: Vec<Ending>) {
    let recorded = store.record(ends).await.expect("record answers");
    for end in recorded {
        assert!(matches!(end, Recorded::Applied { state: State::Success, .. }), "{end:?}");
    }
}

pub(crate) async fn a_row_that_has_moved_is_found() {
    let url = fresh_url();
    let store = open(&url).await;
    let database = connect(&url).await;
    for _ in 0..3 {
        submit(&store, job()).await;
    }
    let held = claim_inside(&store, 3).await;
    let moved = held[1].lease.id;
    let lay = lies(&database, moved).await;
    let sql = "UPDATE tasks SET worker = worker WHERE id = $1";
    database.execute(sql, &[&moved.0]).await.expect("as what rewrites a table does");
    assert_ne!(lies(&database, moved).await, lay);
    all_succeed(&store, held.iter().map(|task| success(task.lease)).collect()).await;
    for task in &held {
        assert_eq!(state_of(&store, task.lease.id).await, State::Success);
    }
    assert_eq!(counted(&store).await, (0, 3));
}

pub(crate) async fn another_row_that_lies_there_by_now_is_left_alone() {
    let url = fresh_url();
    let store = open(&url).await;
    let database = connect(&url).await;
    for _ in 0..2 {
        submit(&store, job()).await;
    }
    let held = claim_inside(&store, 2).await;
    let (first, second) = (held[0].lease.id, held[1].lease.id);
    let lay = [lies(&database, first).await, lies(&database, second).await];
    // Each comes to lie where the other one lay.
    database
        .batch_execute(
            "CREATE TEMPORARY TABLE aside AS SELECT * FROM tasks;
             TRUNCATE tasks;
             INSERT INTO tasks SELECT * FROM aside;
             DELETE FROM tasks;
             INSERT INTO tasks SELECT * FROM aside ORDER BY token DESC",
        )
        .await
        .expect("moved");
    assert_eq!([lies(&database, second).await, lies(&database, first).await], lay, "exchanged");
    all_succeed(&store, vec![success(held[0].lease)]).await;
    assert_eq!(state_of(&store, first).await, State::Success);
    assert_eq!(state_of(&store, second).await, State::Running);
    all_succeed(&store, vec![success(held[1].lease)]).await;
    assert_eq!(counted(&store).await, (0, 2));
}

/// How often the index of places was asked, once it is known that so many rows were changed.
async fn asked(database: &tokio_postgres::Client, changed: i64) -> i64 {
    let told = "SELECT idx_scan, (SELECT n_tup_upd FROM pg_stat_user_tables WHERE relid = 'tasks'::regclass)
        FROM pg_stat_user_indexes WHERE indexrelid = 'tasks_pkey'::regclass";
    let stood = async || database.query_one(told, &[]).await.expect("it answers");
    until("the changes are told", async || stood().await.get::<_, i64>(1) >= changed).await;
    stood().await.get(0)
}

pub(crate) async fn ends_of_what_is_held_ask_no_index_even_behind_words_of_progress() {
    const TASKS: usize = 40;
    let url = fresh_url();
    let store = open(&url).await;
    let database = connect(&url).await;
    submit_jobs(&store, TASKS).await;
    let held = claim_inside(&store, TASKS).await;
    let words = held[..TASKS / 2].iter().map(|task| {
        let progress = Some(Payload::from_json("0.5"));
        Extend { lease: task.lease, lasts: None, progress }
    });
    store.extend(words.collect()).await.expect("they are held");
    let (tasks, words) = (TASKS as i64, TASKS as i64 / 2);
    let before = asked(&database, tasks + words).await;
    all_succeed(&store, held.iter().map(|task| success(task.lease)).collect()).await;
    let after = asked(&database, tasks + words + tasks).await;
    assert!(after - before < words, "{} times for {tasks} ends", after - before);
    assert_eq!(counted(&store).await, (0, TASKS as u64));
}

pub(crate) async fn ends_of_several_kinds_with_results_and_without_are_counted() {
    let url = fresh_url();
    let store = open(&url).await;
    let database = connect(&url).await;
    let other = KindName::new("other").expect("a name");
    for _ in 0..2 {
        submit(&store, job()).await;
        submit(&store, NewTask::new(other.clone())).await;
    }
    let mut claim = request(9, Hold::Process);
    claim.wants[0].kinds = [KindName::new("job").expect("a name"), other].into();
    let held = store.claim(claim).await.expect("claim answers");
    assert_eq!(held.len(), 4);
    let before = weight(&database).await;
    let mut ends: Vec<_> = held.iter().map(|task| success(task.lease)).collect();
    ends[0].result = Some(Payload::from_json("\"ten bytes\""));
    all_succeed(&store, ends).await;
    assert_eq!(counted(&store).await, (0, 4));
    let task = store.get(TenantName::default(), held[0].lease.id).await.expect("get answers");
    let result = task.expect("it is there").result.expect("it has one");
    assert_eq!(result.as_bytes(), b"\"ten bytes\"");
    assert_eq!(weight(&database).await, before + 11);
}
