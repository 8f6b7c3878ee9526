//! What fails is started again, until it is given up.

use super::*;

#[tokio::test]
async fn what_fails_is_started_again_after_growing_pauses() {
    let pauses = Pauses::default();
    let supervisor = Supervisor::builder().component(fails("link", 4)).pause(pauses.clone());
    let supervisor = supervisor.clock(pauses.clock.clone()).build().expect("no circle");
    supervisor.launch();
    let statuses = supervisor.statuses();
    let up = |one: &longshore_runtime::supervisor::ComponentStatus| one.restarts == 4 && one.ready;
    let recovered = statuses.until(|all| all.iter().all(up));
    let all = tokio::time::timeout(PATIENCE, recovered).await.expect("it recovers");
    assert_eq!(pauses.seconds(), [1.0, 2.0, 3.0, 4.5]);
    assert_eq!(all[0].last_error.as_deref(), Some("no route to host"));
}

#[tokio::test]
async fn a_panic_is_a_failure_like_any_other() {
    let lives = Arc::new(AtomicU32::new(0));
    let counted = lives.clone();
    let task = Task::new("fetch", move |life: Life| {
        let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            assert!(!first, "ouch");
            life.stopping().await;
            Ok(())
        }
    });
    let supervisor = Supervisor::builder().component(task).pause(Pauses::default()).build();
    let supervisor = supervisor.expect("no circle");
    supervisor.launch();
    let statuses = supervisor.statuses();
    let recovered = statuses.until(|all| all[0].restarts == 1 && all[0].ready);
    let all = tokio::time::timeout(PATIENCE, recovered).await.expect("it recovers");
    assert_eq!(all[0].last_error.as_deref(), Some("panicked: ouch"));
}

#[tokio::test]
async fn ten_failures_in_five_minutes_are_fatal() {
    let pauses = Pauses::default();
    let supervisor =
        Supervisor::builder().component(fails("link", u32::MAX)).component(idle("other"));
    let supervisor = supervisor.pause(pauses.clone()).clock(pauses.clock.clone()).build();
    let supervisor = supervisor.expect("no circle");
    supervisor.launch();
    let fatal = tokio::time::timeout(PATIENCE, supervisor.failed()).await.expect("it gives up");
    assert_eq!(fatal.to_string(), "`link` cannot go on: no route to host");
    assert_eq!(pauses.seconds().len(), 9);
    assert_eq!(state(&supervisor, "other"), ComponentState::Ready);
}

#[tokio::test]
async fn a_lasting_error_is_not_tried_again() {
    let pauses = Pauses::default();
    let task = Task::new("store", |_| async { Err(ComponentError::lasting("another format")) });
    let supervisor = Supervisor::builder().component(task).pause(pauses.clone()).build();
    let supervisor = supervisor.expect("no circle");
    supervisor.launch();
    tokio::time::timeout(PATIENCE, supervisor.failed()).await.expect("it gives up");
    assert_eq!(pauses.seconds(), [0.0; 0]);
}

#[tokio::test]
async fn a_degraded_one_stays_away_and_the_others_run() {
    struct Refuses;
    #[async_trait::async_trait]
    impl Component for Refuses {
        fn name(&self) -> &str {
            "gpu"
        }
        fn policy(&self) -> Policy {
            degraded()
        }
        async fn start(&self, _: Life) -> Result<(), ComponentError> {
            Err(ComponentError::failed("no such device"))
        }
    }
    let supervisor = Supervisor::builder()
        .component(Refuses)
        .component(idle("fetch.images").needs(["gpu"]))
        .component(idle("fetch.mail"));
    let supervisor = supervisor.build().expect("no circle");
    supervisor.start().await.expect("it starts without");
    let images = supervisor.statuses().of("fetch.images").expect("it is there");
    assert_eq!((images.state, images.waits_for), (ComponentState::Waiting, vec!["gpu".to_owned()]));
    assert!(supervisor.statuses().is_ready("fetch.mail"));
    assert_eq!(state(&supervisor, "gpu"), ComponentState::Failed);
}

#[tokio::test]
async fn a_start_that_takes_too_long_is_a_failure() {
    struct Slow;
    #[async_trait::async_trait]
    impl Component for Slow {
        fn name(&self) -> &str {
            "slow"
        }
        fn policy(&self) -> Policy {
            Policy { start_within: Duration::ZERO, ..degraded() }
        }
        async fn start(&self, _: Life) -> Result<(), ComponentError> {
            pending().await
        }
    }
    let supervisor = Supervisor::builder().component(Slow).build().expect("no circle");
    supervisor.start().await.expect("it starts without");
    let slow = supervisor.statuses().of("slow").expect("it is there");
    assert_eq!(slow.last_error.as_deref(), Some("was not ready within 0ns"));
}

#[tokio::test]
async fn to_end_unasked_is_a_failure() {
    let task = Task::new("fetch", |_| async { Ok(()) }).policy(degraded());
    let supervisor = Supervisor::builder().component(task).build().expect("no circle");
    supervisor.launch();
    until(&supervisor, "fetch", ComponentState::Failed).await;
    let fetch = supervisor.statuses().of("fetch").expect("it is there");
    assert_eq!(fetch.last_error.as_deref(), Some("ended by itself"));
}

#[tokio::test]
async fn every_life_is_stopped_before_the_next_begins() {
    struct Shaky(Diary);
    #[async_trait::async_trait]
    impl Component for Shaky {
        fn name(&self) -> &str {
            "shaky"
        }
        fn policy(&self) -> Policy {
            Policy { restart: Restart { limit: 3, ..Restart::default() }, ..Policy::default() }
        }
        async fn start(&self, _: Life) -> Result<(), ComponentError> {
            self.0.note("start");
            Err(ComponentError::failed("no"))
        }
        async fn stop(&self, _: Deadline) -> Result<Stopped, ComponentError> {
            self.0.note("stop");
            Ok(Stopped::default())
        }
    }
    let diary = Diary::default();
    let supervisor = Supervisor::builder().component(Shaky(diary.clone()));
    let supervisor = supervisor.pause(Pauses::default()).build().expect("no circle");
    supervisor.start().await.expect_err("it fails too often");
    assert_eq!(diary.read(), ["start", "stop", "start", "stop", "start", "stop"]);
}
