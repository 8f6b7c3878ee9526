//! What one server does for all, and what all of them learn at once.

use crate::bench::serve;
use longshore::Submission;
use longshore::core::queue::QueueSettings;
use longshore::core::store::Store;
use longshore::core::{Clock, QueueName, State, SystemClock, TaskId, TenantName, Timestamp};
use longshore_conformance::postgres;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A duty that only looks now and then comes later than this.
const LATE: Duration = Duration::from_millis(250);
/// A busy machine may stand still in one case; the middle of so many tells what the service does.
const TRIES: u32 = 9;

/// Waits until a task has succeeded; returns when it was begun.
async fn begun(store: &Arc<dyn Store>, id: TaskId) -> Timestamp {
    let until = Instant::now() + Duration::from_secs(30);
    while Instant::now() < until {
        let task = store.get(TenantName::default(), id).await.expect("it answers").expect("there");
        if task.state == State::Success {
            return task.started_at.expect("it ran");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it has not ended within 30 s");
}

fn middle(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

pub(crate) async fn what_a_server_left_behind_is_made_ready_when_it_is_due() {
    let url = postgres::shared().expect("it is needed");
    let leads = serve(&format!("{url}?schema=left_behind")).await;
    let leaves = serve(&format!("{url}?schema=left_behind")).await;
    let soon = SystemClock.now().after(Duration::from_secs(5));
    let mut delayed = Vec::new();
    for late in 0..TRIES {
        let mut wish = Submission::new("kind-1");
        let due = soon.after(late * Duration::from_millis(700));
        wish.run_at = Some(due);
        let accepted = leaves.engine().intake().submit(wish).await.expect("accepted");
        delayed.push((accepted.id, due));
    }
    leaves.stop(Duration::ZERO).await;
    let store = leads.engine().store();
    let mut late = Vec::new();
    for (id, due) in delayed {
        let at = begun(store, id).await;
        assert!(at >= due, "{:?} too early", due.since(at));
        late.push(at.since(due));
    }
    assert!(middle(&mut late) <= LATE, "{late:?} too late");
    leads.stop(Duration::from_secs(5)).await;
}

pub(crate) async fn what_is_set_at_one_server_holds_at_another_within_a_second() {
    let url = postgres::shared().expect("it is needed");
    let [one, other] = [
        serve(&format!("{url}?schema=set_here")).await,
        serve(&format!("{url}?schema=set_here")).await,
    ];
    let queue = QueueName::new("queue-1").expect("a name");
    let mut took = Vec::new();
    // The first one may come before each has seen that there is another one.
    for slots in 1..=TRIES + 1 {
        let settings = QueueSettings { slots: Some(slots), ..QueueSettings::default() };
        let (tenant, began) = (TenantName::default(), Instant::now());
        let set = one.engine().queues().configure("test", tenant, queue.clone(), Some(settings));
        set.await.expect("it is set");
        while other.engine().live().now().settings(&queue).slots != Some(slots) {
            assert!(began.elapsed() < Duration::from_secs(20), "not heard of");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        took.push(began.elapsed());
    }
    // Who only looks now and then hears of each after two seconds.
    assert!(middle(&mut took[1..]) < Duration::from_secs(1), "heard of after {took:?}");
    one.stop(Duration::from_secs(5)).await;
    other.stop(Duration::from_secs(5)).await;
}
