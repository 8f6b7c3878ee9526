//! A RabbitMQ behind a link, a server whose consumer pushes to the receiver, and publishers.

use super::account::{Account, Told};
use super::receiver;
use crate::client::Client;
use crate::server::{Launch, Server, eventually, folder};
use libtest_mimic::Failed;
use longshore_conformance::proxy::Proxy;
use longshore_conformance::rabbitmq::RabbitMqServer;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// One broker at a time: it takes a whole core while it starts, and how fast things are back is judged.
static ONE: Mutex<()> = Mutex::new(());

/// The broker's queue of the tasks that it carries.
pub(super) const CARRIED: &str = "ls.tasks/mail/ship";

/// How something is given to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// Published, answered after the broker's confirm.
    Topic,
    /// Published by way of the outbox.
    Outbox,
    /// As a task that the broker carries.
    Task,
}

const TOPIC: &str = "/v1/brokers/main/topics/orders.created/messages";

pub(super) struct Rig {
    pub(super) broker: RabbitMqServer,
    pub(super) link: Proxy,
    pub(super) launch: Launch,
    pub(super) server: Option<Server>,
    pub(super) account: Arc<Account>,
    door: Arc<Mutex<SocketAddr>>,
    numbers: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    publishers: Vec<JoinHandle<()>>,
    _folder: tempfile::TempDir,
    _one: MutexGuard<'static, ()>,
}

impl Rig {
    /// Starts everything, once the rig before has ended; `store` says where tasks are kept, unless it is the embedded store.
    pub(super) fn start(store: Option<&str>) -> Result<Self, Failed> {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let broker = RabbitMqServer::start()?;
        let link = Proxy::start(broker.addr())?;
        let account = Arc::new(Account::default());
        let receiver = receiver::listen(&account)?;
        let folder = folder()?;
        let own = format!("embedded:{}", folder.path().join("data").display());
        let config = json!({
            "store": store.unwrap_or(&own),
            "brokers": {"main": {"url": broker.url_by(link.addr())}},
            "queues": {"mail": {"carrier": "main", "slots": 16}},
            "kinds": {"ship": {
                "queue": "mail", "push": format!("http://{receiver}/"), "timeout": "10s",
                "retry": {"strategy": "fixed", "base": "1s", "max_attempts": 50},
            }},
            "consumers": {"shipping": {
                "broker": "main", "topic": "orders.*", "concurrency": {"parallel": 16},
                "push": format!("http://{receiver}/"), "timeout": "10s",
                "retry": {"strategy": "fixed", "base": "1s", "max_attempts": 50},
            }},
        });
        let file = folder.path().join("longshore.yaml");
        std::fs::write(&file, config.to_string())?; // JSON is YAML
        let launch = Launch::configured(&file);
        let server = launch.start()?;
        let door = Arc::new(Mutex::new(server.addr));
        let rig = Self {
            broker,
            link,
            launch,
            server: Some(server),
            account,
            door,
            numbers: Arc::default(),
            over: Arc::default(),
            publishers: Vec::new(),
            _folder: folder,
            _one: one,
        };
        let ready = eventually("the consumer receives", Duration::from_secs(60), || {
            Ok(rig.is_ready().then_some(()))
        });
        ready.map_err(|late| rig.with_state(&late))?;
        Ok(rig)
    }

    pub(super) fn client(&self) -> Client {
        Client::new(*self.door.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether all consumers receive.
    pub(super) fn is_ready(&self) -> bool {
        let answer = self.client().get("/readyz?scope=consumers");
        answer.is_ok_and(|answer| answer.status == 200)
    }

    /// Publishes one to the topic by a connection of its own, without waiting for what becomes of it; returns its number.
    pub(super) fn publish(&mut self) -> u64 {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let (mut client, account) = (self.client(), self.account.clone());
        self.publishers.push(std::thread::spawn(move || {
            publish(&mut client, &account, number, By::Topic);
        }));
        number
    }

    /// Lets so many publish all the time, each in one of the ways.
    pub(super) fn load(&mut self, publishers: usize, pause: Duration) {
        for at in 0..publishers {
            let (account, numbers, over) =
                (self.account.clone(), self.numbers.clone(), self.over.clone());
            let door = self.door.clone();
            self.publishers.push(std::thread::spawn(move || {
                let addr = || *door.lock().unwrap_or_else(PoisonError::into_inner);
                let mut at_door = addr();
                let mut client = Client::new(at_door);
                while !over.load(Ordering::Relaxed) {
                    if addr() != at_door {
                        at_door = addr();
                        client = Client::new(at_door);
                    }
                    let number = numbers.fetch_add(1, Ordering::Relaxed);
                    let by = [By::Topic, By::Outbox, By::Task][at % 3];
                    publish(&mut client, &account, number, by);
                    std::thread::sleep(pause);
                }
            }));
        }
    }

    /// Ends the load, and waits for what is being published.
    pub(super) fn enough(&mut self) -> Result<(), Failed> {
        self.over.store(true, Ordering::Relaxed);
        let ended: Vec<_> = self.publishers.drain(..).map(JoinHandle::join).collect();
        if ended.iter().any(Result::is_err) {
            return Err("a publisher panicked".into());
        }
        Ok(())
    }

    /// Adds to a failure what the broker and the server say of themselves.
    pub(super) fn with_state(&self, failure: &Failed) -> Failed {
        let columns = ["name", "messages_ready", "messages_unacknowledged", "consumers", "state"];
        let queues = self.broker.control(&[&["-q", "list_queues"], &columns[..]].concat());
        let queues = queues.unwrap_or_else(|why| why);
        let server = self.server.as_ref().map(Server::stderr).unwrap_or_default();
        let (broker, server) = (last_lines(&self.broker.log()), last_lines(&server));
        let failure = failure.message().unwrap_or_default();
        format!("the broker:\n{broker}\nthe server:\n{server}\nthe queues:\n{queues}\n{failure}")
            .into()
    }

    /// Kills the server, and starts it again on its data.
    pub(super) fn kill_server(&mut self) -> Result<(), Failed> {
        if let Some(server) = self.server.take() {
            server.kill()?;
        }
        let server = self.launch.start()?;
        *self.door.lock().unwrap_or_else(PoisonError::into_inner) = server.addr;
        self.server = Some(server);
        Ok(())
    }
}

/// The end of a log.
fn last_lines(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(80)..].join("\n")
}

impl Drop for Rig {
    fn drop(&mut self) {
        // What failed early leaves no load to the next.
        let _ = self.enough();
    }
}

fn publish(client: &mut Client, account: &Account, number: u64, by: By) {
    let payload = json!({"n": number});
    let answer = match by {
        By::Topic => client.post(TOPIC, &json!({"payload": payload})),
        By::Outbox => client.post(&format!("{TOPIC}?outbox=true"), &json!({"payload": payload})),
        By::Task => client.post("/v1/tasks", &json!({"kind": "ship", "payload": payload})),
    };
    let told = match answer {
        Ok(answer) if matches!(answer.status, 200..=202) => Told::Stored,
        Ok(answer) => match serde_json::from_slice::<serde_json::Value>(&answer.body) {
            Ok(problem) if problem["code"] == 50_304 => Told::Refused,
            _ => Told::Unknown,
        },
        Err(_) => Told::Unknown,
    };
    account.told(number, told);
}
