//! The configuration as the rest of the program sees it.

use super::address::shown;
use super::block::{Setting, join};
use super::fault::Fault;
use super::origin::Origin;
use super::prints::Prints;
use super::secret::{Address, Secret};
use longshore_core::broker::{DeclareMode, Reconnect};
use longshore_core::queue::Rate;
use longshore_core::store::Retention;
use longshore_core::{FaultClass, KindName, QueueName, RetryPolicy};
use longshore_runtime::Plan;
use longshore_runtime::handler::Decode;
use longshore_runtime::messages::Mode;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// A configuration in which everything was checked and every default is filled in. Made by
/// [`Sources::load`](super::Sources::load).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The HTTP server.
    pub server: Server,
    /// Who may call.
    pub auth: Auth,
    /// Where tasks are kept: `embedded:DIR`, the folder as seen from the working folder.
    pub store: Address,
    /// The brokers.
    pub brokers: BTreeMap<String, Broker>,
    /// The queues; `default` is always among them.
    pub queues: BTreeMap<QueueName, Queue>,
    /// The kinds.
    pub kinds: BTreeMap<KindName, Kind>,
    /// The consumers of messages.
    pub consumers: BTreeMap<String, Consumer>,
    /// What is submitted again and again, by name.
    pub schedules: BTreeMap<String, Plan>,
    /// How long ended tasks are kept.
    pub retention: Retention,
    /// What the program tells of itself.
    pub telemetry: Telemetry,
    pub(super) settings: Vec<Setting>,
    pub(super) document: serde_json::Value,
    pub(super) file: Option<PathBuf>,
    pub(super) files: Prints,
}

/// The HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Server {
    /// Where it listens. Default: `127.0.0.1:8080`.
    pub listen: SocketAddr,
    /// What is shown to whoever connects. Default: plain HTTP is spoken.
    pub tls: Option<TlsFiles>,
    /// Whether it listens anywhere, without keys and TLS too. Default: no.
    pub insecure_bind: bool,
    /// How long handlers and requests in flight have at the end. Default: 30 s.
    pub drain: Duration,
    /// Largest request body in bytes. Default: 256 KiB.
    pub max_body: usize,
}

/// Who may call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Auth {
    /// The file of the keys, as seen from the working folder. Default: nobody is asked for one.
    pub keys: Option<PathBuf>,
}

/// The files of a certificate, as seen from the working folder.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsFiles {
    /// The certificate and those that lead to its root, in PEM form.
    pub cert: PathBuf,
    /// Its private key, in PEM form.
    pub key: PathBuf,
}

/// A broker.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Broker {
    /// Its endpoints, all of one driver's schemes.
    pub urls: Vec<Address>,
    /// What is done about what is not there. Default: it is created.
    pub declare: DeclareMode,
    /// How a lost connection is tried again. Default: without end.
    pub reconnect: Reconnect,
    /// What only its driver knows; the driver checks it.
    pub options: BTreeMap<String, String>,
}

impl Broker {
    /// One at an address, with every default.
    pub(crate) fn at(url: &str) -> Self {
        let (urls, reconnect) = (vec![Address::new(url, shown(url))], Reconnect::default());
        Self { urls, declare: DeclareMode::default(), reconnect, options: BTreeMap::new() }
    }
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Queue {
    /// So many of its tasks run at once in this process. Default: 16.
    pub slots: u32,
    /// So many run at once in all processes together. Default: no limit.
    pub limit: Option<u32>,
    /// So many are handed out in a time by all processes together. Default: no limit.
    pub rate: Option<Rate>,
    /// So many may wait. Default: no limit.
    pub backlog: Option<u64>,
    /// The broker that carries its tasks. Default: the store hands them out itself.
    pub carrier: Option<String>,
}

/// A kind: what may be submitted, its knobs, and who runs it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Kind {
    /// Where its tasks wait unless they say otherwise. Default: `default`.
    pub queue: QueueName,
    /// Who runs it.
    pub runner: Runner,
    /// How long one attempt may take. Default: 5 min.
    pub timeout: Duration,
    /// How long all attempts may take together. Default: no limit.
    pub total_timeout: Option<Duration>,
    /// How long a cancelled attempt has to end by itself. Default: 10 s.
    pub grace: Duration,
    /// When a failed attempt is tried again. Default: exponential, 4 attempts.
    pub retry: RetryPolicy,
    /// What payloads must fit. Default: anything.
    pub schema: Option<Schema>,
    /// What follows from certain failures; the first that matches decides.
    pub on_error: Vec<ErrorRule>,
    pub(super) given: BTreeSet<String>,
}

impl Kind {
    /// Returns whether somebody set this key (`queue`, `timeout`, `retry`, …): what nobody set
    /// may come from the code of the kind's handler instead.
    pub fn is_set(&self, key: &str) -> bool {
        self.given.contains(key)
    }
}

/// A consumer of messages: what it gets, its knobs, and who does it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Consumer {
    /// Who carries the messages. Default: the only broker there is.
    pub broker: Option<String>,
    /// What it gets: patterns of topics.
    pub topics: Vec<String>,
    /// The group on whose behalf it consumes. Default: the consumer's name.
    pub group: Option<String>,
    /// Who gets a message. Default: one of the group.
    pub mode: Mode,
    /// So many handlers run at once. Default: 1.
    pub parallel: u32,
    /// How payloads are read. Default: as JSON.
    pub decode: Decode,
    /// Who does it; never [`Runner::Pull`].
    pub runner: Runner,
    /// How long one attempt may take. Default: 5 min.
    pub timeout: Duration,
    /// How long an attempt that is told to stop has to end by itself. Default: 10 s.
    pub grace: Duration,
    /// When a failed attempt is tried again. Default: exponential, 4 attempts.
    pub retry: RetryPolicy,
    /// What follows from certain failures; the first that matches decides.
    pub on_error: Vec<ErrorRule>,
    /// The group that gets what failed for good. Default: the group's name and `.dead`.
    pub dead_letter: Option<String>,
    /// What handlers are given with each message. Default: nothing.
    pub parameters: serde_json::Value,
    /// What only its broker's driver knows; the driver checks it.
    pub options: BTreeMap<String, String>,
    pub(super) given: BTreeSet<String>,
}

impl Consumer {
    /// Returns whether somebody set this key: what nobody set may come from the code instead.
    pub fn is_set(&self, key: &str) -> bool {
        self.given.contains(key)
    }
}

/// Who runs a kind, or takes the messages of a consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Runner {
    /// A handler of the program itself.
    Code,
    /// A program.
    Command(Command),
    /// An HTTP service.
    Push(Push),
    /// Workers elsewhere, that lease its tasks.
    Pull,
}

/// A program that runs tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Command {
    /// The program's file: it was found and may be run.
    pub program: PathBuf,
    /// The program as it was written, then its arguments.
    pub argv: Vec<String>,
    /// Variables of the server's environment that it sees besides `PATH` and `LONGSHORE_*`.
    pub env: Vec<String>,
    /// The folder it runs in. Default: the server's own.
    pub cwd: Option<PathBuf>,
    /// What it may use.
    pub limits: Limits,
}

/// What a program may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Memory in bytes. Default: no limit.
    pub memory: Option<u64>,
    /// Processes and threads. Default: no limit.
    pub processes: Option<u32>,
    /// Bytes of standard output. Default, and most: 1 MiB.
    pub output: usize,
}

/// An HTTP service that tasks are posted to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Push {
    /// Where to post: an absolute `http` or `https` URL.
    pub url: Address,
    /// What requests are signed with: none, one, or two while one takes the other's place.
    pub secrets: Vec<Secret>,
    /// Headers of each request.
    pub headers: Vec<(String, Secret)>,
}

/// A JSON Schema and where it is from.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Schema {
    /// Its file.
    pub path: PathBuf,
    /// The schema: an object or a boolean. Whether it compiles is judged by who uses it.
    pub document: serde_json::Value,
}

/// What follows from certain failures.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorRule {
    /// Which failures.
    pub matches: Match,
    /// What follows.
    pub then: Then,
}

/// Which failures a rule is about. What is empty matches all; what is not must hold, by any of its
/// entries. At least one is not empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Match {
    /// Exit codes of a command, 1..255.
    pub exits: Vec<u8>,
    /// Classes.
    pub classes: Vec<FaultClass>,
    /// First and last HTTP status, both included.
    pub statuses: Vec<(u16, u16)>,
    /// The handler's own codes.
    pub codes: Vec<String>,
}

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Another attempt, if there is one left; after this pause, else after the policy's.
    Retry {
        /// The pause.
        after: Option<Duration>,
    },
    /// The dead letters, at once.
    Dead,
    /// The end, without a dead letter.
    Discard,
    /// Another time, without using up an attempt.
    Snooze {
        /// The pause.
        after: Duration,
    },
}

/// What the program tells of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Telemetry {
    /// How the log is written. Default: text.
    pub log: LogFormat,
}

/// How a log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// A JSON object a line.
    Json,
}

impl Config {
    /// Returns every value that holds, with where it was said, in the order of the reference.
    pub fn origins(&self) -> &[Setting] {
        &self.settings
    }

    /// Returns where the value of a key was said, such as `server.listen`.
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.settings.iter().find(|setting| setting.key == key).map(|setting| &setting.origin)
    }

    /// Makes a fault of the key at `path`, such as `["kinds", "email.send", "schema"]`, for what only
    /// the rest of the program can judge. `message` is a lower-case fragment about the key.
    pub fn fault(&self, path: &[&str], message: impl Into<String>) -> Fault {
        let key = path.iter().fold(String::new(), |path, name| join(&path, name));
        let below = |setting: &&Setting| {
            setting
                .key
                .strip_prefix(&key)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        // A block is where its first value is that anybody gave.
        let mut settings = self.settings.iter().filter(below).map(|setting| &setting.origin);
        let origin = settings.find(|origin| !origin.is_default()).unwrap_or(&Origin::Default);
        Fault { key, origin: origin.clone(), message: message.into() }
    }

    /// Returns every value that holds as one JSON object of the file's shape, secrets masked.
    pub fn to_json(&self) -> serde_json::Value {
        self.document.clone()
    }

    /// Returns the configuration file, if there was one.
    pub fn file(&self) -> Option<&std::path::Path> {
        self.file.as_deref()
    }

    /// Returns all files that had a part in it: the configuration, schemas, secrets; and those that
    /// would have, if they were there.
    pub fn files(&self) -> impl Iterator<Item = &std::path::Path> {
        self.files.paths()
    }
}
