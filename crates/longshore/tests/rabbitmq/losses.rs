//! What people and faults do to the broker.

use crate::house::{Gate, QUEUE, group, metric, start, submit, succeed, until};
use longshore::Service;
use longshore::core::TaskId;
use longshore::core::broker::{Envelope, Outgoing, header};
use longshore_conformance::postgres;
use longshore_conformance::rabbitmq::RabbitMqServer;
use std::time::Duration;

/// Returns once so many envelopes are ready over there.
async fn ready(service: &Service, count: u64) {
    until(|| async {
        let broker = service.engine().brokers().get("main")?;
        let stats = broker.inspect(&group()).await.ok()?;
        (stats.ready == count).then_some(())
    })
    .await;
}

fn folder() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("embedded:{}", folder.path().display());
    (folder, store)
}

pub(crate) async fn what_is_purged_deleted_or_restored_over_there_ends_once() {
    let (broker, (_folder, store)) = (RabbitMqServer::start().expect("a server"), folder());
    let gate = Gate::shut();
    let service = start(&store, &broker, &gate).await;

    // Four run, five are in this process's hand, one of them opened with those that run.
    let mut ids = submit(&service, 40).await;
    until(|| async { (metric(&service, "relayed_total") == 40).then_some(()) }).await;
    broker.control(&["purge_queue", QUEUE]).expect("purged");
    ready(&service, 0).await;
    gate.open();
    succeed(&service, &ids).await;
    let republished = metric(&service, "republished_total");
    assert!((30..=36).contains(&republished), "{republished}");

    broker.control(&["delete_queue", QUEUE]).expect("deleted");
    ids.extend(submit(&service, 20).await);
    succeed(&service, &ids).await;
    assert_eq!(gate.ran(), 60);

    restore_a_backup(&service, &ids).await;
    ready(&service, 0).await;
    let more = submit(&service, 5).await;
    succeed(&service, &more).await;
    assert_eq!(gate.ran(), 65, "what had ended did not run again");
    assert!(service.stop(Duration::from_secs(10)).await.is_clean());
}

/// Puts envelopes of tasks that ended long ago into the broker's queue.
async fn restore_a_backup(service: &Service, ids: &[TaskId]) {
    let envelope = |id: &TaskId| Envelope::default().with(header::ID, id.to_string());
    let old = ids.iter().map(|id| Outgoing::to_group(group(), envelope(id))).collect();
    let broker = service.engine().brokers().get("main").expect("it is there");
    let answers = broker.publish(old).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}

pub(crate) async fn tasks_are_accepted_while_it_is_away_and_run_when_it_is_back() {
    let (mut broker, (_folder, store)) = (RabbitMqServer::start().expect("a server"), folder());
    let gate = Gate::shut();
    let service = start(&store, &broker, &gate).await;
    let mut ids = submit(&service, 20).await;
    until(|| async { (metric(&service, "relayed_total") == 20).then_some(()) }).await;
    broker.kill();
    ids.extend(submit(&service, 20).await);
    gate.open();
    broker.restart().expect("it is back");
    succeed(&service, &ids).await;
    assert_eq!(gate.ran(), 40);
    assert!(service.stop(Duration::from_secs(10)).await.is_clean());
}

pub(crate) async fn two_servers_on_postgresql_share_the_work() {
    let broker = RabbitMqServer::start().expect("a server");
    let database = postgres::shared().expect("it is needed");
    let store = format!("{database}?schema=carried_{}", std::process::id());
    let (here, there) = (Gate::shut(), Gate::shut());
    let first = start(&store, &broker, &here).await;
    let second = start(&store, &broker, &there).await;
    here.open();
    there.open();
    let mut ids = submit(&first, 100).await;
    ids.extend(submit(&second, 100).await);
    succeed(&first, &ids).await;
    assert_eq!(here.ran() + there.ran(), 200);
    let relayed = [&first, &second].map(|service| metric(service, "relayed_total"));
    assert!(relayed.iter().sum::<u64>() < 250, "{relayed:?}");
    broker.control(&["delete_queue", QUEUE]).expect("deleted");
    let more = submit(&second, 20).await;
    succeed(&second, &more).await;
    first.stop(Duration::from_secs(10)).await;
    second.stop(Duration::from_secs(10)).await;
}
