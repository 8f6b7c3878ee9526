//! Where tasks lie, and how an id leads there.

use crate::bench::{
    claim_inside, complete, connect, fresh_url, job, open, open_at, submit, submit_jobs,
};
use longshore_conformance::ManualClock;
use longshore_core::attempt::Attempt;
use longshore_core::store::{Act, ActKind, BATCH, Intake, Refused, Retention, TaskQuery, Upkeep};
use longshore_core::task::{Idempotency, Seq};
use longshore_core::{Clock, NewTask, State, SystemClock, TaskId, Valid};
use longshore_postgres::PostgresStore;
use std::sync::Arc;
use std::time::Duration;

/// Another id that carries the same place: they differ in their random bits.
fn twin(id: TaskId) -> TaskId {
    let twin = TaskId(uuid::Uuid::from_u128(id.0.as_u128() ^ 1));
    assert_eq!(twin.place(), id.place());
    assert!(id.place().is_some());
    twin
}

async fn try_submit(store: &PostgresStore, tasks: Vec<NewTask>) -> Vec<Result<TaskId, Refused>> {
    let tasks = tasks.into_iter().map(Valid::vouch).collect();
    let answers = store.accept(tasks).await.expect("accept answers");
    answers.into_iter().map(|answer| answer.map(|accepted| accepted.id)).collect()
}

pub(crate) async fn the_database_reads_the_place_of_an_id_as_we_do() {
    let url = fresh_url();
    let _store = open(&url).await;
    let client = connect(&url).await;
    let ours = (0..500).map(|_| TaskId::fresh().0);
    let others = (0..500).flat_map(|_| [uuid::Uuid::now_v7(), uuid::Uuid::new_v4()]);
    let odd = [uuid::Uuid::nil(), uuid::Uuid::max()];
    for id in ours.chain(others).chain(odd) {
        let row = client.query_one("SELECT place_of($1)", &[&id]).await.expect("it answers");
        assert_eq!(row.get::<_, Option<i64>>(0).map(Seq), TaskId(id).place(), "{id}");
    }
}

pub(crate) async fn of_two_tasks_whose_ids_lead_to_one_place_both_are_found() {
    let store = open(&fresh_url()).await;
    let with = |id: TaskId| NewTask { id, ..job() };
    let first = submit(&store, job()).await;
    let mut ids = vec![first];
    // Alone; among others that are plain; and one that is looked at more closely.
    assert_eq!(try_submit(&store, vec![with(twin(first))]).await, [Ok(twin(first))]);
    ids.push(twin(first));
    let fresh = TaskId::fresh();
    let together = vec![with(fresh), with(twin(fresh)), job()];
    ids.extend(try_submit(&store, together).await.into_iter().map(|id| id.expect("accepted")));
    let keyed = TaskId::fresh();
    let key = Idempotency { route: "/", key: "k".to_owned(), fingerprint: [1; 32] };
    let in_lane = NewTask { order_key: Some("lane".to_owned()), ..with(twin(keyed)) };
    for task in [NewTask { idempotency: Some(key), ..with(keyed) }, in_lane] {
        ids.push(submit(&store, task).await);
    }
    for id in &ids {
        let task = store.get(job().tenant, *id).await.expect("it answers").expect("it is there");
        assert_eq!(task.id, *id);
        let again = NewTask { id_is_chosen: true, ..with(*id) };
        let refused = Refused::IdTaken { existing: *id };
        assert_eq!(try_submit(&store, vec![again.clone()]).await, [Err(refused.clone())]);
        let fresh = try_submit(&store, vec![job(), again]).await;
        assert!(fresh[0].is_ok());
        assert_eq!(fresh[1], Err(refused));
    }
    for leased in claim_inside(&store, 100).await {
        assert!(complete(&store, leased.lease).await);
    }
    for id in ids {
        let task = store.get(job().tenant, id).await.expect("it answers").expect("it is there");
        assert_eq!(task.state, State::Success);
        let attempts = store.attempts(job().tenant, id).await.expect("it answers");
        assert_eq!(attempts.as_deref().map(<[Attempt]>::len), Some(1));
    }
}

pub(crate) async fn a_child_finds_parents_that_lie_apart() {
    let store = open(&fresh_url()).await;
    let parent = submit(&store, job()).await;
    let chosen = TaskId(uuid::Uuid::new_v4());
    let apart = [twin(parent), chosen];
    for id in apart {
        submit(&store, NewTask { id, ..job() }).await;
    }
    let after = vec![parent, apart[0], apart[1]];
    let child = submit(&store, NewTask { after, ..job() }).await;
    let leased = claim_inside(&store, 10).await;
    assert_eq!(leased.len(), 3, "the child waits");
    for leased in leased {
        assert!(complete(&store, leased.lease).await);
    }
    let leased = claim_inside(&store, 10).await;
    assert_eq!(leased.iter().map(|task| task.lease.id).collect::<Vec<_>>(), [child]);
}

pub(crate) async fn a_child_that_lies_below_its_parent_is_purged_with_it() {
    let store = open(&fresh_url()).await;
    let child = TaskId::fresh();
    let parent = submit(&store, NewTask { id: TaskId(uuid::Uuid::new_v4()), ..job() }).await;
    submit(&store, NewTask { id: child, after: vec![parent], ..job() }).await;
    let what = ActKind::Purge(job().queue);
    let act = Act { by: "test".to_owned(), tenant: job().tenant, what };
    let purged = store.act(vec![act]).await.expect("act answers").remove(0).expect("purged");
    assert_eq!(purged.count, 2);
    for id in [child, parent] {
        let task = store.get(job().tenant, id).await.expect("it answers").expect("it is there");
        assert_eq!((task.state, task.reason.as_deref()), (State::Cancelled, Some("purged")));
    }
}

pub(crate) async fn the_function_submits_beside_a_task_at_the_same_place() {
    let url = fresh_url();
    let store = open(&url).await;
    let client = connect(&url).await;
    let sql = "SELECT submit('job', id => $1)";
    let ours = TaskId::fresh();
    for id in [ours, twin(ours), TaskId(uuid::Uuid::new_v4())] {
        client.query_one(sql, &[&id.0]).await.expect("submitted");
        assert!(store.get(job().tenant, id).await.expect("it answers").is_some());
        let again = client.query_one(sql, &[&id.0]).await.expect_err("it is taken");
        assert_eq!(again.code().map(|code| code.code()), Some("23505"));
        let refused = try_submit(&store, vec![NewTask { id, ..job() }]).await;
        assert_eq!(refused, [Err(Refused::IdTaken { existing: id })]);
    }
}

pub(crate) async fn an_id_that_lies_apart_is_not_taken_twice_when_its_place_becomes_free() {
    let url = fresh_url();
    let store = open(&url).await;
    let first = submit(&store, job()).await;
    let apart = twin(first);
    submit(&store, NewTask { id: apart, ..job() }).await;
    let client = connect(&url).await;
    let removed = client.execute("DELETE FROM tasks WHERE id = $1", &[&first.0]).await;
    assert_eq!(removed.expect("it answers"), 1);
    let again = NewTask { id: apart, id_is_chosen: true, ..job() };
    let keyed = NewTask { order_key: Some("lane".to_owned()), ..again.clone() };
    let refused = Refused::IdTaken { existing: apart };
    for task in [again.clone(), keyed] {
        assert_eq!(try_submit(&store, vec![task]).await, [Err(refused.clone())]);
    }
    let together = try_submit(&store, vec![job(), again]).await;
    assert_eq!(together[1], Err(refused));
    let by_hand = client.query_one("SELECT submit('job', id => $1)", &[&apart.0]).await;
    assert!(by_hand.is_err());
}

pub(crate) async fn young_tasks_at_old_places_keep_nothing_behind_them_from_being_pruned() {
    let url = fresh_url();
    let day = Duration::from_secs(86_400);
    let ahead = SystemClock.now().after(10 * day);
    let clock = Arc::new(ManualClock::starting_at(ahead));
    let store = open_at(&url, &clock).await;
    let old = submit(&store, job()).await;
    let leased = claim_inside(&store, 1).await.remove(0);
    assert!(complete(&store, leased.lease).await);
    // A clock that was ahead has laid it behind all others.
    let client = connect(&url).await;
    let behind = "UPDATE tasks SET seq = 1::int8 << 62 WHERE id = $1";
    assert_eq!(client.execute(behind, &[&old.0]).await.expect("it answers"), 1);
    clock.advance(8 * day);
    submit_jobs(&store, BATCH).await;
    let mut removed = 0;
    for _ in 0..2 {
        removed += store.prune(&Retention::default()).await.expect("prune answers").tasks;
    }
    assert_eq!(removed, 1);
}
