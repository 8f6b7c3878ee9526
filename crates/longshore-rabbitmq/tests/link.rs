//! The same broker behind a bad link: whatever is said takes a while, and arrives in pieces.

use longshore_conformance::proxy::{Fault, Proxy};
use longshore_conformance::{BrokerRig, async_trait, rabbitmq};
use longshore_core::broker::Broker;
use longshore_rabbitmq::{Options, RabbitMq};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Each way; a question and its answer take twice as long.
const LATENCY: Duration = Duration::from_millis(1);
/// No frame is sure to arrive whole.
const PIECE: usize = 2_999;
/// A server answers by then.
const START: Duration = Duration::from_secs(60);

/// A server that all cases share, and the links that lead to it.
struct Far {
    url: String,
    _links: [Proxy; 2],
}

#[async_trait]
impl BrokerRig for Far {
    async fn connect(&self) -> Arc<dyn Broker> {
        let broker = RabbitMq::open(Options::new([&self.url])).expect("the address is right");
        broker.first_contact(START).await.expect("it answers");
        Arc::new(broker)
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(20)
    }
}

async fn fresh() -> Box<dyn BrokerRig> {
    let url = rabbitmq::shared().expect("it was started");
    let (head, rest) = url.split_once('@').expect("a user");
    let (place, vhost) = rest.split_once('/').expect("a virtual host");
    let addr: SocketAddr = place.replace("localhost", "127.0.0.1").parse().expect("an address");
    let late = Proxy::start(addr).expect("a port is free");
    late.tell(Fault::Latency(LATENCY));
    let broken = Proxy::start(late.addr()).expect("a port is free");
    broken.tell(Fault::Pieces(PIECE));
    let url = format!("{head}@{}/{vhost}", broken.addr());
    Box::new(Far { url, _links: [late, broken] })
}

longshore_conformance::broker_suite!(
    "rabbitmq-by-a-bad-link", fresh, ignored: "link_ignored.txt", needs: rabbitmq::needed,
    after: rabbitmq::stop_shared
);
