//! A bench for the suite: the server that all cases share, or one of its own for a case that breaks it.

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use longshore_conformance::broker::Faults;
use longshore_conformance::proxy::{Fault, Proxy, Way};
use longshore_conformance::rabbitmq::{self, RabbitMqServer};
use longshore_conformance::{BrokerRig, async_trait};
use longshore_core::broker::{Broker, Envelope, GroupName, TopicName};
use longshore_rabbitmq::{Options, RabbitMq};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// The user of a server of our own, and his password.
const USER: &str = "guest";
/// A server answers by then.
const START: Duration = Duration::from_secs(60);

/// A broker on a bench.
#[derive(Debug, Default)]
pub(crate) struct Rig(OnceLock<Own>);

/// A server of a case's own, reached by a proxy.
#[derive(Debug)]
pub(crate) struct Own {
    server: Mutex<RabbitMqServer>,
    proxy: Proxy,
}

impl Rig {
    fn own(&self) -> &Own {
        self.0.get_or_init(|| {
            let server = RabbitMqServer::start().expect("it is installed");
            let proxy = Proxy::start(server.addr()).expect("a port is free");
            Own { server: Mutex::new(server), proxy }
        })
    }
}

impl Own {
    fn server(&self) -> MutexGuard<'_, RabbitMqServer> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn url(&self) -> String {
        self.server().url_by(self.proxy.addr())
    }

    fn control(&self, args: &[&str]) {
        self.server().control(args).expect("the tool does it");
    }
}

#[async_trait]
impl BrokerRig for Rig {
    async fn connect(&self) -> Arc<dyn Broker> {
        let url = match self.0.get() {
            Some(own) => own.url(),
            None => rabbitmq::shared().expect("it was started"),
        };
        let broker = RabbitMq::open(Options::new([url])).expect("the address is right");
        broker.first_contact(START).await.expect("it answers");
        Arc::new(broker)
    }

    async fn reboot(&self) -> Option<Arc<dyn Broker>> {
        self.own().server().restart().expect("it starts again");
        Some(self.connect().await)
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(20)
    }

    fn faults(&self) -> Option<&dyn Faults> {
        Some(self.own())
    }
}

impl Faults for Own {
    fn stop(&self) {
        self.server().stop().expect("it stops");
    }

    fn kill(&self) {
        self.server().kill();
    }

    fn start(&self) {
        self.server().restart().expect("it starts again");
    }

    fn freeze(&self, frozen: bool) {
        self.server().freeze(frozen);
    }

    fn cut(&self) {
        self.proxy.end_all(Fault::Cut);
    }

    fn mute(&self) {
        self.proxy.tell(Fault::BlackHole(Way::Both));
        self.proxy.tell_new(Fault::None);
    }

    fn lose_answers(&self, lost: bool) {
        self.proxy.tell(if lost { Fault::BlackHole(Way::Back) } else { Fault::None });
    }

    fn block(&self, blocked: bool) {
        let share = if blocked { "0.00001" } else { "0.8" };
        self.control(&["set_vm_memory_high_watermark", share]);
    }

    fn revoke(&self, revoked: bool) {
        let password = if revoked { "another one" } else { USER };
        self.control(&["change_password", USER, password]);
        if revoked {
            self.control(&["close_all_connections", "--", "revoked"]);
        }
    }

    fn delete(&self, group: &GroupName) {
        self.control(&["delete_queue", group.as_str()]);
    }

    fn purge(&self, group: &GroupName) {
        self.control(&["purge_queue", group.as_str()]);
    }

    fn publish(&self, topic: &TopicName, envelope: &Envelope) {
        let (url, topic, envelope) = (self.server().url(), topic.clone(), envelope.clone());
        let sent = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("there is one");
            runtime.block_on(send(&url, topic.as_str(), &envelope)).expect("it is taken");
        });
        sent.join().expect("it was sent");
    }
}

/// Sends as a program that knows nothing of us.
async fn send(url: &str, topic: &str, envelope: &Envelope) -> lapin::Result<()> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let mut headers = FieldTable::default();
    let mut properties = BasicProperties::default();
    for (name, value) in envelope.headers.iter() {
        match name {
            "content-type" => properties = properties.with_content_type(value.into()),
            "message-id" => properties = properties.with_message_id(value.into()),
            name => drop(headers.insert(name.into(), AMQPValue::LongString(value.into()))),
        }
    }
    let properties = properties.with_headers(headers);
    let (exchange, options) = ("amq.topic".into(), BasicPublishOptions::default());
    channel
        .basic_publish(exchange, topic.into(), options, &envelope.payload, properties)
        .await?
        .await?;
    connection.close(200, "done".into()).await
}
