//! What callers do in their own transactions.

use crate::bench::{claim_inside, connect, fresh_url, job, open, submit};
use longshore_core::queue::Scope;
use longshore_core::store::{Act, ActKind, Hold, Intake, Oversight, TaskQuery, Work};
use longshore_core::task::{Idempotency, OnConflict, Unique, UniqueWhile};
use longshore_core::{
    KindName, NewTask, Payload, QueueName, State, TaskId, TenantName, Valid, Verdict,
};
use longshore_postgres::PostgresStore;

async fn state(store: &PostgresStore, id: TaskId) -> Option<State> {
    store.get(TenantName::default(), id).await.expect("get answers").map(|task| task.state)
}

pub(crate) async fn what_is_submitted_in_a_transaction_is_there_if_it_is_kept() {
    let url = fresh_url();
    let store = open(&url).await;
    let mut client = connect(&url).await;
    client
        .batch_execute("SET search_path = public; CREATE TABLE IF NOT EXISTS orders(id int)")
        .await
        .expect("it answers");
    for kept in [false, true] {
        let plain = job();
        let lane = NewTask { order_key: Some("lane".to_owned()), ..job() };
        let ids = [plain.id, lane.id];
        let own = client.transaction().await.expect("it answers");
        for task in [plain, lane] {
            let accepted = store.submit_in(&own, Valid::vouch(task)).await.expect("it answers");
            assert_eq!(accepted.expect("accepted").state, State::Pending);
        }
        own.execute("INSERT INTO orders VALUES (1)", &[]).await.expect("the path is the caller's");
        assert_eq!(state(&store, ids[0]).await, None, "not before the commit");
        if kept {
            own.commit().await.expect("it answers")
        } else {
            own.rollback().await.expect("it answers")
        }
        let expected = kept.then_some(State::Pending);
        assert_eq!([state(&store, ids[0]).await, state(&store, ids[1]).await], [expected; 2]);
    }
    store.nudge(&QueueName::default());
    assert_eq!(claim_inside(&store, 10).await.len(), 2);
    let counters = store.counters().await.expect("counters answer");
    assert_eq!(counters.iter().map(|count| count.count).collect::<Vec<_>>(), [2]);
}

pub(crate) async fn a_step_is_done_once() {
    let url = fresh_url();
    let store = open(&url).await;
    let mut client = connect(&url).await;
    let id = submit(&store, job()).await;
    for (kept, first) in [(false, true), (true, true), (true, false)] {
        let own = client.transaction().await.expect("it answers");
        assert_eq!(store.once(&own, id, "pay").await.expect("it answers"), first);
        assert!(store.once(&own, id, &format!("step {kept} {first}")).await.expect("it answers"));
        if kept {
            own.commit().await.expect("it answers")
        } else {
            own.rollback().await.expect("it answers")
        }
    }
}

pub(crate) async fn an_end_is_kept_with_the_transaction() {
    let url = fresh_url();
    let store = open(&url).await;
    let mut client = connect(&url).await;
    let id = submit(&store, job()).await;
    let lease = claim_inside(&store, 1).await.remove(0).lease;
    let result = Some(Payload::from_json("1"));
    for kept in [false, true] {
        let own = client.transaction().await.expect("it answers");
        assert!(store.complete_in(&own, lease, result.clone()).await.expect("it answers"));
        if kept {
            own.commit().await.expect("it answers")
        } else {
            own.rollback().await.expect("it answers")
        }
        let expected = if kept { State::Success } else { State::Running };
        assert_eq!(state(&store, id).await, Some(expected));
    }
    let own = client.transaction().await.expect("it answers");
    assert!(!store.complete_in(&own, lease, result).await.expect("it answers"), "it has ended");
}

pub(crate) async fn a_function_submits_from_any_language() {
    let url = fresh_url();
    let store = open(&url).await;
    let client = connect(&url).await;
    let row = client
        .query_one("SELECT submit('job', '{ \"a\":  1.0 }'), submit('job', run_at => now() + interval '1 hour')", &[])
        .await
        .expect("submitted");
    let (now, later) = (TaskId(row.get(0)), TaskId(row.get(1)));
    assert_eq!(state(&store, later).await, Some(State::Scheduled));
    let leased = claim_inside(&store, 10).await;
    assert_eq!(leased.iter().map(|leased| leased.lease.id).collect::<Vec<_>>(), [now]);
    assert_eq!(leased[0].payload, Payload::from_json("{ \"a\":  1.0 }"), "byte for byte");
    for bad in [
        "submit('Not a kind')",
        "submit('job', priority => 10)",
        "submit('job', timeout => '1 ms')",
    ] {
        let refused = client.query_one(&format!("SELECT {bad}"), &[]).await;
        assert!(refused.is_err(), "{bad}");
    }
}

pub(crate) async fn texts_with_a_nul_are_taken() {
    let url = fresh_url();
    let store = open(&url).await;
    let nul = "a\0b".to_owned();
    let (hold, on_conflict) = (UniqueWhile::Active, OnConflict::Reject);
    let task = NewTask {
        name: Some(nul.clone()),
        order_key: Some(nul.clone()),
        tags: vec![nul.clone()],
        headers: vec![(nul.clone(), nul.clone())],
        unique: Some(Unique { key: nul.clone(), hold, on_conflict }),
        idempotency: Some(Idempotency { route: "/", key: nul.clone(), fingerprint: [1; 32] }),
        ..job()
    };
    let id = submit(&store, task).await;
    let kind = KindName::new("job").expect("it answers");
    let act = Act {
        by: nul.clone(),
        tenant: TenantName::default(),
        what: ActKind::Pause(Scope::Kind(kind)),
    };
    assert!(store.act(vec![act]).await.expect("act answers")[0].is_ok());
    assert_eq!(store.audit(None, 1).await.expect("audit answers")[0].by, "a\u{fffd}b");
    let kind = KindName::new("job").expect("it answers");
    let act = Act {
        by: nul.clone(),
        tenant: TenantName::default(),
        what: ActKind::Resume(Scope::Kind(kind)),
    };
    assert!(store.act(vec![act]).await.expect("act answers")[0].is_ok());
    let claim = longshore_core::store::Claim {
        worker: nul.as_str().into(),
        ..crate::bench::request(1, Hold::Process)
    };
    let leased = store.claim(claim).await.expect("claim answers").remove(0);
    assert_eq!((leased.lease.id, leased.headers), (id, vec![(nul.clone(), nul.clone())]));
    let end = longshore_core::store::Ending {
        verdict: Verdict::Discard(nul.clone()),
        ..crate::bench::success(leased.lease)
    };
    store.record(vec![end]).await.expect("record answers");
    let task = store.get(TenantName::default(), id).await.expect("get answers").expect("there");
    assert_eq!(
        (task.name, task.order_key, task.tags),
        (Some(nul.clone()), Some(nul.clone()), vec![nul])
    );
}
