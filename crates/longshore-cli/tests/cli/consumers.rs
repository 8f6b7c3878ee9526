use crate::rig::{Rig, json};
use longshore::Service;
use longshore::core::RetryPolicy;
use longshore::messages::Consumer;
use longshore_conformance::ModelBroker;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// A service in this process with two consumers, of which the broker cannot keep one.
struct Served {
    rig: Rig,
    service: Option<Service>,
    threads: Runtime,
}

impl Served {
    fn start() -> Self {
        let rig = Rig::alone();
        let threads = Runtime::new().unwrap();
        let two_days = Duration::from_secs(2 * 86_400);
        let late = RetryPolicy::fixed(two_days).cap(two_days);
        let builder = longshore::builder()
            .store(format!("embedded:{}", rig.path("data").display()))
            .listen(([127, 0, 0, 1], 0).into())
            .open_broker("main", Arc::new(ModelBroker::default()))
            .consumer("late", Consumer::topic("orders.*").retry(late), || async {})
            .consumer("shipping", Consumer::topic("orders.*").parallel(4), || async {});
        let service = threads.block_on(builder.start()).unwrap();
        let rig = rig.at(service.url());
        Self { rig, service: Some(service), threads }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(service) = self.service.take() {
            self.threads.block_on(service.stop(Duration::from_secs(5)));
        }
    }
}

#[test]
fn consumers_are_listed_shown_and_held_back() {
    let served = Served::start();
    let rig = &served.rig;
    assert_eq!(rig.fine(&["consumers", "ls", "-o", "name"]), "late\nshipping\n");
    let show = ["consumers", "show", "shipping", "-o", "json"];
    let shown = json(&rig.until(&show, |shown| json(shown)["state"] == "running"));
    assert_eq!((&shown["broker"], &shown["concurrency"]["parallel"]), (&"main".into(), &4.into()));
    assert_eq!(shown["waiting"]["consumers"], 1);
    assert_eq!(json(&rig.fine(&["consumers", "pause", "shipping", "-o", "json"]))["paused"], true);
    rig.until(&show, |shown| json(shown)["state"] == "paused");
    rig.fine(&["consumers", "resume", "shipping"]);
    rig.until(&show, |shown| json(shown)["state"] == "running");
    let nobody = rig.run(&["consumers", "show", "shiping"]);
    assert!(nobody.code == 3 && nobody.err.contains("did you mean shipping?"), "{nobody:?}");
    assert_eq!(rig.run(&["consumers", "pause", "shipping", "nobody"]).code, 7);
}

#[test]
fn a_plan_is_explained_and_what_cannot_be_kept_is_a_problem() {
    let served = Served::start();
    let rig = &served.rig;
    let list = ["consumers", "ls", "-o", "json"];
    rig.until(&list, |all| {
        json(all)[0]["state"] == "refused" && json(all)[1]["state"] == "running"
    });
    let plan = rig.fine(&["consumers", "explain", "shipping"]);
    assert!(plan.contains("retry\tnative\t4 attempts"), "{plan}");
    let refused = rig.run(&["consumers", "explain", "late"]);
    assert_eq!(refused.code, 8, "{refused:?}");
    assert!(refused.out.contains("retry\trefused\ta pause of "), "{refused:?}");
    assert!(refused.out.contains("set `retry.cap` to 1d at most"), "{refused:?}");
}
