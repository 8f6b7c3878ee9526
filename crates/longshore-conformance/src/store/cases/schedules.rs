//! Schedules: each slot fires once.

use super::bench::{Bench, job, secs, tenant};
use super::case_list;
use longshore_core::store::{Fired, Firing, Missed, Origin, Refused, Schedule};
use longshore_core::task::{AcceptedHow, Unique, UniqueWhile};
use longshore_core::{NewTask, Payload, State, TaskId, TenantName, Timestamp, Valid};
use uuid::Uuid;

case_list![
    a_schedule_is_stored_as_it_was_written,
    a_schedule_is_changed_only_over_the_version_that_was_read,
    a_schedule_of_another_tenant_is_not_found,
    due_schedules_come_in_the_order_of_their_slots,
    a_slot_makes_one_task_though_ten_ask,
    a_slot_is_not_fired_twice_by_one_batch,
    a_slot_that_was_read_before_a_change_is_stale,
    a_paused_schedule_does_not_fire,
    a_schedule_that_is_gone_does_not_fire,
    a_slot_can_be_left_out,
    a_schedule_without_a_next_slot_is_never_due,
    the_task_of_a_slot_obeys_the_rules_of_accept,
    a_slot_is_over_even_if_its_task_is_refused,
    schedules_outlive_the_process,
];

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// A schedule whose next slot is so many seconds from now.
fn plan(t: &Bench, number: u128, seconds: u64) -> Schedule {
    Schedule {
        id: id(number),
        tenant: TenantName::default(),
        name: Some("tidy".to_owned()),
        origin: Origin::Config,
        cron: "*/10 * * * * *".to_owned(),
        timezone: "Europe/Berlin".to_owned(),
        missed: Missed::All,
        paused: false,
        task: Payload::from_json(r#"{"kind":"job"}"#),
        configured: Some(Payload::from_json(r#"{"cron":"* * * * *"}"#)),
        last_slot: None,
        next_slot: Some(t.now().after(secs(seconds))),
        created_at: Timestamp(0),
        version: 0,
    }
}

async fn put(t: &Bench, schedule: Schedule) -> Schedule {
    let before = Some(schedule.version).filter(|version| *version > 0);
    try_put(t, schedule, before).await.expect("it is written")
}

async fn try_put(t: &Bench, new: Schedule, before: Option<u64>) -> Result<Schedule, Refused> {
    t.store().put_schedule(new, before).await.expect("put_schedule answers")
}

async fn all(t: &Bench) -> Vec<Schedule> {
    t.store().schedules(None).await.expect("schedules answers")
}

async fn due(t: &Bench, limit: usize) -> (Vec<Uuid>, Option<Timestamp>) {
    let (due, next) = t.store().due_schedules(limit).await.expect("due_schedules answers");
    (due.iter().map(|schedule| schedule.id).collect(), next)
}

async fn fire(t: &Bench, firings: Vec<Firing>) -> Vec<Fired> {
    t.store().fire(firings).await.expect("fire answers")
}

/// Asks for the next slot of a schedule, as it was read.
fn firing(read: &Schedule, task: NewTask) -> Firing {
    let slot = read.next_slot.expect("it has one");
    let task = NewTask { schedule_id: Some(read.id), ..task };
    Firing {
        id: read.id,
        version: read.version,
        slot,
        next: Some(slot.after(secs(10))),
        task: Some(Valid::vouch(task)),
    }
}

fn made(fired: &Fired) -> Option<TaskId> {
    match fired {
        Fired::Done(Some(Ok(accepted))) => Some(accepted.id),
        _ => None,
    }
}

async fn a_schedule_is_stored_as_it_was_written(t: Bench) {
    let new = plan(&t, 1, 10);
    let stored = put(&t, new.clone()).await;
    assert_eq!(stored, Schedule { version: 1, created_at: t.now(), ..new.clone() });
    assert_eq!(all(&t).await, std::slice::from_ref(&stored));
    t.pass(secs(1));
    let bare =
        Schedule { name: None, configured: None, next_slot: None, missed: Missed::Skip, ..stored };
    let changed = put(&t, bare.clone()).await;
    assert_eq!(changed, Schedule { version: 2, ..bare });
    assert_eq!(all(&t).await, [changed]);
}

async fn a_schedule_is_changed_only_over_the_version_that_was_read(t: Bench) {
    let first = put(&t, plan(&t, 1, 10)).await;
    let taken = try_put(&t, first.clone(), None).await;
    assert_eq!(taken, Err(Refused::IdTaken { existing: TaskId(id(1)) }));
    let second = put(&t, Schedule { paused: true, ..first.clone() }).await;
    assert_eq!(try_put(&t, first, Some(1)).await, Err(Refused::Changed));
    assert_eq!(try_put(&t, plan(&t, 2, 10), Some(1)).await, Err(Refused::NotFound));
    assert_eq!(all(&t).await, [second]);
}

async fn a_schedule_of_another_tenant_is_not_found(t: Bench) {
    let (ours, theirs) = (put(&t, plan(&t, 1, 10)).await, tenant("other"));
    let new = Schedule { tenant: theirs.clone(), ..ours.clone() };
    assert_eq!(try_put(&t, new, Some(1)).await, Err(Refused::NotFound));
    let seen = t.store().schedules(Some(theirs.clone())).await.expect("schedules answers");
    assert_eq!(seen, []);
    let store = t.store();
    let remove =
        async |tenant: &TenantName| store.remove_schedule(tenant, id(1)).await.expect("removes");
    assert!(!remove(&theirs).await);
    assert_eq!(all(&t).await, std::slice::from_ref(&ours));
    assert!(remove(&TenantName::default()).await);
    assert!(!remove(&TenantName::default()).await, "it is gone");
    assert_eq!(all(&t).await, []);
}

async fn due_schedules_come_in_the_order_of_their_slots(t: Bench) {
    for (number, seconds) in [(1, 30), (2, 10), (3, 20), (4, 10), (5, 40)] {
        put(&t, plan(&t, number, seconds)).await;
    }
    let begin = t.now();
    assert_eq!(due(&t, 9).await, (vec![], Some(begin.after(secs(10)))));
    t.pass(secs(30));
    let next = Some(begin.after(secs(40)));
    assert_eq!(due(&t, 9).await, (vec![id(2), id(4), id(3), id(1)], next));
    let next = Some(begin.after(secs(20)));
    assert_eq!(due(&t, 2).await, (vec![id(2), id(4)], next), "the others are due too");
}

async fn a_slot_makes_one_task_though_ten_ask(t: Bench) {
    let read = put(&t, plan(&t, 1, 10)).await;
    t.pass(secs(10));
    let (store, mut asking) = (t.store(), Vec::new());
    for _ in 0..10 {
        let (store, firing) = (store.clone(), firing(&read, job()));
        asking.push(tokio::spawn(async move { store.fire(vec![firing]).await }));
    }
    let mut tasks = Vec::new();
    for asked in asking {
        let fired = asked.await.expect("no panic").expect("fire answers");
        tasks.extend(fired.iter().filter_map(made));
    }
    assert_eq!(tasks.len(), 1);
    let task = t.task(tasks[0]).await;
    assert_eq!((task.state, task.schedule_id), (State::Pending, Some(id(1))));
    let slot = read.next_slot.expect("it has one");
    let after = Schedule { last_slot: Some(slot), next_slot: Some(slot.after(secs(10))), ..read };
    assert_eq!(all(&t).await, [after], "firing is no change of the schedule");
}

async fn a_slot_is_not_fired_twice_by_one_batch(t: Bench) {
    let read = put(&t, plan(&t, 1, 10)).await;
    t.pass(secs(20));
    let first = firing(&read, job());
    let second = firing(&Schedule { next_slot: first.next, ..read.clone() }, job());
    let fired = fire(&t, vec![first.clone(), first, second]).await;
    assert!(made(&fired[0]).is_some() && made(&fired[2]).is_some(), "{fired:?}");
    assert_eq!(fired[1], Fired::Stale);
}

async fn a_slot_that_was_read_before_a_change_is_stale(t: Bench) {
    let read = put(&t, plan(&t, 1, 10)).await;
    put(&t, Schedule { cron: "0 0 * * *".to_owned(), ..read.clone() }).await;
    t.pass(secs(10));
    assert_eq!(fire(&t, vec![firing(&read, job())]).await, [Fired::Stale]);
    assert_eq!(t.next().await, None);
}

async fn a_paused_schedule_does_not_fire(t: Bench) {
    let read = put(&t, Schedule { paused: true, ..plan(&t, 1, 10) }).await;
    t.pass(secs(10));
    assert_eq!(due(&t, 9).await, (vec![], None));
    assert_eq!(fire(&t, vec![firing(&read, job())]).await, [Fired::Stale]);
    let read = put(&t, Schedule { paused: false, ..read }).await;
    assert_eq!(due(&t, 9).await, (vec![id(1)], None));
    assert!(made(&fire(&t, vec![firing(&read, job())]).await[0]).is_some());
}

async fn a_schedule_that_is_gone_does_not_fire(t: Bench) {
    let read = put(&t, plan(&t, 1, 10)).await;
    t.pass(secs(10));
    t.store().remove_schedule(&read.tenant, read.id).await.expect("it is removed");
    assert_eq!(fire(&t, vec![firing(&read, job())]).await, [Fired::Stale]);
    assert_eq!(t.next().await, None);
}

async fn a_slot_can_be_left_out(t: Bench) {
    let read = put(&t, plan(&t, 1, 10)).await;
    t.pass(secs(10));
    let left_out = Firing { task: None, ..firing(&read, job()) };
    assert_eq!(fire(&t, vec![left_out]).await, [Fired::Done(None)]);
    assert_eq!(t.next().await, None);
    assert_eq!(all(&t).await[0].last_slot, read.next_slot);
}

async fn a_schedule_without_a_next_slot_is_never_due(t: Bench) {
    let read = put(&t, plan(&t, 1, 10)).await;
    t.pass(secs(10));
    let last = Firing { next: None, ..firing(&read, job()) };
    assert!(made(&fire(&t, vec![last]).await[0]).is_some());
    t.pass(secs(1_000_000));
    assert_eq!(due(&t, 9).await, (vec![], None));
    assert_eq!(all(&t).await[0].next_slot, None);
}

async fn the_task_of_a_slot_obeys_the_rules_of_accept(t: Bench) {
    let unique =
        Unique { key: "k".to_owned(), hold: UniqueWhile::Active, on_conflict: Default::default() };
    let only = NewTask { unique: Some(unique), ..job() };
    let there = t.submit(only.clone()).await;
    let read = put(&t, plan(&t, 1, 10)).await;
    t.pass(secs(10));
    let only = NewTask { id: TaskId(id(77)), ..only };
    let fired = fire(&t, vec![firing(&read, only)]).await.remove(0);
    let Fired::Done(Some(Ok(accepted))) = fired else { panic!("{fired:?}") };
    assert_eq!((accepted.id, accepted.how), (there, AcceptedHow::Existing));
    assert_eq!(t.all_ready().await, [there]);
}

async fn a_slot_is_over_even_if_its_task_is_refused(t: Bench) {
    let taken = t.submit(job()).await;
    let read = put(&t, plan(&t, 1, 10)).await;
    t.pass(secs(10));
    let fired =
        fire(&t, vec![firing(&read, NewTask { id: taken, id_is_chosen: true, ..job() })]).await;
    assert_eq!(fired, [Fired::Done(Some(Err(Refused::IdTaken { existing: taken })))]);
    assert_eq!(all(&t).await[0].last_slot, read.next_slot);
    assert_eq!(due(&t, 9).await, (vec![], read.next_slot.map(|slot| slot.after(secs(10)))));
}

async fn schedules_outlive_the_process(t: Bench) {
    let read = put(&t, plan(&t, 1, 10)).await;
    put(&t, Schedule { paused: true, ..plan(&t, 2, 10) }).await;
    t.pass(secs(10));
    let task = made(&fire(&t, vec![firing(&read, job())]).await[0]).expect("it is made");
    let before = all(&t).await;
    t.reboot().await;
    assert_eq!(all(&t).await, before);
    assert_eq!(t.task(task).await.schedule_id, Some(id(1)));
    assert_eq!(fire(&t, vec![firing(&read, job())]).await, [Fired::Stale], "it has fired");
}
