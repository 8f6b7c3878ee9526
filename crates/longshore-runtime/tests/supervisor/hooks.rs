//! What else is done at the start.

use super::*;

#[tokio::test]
async fn a_pre_start_hook_that_refuses_leaves_nothing_running() {
    let diary = Diary::default();
    let supervisor = Supervisor::builder()
        .component(Noted::new("store", &[], &diary))
        .component(Noted::new("fetch", &["store"], &diary))
        .hook(
            Hook::pre_start("room", || async { Err(ComponentError::failed("disk is full")) })
                .needs(["store"]),
        )
        .build()
        .expect("no circle");
    let error = supervisor.start().await.expect_err("refused");
    assert_eq!(error.to_string(), "`room` cannot go on: disk is full");
    assert_eq!(diary.read(), ["start store", "ready store", "stop store"]);
}

#[tokio::test]
async fn hooks_run_before_after_and_beside_and_are_stopped_first() {
    let diary = Diary::default();
    let noted = |what: &'static str| {
        let diary = diary.clone();
        move || {
            diary.note(what);
            async { Ok(()) }
        }
    };
    let beside = diary.clone();
    let background = Hook::background("beside", move |life: Life| {
        let diary = beside.clone();
        async move {
            life.stopping().await;
            diary.note("end beside");
            Ok(())
        }
    });
    let supervisor = Supervisor::builder()
        .hook(background)
        .hook(Hook::post_start("announce", noted("announce")).needs(["warm up"]))
        .hook(Hook::post_start("warm up", noted("warm up")))
        .hook(Hook::pre_start("validate", noted("validate")))
        .component(Noted::new("store", &[], &diary))
        .build()
        .expect("no circle");
    supervisor.start().await.expect("it starts");
    let report = supervisor.stop(PATIENCE).await;
    let expected = [
        "validate",
        "start store",
        "ready store",
        "warm up",
        "announce",
        "end beside",
        "stop store",
    ];
    assert_eq!(diary.read(), expected);
    let names: Vec<_> = report.components.iter().map(|stop| stop.name.as_str()).collect();
    assert_eq!(names, ["beside", "store"]);
}

#[tokio::test]
async fn a_post_start_hook_that_fails_is_shown_and_stops_nothing() {
    let failing =
        Hook::post_start("announce", || async { Err(ComponentError::failed("nobody listens")) });
    let supervisor = Supervisor::builder().component(idle("fetch")).hook(failing).build();
    let supervisor = supervisor.expect("no circle");
    supervisor.start().await.expect("it starts");
    let announce = supervisor.statuses().of("announce").expect("it is there");
    assert_eq!(announce.last_error.as_deref(), Some("nobody listens"));
    assert!(supervisor.statuses().is_ready("fetch"));
}

#[tokio::test]
async fn a_hook_that_is_done_stays_done_when_what_it_needed_fails() {
    /// Fails when it is told to, the first time.
    fn fails_on(name: &str, told: &Arc<Notify>) -> Task {
        let (told, first) = (told.clone(), AtomicU32::new(1));
        Task::new(name, move |life: Life| {
            let (told, first) = (told.clone(), first.swap(0, Ordering::SeqCst) == 1);
            async move {
                if first {
                    told.notified().await;
                    return Err(ComponentError::failed("gone"));
                }
                life.stopping().await;
                Ok(())
            }
        })
    }
    let (store_fails, mail_fails) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let supervisor = Supervisor::builder()
        .component(fails_on("store", &store_fails).policy(degraded()))
        .component(fails_on("mail", &mail_fails))
        .hook(Hook::pre_start("reserve", || async { Ok(()) }).needs(["store"]))
        .pause(Pauses::default())
        .build()
        .expect("no circle");
    supervisor.start().await.expect("it starts");
    store_fails.notify_one();
    until(&supervisor, "store", ComponentState::Failed).await;
    mail_fails.notify_one();
    let statuses = supervisor.statuses();
    let again = statuses
        .until(|all| all.iter().any(|one| one.name == "mail" && one.restarts == 1 && one.ready));
    tokio::time::timeout(PATIENCE, again).await.expect("it does not wait for the hook again");
}

#[tokio::test]
async fn who_waits_for_a_hook_says_so() {
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begins, goes) = (begun.clone(), go.clone());
    let hook = Hook::pre_start("reserve", move || {
        let (begun, go) = (begins.clone(), goes.clone());
        async move {
            begun.notify_one();
            go.notified().await;
            Ok(())
        }
    });
    let supervisor = Supervisor::builder().component(idle("mail")).hook(hook).build();
    let supervisor = supervisor.expect("no circle");
    supervisor.launch();
    begun.notified().await;
    let mail = supervisor.statuses().of("mail").expect("it is there");
    assert_eq!((mail.state, mail.waits_for), (ComponentState::Waiting, vec!["reserve".to_owned()]));
    go.notify_one();
    supervisor.settled().await.expect("it starts");
}
