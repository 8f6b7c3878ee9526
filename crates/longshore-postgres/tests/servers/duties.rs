//! Schedules and the register of workers, over two servers.

use crate::bench::{fresh_url, job, open_at};
use longshore_conformance::ManualClock;
use longshore_core::store::{
    Fired, Firing, KIND_KEPT, KnownKind, LOST_SHOWN, Missed, Origin, Refused, Schedule, Schedules,
    TaskQuery, Told, Upkeep, Worker, Workers,
};
use longshore_core::{
    Clock, KindName, NewTask, Payload, QueueName, Span, TaskId, TenantName, Valid,
};
use longshore_postgres::PostgresStore;
use std::sync::Arc;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

async fn two_servers() -> (Arc<ManualClock>, [Arc<PostgresStore>; 2]) {
    let (url, clock) = (fresh_url(), Arc::new(ManualClock::default()));
    let stores = [open_at(&url, &clock).await, open_at(&url, &clock).await];
    (clock, stores)
}

fn schedule(clock: &ManualClock) -> Schedule {
    Schedule {
        id: TaskId::fresh().0,
        tenant: TenantName::default(),
        name: Some("tidy".to_owned()),
        origin: Origin::Api,
        cron: "* * * * *".to_owned(),
        timezone: "Europe/Berlin".to_owned(),
        missed: Missed::All,
        paused: false,
        task: Payload::from_json("{ \"kind\":  \"job\" }"),
        configured: None,
        last_slot: None,
        next_slot: Some(clock.now().after(MINUTE)),
        created_at: clock.now(),
        version: 7,
    }
}

pub(crate) async fn a_schedule_is_written_over_by_who_has_read_it() {
    let (clock, [a, b]) = two_servers().await;
    let wanted = schedule(&clock);
    let stored = a.put_schedule(wanted.clone(), None).await.expect("it answers").expect("new");
    assert_eq!(stored, Schedule { version: 1, ..wanted.clone() });
    let again = b.put_schedule(wanted.clone(), None).await.expect("it answers");
    assert_eq!(again, Err(Refused::IdTaken { existing: TaskId(wanted.id) }));
    let paused = Schedule { paused: true, ..stored.clone() };
    let changed = b.put_schedule(paused.clone(), Some(1)).await.expect("it answers");
    assert_eq!(changed, Ok(Schedule { version: 2, ..paused.clone() }));
    let late = a.put_schedule(stored.clone(), Some(1)).await.expect("it answers");
    assert_eq!(late, Err(Refused::Changed));
    let unknown = Schedule { id: TaskId::fresh().0, ..paused.clone() };
    let unknown = a.put_schedule(unknown, Some(1)).await.expect("it answers");
    assert_eq!(unknown, Err(Refused::NotFound));
    let all = a.schedules(None).await.expect("it answers");
    assert_eq!(all, [Schedule { version: 2, ..paused }]);
    let theirs = TenantName::new("them").expect("a name");
    assert_eq!(a.schedules(Some(theirs.clone())).await.expect("it answers"), []);
    assert!(!a.remove_schedule(&theirs, wanted.id).await.expect("it answers"));
    assert!(a.remove_schedule(&wanted.tenant, wanted.id).await.expect("it answers"));
    assert!(!b.remove_schedule(&wanted.tenant, wanted.id).await.expect("it answers"));
}

pub(crate) async fn a_slot_fires_once_whoever_asks() {
    let (clock, stores) = two_servers().await;
    let first = clock.now().after(MINUTE);
    let stored =
        stores[0].put_schedule(schedule(&clock), None).await.expect("answers").expect("new");
    let due = stores[0].due_schedules(10).await.expect("it answers");
    assert_eq!(due, (Vec::new(), Some(first)));
    clock.advance(MINUTE);
    let due = stores[1].due_schedules(10).await.expect("it answers");
    assert_eq!(due, (vec![stored.clone()], None));
    let second = first.after(MINUTE);
    let ask = |n: usize| {
        let (store, id, version) = (stores[n].clone(), stored.id, stored.version);
        let task = Some(Valid::vouch(NewTask { schedule_id: Some(id), ..job() }));
        let firing = Firing { id, version, slot: first, next: Some(second), task };
        tokio::spawn(async move { store.fire(vec![firing]).await.expect("fire answers").remove(0) })
    };
    let (one, other) = tokio::join!(ask(0), ask(1));
    let fired = [one.expect("answered"), other.expect("answered")];
    let done = fired.iter().filter(|fired| matches!(fired, Fired::Done(Some(Ok(_))))).count();
    let stale = fired.iter().filter(|fired| **fired == Fired::Stale).count();
    assert_eq!((done, stale), (1, 1));
    let counters = stores[0].counters().await.expect("counters answer");
    assert_eq!(counters.iter().map(|count| count.count).collect::<Vec<_>>(), [1]);
    let now = stores[1].schedules(None).await.expect("it answers").remove(0);
    assert_eq!((now.last_slot, now.next_slot, now.version), (Some(first), Some(second), 1));
    clock.advance(MINUTE);
    let skipped = Firing { id: now.id, version: 1, slot: second, next: None, task: None };
    let paused = Schedule { paused: true, ..now.clone() };
    let paused = stores[0].put_schedule(paused, Some(1)).await.expect("answers").expect("written");
    let stale = stores[0].fire(vec![Firing { version: 2, ..skipped.clone() }]).await;
    assert_eq!(stale.expect("fire answers"), [Fired::Stale], "a paused one makes nothing");
    let resumed = Schedule { paused: false, ..paused };
    stores[0].put_schedule(resumed, Some(2)).await.expect("answers").expect("written");
    let fired = stores[1].fire(vec![Firing { version: 3, ..skipped }]).await;
    assert_eq!(fired.expect("fire answers"), [Fired::Done(None)]);
    assert_eq!(stores[0].due_schedules(10).await.expect("it answers"), (Vec::new(), None));
}

fn worker(clock: &ManualClock, id: &str) -> Worker {
    Worker {
        id: id.into(),
        host: "host".to_owned(),
        pid: 7,
        version: "1".to_owned(),
        started_at: clock.now(),
        kinds: Vec::new(),
        queues: Vec::new(),
        tasks: Vec::new(),
        draining: false,
    }
}

pub(crate) async fn a_worker_that_falls_silent_is_shown_as_lost() {
    let (clock, [a, b]) = two_servers().await;
    let lasts = Duration::from_secs(15);
    let shown = async |store: &PostgresStore| -> Vec<(String, Duration, bool)> {
        let workers = store.workers().await.expect("workers answers");
        workers.into_iter().map(|w| (w.worker.id.to_string(), w.silent, w.lost)).collect()
    };
    for id in ["w2", "w1"] {
        let told = a.announce(worker(&clock, id), Vec::new(), lasts).await.expect("it answers");
        assert_eq!(told, Told::default());
    }
    let none = Duration::ZERO;
    let both = [("w1".to_owned(), none, false), ("w2".to_owned(), none, false)];
    assert_eq!(shown(&a).await, both);
    assert_eq!(shown(&b).await, both);
    assert!(b.drain("w1").await.expect("it answers"));
    assert!(!b.drain("nobody").await.expect("it answers"));
    clock.advance(lasts);
    let told = a.announce(worker(&clock, "w1"), Vec::new(), lasts).await.expect("it answers");
    assert!(told.drain);
    clock.jump_wall(3_600_000);
    assert_eq!(shown(&b).await, [("w1".to_owned(), none, false), ("w2".to_owned(), lasts, false)]);
    clock.advance(Duration::from_millis(1));
    assert!(shown(&a).await[1].2, "longer than it had said");
    clock.advance(lasts + LOST_SHOWN);
    assert_eq!(shown(&a).await, [], "both have been lost for long");
    a.prune(&longshore_core::store::Retention::default()).await.expect("prune answers");
    a.announce(worker(&clock, "w3"), Vec::new(), lasts).await.expect("it answers");
    a.leave("w3").await.expect("it answers");
    assert_eq!(shown(&b).await, []);
}

pub(crate) async fn a_kind_is_known_for_long_after_its_workers() {
    let (clock, [a, b]) = two_servers().await;
    let kind = |name: &str, attempts| KnownKind {
        name: KindName::new(name).expect("a name"),
        queue: QueueName::default(),
        max_attempts: attempts,
        timeout: Span(MINUTE),
        total_timeout: None,
        schema: Some("{\"type\":  \"object\"}".to_owned()),
    };
    let lasts = Duration::from_secs(15);
    let kinds = vec![kind("b", 4), kind("a", 1)];
    a.announce(worker(&clock, "w"), kinds, lasts).await.expect("it answers");
    a.leave("w").await.expect("it answers");
    clock.advance(MINUTE);
    b.announce(worker(&clock, "v"), vec![kind("b", 9)], lasts).await.expect("it answers");
    assert_eq!(a.known_kinds().await.expect("it answers"), [kind("a", 1), kind("b", 9)]);
    clock.advance(KIND_KEPT - Duration::from_millis(1));
    assert_eq!(b.known_kinds().await.expect("it answers"), [kind("b", 9)]);
    clock.advance(MINUTE);
    assert_eq!(b.known_kinds().await.expect("it answers"), []);
}
