//! What servers learn without asking for it by itself, and who leads them.

use crate::bench::{connect, fresh_url, job, open, open_at, open_with, submit, until};
use longshore_conformance::ManualClock;
use longshore_core::queue::{QueueSettings, Scope};
use longshore_core::store::{
    Act, ActKind, Agenda, Intake, KnownKind, Leases, Lifecycle, Missed, Origin, Oversight,
    Overview, Schedule, Schedules, TaskQuery, Term, Worker, Workers,
};
use longshore_core::{Clock, KindName, NewTask, Payload, QueueName, Span, TaskId, TenantName};
use longshore_postgres::{Options, PostgresStore};
use std::sync::Arc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

async fn overview(store: &PostgresStore) -> Overview {
    store.overview().await.expect("it answers").expect("it is one that answers at once")
}

async fn set(store: &PostgresStore, what: ActKind) {
    let act = Act { by: "test".to_owned(), tenant: TenantName::default(), what };
    store.act(vec![act]).await.expect("act answers").remove(0).expect("done");
}

fn worker(clock: &dyn Clock) -> Worker {
    Worker {
        id: "w".into(),
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

fn kind() -> KnownKind {
    KnownKind {
        name: KindName::new("job").expect("a name"),
        queue: QueueName::default(),
        max_attempts: 4,
        timeout: Span(SECOND),
        total_timeout: None,
        schema: None,
    }
}

pub(crate) async fn an_overview_says_what_each_question_says() {
    let (url, clock) = (fresh_url(), Arc::new(ManualClock::default()));
    let [a, b] = [open_at(&url, &clock).await, open_at(&url, &clock).await];
    let nothing = overview(&b).await;
    assert_eq!((nothing.agenda, nothing.counts.len()), (Agenda::default(), 0));
    let at = |seconds| clock.now().after(seconds * SECOND);
    submit(&a, NewTask { run_at: Some(at(60)), ..job() }).await;
    submit(&a, NewTask { expires_in: Some(Span(30 * SECOND)), ..job() }).await;
    set(&a, ActKind::Pause(Scope::Tenant(TenantName::default()))).await;
    let settings = Some(QueueSettings { slots: Some(3), ..QueueSettings::default() });
    set(&a, ActKind::Configure { queue: QueueName::default(), settings }).await;
    a.announce(worker(&*clock), vec![kind()], 15 * SECOND).await.expect("it answers");
    let schedule = Schedule {
        id: TaskId::fresh().0,
        tenant: TenantName::default(),
        name: None,
        origin: Origin::Api,
        cron: "* * * * *".to_owned(),
        timezone: "UTC".to_owned(),
        missed: Missed::All,
        paused: false,
        task: Payload::from_json("{\"kind\":\"job\"}"),
        configured: None,
        last_slot: None,
        next_slot: Some(at(45)),
        created_at: clock.now(),
        version: 1,
    };
    a.put_schedule(schedule, None).await.expect("it answers").expect("new");

    let seen = overview(&b).await;
    assert_eq!(seen.condition, b.condition().await.expect("it answers"));
    assert!(seen.condition.used_bytes > 0);
    assert_eq!(seen.controls, b.controls().await.expect("it answers"));
    assert_eq!((seen.controls.paused.len(), seen.controls.queues.len()), (1, 1));
    assert_eq!(seen.kinds, b.known_kinds().await.expect("it answers"));
    assert_eq!(seen.kinds, [kind()]);
    let (mut counts, mut counted) = (seen.counts, b.counters().await.expect("it answers"));
    counts.sort();
    counted.sort();
    assert_eq!(counts, counted);
    assert_eq!(counts.len(), 2, "one is scheduled, one is pending");
    let agenda =
        Agenda { due: Some(at(60)), expires: Some(at(30)), slot: Some(at(45)), abandoned: false };
    assert_eq!(seen.agenda, agenda);
    drop(a); // without closing: as after a kill
    clock.advance(15 * SECOND);
    assert!(overview(&b).await.agenda.abandoned, "nothing was heard of the other one");
}

pub(crate) async fn what_a_later_version_wrote_does_not_hide_the_rest() {
    let (url, clock) = (fresh_url(), Arc::new(ManualClock::default()));
    let store = open_at(&url, &clock).await;
    submit(&store, job()).await;
    store.announce(worker(&*clock), vec![kind()], 15 * SECOND).await.expect("it answers");
    set(&store, ActKind::Pause(Scope::Queue(QueueName::default()))).await;
    let later = connect(&url).await;
    later
        .batch_execute(
            "INSERT INTO kinds(name, kind, seen_at) VALUES ('later', '{\"slots\":\"?\"}', 1::bigint << 60);
             INSERT INTO settings(queue, settings) VALUES ('later', '{\"slots\":\"?\"}')",
        )
        .await
        .expect("written");
    let seen = overview(&store).await;
    assert_eq!((seen.kinds.len(), seen.counts.len()), (1, 1));
    assert_eq!((seen.controls.paused.len(), seen.controls.queues.len()), (1, 0));
}

pub(crate) async fn what_is_set_at_one_server_stirs_the_others() {
    let url = fresh_url();
    let [a, b] = [open(&url).await, open(&url).await];
    let others = connect(&url).await;
    let listening = "SELECT count(*) FROM pg_stat_activity
                     WHERE query = format('LISTEN \"longshore_%s\"', current_schema())";
    let both_listen = async || {
        let count: i64 = others.query_one(listening, &[]).await.expect("it answers").get(0);
        count == 2
    };
    until("both listen", both_listen).await;
    overview(&a).await; // it learns that there is another one
    let stirred = async |within| tokio::time::timeout(within, b.stirred()).await.is_ok();
    while stirred(SECOND / 5).await {}
    set(&a, ActKind::Pause(Scope::Queue(QueueName::default()))).await;
    assert!(stirred(20 * SECOND).await, "a pause");
    let settings = Some(QueueSettings { slots: Some(3), ..QueueSettings::default() });
    set(&a, ActKind::Configure { queue: QueueName::default(), settings }).await;
    assert!(stirred(20 * SECOND).await, "settings");
    let told = a.announce(worker(&longshore_core::SystemClock), vec![kind()], 15 * SECOND).await;
    told.expect("it answers");
    assert!(stirred(20 * SECOND).await, "a new kind");
    let told = a.announce(worker(&longshore_core::SystemClock), vec![kind()], 15 * SECOND).await;
    told.expect("it answers");
    assert!(!stirred(SECOND / 2).await, "nothing new was said");
}

pub(crate) async fn a_word_of_a_worker_is_a_sign_of_life_of_its_server() {
    let (url, clock) = (fresh_url(), Arc::new(ManualClock::default()));
    let options = Options { beat: 3_600 * SECOND, clock: clock.clone(), ..Options::new(&url) };
    let silent = open_with(options).await;
    let looking = connect(&url).await;
    let beats = async || {
        let row = looking.query_one("SELECT sum(beats)::int8 FROM instances", &[]).await;
        row.expect("it answers").get::<_, i64>(0)
    };
    assert_eq!(beats().await, 0);
    for word in 1..4 {
        silent.announce(worker(&*clock), Vec::new(), 15 * SECOND).await.expect("it answers");
        assert_eq!(beats().await, word);
    }
}

pub(crate) async fn a_leader_that_stopped_is_succeeded_after_its_term() {
    let (url, clock) = (fresh_url(), Arc::new(ManualClock::default()));
    let [a, b] = [open_at(&url, &clock).await, open_at(&url, &clock).await];
    let lasts = 15 * SECOND;
    let acquire = async |store: &PostgresStore, holder: &str| -> Option<Term> {
        store.acquire("upkeep", holder, lasts).await.expect("acquire answers")
    };
    let term = acquire(&a, "a").await.expect("free");
    assert_eq!(acquire(&b, "b").await, None);
    for _ in 0..3 {
        clock.advance(10 * SECOND);
        assert!(a.renew(&term, lasts).await.expect("renew answers"));
        overview(&b).await; // and nothing else shows it to the other one
        assert_eq!(acquire(&b, "b").await, None);
    }
    clock.advance(10 * SECOND);
    assert!(a.renew(&term, lasts).await.expect("renew answers"));
    clock.advance(10 * SECOND);
    assert_eq!(acquire(&b, "b").await, None, "it looks before it takes anything");
    clock.advance(lasts - Duration::from_millis(1));
    assert_eq!(acquire(&b, "b").await, None);
    clock.advance(Duration::from_millis(1));
    let next = acquire(&b, "b").await.expect("nothing was heard of the leader");
    assert!(next.number > term.number);
    assert!(!a.renew(&term, lasts).await.expect("renew answers"), "it comes back too late");
    assert_eq!(acquire(&a, "a").await, None);
    assert!(b.renew(&next, lasts).await.expect("renew answers"));
}
