//! Schedules over the model store, by a manual clock.

use super::{Plan, ScheduleError, Schedules};
use crate::handler::nothing;
use crate::intake::{Intake, Submission};
use crate::live::Live;
use crate::registry::{Kind, Registry};
use crate::upkeep::Nudge;
use longshore_conformance::{ManualClock, ModelStore};
use longshore_core::store::{Filter, Missed, Origin, Oversight, Schedule, TaskQuery};
use longshore_core::{Clock, KindName, Payload, State, Task, TenantName, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// A store, and servers that look at it.
struct Rig {
    clock: Arc<ManualClock>,
    store: Arc<ModelStore>,
    live: Arc<Live>,
    schedules: Schedules,
}

/// Ten in the morning.
const BEGIN: Timestamp = Timestamp(1_795_860_000_000);

impl Rig {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::starting_at(BEGIN));
        let store = Arc::new(ModelStore::new(clock.clone()));
        let live = Arc::new(Live::new(registry(&["tidy", "other"])));
        let schedules = server(&store, &live, &clock);
        Self { clock, store, live, schedules }
    }

    async fn plan(&self, plan: Plan) -> Schedule {
        let made = self.schedules.create("olga", TenantName::default(), None, plan).await;
        made.expect("it is valid")
    }

    /// Looks as the duty does, until nothing is due.
    async fn look(&self) -> usize {
        let before = self.tasks().await.len();
        while self.schedules.fire_due().await.expect("it serves") == Some(self.clock.now()) {}
        self.tasks().await.len() - before
    }

    async fn pass(&self, seconds: u64) -> usize {
        self.clock.advance(Duration::from_secs(seconds));
        self.look().await
    }

    /// Newest first.
    async fn tasks(&self) -> Vec<Task> {
        let filter = Filter { limit: 1_000, ..Filter::default() };
        self.store.page(filter).await.expect("it serves").items
    }

    async fn all(&self) -> Vec<Schedule> {
        self.schedules.list(&TenantName::default()).await.expect("it serves")
    }

    async fn acts(&self) -> Vec<String> {
        let lines = self.store.audit(None, 100).await.expect("it serves");
        lines.into_iter().rev().map(|line| format!("{} {}", line.by, line.act)).collect()
    }
}

fn registry(kinds: &[&str]) -> Registry {
    let mut registry = Registry::default();
    for kind in kinds {
        registry.add(Kind::new(KindName::new(kind).unwrap(), nothing()));
    }
    registry
}

fn server(store: &Arc<ModelStore>, live: &Arc<Live>, clock: &Arc<ManualClock>) -> Schedules {
    let (hub, telemetry) = (Arc::default(), Arc::default());
    let intake = Intake::new(
        store.clone(),
        live.clone(),
        clock.clone(),
        Arc::clone(&hub),
        Nudge::default(),
        Arc::clone(&telemetry),
    );
    Schedules::new(store.clone(), Arc::new(intake), hub, telemetry, clock.clone())
}

fn every_minute() -> Plan {
    Plan::new("* * * * *", Submission::new("tidy"))
}

fn named(name: &str, cron: &str) -> Plan {
    let task = Submission { name: Some(name.to_owned()), ..Submission::new("tidy") };
    Plan::new(cron, task)
}

fn slot(schedule: &Schedule) -> Timestamp {
    schedule.next_slot.expect("it has one")
}

#[tokio::test]
async fn each_slot_makes_one_task_that_knows_its_schedule_and_its_slot() {
    let rig = Rig::new();
    let mut plan = every_minute();
    plan.task.payload = Some(Payload::from_json(r#"{"n":1.0}"#));
    let made = rig.plan(plan).await;
    assert_eq!(rig.pass(59).await, 0);
    assert_eq!(rig.pass(1).await, 1);
    let task = rig.tasks().await.remove(0);
    let task = rig.store.get(task.tenant, task.id).await.unwrap().unwrap();
    assert_eq!(
        (task.state, task.schedule_id, task.run_at),
        (State::Pending, Some(made.id), slot(&made))
    );
    assert_eq!(task.payload.unwrap().as_str(), r#"{"n":1.0}"#);
    assert_eq!(rig.look().await, 0);
    assert_eq!(rig.pass(60).await, 1);
    assert_eq!(rig.all().await[0].last_slot, Some(slot(&made).after(Duration::from_secs(60))));
}

#[tokio::test]
async fn a_slot_makes_one_task_though_many_servers_look() {
    let rig = Rig::new();
    rig.plan(every_minute()).await;
    rig.clock.advance(Duration::from_secs(60));
    let others: Vec<Schedules> =
        (0..5).map(|_| server(&rig.store, &rig.live, &rig.clock)).collect();
    for server in &others {
        server.fire_due().await.unwrap();
    }
    assert_eq!(rig.tasks().await.len(), 1);
}

#[tokio::test]
async fn missed_slots_are_left_out_or_stood_for_or_made_up() {
    for (missed, tasks) in [(Missed::Skip, 1), (Missed::One, 2), (Missed::All, 150)] {
        let rig = Rig::new();
        rig.plan(Plan { missed, ..every_minute() }).await;
        assert_eq!(rig.pass(150 * 60).await, tasks, "{missed:?}: the last slot comes in time");
        assert_eq!(rig.pass(60).await, 1, "{missed:?}");
    }
}

#[tokio::test]
async fn a_slot_whose_kind_is_gone_is_left_out_and_the_schedule_says_why() {
    let rig = Rig::new();
    let made = rig.plan(every_minute()).await;
    rig.live.set_registry(registry(&["other"]));
    assert_eq!(rig.pass(60).await, 0);
    let faults = rig.schedules.check(&Plan::of(&made));
    assert_eq!(faults[0].field, "kind");
    rig.live.set_registry(registry(&["tidy"]));
    assert_eq!(rig.pass(60).await, 1);
    let seen = rig.schedules.telemetry.encode();
    assert!(seen.contains(r#"longshore_schedule_slots_total{became="refused"} 1"#), "{seen}");
    assert!(seen.contains(r#"longshore_schedule_slots_total{became="fired"} 1"#), "{seen}");
}

#[tokio::test]
async fn while_it_is_held_back_slots_pass_and_none_is_made_up() {
    let rig = Rig::new();
    let made = rig.plan(Plan { missed: Missed::All, ..every_minute() }).await;
    let tenant = TenantName::default();
    rig.schedules.hold("olga", &tenant, made.id, true).await.unwrap();
    assert_eq!(rig.pass(600).await, 0);
    rig.schedules.hold("olga", &tenant, made.id, false).await.unwrap();
    assert_eq!(rig.look().await, 0);
    assert_eq!(rig.pass(60).await, 1);
    assert_eq!(
        rig.acts().await,
        ["olga schedule.create", "olga schedule.pause", "olga schedule.resume"]
    );
}

#[tokio::test]
async fn run_now_makes_a_task_and_touches_no_slot() {
    let rig = Rig::new();
    let made = rig.plan(Plan { paused: true, ..every_minute() }).await;
    let accepted = rig.schedules.run("olga", &TenantName::default(), made.id).await.unwrap();
    let task = rig.tasks().await.remove(0);
    assert_eq!((task.id, task.schedule_id), (accepted.id, Some(made.id)));
    assert_eq!(rig.all().await, [made]);
    let nobody = rig.schedules.run("olga", &TenantName::default(), Uuid::nil()).await;
    assert!(matches!(nobody, Err(ScheduleError::NotFound)), "{nobody:?}");
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_plan_is_named() {
    let rig = Rig::new();
    let task = Submission { priority: Some(10), ..Submission::new("unknown") };
    let plan = Plan::new("*/0 * * * *", task);
    let refused = rig.schedules.create("olga", TenantName::default(), None, plan).await;
    let Err(ScheduleError::Invalid(faults)) = refused else { panic!("{refused:?}") };
    let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!(fields, ["cron", "kind", "priority"]);
    assert_eq!(rig.acts().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_change_moves_the_slots_only_if_they_are_others() {
    let rig = Rig::new();
    let made = rig.plan(every_minute()).await;
    rig.clock.advance(Duration::from_secs(59));
    let change = async |plan: Plan| {
        let tenant = TenantName::default();
        let changed =
            rig.schedules.change("olga", &tenant, made.id, |_| Ok::<_, ScheduleError>(plan));
        changed.await.unwrap()
    };
    let same = change(Plan { missed: Missed::Skip, ..every_minute() }).await;
    assert_eq!((same.version, same.next_slot), (2, made.next_slot));
    let again = change(Plan { missed: Missed::Skip, ..every_minute() }).await;
    assert_eq!(again.version, 2, "nothing has changed");
    let moved = change(Plan { cron: "0 0 * * *".to_owned(), ..every_minute() }).await;
    assert!(moved.next_slot > made.next_slot);
    assert_eq!(rig.pass(60).await, 0);
}

#[tokio::test]
async fn the_configuration_makes_changes_and_removes_its_own() {
    let rig = Rig::new();
    let ours = rig.plan(named("ours", "* * * * *")).await;
    rig.schedules.configure(&[named("one", "0 3 * * *"), named("two", "0 4 * * *")]).await.unwrap();
    let before = rig.all().await;
    rig.schedules.configure(&[named("one", "0 3 * * *"), named("two", "0 4 * * *")]).await.unwrap();
    assert_eq!(rig.all().await, before, "nothing has changed");
    rig.schedules.configure(&[named("two", "0 5 * * *")]).await.unwrap();
    let left = rig.all().await;
    let names: Vec<_> = left.iter().map(|one| (one.name.as_deref(), one.origin)).collect();
    assert!(
        names.contains(&(Some("ours"), Origin::Api))
            && names.contains(&(Some("two"), Origin::Config))
    );
    assert_eq!(left.len(), 2);
    let two = left.iter().find(|one| one.origin == Origin::Config).unwrap();
    assert_eq!((two.cron.as_str(), two.version), ("0 5 * * *", 2));
    assert!(left.contains(&ours), "it is not touched");
    assert_eq!(
        rig.acts().await[1..],
        ["create", "create", "change", "delete"].map(|act| format!("config schedule.{act}"))
    );
}

#[tokio::test]
async fn what_a_request_sets_stays_over_the_configuration_until_it_is_taken_back() {
    let rig = Rig::new();
    rig.schedules.configure(&[named("one", "0 3 * * *")]).await.unwrap();
    let one = rig.all().await.remove(0);
    let tenant = TenantName::default();
    rig.schedules.hold("olga", &tenant, one.id, true).await.unwrap();
    let task = Submission { queue: Some("default".to_owned()), ..named("one", "").task };
    let said = Plan { task, missed: Missed::All, ..named("one", "0 7 * * *") };
    rig.schedules.configure(std::slice::from_ref(&said)).await.unwrap();
    let held = rig.all().await.remove(0);
    assert!(held.paused && held.configured.is_some());
    assert_eq!((held.cron.as_str(), held.missed), ("0 7 * * *", Missed::All));
    rig.schedules.hold("olga", &tenant, one.id, false).await.unwrap();
    let back = rig.all().await.remove(0);
    assert_eq!((back.paused, back.configured.clone()), (false, None));
    assert_eq!(Plan::of(&back).to_fields(), said.to_fields());
    let refused = rig.schedules.remove("olga", &tenant, one.id).await;
    assert!(matches!(refused, Err(ScheduleError::Configured)), "{refused:?}");
    rig.schedules.configure(&[]).await.unwrap();
    assert_eq!(rig.all().await, []);
}

#[tokio::test]
async fn more_than_a_batch_that_come_at_once_make_one_task_each() {
    let rig = Rig::new();
    for _ in 0..1_200 {
        rig.plan(every_minute()).await;
    }
    assert_eq!(rig.schedules.fire_due().await.unwrap(), Some(Timestamp(BEGIN.0 + 60_000)));
    rig.clock.advance(Duration::from_secs(60));
    while rig.schedules.fire_due().await.unwrap() == Some(rig.clock.now()) {}
    let counts = rig.store.counters().await.unwrap();
    assert_eq!(counts.iter().map(|count| count.count).sum::<u64>(), 1_200);
}
