//! Handlers that misbehave, over the model store: what they do to others, and what is told of them.

use longshore_conformance::{ManualClock, ModelStore};
use longshore_core::queue::QueueSettings;
use longshore_core::{
    FaultClass, KindName, NewTask, Payload, QueueName, RetryPolicy, Span, State, Task, TaskId,
    TenantName, Valid,
};
use longshore_runtime::handler::{Cx, HandlerError, HandlerFn, States, boxed};
use longshore_runtime::{Engine, Kind, Options, Registry};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Far above what anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

fn kind<F: HandlerFn<Args>, Args: 'static>(name: &str, function: F) -> Kind {
    let handler = boxed(function, &States::default()).expect("no state is named");
    Kind {
        retry: RetryPolicy::immediate().max_attempts(1),
        timeout: Span(Duration::from_millis(100)),
        ..Kind::new(KindName::new(name).expect("a name"), handler)
    }
}

fn registry(kinds: impl IntoIterator<Item = Kind>) -> Registry {
    let mut registry = Registry::default();
    kinds.into_iter().for_each(|kind| registry.add(kind));
    registry
}

fn engine(registry: Registry, threads: usize) -> Engine {
    let clock = Arc::new(ManualClock::default());
    let store = Arc::new(ModelStore::new(clock.clone()));
    let options =
        Options { clock, handler_threads: Some(threads), ..Options::new(store, registry) };
    Engine::start(options).expect("it starts")
}

async fn submit(engine: &Engine, kind: &str, change: impl FnOnce(&mut NewTask)) -> TaskId {
    let mut task = NewTask::new(KindName::new(kind).expect("a name"));
    (task.max_attempts, task.timeout) = (1, Span(Duration::from_millis(100)));
    change(&mut task);
    let accepted = engine.intake().accept(vec![Valid::vouch(task)]).await.expect("it serves");
    accepted[0].as_ref().expect("accepted").id
}

async fn ended(engine: &Engine, id: TaskId) -> Task {
    let (hub, store) = (engine.hub(), engine.store());
    let task = hub.wait(&**store, TenantName::default(), id, PATIENCE).await;
    let task = task.expect("it serves").expect("it is there");
    assert!(task.state.is_end(), "still {}", task.state);
    task
}

async fn read(engine: &Engine, id: TaskId) -> Task {
    let task = engine.store().get(TenantName::default(), id).await;
    task.expect("it serves").expect("it is there")
}

/// Looks until it holds.
async fn until<F: Future<Output = bool>>(mut look: impl FnMut() -> F) {
    let began = Instant::now();
    while !look().await {
        assert!(began.elapsed() < PATIENCE, "it never came to that");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Something that a handler waits for without yielding.
#[derive(Default, Clone)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn block(&self) {
        let mut open = self.0.0.lock().expect("nobody panicked");
        while !*open {
            open = self.0.1.wait(open).expect("nobody panicked");
        }
    }

    fn open(&self) {
        *self.0.0.lock().expect("nobody panicked") = true;
        self.0.1.notify_all();
    }
}

fn blocking(gate: &Gate) -> Kind {
    let gate = gate.clone();
    kind("blocking", move || {
        let gate = gate.clone();
        async move { gate.block() }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_never_yields_is_given_up_and_its_slot_counts_as_stuck() {
    let gate = Gate::default();
    let engine = engine(registry([blocking(&gate)]), 1);
    let id = submit(&engine, "blocking", |_| ()).await;
    let task = ended(&engine, id).await;
    assert_eq!(task.error.expect("why").class, FaultClass::Timeout);
    until(|| async { engine.stuck() == (1, true) }).await;
    gate.open();
    until(|| async { engine.stuck() == (0, false) }).await;
    assert_eq!(read(&engine, id).await.state, State::Failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_never_yields_keeps_its_lane_closed() {
    let gate = Gate::default();
    let engine = engine(registry([blocking(&gate)]), 2);
    let lane = |task: &mut NewTask| task.order_key = Some("lane".into());
    let first = submit(&engine, "blocking", lane).await;
    let second = submit(&engine, "blocking", lane).await;
    let other = submit(&engine, "blocking", |_| ()).await;
    // The other one is given up too, after the first one's time was up.
    ended(&engine, other).await;
    let states = (read(&engine, first).await.state, read(&engine, second).await.state);
    assert_eq!(states, (State::Running, State::Pending));
    gate.open();
    ended(&engine, first).await;
    ended(&engine, second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_fetched_while_handlers_block_all_threads() {
    async fn quick() {}
    let gate = Gate::default();
    let engine = engine(registry([blocking(&gate), kind("quick", quick)]), 1);
    let minute = |task: &mut NewTask| task.timeout = Span(Duration::from_secs(60));
    let blocked = submit(&engine, "blocking", minute).await;
    until(|| async { read(&engine, blocked).await.state == State::Running }).await;
    // Once it is noticed, tasks stay where others could run them.
    until(|| async {
        let id = submit(&engine, "quick", minute).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        read(&engine, id).await.state == State::Pending
    })
    .await;
    let waiting = submit(&engine, "quick", minute).await;
    gate.open();
    assert_eq!(ended(&engine, waiting).await.state, State::Success);
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_is_shown_while_the_handler_runs_and_its_last_word_is_kept() {
    let seen = Arc::new(Notify::new());
    let goes_on = seen.clone();
    let steps = move |cx: Cx| {
        let goes_on = goes_on.clone();
        async move {
            cx.progress(serde_json::json!({"done": 1})).expect("small");
            goes_on.notified().await;
            cx.progress("almost").expect("small");
        }
    };
    let engine = engine(registry([kind("steps", steps)]), 1);
    let long = |task: &mut NewTask| task.timeout = Span(Duration::from_secs(60));
    let id = submit(&engine, "steps", long).await;
    let first = Some(Payload::from_json(r#"{"done":1}"#));
    until(|| async { read(&engine, id).await.progress == first }).await;
    seen.notify_one();
    assert_eq!(ended(&engine, id).await.progress, Some(Payload::from_json("\"almost\"")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_brings_kinds_and_queues_and_leaves_alone_what_runs() {
    async fn forever(cx: Cx) {
        cx.stopped().await;
    }
    async fn quick() {}
    let engine = engine(registry([kind("old", forever)]), 1);
    let long = |task: &mut NewTask| task.timeout = Span(Duration::from_secs(60));
    let running = submit(&engine, "old", long).await;
    until(|| async { read(&engine, running).await.state == State::Running }).await;
    let mut next = registry([kind("new", quick)]);
    next.add_queue(QueueName::new("more").expect("a name"), QueueSettings::default());
    engine.reload(next);
    let more = |task: &mut NewTask| task.queue = QueueName::new("more").expect("a name");
    let id = submit(&engine, "new", more).await;
    assert_eq!(ended(&engine, id).await.state, State::Success);
    assert_eq!(read(&engine, running).await.state, State::Running);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_tasks_run_at_once_than_there_are_slots_and_more_when_there_are_more() {
    async fn forever(cx: Cx) {
        cx.stopped().await;
    }
    let with = |slots, limit| {
        let mut registry = registry([kind("work", forever)]);
        let settings = QueueSettings { slots: Some(slots), limit, ..QueueSettings::default() };
        registry.add_queue(QueueName::default(), settings);
        registry
    };
    let engine = engine(with(4, Some(2)), 1);
    let long = |task: &mut NewTask| task.timeout = Span(Duration::from_secs(60));
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(submit(&engine, "work", long).await);
    }
    let running = async |wanted: usize| {
        let mut count = 0;
        for id in &ids {
            count += usize::from(read(&engine, *id).await.state == State::Running);
        }
        assert!(count <= wanted, "{count} run at once");
        count == wanted
    };
    until(|| running(2)).await;
    engine.reload(with(5, None));
    until(|| running(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_before_it_began_never_begins() {
    let gate = Gate::default();
    let began = Arc::new(Mutex::new(Vec::new()));
    let seen = began.clone();
    let note = move |cx: Cx| {
        let seen = seen.clone();
        async move { seen.lock().expect("nobody panicked").push(cx.token()) }
    };
    let engine = engine(registry([blocking(&gate), kind("note", note)]), 1);
    let minute = |task: &mut NewTask| task.timeout = Span(Duration::from_secs(60));
    let blocked = submit(&engine, "blocking", minute).await;
    until(|| async { read(&engine, blocked).await.state == State::Running }).await;
    // Handed out, and no thread for it: after a while it is given back.
    let waiting = submit(&engine, "note", minute).await;
    until(|| async {
        let attempts = engine.store().attempts(TenantName::default(), waiting).await;
        attempts.expect("it serves").expect("it is there").iter().any(|one| one.ended_at.is_some())
    })
    .await;
    gate.open();
    let task = ended(&engine, waiting).await;
    assert_eq!((task.state, task.attempt), (State::Success, 1));
    assert_eq!(began.lock().expect("nobody panicked").as_slice(), [task.token.expect("opened")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_a_handler_whose_end_is_recorded() {
    let gate = Gate::default();
    let engine = engine(registry([blocking(&gate)]), 1);
    let id = submit(&engine, "blocking", |_| ()).await;
    ended(&engine, id).await;
    until(|| async { engine.stuck() == (1, true) }).await;
    let report = engine.stop(PATIENCE).await;
    assert!(report.took < PATIENCE, "{:?}", report.took);
    assert_eq!(report.given_back(), 0);
    gate.open();
}

/// Stops fetching and handlers, and leaves the store open to be looked at.
async fn drained(engine: &Engine, deadline: Duration) {
    engine.begin_drain();
    engine.supervisor().remove("fetch", PATIENCE).await.expect("nobody needs it");
    engine.supervisor().remove("handlers", deadline).await.expect("nobody needs them");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_a_stop_caused_is_not_charged() {
    async fn fails_when_told(cx: Cx) -> Result<(), HandlerError> {
        cx.stopped().await;
        Err(HandlerError::transient("told to stop"))
    }
    let engine = engine(registry([kind("work", fails_when_told)]), 1);
    let minute = |task: &mut NewTask| task.timeout = Span(Duration::from_secs(60));
    let id = submit(&engine, "work", minute).await;
    until(|| async { read(&engine, id).await.state == State::Running }).await;
    drained(&engine, Duration::ZERO).await;
    let task = read(&engine, id).await;
    assert_eq!((task.state, task.attempt, task.error), (State::Pending, 1, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_handler_gives_back_waits_before_it_comes_again() {
    async fn not_here() -> Result<(), HandlerError> {
        Err(HandlerError::release())
    }
    let engine = engine(registry([kind("work", not_here)]), 1);
    let id = submit(&engine, "work", |_| ()).await;
    until(|| async { read(&engine, id).await.state == State::Scheduled }).await;
    let task = read(&engine, id).await;
    assert_eq!((task.attempt, task.run_at > task.created_at), (1, true));
}
