//! Ends of tasks whose rows do not lie where they lay when they were handed out.

use crate::bench::{
    claim_inside, connect, fresh_url, is_waited_for, job, open, request, submit, submit_jobs,
    success, until,
};
use longshore_core::store::{Ending, Extend, Hold, Leased, Recorded, TaskQuery, Work};
use longshore_core::{KindName, NewTask, Payload, State, TaskId, TenantName};
use longshore_postgres::PostgresStore;
use std::sync::Arc;

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

/// Kinds of which tasks are held together: ends of one kind go by another statement than ends of several.
const HELD_TOGETHER: [&[&str]; 2] = [&["job"], &["job", "other"]];

/// Accepts two tasks of each of these kinds, and claims all of them at once.
async fn two_of_each(store: &PostgresStore, kinds: &[&str]) -> Vec<Leased> {
    let kinds: Vec<_> = kinds.iter().map(|kind| KindName::new(kind).expect("a name")).collect();
    for kind in &kinds {
        for _ in 0..2 {
            submit(store, NewTask::new(kind.clone())).await;
        }
    }
    let mut claim = request(2 * kinds.len(), Hold::Process);
    claim.wants[0].kinds = kinds.iter().cloned().collect();
    let held = store.claim(claim).await.expect("claim answers");
    assert_eq!(held.len(), 2 * kinds.len());
    held
}

pub(crate) async fn a_row_that_has_moved_is_found() {
    for kinds in HELD_TOGETHER {
        let url = fresh_url();
        let store = open(&url).await;
        let database = connect(&url).await;
        let held = two_of_each(&store, kinds).await;
        let moved = held[1].lease.id;
        let lay = lies(&database, moved).await;
        let sql = "UPDATE tasks SET worker = worker WHERE id = $1";
        database.execute(sql, &[&moved.0]).await.expect("as what rewrites a table does");
        assert_ne!(lies(&database, moved).await, lay);
        all_succeed(&store, held.iter().map(|task| success(task.lease)).collect()).await;
        for task in &held {
            assert_eq!(state_of(&store, task.lease.id).await, State::Success);
        }
        assert_eq!(counted(&store).await, (0, held.len() as u64));
    }
}

/// Ends all that is held while somebody changes the first row so, and keeps others waiting for it.
async fn ended_meanwhile(
    url: &str,
    store: &Arc<PostgresStore>,
    held: &[Leased],
    change: &str,
) -> Vec<Recorded> {
    let mut other = connect(url).await;
    let database = connect(url).await;
    let changes = other.transaction().await.expect("begun");
    let sql = format!("UPDATE tasks SET {change} WHERE id = $1 RETURNING pg_backend_pid()");
    let row = changes.query_one(&sql, &[&held[0].lease.id.0]).await.expect("changed");
    let changing: i32 = row.get(0);
    let ends = held.iter().map(|task| success(task.lease)).collect();
    let ending = tokio::spawn({
        let store = store.clone();
        async move { store.record(ends).await }
    });
    until("the end waits for it", async || is_waited_for(&database, changing).await).await;
    changes.commit().await.expect("kept");
    ending.await.expect("no panic").expect("record answers")
}

pub(crate) async fn an_end_that_had_to_wait_for_its_row_keeps_what_was_changed() {
    for (kinds, change) in HELD_TOGETHER.into_iter().flat_map(|kinds| {
        ["progress = '0.5'", "progress = '0.5', cancel_grace = 60000"].map(|change| (kinds, change))
    }) {
        let url = fresh_url();
        let store = open(&url).await;
        let held = two_of_each(&store, kinds).await;
        let recorded = ended_meanwhile(&url, &store, &held, change).await;
        for end in &recorded {
            assert!(matches!(end, Recorded::Applied { state: State::Success, .. }), "{end:?}");
        }
        let first = store.get(TenantName::default(), held[0].lease.id).await.expect("get answers");
        let first = first.expect("it is there");
        assert_eq!(first.state, State::Success, "{change}");
        assert_eq!(first.progress.expect("it has some").as_bytes(), b"0.5", "{change}");
        assert_eq!(counted(&store).await, (0, held.len() as u64), "{change}");
    }
}

pub(crate) async fn an_end_that_had_to_wait_while_its_task_was_handed_on_is_stale() {
    for kinds in HELD_TOGETHER {
        let url = fresh_url();
        let store = open(&url).await;
        let held = two_of_each(&store, kinds).await;
        let recorded = ended_meanwhile(&url, &store, &held, "token = token + 1").await;
        assert_eq!(recorded[0], Recorded::Stale);
        for end in &recorded[1..] {
            assert!(matches!(end, Recorded::Applied { state: State::Success, .. }), "{end:?}");
        }
        assert_eq!(state_of(&store, held[0].lease.id).await, State::Running);
        assert_eq!(counted(&store).await, (1, held.len() as u64 - 1));
    }
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
    let held = two_of_each(&store, &["job", "other"]).await;
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
