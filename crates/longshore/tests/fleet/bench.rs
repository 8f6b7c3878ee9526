//! Services on a database, and verbs that keep tests short.

use longshore::Service;
use longshore::core::QueueName;
use longshore::core::queue::QueueSettings;
use std::net::SocketAddr;

/// Queues and kinds of each service.
const QUEUES: usize = 5;
const KINDS: usize = 10;

/// Starts a service with five queues and ten kinds.
pub(crate) async fn serve(url: &str) -> Service {
    serve_with(url, &QueueSettings::default()).await
}

/// The same, with these settings of each queue.
pub(crate) async fn serve_with(url: &str, settings: &QueueSettings) -> Service {
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut builder = longshore::builder().store(url).listen(any_port);
    let queue = |n: usize| format!("queue-{}", n % QUEUES);
    for n in 0..QUEUES {
        builder = builder.queue(queue(n), settings.clone());
    }
    for n in 0..KINDS {
        let queue = QueueName::new(&queue(n)).expect("a name");
        builder = builder.handler_with(format!("kind-{n}"), || async {}, |kind| kind.queue(queue));
    }
    builder.start().await.expect("it starts")
}
