//! Components that come and go while others run.

use super::*;

#[tokio::test]
async fn components_come_and_go_while_the_others_run() {
    let diary = Diary::default();
    let supervisor = Supervisor::builder()
        .component(Noted::new("store", &[], &diary))
        .hook(Hook::background("beside", |life| async move {
            life.stopping().await;
            Ok(())
        }))
        .build()
        .expect("no circle");
    supervisor.start().await.expect("it starts");
    supervisor.add(Noted::new("fetch", &["store"], &diary)).expect("its needs are there");
    until(&supervisor, "fetch", ComponentState::Ready).await;
    let needed = supervisor.remove("store", PATIENCE).await.expect_err("fetch needs it");
    assert_eq!(needed.to_string(), "`store` cannot be removed: fetch still needs it");
    let removed = tokio::time::timeout(PATIENCE, supervisor.remove("fetch", PATIENCE)).await;
    let removed = removed.expect("in time").expect("nobody needs it").expect("it was running");
    assert_eq!((removed.outcome, removed.given_back), (StopOutcome::Stopped, 2));
    assert_eq!(supervisor.statuses().of("fetch"), None);
    assert!(supervisor.statuses().is_ready("store"));
}

#[tokio::test]
async fn what_is_added_later_must_find_what_it_needs() {
    let supervisor = Supervisor::builder().component(idle("store")).build().expect("no circle");
    supervisor.start().await.expect("it starts");
    let error = supervisor.add(idle("fetch").needs(["link"])).expect_err("no link");
    assert_eq!(error, GraphError::Unknown { component: "fetch".into(), need: "link".into() });
    supervisor.stop(PATIENCE).await;
    assert_eq!(supervisor.add(idle("late")).expect_err("too late"), GraphError::Stopping);
}
