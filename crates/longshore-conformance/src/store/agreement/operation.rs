//! One random operation.

use super::super::bench::{DAY, error, kind, queue, tenant};
use super::pair::Pair;
use fastrand::Rng;
use longshore_core::queue::{QueueSettings, Scope};
use longshore_core::readiness::OnParentFailure;
use longshore_core::retry::BuryReason;
use longshore_core::store::{
    Act, ActKind, Claim, Filter, Hold, Missed, Open, Origin, Relay, Retention, Schedule, Want,
};
use longshore_core::task::{Idempotency, OnConflict, Unique, UniqueWhile};
use longshore_core::{
    KindName, NewTask, Payload, QueueName, Span, State, TaskId, TenantName, Timestamp, Verdict,
};
use std::time::Duration;

/// Something that is done to both stores. Leases are named by the number of their opening.
#[derive(Debug, Clone)]
pub(super) enum Operation {
    Accept(Vec<NewTask>),
    Replay(TenantName, Idempotency),
    List(Filter),
    Act(Vec<Act>),
    Claim(Claim),
    Open(Open),
    Extend(Vec<Beat>),
    Record(Vec<End>),
    MakeReady,
    Rescue,
    Expire,
    Prune(Retention),
    Relay {
        want: Relay,
        confirmed: bool,
    },
    /// The broker of a queue loses each so-manieth of what it has.
    Lose {
        queue: QueueName,
        each: usize,
    },
    /// Writes a schedule over the version that is there, or over another one.
    Plan {
        schedule: Box<Schedule>,
        as_read: bool,
    },
    Unplan(TenantName, uuid::Uuid),
    /// Lets what is due fire, each twice.
    FireDue {
        limit: usize,
        task: Option<Box<NewTask>>,
    },
    Reboot,
    Pass(Duration),
    JumpWall(i64),
}

/// A heartbeat.
#[derive(Debug, Clone)]
pub(super) struct Beat {
    pub(super) opening: usize,
    pub(super) lasts: Option<Duration>,
    pub(super) progress: Option<Payload>,
}

/// An ending.
#[derive(Debug, Clone)]
pub(super) struct End {
    pub(super) opening: usize,
    pub(super) verdict: Verdict,
    pub(super) result: Option<Payload>,
    pub(super) then: Vec<NewTask>,
}

impl Operation {
    /// Throws the dice for an operation on `pair`.
    pub(super) fn any(random: &mut Rng, pair: &Pair) -> Self {
        let dice = &mut Dice { random, pair };
        match dice.random.u32(0..1_000) {
            0..250 => Self::Accept(dice.several(4, Dice::task)),
            250..260 => Self::Replay(dice.tenant(), dice.idempotency()),
            260..265 => Self::List(dice.filter()),
            265..350 => Self::Act(dice.several(2, Dice::act)),
            350..510 => Self::Claim(dice.claim()),
            510..550 => Self::Open(dice.open()),
            550..590 => Self::Extend(dice.several(3, Dice::beat)),
            590..760 => Self::Record(dice.several(3, Dice::end)),
            760..810 => Self::MakeReady,
            810..840 => Self::Rescue,
            840..860 => Self::Expire,
            860..875 => Self::Prune(dice.retention()),
            875..891 => Self::Relay { want: dice.relay(), confirmed: dice.random.bool() },
            891..895 => Self::Lose { queue: queue("carried"), each: dice.random.usize(1..3) },
            895..905 => Self::Reboot,
            910..918 => Self::Plan { schedule: dice.schedule().into(), as_read: dice.one_in(80) },
            918..920 => Self::Unplan(dice.tenant(), dice.schedule_id()),
            920..930 => Self::FireDue {
                limit: dice.random.usize(1..4),
                task: dice.maybe(80, Dice::task).map(Box::new),
            },
            905..910 => Self::JumpWall(dice.random.i64(-100_000..100_000)),
            _ => Self::Pass(dice.pass()),
        }
    }
}

/// The dice, and what they are thrown about.
struct Dice<'a> {
    random: &'a mut Rng,
    pair: &'a Pair,
}

impl Dice<'_> {
    /// True in `percent` of all throws.
    fn one_in(&mut self, percent: u32) -> bool {
        self.random.u32(0..100) < percent
    }

    fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.random.usize(0..all.len())].clone()
    }

    fn several<T>(&mut self, most: usize, one: fn(&mut Self) -> T) -> Vec<T> {
        (0..self.random.usize(1..=most)).map(|_| one(self)).collect()
    }

    fn maybe<T>(&mut self, percent: u32, one: fn(&mut Self) -> T) -> Option<T> {
        self.one_in(percent).then(|| one(self))
    }

    fn id(&mut self) -> TaskId {
        let known = self.pair.ids();
        if known.is_empty() || self.one_in(5) {
            return TaskId(uuid::Uuid::from_u128(self.random.u128(..)));
        }
        // Mostly one of the latest.
        let back = self.random.usize(0..known.len().min(60));
        known[known.len() - 1 - back]
    }

    fn schedule_id(&mut self) -> uuid::Uuid {
        uuid::Uuid::from_u128(self.random.u128(1..6))
    }

    fn schedule(&mut self) -> Schedule {
        let missed = self.of(&[Missed::Skip, Missed::One, Missed::All]);
        Schedule {
            id: self.schedule_id(),
            tenant: self.tenant(),
            name: self.one_in(50).then(|| "tidy".to_owned()),
            origin: self.of(&[Origin::Config, Origin::Api]),
            cron: self.of(&["* * * * *", "@daily"]).to_owned(),
            timezone: "UTC".to_owned(),
            missed,
            paused: self.one_in(20),
            task: Payload::from_json("{}"),
            configured: self.one_in(20).then(|| Payload::from_json("{}")),
            last_slot: None,
            next_slot: self
                .one_in(90)
                .then(|| Timestamp(self.pair.now().0 + self.random.i64(-5_000..50_000))),
            created_at: Timestamp(0),
            version: 0,
        }
    }

    fn kind(&mut self) -> KindName {
        kind(self.of(&["job", "a", "b"]))
    }

    fn queue(&mut self) -> QueueName {
        queue(self.of(&["default", "default", "other", "carried"]))
    }

    fn tenant(&mut self) -> TenantName {
        tenant(self.of(&["default", "default", "default", "them"]))
    }

    /// A pause; not to the second, so that things do not end at the same moment all the time.
    fn pause(&mut self) -> Duration {
        Duration::from_millis(self.of(&[0, 1, 700, 5_003, 31_007, 90_011]))
    }

    fn pass(&mut self) -> Duration {
        match self.random.u32(0..100) {
            0 => DAY,
            1..5 => Duration::from_secs(3_600),
            5..25 => Duration::from_millis(self.random.u64(10_000..60_000)),
            _ => Duration::from_millis(self.random.u64(1..5_000)),
        }
    }

    fn time(&mut self) -> Timestamp {
        Timestamp(self.pair.now().0 + self.random.i64(-20_000..40_000))
    }

    fn span(&mut self) -> Span {
        Span(Duration::from_millis(self.random.u64(1_000..60_000)))
    }

    fn hold(&mut self) -> Hold {
        match self.random.u32(0..4) {
            0 => Hold::Process,
            1 => Hold::Beside,
            2 => Hold::Lease { lasts: None },
            _ => Hold::Lease { lasts: Some(Duration::from_millis(self.random.u64(1..30_000))) },
        }
    }

    fn payload(&mut self) -> Payload {
        let long = self.one_in(3);
        let size = self.random.usize(0..if long { 5_000 } else { 10 });
        Payload::from_json(format!("\"{}\"", "x".repeat(size)))
    }

    fn idempotency(&mut self) -> Idempotency {
        let key = format!("key-{}", self.random.u32(0..10));
        Idempotency { route: "/v1/tasks", key, fingerprint: [self.random.u8(0..2); 32] }
    }

    fn unique(&mut self) -> Unique {
        let window = Duration::from_millis(self.random.u64(1..60_000));
        let holds = [UniqueWhile::Queued, UniqueWhile::Active, UniqueWhile::Window(window)];
        let conflicts = [OnConflict::Existing, OnConflict::Reject, OnConflict::Replace];
        let key = format!("unique-{}", self.random.u32(0..4));
        Unique { key, hold: self.of(&holds), on_conflict: self.of(&conflicts) }
    }

    fn lane(&mut self) -> String {
        format!("lane-{}", self.random.u32(0..3))
    }

    fn task(&mut self) -> NewTask {
        let (id, id_is_chosen) = if self.one_in(5) {
            (self.id(), true)
        } else {
            (TaskId(uuid::Uuid::from_u128(self.random.u128(..))), self.random.bool())
        };
        let failures = [OnParentFailure::Fail, OnParentFailure::Skip, OnParentFailure::Run];
        NewTask {
            id,
            id_is_chosen,
            queue: self.queue(),
            tenant: self.tenant(),
            payload: self.payload(),
            priority: self.of(&[4, 4, 4, 0, 9]),
            run_at: self.maybe(15, Self::time),
            timeout: Span(Duration::from_secs(5)),
            total_timeout: self.maybe(10, Self::span),
            expires_in: self.maybe(20, Self::span),
            order_key: self.maybe(30, Self::lane),
            unique: self.maybe(20, Self::unique),
            after: self.maybe(25, |dice| dice.several(3, Self::id)).unwrap_or_default(),
            on_parent_failure: self.of(&failures),
            idempotency: self.maybe(10, Self::idempotency),
            tags: self.maybe(20, |dice| dice.several(2, Self::tag)).unwrap_or_default(),
            backlog: self.maybe(10, |dice| dice.random.u64(1..40)),
            ..NewTask::new(self.kind())
        }
    }

    fn tag(&mut self) -> String {
        self.of(&["red", "blue"]).to_owned()
    }

    fn filter(&mut self) -> Filter {
        Filter {
            tenant: self.maybe(20, Self::tenant),
            states: self.maybe(50, |dice| dice.several(3, Self::state)).unwrap_or_default(),
            queue: self.maybe(20, Self::queue),
            kind: self.maybe(20, Self::kind),
            tag: self.maybe(50, Self::tag),
            created: (self.maybe(20, Self::time), self.maybe(20, Self::time)),
            error: self.maybe(20, |dice| dice.of(&["transient", "test.1", "panic"]).to_owned()),
            before: None,
            limit: self.random.usize(1..20),
        }
    }

    fn state(&mut self) -> State {
        self.of(&longshore_core::state::STATES)
    }

    fn settings(&mut self) -> QueueSettings {
        QueueSettings { slots: self.maybe(50, |dice| dice.random.u32(1..9)), ..Default::default() }
    }

    fn scope(&mut self) -> Scope {
        match self.random.u32(0..3) {
            0 => Scope::Queue(self.queue()),
            1 => Scope::Kind(self.kind()),
            _ => Scope::Tenant(self.tenant()),
        }
    }

    fn act(&mut self) -> Act {
        let id = self.id();
        let what = match self.random.u32(0..100) {
            0..30 => ActKind::Cancel { id, grace: self.pause() },
            30..60 => ActKind::Reopen { id },
            60..70 => ActKind::Discard { id },
            70..80 => ActKind::Reprioritise { id, priority: self.random.u8(0..10) },
            80..84 => ActKind::Pause(self.scope()),
            84..92 => ActKind::Resume(self.scope()),
            92..95 => {
                ActKind::Configure { queue: self.queue(), settings: self.maybe(60, Self::settings) }
            }
            95 => ActKind::Note {
                act: "reload".to_owned(),
                target: self.maybe(50, Self::lane),
                before: self.maybe(50, Self::payload),
                after: self.maybe(50, Self::payload),
            },
            96 => ActKind::Purge(self.queue()),
            97 => ActKind::Carry { queue: queue("carried"), carrier: None },
            _ => {
                let carrier = Some(self.of(&["broker", "broker", "broker", "another"]).to_owned());
                ActKind::Carry { queue: queue("carried"), carrier }
            }
        };
        let tenant = self.tenant();
        Act { by: "the dice".to_owned(), tenant, what }
    }

    fn want(&mut self) -> Want {
        let kinds = self.several(3, Self::kind).into();
        let outside = self.maybe(30, |dice| dice.several(3, Self::kind)).unwrap_or_default().into();
        let limit = self.maybe(30, |dice| dice.random.u32(0..4));
        let tenant = self.maybe(20, Self::tenant);
        let (queue, slots) = (self.queue(), self.random.usize(0..4));
        Want { queue, tenant, kinds, outside, slots, limit, rate: None }
    }

    fn claim(&mut self) -> Claim {
        let worker = format!("worker-{}", self.random.u32(0..3)).into();
        let wants = self.several(3, Self::want);
        Claim { worker, hold: self.hold(), wants, wait: Duration::ZERO }
    }

    fn open(&mut self) -> Open {
        let (ids, queue, hold) = (self.several(3, Self::id), self.queue(), self.hold());
        let limit = self.maybe(30, |dice| dice.random.u32(0..4));
        Open { ids, queue, worker: "carrier".into(), hold, limit, rate: None }
    }

    fn relay(&mut self) -> Relay {
        Relay {
            queue: queue(self.of(&["carried", "carried", "carried", "other"])),
            window: self.random.usize(0..12),
            limit: self.random.usize(1..6),
            wait: Duration::ZERO,
        }
    }

    /// The number of an opening, mostly one of the latest.
    fn opening(&mut self) -> usize {
        let count = self.pair.openings();
        let back = if self.one_in(10) { 100 } else { 12 };
        count.saturating_sub(1 + self.random.usize(0..back))
    }

    fn beat(&mut self) -> Beat {
        let lasts = self.maybe(30, |dice| Duration::from_millis(dice.random.u64(1..30_000)));
        Beat { opening: self.opening(), lasts, progress: self.maybe(30, Self::payload) }
    }

    fn end(&mut self) -> End {
        let verdict = match self.random.u32(0..100) {
            0..45 => Verdict::Complete,
            45..63 => Verdict::Retry { after: self.pause() },
            63..75 => {
                let whys = [BuryReason::Exhausted, BuryReason::BadData, BuryReason::TotalTimeout];
                Verdict::Bury(self.of(&whys))
            }
            75..83 => Verdict::Snooze { after: self.pause() },
            83..86 => Verdict::Discard("no use".to_owned()),
            86..89 => Verdict::Cancel,
            _ => Verdict::Release,
        };
        let completes = verdict == Verdict::Complete;
        let result = self.maybe(50, Self::payload).filter(|_| completes);
        let then = self.maybe(5, |dice| dice.several(2, Self::task)).unwrap_or_default();
        End { opening: self.opening(), verdict, result, then }
    }

    fn retention(&mut self) -> Retention {
        let success = self.pause();
        Retention { success, failed: 2 * success, max_bytes: None }
    }
}

impl End {
    /// What went wrong: told by failures alone.
    pub(super) fn error(&self) -> Option<longshore_core::attempt::TaskError> {
        let failed = matches!(self.verdict, Verdict::Retry { .. } | Verdict::Bury(_));
        failed.then(|| error("thrown by the dice"))
    }
}
