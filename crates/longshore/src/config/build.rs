//! From a document that was read to a [`Config`], judging what one key alone cannot show.

use super::block::{Block, Content, join};
use super::fault::ConfigError;
use super::form::Leaf;
use super::model::{
    Auth, Broker, Command, Config, Kind, Limits, LogFormat, Push, Queue, Runner, Schema, Server,
    Telemetry, TlsFiles,
};
use super::origin::Origin;
use super::reader::Reader;
use super::secret::Address;
use super::{brokers, consumers, files, plans, programs, rules};
use longshore_core::store::Retention;
use longshore_core::{KindName, QueueName};
use longshore_http::auth::{Guards, check_bind};
use longshore_runtime::nearest::nearest;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Largest file with a JSON Schema.
const MAX_SCHEMA: u64 = 1 << 20;

/// Makes the configuration, unless anything is wrong. What is wrong takes the form of its default
/// meanwhile, so that the rest can be judged too.
pub(super) fn config(
    root: &Block,
    mut reader: Reader<'_>,
    file: Option<PathBuf>,
) -> Result<Config, ConfigError> {
    let brokers = brokers::brokers(root, &mut reader);
    let queues = queues(root, &brokers, &mut reader);
    let kinds = kinds(root, &queues, &mut reader);
    let schedules = plans::schedules(root, &queues, &kinds, &mut reader);
    let consumers = consumers::consumers(root, &brokers, &mut reader);
    let auth = auth(root);
    let server = server(root, &auth, &mut reader);
    let config = Config {
        server,
        auth,
        store: root.pick("store", address).unwrap_or_else(|| Address::new("", "")),
        brokers,
        queues,
        kinds,
        consumers,
        schedules,
        retention: retention(root),
        telemetry: telemetry(root),
        settings: root.settings(),
        document: root.json(),
        files: reader.files,
        file,
    };
    ConfigError::of(reader.faults).map(|()| config)
}

pub(super) fn address(leaf: &Leaf) -> Option<Address> {
    match leaf {
        Leaf::Address(address) => Some(address.clone()),
        _ => None,
    }
}

fn path(leaf: &Leaf) -> Option<PathBuf> {
    match leaf {
        Leaf::Path(path) => Some(path.clone()),
        _ => None,
    }
}

fn auth(root: &Block) -> Auth {
    let file = |leaf: &Leaf| match leaf {
        Leaf::File(path) => Some(path.clone()),
        _ => None,
    };
    Auth { keys: root.block("auth").and_then(|block| block.pick("keys", file)) }
}

/// Both files, or neither.
fn tls(server: &Block, reader: &mut Reader<'_>) -> Option<TlsFiles> {
    let block = server.block("tls")?;
    let (cert, key) = (block.pick("cert", path), block.pick("key", path));
    for file in cert.iter().chain(&key) {
        reader.note(file);
    }
    for (given, missing) in [("cert", "key"), ("key", "cert")] {
        if block.has(given) && !block.has(missing) {
            let message = format!("is missing: `{given}` needs it");
            reader.fault(&block.path_of(missing), &block.origin_of(given), message);
        }
    }
    Some(TlsFiles { cert: cert?, key: key? })
}

fn server(root: &Block, auth: &Auth, reader: &mut Reader<'_>) -> Server {
    let block = root.block("server");
    let tls = block.and_then(|block| tls(block, reader));
    let insecure_bind = block.and_then(|block| {
        block.pick("insecure_bind", |leaf| match leaf {
            Leaf::Flag(flag) => Some(*flag),
            _ => None,
        })
    });
    let insecure_bind = insecure_bind.unwrap_or_default();
    let listen = block.and_then(|block| {
        block.pick("listen", |leaf| match leaf {
            Leaf::Listen(addr) => Some(*addr),
            _ => None,
        })
    });
    if let (Some(addr), Some(block)) = (listen, block) {
        // What is wrong with either is told by itself.
        let keys = auth.keys.is_some() || root.block("auth").is_some_and(|auth| auth.has("keys"));
        let guarded = tls.is_some() || block.block("tls").is_some_and(|tls| tls.has("cert"));
        let guards = Guards { keys, tls: guarded, waived: insecure_bind };
        if let Err(refused) = check_bind(addr, guards) {
            let (path, origin) = (block.path_of("listen"), block.origin_of("listen"));
            reader.fault(&path, &origin, refused.to_string());
        }
    }
    let bytes = block.and_then(|block| block.size("max_body"));
    Server {
        tls,
        insecure_bind,
        listen: listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0))),
        drain: block.and_then(|block| block.span("drain")).unwrap_or_default(),
        max_body: bytes.and_then(|bytes| bytes.try_into().ok()).unwrap_or_default(),
    }
}

fn retention(root: &Block) -> Retention {
    let usual = Retention::default();
    let Some(block) = root.block("retention") else { return usual };
    Retention {
        success: block.span("success").unwrap_or(usual.success),
        failed: block.span("failed").unwrap_or(usual.failed),
        max_bytes: block.size("max_bytes"),
    }
}

fn telemetry(root: &Block) -> Telemetry {
    let log = match root.block("telemetry").and_then(|block| block.text("log")) {
        Some("json") => LogFormat::Json,
        _ => LogFormat::Text,
    };
    Telemetry { log }
}

/// The blocks below `name`, each with the name that it has.
pub(super) fn named<'b>(root: &'b Block, name: &str) -> impl Iterator<Item = (&'b str, &'b Block)> {
    root.block(name).into_iter().flat_map(|block| &block.entries).filter_map(|entry| {
        match &entry.content {
            Content::Block(block) => Some((entry.name.as_str(), block)),
            _ => None,
        }
    })
}

fn queues(
    root: &Block,
    brokers: &BTreeMap<String, Broker>,
    reader: &mut Reader<'_>,
) -> BTreeMap<QueueName, Queue> {
    let queue = |(name, block): (&str, &Block)| {
        let queue = Queue {
            slots: block.small("slots").unwrap_or(1),
            limit: block.small("limit"),
            rate: block.pick("rate", |leaf| match leaf {
                Leaf::Rate(rate) => Some(*rate),
                _ => None,
            }),
            backlog: block.whole("backlog"),
            carrier: brokers::named_by("carrier", block, brokers, reader),
        };
        Some((QueueName::new(name).ok()?, queue))
    };
    named(root, "queues").filter_map(queue).collect()
}

fn kinds(
    root: &Block,
    queues: &BTreeMap<QueueName, Queue>,
    reader: &mut Reader<'_>,
) -> BTreeMap<KindName, Kind> {
    let mut kinds = BTreeMap::new();
    for (name, block) in named(root, "kinds") {
        let Ok(name) = KindName::new(name) else { continue };
        judge_pull(block, queues, reader);
        let kind = Kind {
            queue: queue_of(block, queues, reader),
            runner: runner(&name, block, reader),
            timeout: block.span("timeout").unwrap_or_default(),
            total_timeout: block.span("total_timeout"),
            grace: block.span("grace").unwrap_or_default(),
            retry: rules::retry(block, reader),
            schema: schema(block, reader),
            on_error: rules::on_error(block, reader),
            given: given(block),
        };
        kinds.insert(name, kind);
    }
    kinds
}

/// Workers that pull ask the store, and what a broker carries does not come from there.
fn judge_pull(block: &Block, queues: &BTreeMap<QueueName, Queue>, reader: &mut Reader<'_>) {
    let pulled = block.pick("pull", |leaf| match leaf {
        Leaf::Flag(flag) => Some(*flag),
        _ => None,
    });
    let carried = block.text("queue").and_then(|name| queues.get(name)?.carrier.as_ref());
    if let (Some(true), Some(carrier)) = (pulled, carried) {
        let message = format!(
            "tasks of this kind are carried by \"{carrier}\", so no worker can pull them; give it another queue"
        );
        reader.fault(&block.path_of("queue"), &block.origin_of("queue"), message);
    }
}

/// The keys that somebody gave.
pub(super) fn given(block: &Block) -> BTreeSet<String> {
    let said = block.entries.iter().filter(|entry| !entry.origin.is_default());
    said.map(|entry| entry.name.clone()).collect()
}

pub(super) fn queue_of(
    block: &Block,
    queues: &BTreeMap<QueueName, Queue>,
    reader: &mut Reader<'_>,
) -> QueueName {
    let Some(wanted) = block.text("queue") else { return QueueName::default() };
    if let Some((name, _)) = queues.get_key_value(wanted) {
        return name.clone();
    }
    let hint = match nearest(wanted, queues.keys().map(QueueName::as_str)).first() {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => "declare it under `queues`".into(),
    };
    let message = format!("there is no queue \"{wanted}\"; {hint}");
    reader.fault(&block.path_of("queue"), &block.origin_of("queue"), message);
    QueueName::default()
}

/// Who runs a kind: exactly one of them.
fn runner(name: &KindName, block: &Block, reader: &mut Reader<'_>) -> Runner {
    let coded = reader.sources.has_in_code(name.as_str());
    let pulled = block.pick("pull", |leaf| match leaf {
        Leaf::Flag(flag) => Some(*flag),
        _ => None,
    });
    let said = [("command", block.has("command")), ("push", block.has("push"))];
    let said = said.into_iter().chain([("pull", pulled == Some(true))]);
    let said: Vec<&str> = said.filter_map(|(key, is_said)| is_said.then_some(key)).collect();
    match said[..] {
        [] if coded => {}
        // What was said of it was refused already.
        [] if block.has("pull") && pulled.is_none() => {}
        [] => {
            let message =
                "nobody runs this kind: give it a `command`, a `push` URL or `pull: true`";
            reader.fault(&block.path, &block.origin, message);
        }
        [key] if coded => {
            let message =
                "the program has a handler for this kind; leave this out, or rename the kind";
            reader.fault(&block.path_of(key), &block.origin_of(key), message);
        }
        ["command"] => return command(block, reader),
        ["push"] => return push(block),
        [_] => return Runner::Pull,
        [first, second, ..] => {
            let message = format!("a kind has either `{first}` or `{second}`, not both");
            reader.fault(&block.path_of(second), &block.origin_of(second), message);
        }
    }
    Runner::Code
}

pub(super) fn command(block: &Block, reader: &mut Reader<'_>) -> Runner {
    let texts = |key: &str| -> Vec<String> {
        let text = |leaf: &Leaf| match leaf {
            Leaf::Text(text) => Some(text.clone()),
            _ => None,
        };
        block.list(key).iter().filter_map(text).collect()
    };
    let argv = texts("command");
    let origin = block.origin_of("command");
    let mut program = PathBuf::new();
    // Without a first entry the list was refused already.
    if let Some(wanted) = argv.first() {
        let folder = reader.sources.folder_of(&origin);
        match programs::find(wanted, &folder, reader.sources.variable("PATH")) {
            Ok(found) => program = found,
            Err(why) => reader.fault(&block.path_of("command"), &origin, why),
        }
    }
    let cwd = block.pick("cwd", path);
    if let Some(folder) = cwd.as_ref().filter(|folder| !folder.is_dir()) {
        let message = format!("there is no folder {}", folder.display());
        reader.fault(&block.path_of("cwd"), &block.origin_of("cwd"), message);
    }
    let limits = block.block("limits");
    let output = limits.and_then(|limits| limits.size("output"));
    Runner::Command(Command {
        program,
        argv,
        env: texts("env"),
        cwd,
        limits: Limits {
            memory: limits.and_then(|limits| limits.size("memory")),
            processes: limits.and_then(|limits| limits.small("processes")),
            output: output.and_then(|bytes| bytes.try_into().ok()).unwrap_or_default(),
        },
    })
}

pub(super) fn push(block: &Block) -> Runner {
    let secret = |leaf: &Leaf| match leaf {
        Leaf::Secret(secret) => Some(secret.clone()),
        _ => None,
    };
    let headers = block.block("headers").map(|headers| {
        let pair = |name: &str| Some((name.to_owned(), headers.pick(name, secret)?));
        headers.entries.iter().filter_map(|entry| pair(&entry.name)).collect()
    });
    Runner::Push(Push {
        url: block.pick("push", address).unwrap_or_else(|| Address::new("", "")),
        secrets: block.list("secret").iter().filter_map(secret).collect(),
        headers: headers.unwrap_or_default(),
    })
}

/// Reads a schema's file, and tells where in it something is wrong.
fn schema(block: &Block, reader: &mut Reader<'_>) -> Option<Schema> {
    let path = block.pick("schema", path)?;
    reader.note(&path);
    let key = join(&block.path, "schema");
    let origin: Origin = block.origin_of("schema");
    let shown = path.display();
    let read = files::read(&path, MAX_SCHEMA).map_err(|why| format!("{shown} {why}"));
    let parsed = read.and_then(|text| {
        serde_json::from_str::<serde_json::Value>(&text)
            .map_err(|why| format!("{shown} is not JSON: {why}"))
    });
    match parsed {
        Ok(document) if document.is_object() || document.is_boolean() => {
            Some(Schema { path, document })
        }
        Ok(_) => {
            let message = format!("{shown} is no JSON Schema: it must be an object");
            reader.fault(&key, &origin, message);
            None
        }
        Err(message) => {
            reader.fault(&key, &origin, message);
            None
        }
    }
}

/// The longest of some pauses, none being none at all.
pub(super) fn longest(pauses: &[Duration]) -> Duration {
    pauses.iter().copied().max().unwrap_or_default()
}
