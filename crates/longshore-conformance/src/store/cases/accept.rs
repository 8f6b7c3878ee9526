//! Accepting: ids, idempotency keys, batches.

use super::bench::{Bench, job, kind, tenant};
use super::case_list;
use longshore_core::store::Refused;
use longshore_core::task::{AcceptedHow, Idempotency};
use longshore_core::{NewTask, Span, State, TenantName};
use std::time::Duration;

case_list![
    an_accepted_task_is_there_as_it_was_asked_for,
    a_task_for_later_is_scheduled_and_one_for_the_past_is_pending,
    an_id_is_accepted_once_whoever_asks,
    a_known_key_is_answered_as_the_first_time,
    a_key_with_another_body_is_refused,
    keys_are_apart_by_tenant_and_route,
    a_key_is_known_for_a_day_and_no_longer,
    a_refusal_binds_no_key,
    a_key_outlives_what_its_task_has_become,
    tasks_of_a_batch_see_those_before_them,
    replay_looks_a_key_up_without_accepting,
    replay_refuses_a_key_with_another_body,
    a_drawn_id_that_is_there_is_taken_and_spoils_nothing,
    one_refused_task_does_not_spoil_its_batch,
];

fn keyed(key: &str, fingerprint: u8) -> NewTask {
    NewTask { idempotency: Some(request("/v1/tasks", key, fingerprint)), ..job() }
}

fn request(route: &'static str, key: &str, fingerprint: u8) -> Idempotency {
    Idempotency { route, key: key.to_owned(), fingerprint: [fingerprint; 32] }
}

async fn an_accepted_task_is_there_as_it_was_asked_for(t: Bench) {
    let asked = NewTask {
        name: Some("a mail".to_owned()),
        priority: 7,
        max_attempts: 9,
        timeout: Span(Duration::from_millis(1_234)),
        total_timeout: Some(Span(Duration::from_secs(77))),
        expires_in: Some(Span(Duration::from_secs(99))),
        tags: vec!["x".to_owned(), "y z".to_owned()],
        headers: vec![("b".to_owned(), "2".to_owned()), ("a".to_owned(), "1".to_owned())],
        group: Some(uuid::Uuid::from_u128(1)),
        replay_of: Some(longshore_core::TaskId(uuid::Uuid::from_u128(2))),
        schedule_id: Some(uuid::Uuid::from_u128(3)),
        traceparent: Some("00-ab-cd-01".to_owned()),
        order_key: Some("lane".to_owned()),
        ..job()
    };
    let accepted = t.ask(asked.clone()).await.expect("accepted");
    assert_eq!(
        (accepted.id, &accepted.kind, &accepted.queue),
        (asked.id, &asked.kind, &asked.queue)
    );
    assert_eq!((accepted.state, accepted.how), (State::Pending, AcceptedHow::New));
    assert_eq!((accepted.created_at, accepted.run_at), (t.now(), t.now()));
    assert!(accepted.others.is_empty());

    let task = t.task(asked.id).await;
    assert_eq!((task.state, task.run, task.attempt), (State::Pending, 1, 1));
    assert_eq!((task.kind, task.queue, task.tenant), (asked.kind, asked.queue, asked.tenant));
    assert_eq!((task.name, task.priority), (asked.name, asked.priority));
    assert_eq!((task.max_attempts, task.timeout), (asked.max_attempts, asked.timeout));
    assert_eq!(task.total_timeout, asked.total_timeout);
    assert_eq!(task.expires_at, Some(t.now().after(Duration::from_secs(99))));
    assert_eq!((task.tags, task.headers), (asked.tags, asked.headers));
    assert_eq!((task.group, task.replay_of), (asked.group, asked.replay_of));
    assert_eq!((task.schedule_id, task.traceparent), (asked.schedule_id, asked.traceparent));
    assert_eq!((task.order_key, task.payload), (asked.order_key, Some(asked.payload)));
    assert_eq!((task.durability, task.token, task.worker), (accepted.durability, None, None));
    assert_eq!((task.started_at, task.finished_at, task.error), (None, None, None));
    assert_eq!((task.crashes, task.charges, task.reason), (0, 0, None));
}

async fn a_task_for_later_is_scheduled_and_one_for_the_past_is_pending(t: Bench) {
    let later = t.now().after(Duration::from_millis(1));
    let before = longshore_core::Timestamp(t.now().0 - 1);
    let asked = [Some(later), Some(t.now()), Some(before)];
    let tasks = asked.map(|run_at| NewTask { run_at, ..job() });
    let answers = t.accept(tasks.to_vec()).await;
    let states = [State::Scheduled, State::Pending, State::Pending];
    for ((answer, run_at), state) in answers.into_iter().zip(asked).zip(states) {
        let accepted = answer.expect("accepted");
        assert_eq!((Some(accepted.run_at), accepted.state), (run_at, state));
        assert_eq!(
            (accepted.created_at, t.task(accepted.id).await.run_at),
            (t.now(), accepted.run_at)
        );
    }
}

async fn an_id_is_accepted_once_whoever_asks(t: Bench) {
    let id = t.submit(job()).await;
    let again = t.ask(NewTask { id, id_is_chosen: true, kind: kind("a"), ..job() }).await;
    assert_eq!(again, Err(Refused::IdTaken { existing: id }));
    let foreign = t.ask(NewTask { id, id_is_chosen: true, tenant: tenant("other"), ..job() }).await;
    assert_eq!(foreign, Err(Refused::IdTaken { existing: id }));
    assert_eq!(t.task(id).await.kind, kind("job"));
}

async fn a_known_key_is_answered_as_the_first_time(t: Bench) {
    let first = t.ask(keyed("k", 1)).await.expect("accepted");
    t.pass(Duration::from_secs(5));
    let leased = t.claim_one().await;
    t.end(&leased.lease, longshore_core::Verdict::Complete).await;
    let again = t.ask(keyed("k", 1)).await.expect("replayed");
    assert_eq!(again.how, AcceptedHow::Replayed);
    assert_eq!(
        (again.id, again.state),
        (first.id, State::Pending),
        "the first answer, not today's"
    );
    assert_eq!((again.created_at, again.run_at), (first.created_at, first.run_at));
}

async fn a_key_with_another_body_is_refused(t: Bench) {
    t.submit(keyed("k", 1)).await;
    assert_eq!(t.ask(keyed("k", 2)).await, Err(Refused::KeyReused));
    assert_eq!(t.all_ready().await.len(), 1);
}

async fn keys_are_apart_by_tenant_and_route(t: Bench) {
    let first = t.submit(keyed("k", 1)).await;
    let foreign = NewTask { tenant: tenant("other"), ..keyed("k", 2) };
    assert_eq!(t.ask(foreign).await.expect("accepted").how, AcceptedHow::New);
    let other_route = NewTask { idempotency: Some(request("/v1/events", "k", 3)), ..job() };
    assert_eq!(t.ask(other_route).await.expect("accepted").how, AcceptedHow::New);
    assert_eq!(t.ask(keyed("k", 1)).await.expect("replayed").id, first);
}

async fn a_key_is_known_for_a_day_and_no_longer(t: Bench) {
    let first = t.submit(keyed("k", 1)).await;
    t.pass(Idempotency::KEPT);
    assert_eq!(t.ask(keyed("k", 1)).await.expect("replayed").id, first, "to the last millisecond");
    t.pass(Duration::from_millis(1));
    let fresh = t.ask(keyed("k", 2)).await.expect("accepted");
    assert_eq!(fresh.how, AcceptedHow::New);
    assert_eq!(t.ask(keyed("k", 2)).await.expect("replayed").id, fresh.id, "bound anew");
}

async fn a_refusal_binds_no_key(t: Bench) {
    let id = t.submit(job()).await;
    let refused = t.ask(NewTask { id, id_is_chosen: true, ..keyed("k", 1) }).await;
    assert_eq!(refused, Err(Refused::IdTaken { existing: id }));
    assert_eq!(t.ask(keyed("k", 2)).await.expect("accepted").how, AcceptedHow::New);
}

async fn a_key_outlives_what_its_task_has_become(t: Bench) {
    let first = t.submit(keyed("k", 1)).await;
    t.cancel(first).await.expect("cancelled");
    let keep = longshore_core::store::Retention {
        success: Duration::ZERO,
        failed: Duration::ZERO,
        max_bytes: None,
    };
    t.pass(Duration::from_secs(1));
    assert_eq!(t.store().prune(&keep).await.expect("pruned").tasks, 1);
    assert_eq!(t.ask(keyed("k", 1)).await.expect("replayed").id, first);
    let gone = t.store().get(TenantName::default(), first).await.expect("read");
    assert_eq!(gone, None);
}

async fn tasks_of_a_batch_see_those_before_them(t: Bench) {
    let first = keyed("k", 1);
    let same_id = NewTask { id: first.id, id_is_chosen: true, ..job() };
    let child = NewTask { after: vec![first.id], ..job() };
    let answers = t.accept(vec![first.clone(), keyed("k", 1), keyed("k", 2), same_id, child]).await;
    assert_eq!(answers[0].as_ref().expect("accepted").how, AcceptedHow::New);
    let replayed = answers[1].as_ref().expect("replayed");
    assert_eq!((replayed.id, replayed.how), (first.id, AcceptedHow::Replayed));
    assert_eq!(answers[2], Err(Refused::KeyReused));
    assert_eq!(answers[3], Err(Refused::IdTaken { existing: first.id }));
    assert_eq!(answers[4].as_ref().expect("accepted").how, AcceptedHow::New);
}

async fn replay_looks_a_key_up_without_accepting(t: Bench) {
    let key = request("/v1/tasks", "k", 1);
    let look = || async { t.store().replay(TenantName::default(), key.clone()).await };
    assert_eq!(look().await.expect("answers"), None);
    let id = t.submit(keyed("k", 1)).await;
    let found = look().await.expect("answers").expect("known").expect("the same body");
    assert_eq!((found.id, found.how), (id, AcceptedHow::Replayed));
    let foreign = t.store().replay(tenant("other"), key.clone()).await.expect("answers");
    assert_eq!(foreign, None);
    t.pass(Idempotency::KEPT + Duration::from_millis(1));
    assert_eq!(look().await.expect("answers"), None);
}

async fn replay_refuses_a_key_with_another_body(t: Bench) {
    t.submit(keyed("k", 1)).await;
    let other = request("/v1/tasks", "k", 2);
    let answer = t.store().replay(TenantName::default(), other).await.expect("answers");
    assert_eq!(answer, Some(Err(Refused::KeyReused)));
}

async fn a_drawn_id_that_is_there_is_taken_and_spoils_nothing(t: Bench) {
    let twice = job();
    let (before, after) = (job(), job());
    let ids = [before.id, twice.id, after.id];
    let answers = t.accept(vec![before, twice.clone(), twice.clone(), after]).await;
    assert_eq!(answers[2], Err(Refused::IdTaken { existing: twice.id }));
    assert_eq!(t.ask(twice.clone()).await, Err(Refused::IdTaken { existing: twice.id }));
    for id in ids {
        assert_eq!(t.state(id).await, State::Pending);
    }
}

async fn one_refused_task_does_not_spoil_its_batch(t: Bench) {
    let taken = t.submit(job()).await;
    let (before, after) = (job(), job());
    let ids = [before.id, after.id];
    let answers =
        t.accept(vec![before, NewTask { id: taken, id_is_chosen: true, ..job() }, after]).await;
    assert_eq!(answers[1], Err(Refused::IdTaken { existing: taken }));
    for id in ids {
        assert_eq!(t.state(id).await, State::Pending);
    }
}
