//! Who starts before whom, and who sees whom.

use super::*;

#[tokio::test]
async fn what_is_needed_starts_before_and_stops_after() {
    let diary = Diary::default();
    let supervisor = Supervisor::builder()
        .component(Noted::new("fetch", &["link"], &diary))
        .component(Noted::new("store", &[], &diary))
        .component(Noted::new("link", &["store"], &diary))
        .build()
        .expect("no circle");
    supervisor.start().await.expect("it starts");
    supervisor.stop(PATIENCE).await;
    let expected = [
        "start store",
        "ready store",
        "start link",
        "ready link",
        "start fetch",
        "ready fetch",
        "stop fetch",
        "stop link",
        "stop store",
    ];
    assert_eq!(diary.read(), expected);
}

#[tokio::test]
async fn those_who_do_not_need_each_other_start_side_by_side() {
    struct Meets(&'static str, Arc<Barrier>);
    #[async_trait::async_trait]
    impl Component for Meets {
        fn name(&self) -> &str {
            self.0
        }
        async fn start(&self, _: Life) -> Result<(), ComponentError> {
            self.1.wait().await;
            Ok(())
        }
    }
    let both = Arc::new(Barrier::new(2));
    let supervisor =
        Supervisor::builder().component(Meets("a", both.clone())).component(Meets("b", both));
    let supervisor = supervisor.build().expect("no circle");
    let started = tokio::time::timeout(PATIENCE, supervisor.start()).await;
    started.expect("neither waits for the other's end").expect("it starts");
}

#[tokio::test]
async fn who_needs_an_unready_one_is_unready_too() {
    let deaf = Arc::new(Notify::new());
    let told = deaf.clone();
    let link = Task::new("link", move |life: Life| {
        let deaf = told.clone();
        async move {
            deaf.notified().await;
            life.unready("no heartbeat");
            life.stopping().await;
            Ok(())
        }
    });
    let supervisor =
        Supervisor::builder().component(link).component(idle("fetch").needs(["link"])).build();
    let supervisor = supervisor.expect("no circle");
    supervisor.start().await.expect("it starts");
    assert!(supervisor.statuses().is_ready("fetch"));
    deaf.notify_one();
    until(&supervisor, "link", ComponentState::Unready).await;
    let fetch = supervisor.statuses().of("fetch").expect("it is there");
    assert_eq!((fetch.state, fetch.ready), (ComponentState::Ready, false));
    let link = supervisor.statuses().of("link").expect("it is there");
    assert_eq!(link.reason.as_deref(), Some("no heartbeat"));
}

#[test]
fn a_task_may_run_on_threads_of_its_own() {
    let runtime = |name: &str| {
        let mut threads = tokio::runtime::Builder::new_multi_thread();
        threads.worker_threads(1).thread_name(name).enable_all().build().expect("a runtime")
    };
    let (mine, theirs) = (runtime("mine"), runtime("theirs"));
    let (tell, told) = oneshot::channel();
    let tell = Mutex::new(Some(tell));
    let task = Task::new("fetch", move |life: Life| {
        let tell = tell.lock().expect("not poisoned").take();
        async move {
            let here = std::thread::current().name().map(str::to_owned);
            let _ = tell.expect("the first life").send(here);
            life.stopping().await;
            Ok(())
        }
    });
    let supervisor = Supervisor::builder().component(task.on(theirs.handle().clone())).build();
    let supervisor = supervisor.expect("no circle");
    let (thread, report) = mine.block_on(async {
        supervisor.start().await.expect("it starts");
        (told.await.expect("it says so"), supervisor.stop(PATIENCE).await)
    });
    assert_eq!(thread.as_deref(), Some("theirs"));
    assert!(report.is_clean());
}

#[tokio::test]
async fn a_loop_may_wait_until_what_it_needs_is_ready_again() {
    let (deaf, well, go) =
        (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (diary, done) = (Diary::default(), Arc::new(Notify::new()));
    let (at, hears, noted) = (deaf.clone(), well.clone(), diary.clone());
    let link = Task::new("link", move |life: Life| {
        let (deaf, well, diary) = (at.clone(), hears.clone(), noted.clone());
        async move {
            deaf.notified().await;
            life.unready("no heartbeat");
            well.notified().await;
            diary.note("the link hears again");
            life.ready();
            life.stopping().await;
            Ok(())
        }
    });
    let (goes, noted, tells) = (go.clone(), diary.clone(), done.clone());
    let fetch = Task::new("fetch", move |life: Life| {
        let (go, diary, done) = (goes.clone(), noted.clone(), tells.clone());
        async move {
            go.notified().await;
            life.needs_ready().await;
            diary.note("fetched");
            done.notify_one();
            life.stopping().await;
            Ok(())
        }
    });
    let supervisor = Supervisor::builder().component(link).component(fetch.needs(["link"])).build();
    let supervisor = supervisor.expect("no circle");
    supervisor.start().await.expect("it starts");
    deaf.notify_one();
    until(&supervisor, "link", ComponentState::Unready).await;
    go.notify_one();
    tokio::task::yield_now().await; // a loop that does not wait fetches here
    well.notify_one();
    tokio::time::timeout(PATIENCE, done.notified()).await.expect("it goes on");
    assert_eq!(diary.read(), ["the link hears again", "fetched"]);
}

#[tokio::test]
async fn how_components_are_is_shown_to_prometheus() {
    let broken = fails("gpu", u32::MAX).policy(degraded());
    let supervisor = Supervisor::builder().component(broken).component(idle("fetch")).build();
    let supervisor = supervisor.expect("no circle");
    supervisor.launch();
    until(&supervisor, "gpu", ComponentState::Failed).await;
    until(&supervisor, "fetch", ComponentState::Ready).await;
    let telemetry = longshore_runtime::telemetry::Telemetry::default();
    telemetry.components(&supervisor.status());
    let text = telemetry.encode();
    assert!(text.contains(r#"longshore_component_ready{component="gpu"} 0"#), "{text}");
    assert!(text.contains(r#"longshore_component_ready{component="fetch"} 1"#), "{text}");
}
