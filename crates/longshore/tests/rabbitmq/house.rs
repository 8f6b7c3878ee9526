//! A service whose queue `mail` a RabbitMQ of its own carries.

use longshore::core::broker::GroupName;
use longshore::core::queue::QueueSettings;
use longshore::core::{QueueName, State, TaskId, TenantName};
use longshore::{Service, Submission};
use longshore_conformance::rabbitmq::RabbitMqServer;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Far above what anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// The broker's queue.
pub(crate) const QUEUE: &str = "ls.tasks/mail/invoice.send";

/// Handlers wait for it, and are counted.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    open: Arc<Semaphore>,
    ran: Arc<AtomicUsize>,
}

impl Gate {
    pub(crate) fn shut() -> Self {
        Self { open: Arc::new(Semaphore::new(0)), ran: Arc::default() }
    }

    pub(crate) fn open(&self) {
        self.open.add_permits(10_000);
    }

    pub(crate) fn ran(&self) -> usize {
        self.ran.load(Ordering::SeqCst)
    }

    async fn pass(self) {
        if let Ok(permit) = self.open.acquire().await {
            permit.forget();
        }
        self.ran.fetch_add(1, Ordering::SeqCst);
    }
}

pub(crate) fn queue() -> QueueName {
    QueueName::new("mail").expect("a name")
}

pub(crate) fn group() -> GroupName {
    GroupName::new(QUEUE).expect("a name")
}

/// Starts a service with four slots; `gate` holds its handlers up.
pub(crate) async fn start(store: &str, broker: &RabbitMqServer, gate: &Gate) -> Service {
    let gate = gate.clone();
    let service = longshore::builder()
        .store(store)
        .listen(SocketAddr::from(([127, 0, 0, 1], 0)))
        .broker("main", &broker.url())
        .queue("mail", QueueSettings { slots: Some(4), ..QueueSettings::default() })
        .carrier("mail", "main")
        .handler_with("invoice.send", move || gate.clone().pass(), |kind| kind.queue(queue()))
        .start()
        .await
        .expect("it starts");
    let carried = || async {
        let now = service.engine().live().now();
        now.carrier(&queue()).map(drop)
    };
    until(carried).await;
    service
}

pub(crate) async fn submit(service: &Service, count: usize) -> Vec<TaskId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let task = service.engine().intake().submit(Submission::new("invoice.send")).await;
        ids.push(task.expect("accepted").id);
    }
    ids
}

/// Returns once all of these have succeeded.
pub(crate) async fn succeed(service: &Service, ids: &[TaskId]) {
    let engine = service.engine();
    for id in ids {
        let (tenant, store) = (TenantName::default(), engine.store());
        let ended = engine.hub().wait(&**store, tenant, *id, PATIENCE).await;
        let task = ended.expect("it serves").expect("it is there");
        assert_eq!(task.state, State::Success, "{id}");
    }
}

/// Returns the value of a metric of the queue.
pub(crate) fn metric(service: &Service, name: &str) -> u64 {
    let text = service.engine().telemetry().encode();
    let begin = format!("longshore_carriage_{name}{{queue=\"mail\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&begin)).unwrap_or("0");
    line.parse().expect("a number")
}

/// Looks until there is something.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(look: impl Fn() -> F) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("it must come")
}
