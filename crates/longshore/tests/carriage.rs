//! Carried queues in a service: declared in the configuration, or in code, on the embedded store.

use longshore::config::Sources;
use longshore::core::broker::{Broker, GroupName};
use longshore::core::{QueueName, State, TaskId, TenantName};
use longshore::{Builder, Error, Service, Submission};
use longshore_conformance::ModelBroker;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

fn builder(dir: &Path, broker: &ModelBroker) -> Builder {
    longshore::builder()
        .store(format!("embedded:{}", dir.display()))
        .listen(SocketAddr::from(([127, 0, 0, 1], 0)))
        .open_broker("main", Arc::new(broker.clone()))
        .handler_with("invoice.send", || async {}, |kind| kind.queue(queue()))
}

fn queue() -> QueueName {
    QueueName::new("mail").expect("a name")
}

fn sources(dir: &Path, text: &str) -> Sources {
    let file = dir.join("longshore.yaml");
    std::fs::write(&file, text).expect("a file");
    Sources::nowhere().file(file)
}

async fn submit(service: &Service, count: usize) -> Vec<TaskId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let task = service.engine().intake().submit(Submission::new("invoice.send")).await;
        ids.push(task.expect("accepted").id);
    }
    ids
}

async fn succeed(service: &Service, ids: &[TaskId]) {
    let engine = service.engine();
    for id in ids {
        let ended =
            engine.hub().wait(&**engine.store(), TenantName::default(), *id, PATIENCE).await;
        let task = ended.expect("it serves").expect("it is there");
        assert_eq!(task.state, State::Success);
    }
}

/// Returns once the store says that this broker carries the queue, or nobody.
async fn carried(service: &Service, by: Option<&str>) {
    let looking = async {
        while service.engine().live().now().carrier(&queue()) != by {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("it must come");
}

fn relayed(service: &Service) -> u64 {
    let text = service.engine().telemetry().encode();
    let begin = "longshore_carriage_relayed_total{queue=\"mail\"} ";
    let line = text.lines().find_map(|line| line.strip_prefix(begin)).unwrap_or("0");
    line.parse().expect("a number")
}

#[tokio::test]
async fn a_queue_of_the_configuration_is_carried() {
    let (dir, broker) = (tempfile::tempdir().expect("a folder"), ModelBroker::default());
    let sources = sources(dir.path(), "queues: { mail: { carrier: main, slots: 4 } }");
    let service = builder(dir.path(), &broker).config(sources).start().await.expect("it starts");
    carried(&service, Some("main")).await;
    let ids = submit(&service, 20).await;
    succeed(&service, &ids).await;
    assert_eq!(relayed(&service), 20);
    let group = GroupName::new("ls.tasks/mail/invoice.send").expect("a name");
    assert_eq!(broker.inspect(&group).await.expect("it answers").ready, 0);
    assert!(service.stop(Duration::from_secs(5)).await.is_clean());
}

#[tokio::test]
async fn a_queue_of_the_code_is_carried_over_a_restart_and_back() {
    let (dir, broker) = (tempfile::tempdir().expect("a folder"), ModelBroker::default());
    let service = builder(dir.path(), &broker).carrier("mail", "main").start().await;
    let service = service.expect("it starts");
    carried(&service, Some("main")).await;
    broker.be_away(true);
    let ids = submit(&service, 10).await;
    service.stop(Duration::from_secs(5)).await;
    broker.be_away(false);

    let again = broker.connect();
    let service = builder(dir.path(), &again).carrier("mail", "main").start().await;
    let service = service.expect("it starts");
    succeed(&service, &ids).await;
    assert_eq!(relayed(&service), 10);
    service.stop(Duration::from_secs(5)).await;

    let plain = broker.connect();
    let service = builder(dir.path(), &plain).start().await.expect("it starts");
    carried(&service, None).await;
    let ids = submit(&service, 3).await;
    succeed(&service, &ids).await;
    assert_eq!(relayed(&service), 0);
    service.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_reload_lets_a_broker_carry_a_queue_and_takes_it_back() {
    let (dir, broker) = (tempfile::tempdir().expect("a folder"), ModelBroker::default());
    let (plain, by_main) =
        ("queues: { mail: { slots: 4 } }", "queues: { mail: { slots: 4, carrier: main } }");
    let sources = sources(dir.path(), plain);
    let service = builder(dir.path(), &broker).config(sources).start().await.expect("it starts");
    let file = dir.path().join("longshore.yaml");
    for (text, by) in [(by_main, Some("main")), (plain, None), (by_main, Some("main"))] {
        std::fs::write(&file, text).expect("a file");
        carried(&service, by).await;
        let ids = submit(&service, 3).await;
        succeed(&service, &ids).await;
    }
    assert_eq!(relayed(&service), 6);
    service.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn topics_of_the_store_itself_can_carry() {
    let (dir, main) = (tempfile::tempdir().expect("a folder"), ModelBroker::default());
    let builder = builder(dir.path(), &main).broker("own", "embedded:").carrier("mail", "own");
    let service = builder.start().await.expect("it starts");
    carried(&service, Some("own")).await;
    let ids = submit(&service, 20).await;
    succeed(&service, &ids).await;
    assert_eq!(relayed(&service), 20);
    service.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_broker_that_there_is_not_refuses_the_start() {
    let (dir, broker) = (tempfile::tempdir().expect("a folder"), ModelBroker::default());
    let sources = sources(dir.path(), "queues:\n  mail: { carrier: mian }");
    let refused = builder(dir.path(), &broker).config(sources).start().await;
    let Err(Error::Config(wrong)) = refused else { panic!("{refused:?}") };
    let fault = wrong.faults()[0].to_string();
    let expected = "2:20: queues.mail.carrier: there is no broker \"mian\"; did you mean \"main\"?";
    assert!(fault.ends_with(expected), "{fault}");
    let refused = builder(dir.path(), &broker).carrier("mail", "other").start().await;
    let error = refused.expect_err("it is refused").to_string();
    assert!(error.contains("there are: main"), "{error}");
}
