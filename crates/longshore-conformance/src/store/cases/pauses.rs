//! Pauses of queues, kinds and tenants.

use super::bench::{Bench, job, kind, queue, tenant};
use super::case_list;
use longshore_core::queue::Scope;
use longshore_core::store::Hold;
use longshore_core::store::Opened;
use longshore_core::{NewTask, State, TaskId};

case_list![
    a_paused_queue_hands_nothing_out,
    a_paused_kind_holds_back_that_kind_alone,
    a_paused_tenant_holds_back_its_tasks_alone,
    pausing_twice_and_resuming_once_resumes,
    pauses_do_not_stop_accepting_or_ending,
    what_was_paused_keeps_the_time_it_waited,
    a_pause_outlives_a_reboot,
    what_is_paused_cannot_be_opened,
];

async fn one_of_each(t: &Bench) -> [TaskId; 3] {
    let plain = t.submit(job()).await;
    let of_kind = t.submit(NewTask { kind: kind("a"), ..job() }).await;
    let of_tenant = t.submit(NewTask { tenant: tenant("other"), ..job() }).await;
    [plain, of_kind, of_tenant]
}

async fn a_paused_queue_hands_nothing_out(t: Bench) {
    let [plain, of_kind, of_tenant] = one_of_each(&t).await;
    t.pause(Scope::Queue(queue("default"))).await;
    assert_eq!(t.all_ready().await, []);
    t.resume(Scope::Queue(queue("default"))).await;
    assert_eq!(t.all_ready().await, [plain, of_kind, of_tenant]);
}

async fn a_paused_kind_holds_back_that_kind_alone(t: Bench) {
    let [plain, of_kind, of_tenant] = one_of_each(&t).await;
    t.pause(Scope::Kind(kind("a"))).await;
    assert_eq!(t.all_ready().await, [plain, of_tenant]);
    t.resume(Scope::Kind(kind("a"))).await;
    assert_eq!(t.all_ready().await, [of_kind]);
}

async fn a_paused_tenant_holds_back_its_tasks_alone(t: Bench) {
    let [plain, of_kind, of_tenant] = one_of_each(&t).await;
    t.pause(Scope::Tenant(tenant("other"))).await;
    assert_eq!(t.all_ready().await, [plain, of_kind]);
    t.resume(Scope::Tenant(tenant("other"))).await;
    assert_eq!(t.all_ready().await, [of_tenant]);
}

async fn pausing_twice_and_resuming_once_resumes(t: Bench) {
    let id = t.submit(job()).await;
    let scope = Scope::Kind(kind("job"));
    t.resume(scope.clone()).await;
    t.pause(scope.clone()).await;
    t.pause(scope.clone()).await;
    assert_eq!(t.next().await, None);
    t.resume(scope).await;
    assert_eq!(t.next().await, Some(id));
}

async fn pauses_do_not_stop_accepting_or_ending(t: Bench) {
    t.submit(job()).await;
    let held = t.claim_one().await;
    t.pause(Scope::Queue(queue("default"))).await;
    assert_eq!(t.end(&held.lease, longshore_core::Verdict::Complete).await, State::Success);
    let id = t.submit(job()).await;
    let task = t.task(id).await;
    assert_eq!((task.state, task.blocked_by), (State::Pending, None));
}

async fn what_was_paused_keeps_the_time_it_waited(t: Bench) {
    t.pause(Scope::Kind(kind("a"))).await;
    let paused = t.submit(NewTask { kind: kind("a"), ..job() }).await;
    t.pass(super::bench::secs(1));
    let other = t.submit(job()).await;
    t.resume(Scope::Kind(kind("a"))).await;
    assert_eq!(t.all_ready().await, [paused, other]);
}

async fn a_pause_outlives_a_reboot(t: Bench) {
    let id = t.submit(job()).await;
    t.pause(Scope::Queue(queue("default"))).await;
    t.reboot().await;
    assert_eq!(t.next().await, None);
    t.resume(Scope::Queue(queue("default"))).await;
    assert_eq!(t.next().await, Some(id));
}

async fn what_is_paused_cannot_be_opened(t: Bench) {
    t.carry("default", Some("broker")).await;
    let id = t.submit(job()).await;
    t.pause(Scope::Kind(kind("job"))).await;
    assert_eq!(t.open(id, Hold::Process).await, Opened::NotReady);
    t.resume(Scope::Kind(kind("job"))).await;
    assert!(matches!(t.open(id, Hold::Process).await, Opened::Leased(_)));
}
