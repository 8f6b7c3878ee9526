//! Deadlines, reports, and what does not want to stop.

use super::*;

#[tokio::test]
async fn a_stop_during_the_start_cuts_it_off() {
    struct Slow(Diary, Arc<Notify>);
    #[async_trait::async_trait]
    impl Component for Slow {
        fn name(&self) -> &str {
            "slow"
        }
        async fn start(&self, _: Life) -> Result<(), ComponentError> {
            self.1.notify_one();
            pending().await
        }
        async fn stop(&self, _: Deadline) -> Result<Stopped, ComponentError> {
            self.0.note("stop slow");
            Ok(Stopped::default())
        }
    }
    let (diary, begun) = (Diary::default(), Arc::new(Notify::new()));
    let supervisor = Supervisor::builder().component(Slow(diary.clone(), begun.clone()));
    let supervisor =
        supervisor.component(idle("never").needs(["slow"])).build().expect("no circle");
    let (started, report) = tokio::join!(supervisor.start(), async {
        begun.notified().await;
        supervisor.stop(PATIENCE).await
    });
    assert!(matches!(started, Err(StartError::Stopped)));
    assert_eq!(diary.read(), ["stop slow"]);
    assert_eq!((report.components.len(), report.is_clean()), (1, true));
}

#[tokio::test]
async fn hurry_cuts_off_what_hangs_and_the_rest_stops_cleanly() {
    struct Hangs(Arc<Notify>, Vec<String>);
    #[async_trait::async_trait]
    impl Component for Hangs {
        fn name(&self) -> &str {
            "hangs"
        }
        fn needs(&self) -> &[String] {
            &self.1
        }
        fn policy(&self) -> Policy {
            no_grace()
        }
        async fn start(&self, _: Life) -> Result<(), ComponentError> {
            Ok(())
        }
        async fn stop(&self, _: Deadline) -> Result<Stopped, ComponentError> {
            self.0.notify_one();
            pending().await
        }
    }
    let hanging = Arc::new(Notify::new());
    let supervisor = Supervisor::builder().component(Hangs(hanging.clone(), vec!["store".into()]));
    let supervisor = supervisor.component(Noted::new("store", &[], &Diary::default())).build();
    let supervisor = supervisor.expect("no circle");
    supervisor.start().await.expect("it starts");
    let (report, ()) = tokio::join!(supervisor.stop(Duration::from_secs(3_600)), async {
        hanging.notified().await;
        supervisor.hurry();
    });
    let outcomes: Vec<_> =
        report.components.iter().map(|stop| (&*stop.name, stop.outcome)).collect();
    assert_eq!(outcomes, [("hangs", StopOutcome::TimedOut), ("store", StopOutcome::Stopped)]);
}

#[tokio::test]
async fn a_component_may_give_back_what_runs_when_it_is_hurried() {
    struct Drains(Arc<Notify>);
    #[async_trait::async_trait]
    impl Component for Drains {
        fn name(&self) -> &str {
            "attempts"
        }
        async fn start(&self, _: Life) -> Result<(), ComponentError> {
            Ok(())
        }
        async fn stop(&self, deadline: Deadline) -> Result<Stopped, ComponentError> {
            self.0.notify_one();
            deadline.passed().await;
            Ok(Stopped { given_back: 7, ..Stopped::default() })
        }
    }
    let draining = Arc::new(Notify::new());
    let supervisor =
        Supervisor::builder().component(Drains(draining.clone())).build().expect("no circle");
    supervisor.start().await.expect("it starts");
    let (report, ()) = tokio::join!(supervisor.stop(Duration::from_secs(3_600)), async {
        draining.notified().await;
        supervisor.hurry();
    });
    assert_eq!((report.given_back(), report.is_clean()), (7, true));
}

#[tokio::test]
async fn what_does_not_listen_is_dropped_at_the_deadline() {
    let (alive, gone) = oneshot::channel::<()>();
    let alive = Mutex::new(Some(alive));
    let deaf = Task::new("deaf", move |_| {
        let alive = alive.lock().expect("not poisoned").take();
        async move {
            pending::<()>().await;
            drop(alive);
            Ok(())
        }
    });
    let supervisor =
        Supervisor::builder().component(deaf.policy(no_grace())).build().expect("no circle");
    supervisor.start().await.expect("it starts");
    let report = supervisor.stop(Duration::ZERO).await;
    assert_eq!(report.components[0].outcome, StopOutcome::TimedOut);
    gone.await.expect_err("dropped with what it held");
}

#[tokio::test]
async fn a_panic_in_stop_is_reported_and_the_others_still_stop() {
    struct Panics;
    #[async_trait::async_trait]
    impl Component for Panics {
        fn name(&self) -> &str {
            "panics"
        }
        async fn start(&self, _: Life) -> Result<(), ComponentError> {
            Ok(())
        }
        async fn stop(&self, _: Deadline) -> Result<Stopped, ComponentError> {
            panic!("ouch")
        }
    }
    let supervisor = Supervisor::builder()
        .component(Panics)
        .component(idle("other"))
        .build()
        .expect("no circle");
    supervisor.start().await.expect("it starts");
    let report = supervisor.stop(PATIENCE).await;
    let panics = report.of("panics").expect("it was running");
    assert_eq!(
        (panics.outcome, panics.error.as_deref()),
        (StopOutcome::Failed, Some("panicked: ouch"))
    );
    assert_eq!(report.of("other").expect("it was running").outcome, StopOutcome::Stopped);
}

#[tokio::test]
async fn two_who_stop_it_get_one_report() {
    let diary = Diary::default();
    let supervisor = Supervisor::builder().component(Noted::new("store", &[], &diary)).build();
    let supervisor = supervisor.expect("no circle");
    supervisor.start().await.expect("it starts");
    let (one, two) = tokio::join!(supervisor.stop(PATIENCE), supervisor.stop(PATIENCE));
    assert_eq!(one, two);
    assert_eq!(one.components[0].cleaned, ["store's desk"]);
    assert_eq!(diary.read(), ["start store", "ready store", "stop store"]);
}

#[tokio::test]
async fn dropping_the_supervisor_drops_what_runs() {
    let (alive, gone) = oneshot::channel::<()>();
    let alive = Mutex::new(Some(alive));
    let task = Task::new("fetch", move |_| {
        let alive = alive.lock().expect("not poisoned").take();
        async move {
            pending::<()>().await;
            drop(alive);
            Ok(())
        }
    });
    let supervisor = Supervisor::builder().component(task).build().expect("no circle");
    supervisor.start().await.expect("it starts");
    drop(supervisor);
    let gone = tokio::time::timeout(PATIENCE, gone).await;
    gone.expect("in time").expect_err("dropped with what it held");
}

#[tokio::test]
async fn what_fails_while_it_stops_says_so_in_the_report() {
    let task = Task::new("link", |life: Life| async move {
        life.stopping().await;
        Err(ComponentError::failed("connection reset"))
    });
    let supervisor = Supervisor::builder().component(task).build().expect("no circle");
    supervisor.start().await.expect("it starts");
    let report = supervisor.stop(PATIENCE).await;
    let link = report.of("link").expect("it was running");
    assert_eq!(
        (link.outcome, link.error.as_deref()),
        (StopOutcome::Failed, Some("connection reset"))
    );
}

#[tokio::test]
async fn nothing_starts_after_a_stop() {
    let diary = Diary::default();
    let supervisor = Supervisor::builder().component(Noted::new("store", &[], &diary)).build();
    let supervisor = supervisor.expect("no circle");
    let report = supervisor.stop(PATIENCE).await;
    assert!(matches!(supervisor.start().await, Err(StartError::Stopped)));
    assert!(report.components.is_empty() && diary.read().is_empty());
}
