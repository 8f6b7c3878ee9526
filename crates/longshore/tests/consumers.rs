//! Consumers of messages in a service: those of its code, those of its configuration, and both.

use longshore::config::Sources;
use longshore::core::broker::{Broker, Envelope, GroupName, Outgoing, TopicName, header};
use longshore::handler::{HandlerError, Message, Payload};
use longshore::messages::Consumer;
use longshore::{Builder, Error, Service};
use longshore_conformance::ModelBroker;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use wiremock::matchers::{body_string, header as has, header_exists, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

const PATIENCE: Duration = Duration::from_secs(20);

fn builder(dir: &Path, broker: &ModelBroker) -> Builder {
    longshore::builder()
        .store(format!("embedded:{}", dir.display()))
        .listen(SocketAddr::from(([127, 0, 0, 1], 0)))
        .open_broker("main", Arc::new(broker.clone()))
}

fn sources(dir: &Path, text: &str) -> Sources {
    let file = dir.join("longshore.yaml");
    std::fs::write(&file, text).expect("a file");
    Sources::nowhere().file(file)
}

async fn running(service: &Service, name: &str) {
    let looking = async {
        let consumers = service.engine().consumers();
        while consumers.get(name).is_none_or(|one| one.standing.word() != "running") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("it must run");
}

async fn publish(broker: &ModelBroker, payload: &'static str) {
    let topic = TopicName::new("orders.created").expect("a name");
    let envelope = Envelope::new(payload).with(header::ID, "m1").with("region", "eu");
    let answers = broker.publish(vec![Outgoing::to_topic(topic, envelope)]).await;
    assert!(answers[0].is_ok(), "{answers:?}");
}

async fn letter(broker: &ModelBroker, group: &str) -> Envelope {
    let group = GroupName::new(group).expect("a name");
    let looking = async {
        loop {
            if let Some(letter) = broker.waiting(&group).into_iter().next() {
                return letter;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("it must come")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_in_code_gets_what_others_publish() {
    let (dir, broker) = (tempfile::tempdir().expect("a folder"), ModelBroker::default());
    let (tell, mut told) = mpsc::unbounded_channel();
    let take = move |Payload(n): Payload<u32>, message: Message| {
        let tell = tell.clone();
        async move { drop(tell.send((n, message))) }
    };
    let service = builder(dir.path(), &broker)
        .consumer("shipping", Consumer::topic("orders.*"), take)
        .start()
        .await
        .expect("it starts");
    running(&service, "shipping").await;

    publish(&broker, "7").await;

    let (n, message) = told.recv().await.expect("it came");
    assert_eq!((n, message.header("region")), (7, Some("eu")));
    service.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_of_the_configuration_pushes() {
    let (dir, broker) = (tempfile::tempdir().expect("a folder"), ModelBroker::default());
    let target = MockServer::start().await;
    Mock::given(method("POST"))
        .and(body_string("{\"n\":  1}"))
        .and(has("longshore-topic", "orders.created"))
        .and(has("longshore-consumer", "shipping"))
        .and(has("longshore-parameters", r#"{"region":"\u00fc"}"#))
        .and(has("ce-source", "/longshore/main/ship"))
        .and(has("region", "eu"))
        .and(header_exists("idempotency-key"))
        .respond_with(ResponseTemplate::new(422))
        .expect(1)
        .mount(&target)
        .await;
    let text = format!(
        "consumers: {{ shipping: {{ topic: \"orders.*\", group: ship, push: \"{}/\", parameters: {{ region: ü }} }} }}",
        target.uri()
    );
    let service = builder(dir.path(), &broker)
        .config(sources(dir.path(), &text))
        .start()
        .await
        .expect("it starts");
    running(&service, "shipping").await;

    publish(&broker, "{\"n\":  1}").await;

    let letter = letter(&broker, "ship.dead").await;
    assert_eq!(letter.headers.get(header::DEAD_CLASS), Some("bad_data"));
    service.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_configuration_says_goes_before_what_the_code_says() {
    let (dir, broker) = (tempfile::tempdir().expect("a folder"), ModelBroker::default());
    let text = "consumers: { shipping: { retry: { max_attempts: 1 }, dead_letter: lost, concurrency: { parallel: 3 } } }";
    let service = builder(dir.path(), &broker)
        .consumer("shipping", Consumer::topic("orders.*").parallel(9), || async {
            Err::<(), _>(HandlerError::transient("no stock"))
        })
        .config(sources(dir.path(), text))
        .start()
        .await
        .expect("it starts");
    running(&service, "shipping").await;
    let view = service.engine().consumers().get("shipping").expect("it is there");
    assert_eq!((view.parallel, view.max_attempts, &*view.topics[0]), (3, 1, "orders.*"));

    publish(&broker, "1").await;

    let letter = letter(&broker, "lost").await;
    assert_eq!(letter.headers.get(header::DEAD_REASON), Some("no stock"));
    service.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_at_the_start() {
    let (dir, broker) = (tempfile::tempdir().expect("a folder"), ModelBroker::default());
    let refused = |builder: Builder| async {
        let refused: Error = builder.start().await.expect_err("it must be refused");
        refused.to_string()
    };
    let nobody = Consumer::topic("a").broker("mian");
    let said = refused(builder(dir.path(), &broker).consumer("c", nobody, || async {})).await;
    let why =
        "the consumer c names the broker \"mian\", which there is not; did you mean \"main\"?";
    assert_eq!(said, why);

    let said = builder(dir.path(), &broker).consumer("c", Consumer::topic("a*"), || async {});
    assert!(refused(said).await.starts_with("the consumer c: topic: \"a*\" is no pattern"));

    let said = builder(dir.path(), &broker).handler("k", |_: Message| async {});
    let why = "the handler of k cannot be called: `Message` is there for consumers of messages alone, and this handler runs tasks";
    assert_eq!(refused(said).await, why);

    let said = longshore::builder().broker("main", "kafka://h").accept_only();
    let said = refused(said.store(format!("embedded:{}", dir.path().display()))).await;
    assert!(said.starts_with("broker \"main\": its address is of the scheme kafka"), "{said}");

    // What the driver alone can judge is told with its line, and nothing is made before.
    let folder = dir.path().join("new");
    for (text, line) in [
        (
            "brokers: { main: { url: \"amqp://h\", rabbitmq: { hartbeat: 5 } } }",
            "1:59: brokers.main.rabbitmq: no option \"hartbeat\"",
        ),
        (
            "store: \"postgres://h/x\"\nbrokers: { here: { url: \"embedded:\" } }",
            "2:25: brokers.here.url: means",
        ),
    ] {
        let other = longshore::builder().store(format!("embedded:{}", folder.display()));
        let said = refused(other.config(sources(dir.path(), text))).await;
        assert!(said.contains(&format!("longshore.yaml:{line}")), "{said}");
        assert!(!folder.exists(), "{text}");
    }
}
