//! Rates of queues, over several servers.

use crate::bench::serve_with;
use longshore::Submission;
use longshore::core::queue::{QueueSettings, Rate, Scope};
use longshore::core::{QueueName, State, TaskId, TenantName};
use longshore_conformance::postgres;
use std::time::{Duration, Instant};

const TASKS: usize = 70;
/// Many times as long as it has to take.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn a_rate_is_kept_by_two_servers_together() {
    let url = format!("{}?schema=paced", postgres::shared().expect("it is needed"));
    let rate: Rate = "20/s".parse().expect("a rate");
    let paced = QueueSettings { rate: Some(rate), ..QueueSettings::default() };
    let services = [serve_with(&url, &paced).await, serve_with(&url, &paced).await];
    // All wait before the first may start: how long accepting takes is not the rate's affair.
    let (queues, tenant) = (services[0].engine().queues(), TenantName::default);
    let all = || Scope::Queue(QueueName::new("queue-1").expect("a name"));
    queues.pause("test", tenant(), all()).await.expect("paused");
    let mut ids: Vec<TaskId> = Vec::new();
    for n in 0..TASKS {
        let intake = services[n % 2].engine().intake();
        ids.push(intake.submit(Submission::new("kind-1")).await.expect("accepted").id);
    }
    queues.resume("test", tenant(), all()).await.expect("resumed");
    let store = services[0].engine().store();
    let mut started = Vec::new();
    let until = Instant::now() + PATIENCE;
    for id in ids {
        let task = loop {
            let task = store.get(TenantName::default(), id).await.expect("it answers");
            let task = task.expect("it is there");
            if task.state == State::Success {
                break task;
            }
            assert!(Instant::now() < until, "not done within {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        started.push(task.started_at.expect("it ran").0);
    }
    started.sort_unstable();
    // Any second sees the rate, and a tenth of it.
    for (first, last) in started.iter().zip(started.iter().skip(22)) {
        assert!(last - first >= 999, "more than 22 within {} ms: {started:?}", last - first);
    }
    let took = started[TASKS - 1] - started[0];
    let least = i64::try_from(TASKS).expect("few") * 50;
    // A server that only looked now and then would take many times as long.
    assert!(took <= 2 * least, "it took {took} ms, and {least} were enough");
    for service in services {
        service.stop(Duration::from_secs(5)).await;
    }
}
