//! The engine over the model store: what handlers do becomes what is recorded.

use longshore_conformance::{ManualClock, ModelStore};
use longshore_core::attempt::AttemptOutcome;
use longshore_core::store::Hold;
use longshore_core::{Attempt, TenantName};
use longshore_core::{FaultClass, KindName, Payload, RetryPolicy, Span, State, Task, TaskId};
use longshore_runtime::handler::{self, Cx, HandlerError, States, boxed};
use longshore_runtime::{Engine, Kind, Options, Registry, Submission, SubmitError};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

struct House {
    engine: Engine,
    clock: Arc<ManualClock>,
}

/// Far above what anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

impl House {
    /// An engine with one kind, `work`, three attempts without pauses, each longer than anything here takes.
    fn with<F, Args>(function: F) -> Self
    where
        F: handler::HandlerFn<Args>,
        Args: 'static,
    {
        let handler = boxed(function, &States::default()).expect("no state is named");
        let kind = Kind {
            retry: RetryPolicy::immediate().max_attempts(3),
            timeout: Span(PATIENCE),
            ..Kind::new(KindName::new("work").expect("a name"), handler)
        };
        Self::of(kind)
    }

    fn of(kind: Kind) -> Self {
        let clock = Arc::new(ManualClock::default());
        let mut registry = Registry::default();
        registry.add(kind);
        let store = Arc::new(ModelStore::new(clock.clone()));
        let options = Options { clock: clock.clone(), ..Options::new(store, registry) };
        Self { engine: Engine::start(options).expect("it starts"), clock }
    }

    async fn submit(&self, wish: Submission) -> TaskId {
        self.engine.intake().submit(wish).await.expect("accepted").id
    }

    async fn ended(&self, id: TaskId) -> Task {
        let hub = self.engine.hub();
        let store = self.engine.store();
        let task = hub.wait(&**store, TenantName::default(), id, PATIENCE).await;
        let task = task.expect("it serves").expect("it is there");
        assert!(task.state.is_end(), "still {}", task.state);
        task
    }

    async fn attempts(&self, id: TaskId) -> Vec<Attempt> {
        let attempts = self.engine.store().attempts(TenantName::default(), id).await;
        attempts.expect("it serves").expect("it is there")
    }
}

fn work(payload: &str) -> Submission {
    Submission { payload: Some(Payload::from_json(payload)), ..Submission::new("work") }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_handler_returns_is_the_result() {
    async fn double(handler::Payload(n): handler::Payload<u64>) -> Result<u64, HandlerError> {
        Ok(2 * n)
    }
    let house = House::with(double);
    let id = house.submit(work("21")).await;
    let task = house.ended(id).await;
    assert_eq!((task.state, task.attempt), (State::Success, 1));
    assert_eq!(task.result, Some(Payload::from_json("42")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_task_is_tried_three_times_and_then_buried() {
    async fn fail(cx: Cx) -> Result<(), HandlerError> {
        Err(HandlerError::transient(format!("no {}", cx.attempt())).code("e1"))
    }
    let house = House::with(fail);
    let id = house.submit(work("null")).await;
    let task = house.ended(id).await;
    assert_eq!((task.state, task.attempt), (State::Failed, 3));
    assert_eq!(task.reason.as_deref(), Some("exhausted"));
    let error = task.error.expect("the last one");
    assert_eq!((error.message.as_str(), error.code.as_deref()), ("no 3", Some("e1")));
    let outcomes: Vec<_> = house.attempts(id).await.into_iter().map(|a| a.outcome).collect();
    let retry = Some(AttemptOutcome::Retry);
    assert_eq!(outcomes, [retry, retry, Some(AttemptOutcome::Failed)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_does_not_fit_is_never_tried_again() {
    async fn number(handler::Payload(_): handler::Payload<u64>) {}
    let house = House::with(number);
    let id = house.submit(work("\"x\"")).await;
    let task = house.ended(id).await;
    assert_eq!((task.state, task.attempt), (State::Failed, 1));
    assert_eq!(task.error.expect("why").class, FaultClass::BadData);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_a_value() {
    async fn panic() {
        panic!("ouch");
    }
    let house = House::with(panic);
    let id = house.submit(work("null")).await;
    let error = house.ended(id).await.error.expect("why");
    assert_eq!((error.class, error.message.as_str()), (FaultClass::Panic, "ouch"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_without_end_is_a_timeout() {
    async fn hang() {
        std::future::pending().await
    }
    let house = House::with(hang);
    let wish = Submission {
        max_attempts: Some(1),
        timeout: Some(Span(Duration::from_millis(100))),
        ..work("null")
    };
    let id = house.submit(wish).await;
    let task = house.ended(id).await;
    assert_eq!(task.state, State::Failed);
    assert_eq!(task.error.expect("why").class, FaultClass::Timeout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_waits_for_handlers_and_gives_the_rest_back_uncharged() {
    async fn until_told(handler::Payload(hangs): handler::Payload<bool>) {
        if hangs {
            std::future::pending().await
        }
    }
    let clock = Arc::new(ManualClock::default());
    let store = Arc::new(ModelStore::new(clock.clone()));
    let mut registry = Registry::default();
    let handler = boxed(until_told, &States::default()).expect("no state is named");
    registry.add(Kind::new(KindName::new("work").expect("a name"), handler));
    let engine = Engine::start(Options { clock, ..Options::new(store.clone(), registry) });
    let house = House { engine: engine.expect("it starts"), clock: Arc::default() };
    let quick = house.submit(work("false")).await;
    house.ended(quick).await;
    let hanging = house.submit(work("true")).await;
    running(&house, hanging).await;
    // Everything but the store, which is looked at afterwards.
    house.engine.begin_drain();
    let supervisor = house.engine.supervisor();
    supervisor.remove("fetch", PATIENCE).await.expect("nobody needs it");
    let drained = supervisor.remove("handlers", Duration::from_millis(50)).await;
    assert_eq!(drained.expect("nobody needs them").expect("they ran").given_back, 1);
    let attempts = house.attempts(hanging).await;
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].outcome, Some(AttemptOutcome::Released));
    let task = house.engine.store().get(TenantName::default(), hanging).await;
    let task = task.expect("it serves").expect("it is there");
    assert_eq!((task.state, task.attempt), (State::Pending, 1));
    let refused = house.engine.intake().submit(work("false")).await;
    assert!(matches!(refused, Err(SubmitError::Stopping)));
}

/// Waits until a handler has it.
async fn running(house: &House, id: TaskId) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let task = house.engine.store().get(TenantName::default(), id).await;
        if task.expect("it serves").expect("it is there").state == State::Running {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "it never ran");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_when_its_lease_is_nearly_over_is_given_back_and_not_begun() {
    let begun = Arc::new(AtomicUsize::new(0));
    let count = begun.clone();
    let handler = boxed(
        move || {
            count.fetch_add(1, Ordering::SeqCst);
            std::future::ready(())
        },
        &States::default(),
    );
    let mut registry = Registry::default();
    let kind = KindName::new("work").expect("a name");
    registry.add(Kind::new(kind, handler.expect("no state is named")));
    let clock = Arc::new(ManualClock::default());
    let store = Arc::new(ModelStore::new(clock.clone()));
    store.answer_claims_late(Duration::from_secs(12));
    let hold = Hold::Lease { lasts: Some(Duration::from_secs(15)) };
    let options = Options { clock: clock.clone(), hold, ..Options::new(store.clone(), registry) };
    let house = House { engine: Engine::start(options).expect("it starts"), clock };
    let id = house.submit(work("null")).await;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !house.attempts(id).await.iter().any(|a| a.outcome == Some(AttemptOutcome::Released)) {
        assert!(tokio::time::Instant::now() < deadline, "it was never given back");
        tokio::task::yield_now().await;
    }
    assert_eq!(begun.load(Ordering::SeqCst), 0);
    let metrics = house.engine.telemetry().encode();
    let late = metrics.lines().find_map(|line| line.strip_prefix("longshore_tasks_late_total "));
    assert!(late.is_some_and(|count| count != "0"), "{late:?}");
    store.answer_claims_late(Duration::from_secs(11));
    let task = house.ended(id).await;
    assert_eq!((task.state, task.attempt, begun.load(Ordering::SeqCst)), (State::Success, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_task_runs_when_its_time_has_come() {
    async fn nothing() {}
    let house = House::with(nothing);
    let wish = Submission { delay: Some(Span(Duration::from_secs(3600))), ..work("null") };
    let id = house.submit(wish).await;
    let task = house.engine.store().get(TenantName::default(), id).await;
    assert_eq!(task.expect("it serves").expect("there").state, State::Scheduled);
    house.clock.advance(Duration::from_secs(3600));
    let task = house.ended(id).await;
    assert_eq!(task.state, State::Success);
    assert_eq!(task.started_at, Some(task.run_at));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_nobody_provided_is_found_before_the_first_task() {
    async fn wants(_: handler::State<u64>) {}
    let missing = boxed(wants, &States::default()).expect_err("there is none");
    assert!(missing.to_string().contains("u64"), "{missing}");
}
