//! The table of keys: what may be written, in what form, and what holds if it is not.
//!
//! The reader, the JSON Schema and the reference page are all made from [`ROOT`], so that they
//! cannot disagree. Long by nature.

use super::form::{Form, Names};
use longshore_http::MAX_MAX_BODY;

/// A key of a block.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) preset: Preset,
    pub(super) when: When,
    /// One sentence fragment, in Markdown.
    pub(super) about: &'static str,
}

/// What stands behind a key.
#[derive(Debug)]
pub(super) enum Shape {
    /// One value.
    One(Form),
    /// A list of at least one value.
    List { of: Form, max: usize },
    /// One value, or a list of them.
    OneOrMore { of: Form, max: usize },
    /// A block of keys.
    Block(&'static [Key]),
    /// A list of blocks.
    Blocks { keys: &'static [Key], max: usize },
    /// One of these words, or a block of keys.
    WordOrBlock { words: &'static [&'static str], keys: &'static [Key] },
    /// A block for each name.
    Named { names: Names, keys: &'static [Key] },
    /// A value for each name.
    Pairs { names: Names, of: Form, max: usize },
    /// Not there yet: refused.
    Later,
}

/// What holds if a key is not given.
#[derive(Debug, Clone, Copy)]
pub(super) enum Preset {
    /// Nothing.
    None,
    /// This, as it would be written.
    Is(&'static str),
    /// It must be given.
    Required,
}

/// Where a key makes sense.
#[derive(Debug, Clone, Copy)]
pub(super) enum When {
    Always,
    /// Beside this key.
    Beside(&'static str),
    /// Beside this key with one of these values.
    OneOf(&'static str, &'static [&'static str]),
}

const fn key(name: &'static str, shape: Shape, preset: Preset, about: &'static str) -> Key {
    Key { name, shape, preset, when: When::Always, about }
}

const fn one(name: &'static str, form: Form, preset: Preset, about: &'static str) -> Key {
    key(name, Shape::One(form), preset, about)
}

const fn block(name: &'static str, keys: &'static [Key], about: &'static str) -> Key {
    key(name, Shape::Block(keys), Preset::None, about)
}

const fn later(name: &'static str) -> Key {
    key(name, Shape::Later, Preset::None, "not available yet")
}

impl Key {
    /// Returns whether changes of this block take effect without a restart.
    pub(super) fn is_live(&self) -> bool {
        match self.shape {
            Shape::Named { names, .. } => !matches!(names, Names::Broker | Names::Consumer),
            _ => false,
        }
    }

    const fn when(mut self, when: When) -> Self {
        self.when = when;
        self
    }
}

use Preset::{Is, None as Unset, Required};

const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;
const DAY: u64 = 24 * HOUR;
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const PIB: u64 = 1 << 50;

/// The whole document.
pub(super) const ROOT: &[Key] = &[
    block("server", SERVER, "the HTTP server"),
    one(
        "store",
        Form::Store,
        Is("embedded:./longshore-data"),
        "where tasks are kept: `embedded:DIR`, or `postgres://USER@HOST/DATABASE`. `--data DIR` means `embedded:DIR`. `${NAME}` is filled in",
    ),
    key(
        "brokers",
        Shape::Named { names: Names::Broker, keys: BROKER },
        Unset,
        "brokers by name: what carries messages. None is needed to run tasks. Changes take effect at the next start",
    ),
    key(
        "queues",
        Shape::Named { names: Names::Queue, keys: QUEUE },
        Unset,
        "queues by name; `default` exists unasked",
    ),
    key(
        "kinds",
        Shape::Named { names: Names::Kind, keys: KIND },
        Unset,
        "kinds by name: what may be submitted and who runs it",
    ),
    key(
        "schedules",
        Shape::Named { names: Names::Schedule, keys: SCHEDULE },
        Unset,
        "schedules by name: what is submitted again and again. What is set on one through the API goes before this",
    ),
    key(
        "consumers",
        Shape::Named { names: Names::Consumer, keys: CONSUMER },
        Unset,
        "consumers by name: messages that others publish, and what is done with them. Changes take effect at the next start",
    ),
    block("retention", RETENTION, "how long ended tasks are kept"),
    block("telemetry", TELEMETRY, "what the program tells of itself"),
    later("dependencies"),
    later("callbacks"),
    later("tenants"),
    block("auth", AUTH, "who may call"),
];

const BROKER: &[Key] = &[
    key(
        "url",
        Shape::OneOrMore { of: Form::Broker, max: 16 },
        Required,
        "where it is: `amqp://USER:PASSWORD@HOST:PORT/VHOST`, `amqps://…`, or `embedded:` for topics in the store itself. Several are endpoints of one broker, tried in turn. `${NAME}` is filled in",
    ),
    one(
        "declare",
        Form::Choice(&["declare", "verify", "off"]),
        Is("declare"),
        "what is done about queues and bindings that are not there: they are created, told, or nobody looks",
    ),
    block(
        "reconnect",
        RECONNECT,
        "how a lost connection is tried again; the first try is made at once",
    ),
    key(
        "rabbitmq",
        Shape::Pairs { names: Names::Option, of: Form::Plain, max: 100 },
        Unset,
        "what only RabbitMQ knows; with `amqp` and `amqps` only",
    ),
];

const RECONNECT: &[Key] = &[
    one(
        "first",
        Form::Span { min: 100, max: HOUR },
        Is("1s"),
        "the first pause; each is twice the one before, with full jitter",
    ),
    one("cap", Form::Span { min: 100, max: HOUR }, Is("1m"), "no pause is longer"),
    one(
        "max_tries",
        Form::Whole { min: 1, max: 1_000_000 },
        Unset,
        "gives up after so many tries in a row; never unless given",
    ),
    one(
        "unavailable_after",
        Form::Whole { min: 1, max: 1_000 },
        Is("3"),
        "an address that has failed so often in a row is passed over while another one has not",
    ),
];

const SERVER: &[Key] = &[
    one(
        "listen",
        Form::Listen,
        Is("127.0.0.1:8080"),
        "where to listen: an address and a port; port 0 takes a free one. Elsewhere than on loopback with `auth.keys` and `server.tls` only. `--listen`",
    ),
    block("tls", TLS, "encryption; without it plain HTTP is spoken"),
    one(
        "insecure_bind",
        Form::Flag,
        Is("false"),
        "listens anywhere, without keys and TLS too. `--insecure-bind`",
    ),
    one(
        "drain",
        Form::Span { min: 0, max: HOUR },
        Is("30s"),
        "how long handlers and requests in flight have at the end",
    ),
    one(
        "max_body",
        Form::Size { min: KIB, max: MAX_MAX_BODY as u64 },
        Is("256KiB"),
        "largest request body",
    ),
];

const TLS: &[Key] = &[
    one(
        "cert",
        Form::Path,
        Unset,
        "a PEM file with the certificate, then those that lead to its root. Read again when it changes. `--tls-cert`",
    ),
    one("key", Form::Path, Unset, "a PEM file with its private key. `--tls-key`"),
];

const AUTH: &[Key] = &[one(
    "keys",
    Form::File,
    Unset,
    "`file:PATH`: the keys that callers must show one of; made by `longshore key`. Read again when it changes. Without it nobody is asked for one. `--keys`",
)];

const QUEUE: &[Key] = &[
    one(
        "slots",
        Form::Whole { min: 1, max: 10_000 },
        Is("16"),
        "so many of its tasks run at once in this process",
    ),
    one(
        "limit",
        Form::Whole { min: 1, max: 1_000_000 },
        Unset,
        "so many of its tasks run at once in all processes together",
    ),
    one("rate", Form::Rate, Unset, "so many of its tasks are handed out in a time"),
    one(
        "backlog",
        Form::Whole { min: 1, max: 1_000_000_000_000 },
        Unset,
        "so many of its tasks may wait; above it submits are refused with 429",
    ),
    one(
        "carrier",
        Form::Text { max: 128 },
        Unset,
        "the broker that carries its tasks to whoever runs them, one of `brokers`; the store itself hands them out unless given",
    ),
];

const KIND: &[Key] = &[
    one(
        "queue",
        Form::Queue,
        Is("default"),
        "where its tasks wait unless they say otherwise; one of `queues`",
    ),
    key(
        "command",
        Shape::List { of: Form::Argument, max: 1_000 },
        Unset,
        "a program and its arguments that run each task. A program with a `/` is looked for from the file's folder, others in `PATH`",
    ),
    one(
        "push",
        Form::Url,
        Unset,
        "an `http` or `https` URL that each task is posted to. `${NAME}` is filled in",
    ),
    one("pull", Form::Flag, Unset, "`true`: workers elsewhere lease its tasks over HTTP"),
    ATTEMPT_TIMEOUT,
    one(
        "total_timeout",
        Form::Span { min: 100, max: DAY },
        Unset,
        "how long all attempts of a task may take together",
    ),
    GRACE,
    RETRYING,
    one(
        "schema",
        Form::Path,
        Unset,
        "a file with the JSON Schema that payloads must fit; looked for from the file's folder",
    ),
    ON_ERROR,
    ENV,
    CWD,
    LIMITED,
    SECRET,
    HEADERS,
];

// What kinds and consumers have in common.
const ATTEMPT_TIMEOUT: Key =
    one("timeout", Form::Span { min: 100, max: DAY }, Is("5m"), "how long one attempt may take");
const GRACE: Key = one(
    "grace",
    Form::Span { min: 0, max: HOUR },
    Is("10s"),
    "how long an attempt that is cancelled or timed out has to end by itself",
);
const RETRYING: Key = block("retry", RETRY, "when a failed attempt is tried again");
const ON_ERROR: Key = key(
    "on_error",
    Shape::Blocks { keys: RULE, max: 100 },
    Unset,
    "what follows from certain failures; the first rule that matches decides, without one `retry` does",
);
const ENV: Key = key(
    "env",
    Shape::List { of: Form::Variable, max: 100 },
    Unset,
    "variables of the server's environment that the program sees besides `PATH` and `LONGSHORE_*`",
)
.when(When::Beside("command"));
const CWD: Key = one(
    "cwd",
    Form::Path,
    Unset,
    "the folder that the program runs in; the server's own unless given",
)
.when(When::Beside("command"));
const LIMITED: Key =
    block("limits", LIMITS, "what the program may use").when(When::Beside("command"));
const SECRET: Key = key("secret", Shape::OneOrMore { of: Form::Secret, max: 2 }, Unset, "what requests are signed with; two while one takes the other's place. `${NAME}` or `file:PATH`").when(When::Beside("push"));
const HEADERS: Key = key(
    "headers",
    Shape::Pairs { names: Names::Header, of: Form::Secret, max: 32 },
    Unset,
    "headers of each request; their values are secrets",
)
.when(When::Beside("push"));

const CONSUMER: &[Key] = &[
    one(
        "broker",
        Form::Text { max: 128 },
        Unset,
        "who carries the messages, one of `brokers`; the only one unless given",
    ),
    key(
        "topic",
        Shape::OneOrMore { of: Form::Topic, max: 100 },
        Unset,
        "what it gets: topics, in which `*` stands for one word between dots and `#` for any number of them. Required",
    ),
    one(
        "group",
        Form::Group,
        Unset,
        "the group on whose behalf it consumes, which shares what it gets; the consumer's name unless given",
    ),
    one(
        "mode",
        Form::Choice(&["compete", "single_active", "broadcast"]),
        Is("compete"),
        "who gets a message: one of the group, one of the group and always the same as long as it is there, or everybody",
    ),
    key(
        "concurrency",
        Shape::WordOrBlock { words: &["serial"], keys: CONCURRENCY },
        Unset,
        "how many of its handlers run at once in this process; one unless given",
    ),
    one(
        "decode",
        Form::Choice(&["json", "text", "bytes"]),
        Is("json"),
        "how payloads are read. What does not fit goes to the dead letters at once",
    ),
    key(
        "command",
        Shape::List { of: Form::Argument, max: 1_000 },
        Unset,
        "a program and its arguments that run for each message. A program with a `/` is looked for from the file's folder, others in `PATH`",
    ),
    one(
        "push",
        Form::Url,
        Unset,
        "an `http` or `https` URL that each message is posted to. `${NAME}` is filled in",
    ),
    ATTEMPT_TIMEOUT,
    GRACE,
    RETRYING,
    ON_ERROR,
    one(
        "dead_letter",
        Form::Group,
        Unset,
        "the group that gets what failed for good, with the reason; the group's name and `.dead` unless given",
    ),
    one(
        "parameters",
        Form::Json,
        Unset,
        "a block of anything that handlers are given with each message",
    ),
    ENV,
    CWD,
    LIMITED,
    SECRET,
    HEADERS,
    key(
        "rabbitmq",
        Shape::Pairs { names: Names::Option, of: Form::Plain, max: 100 },
        Unset,
        "what only RabbitMQ knows of the group's queue; with a broker of that sort only",
    ),
    later("depends_on"),
    later("schema"),
    later("total_timeout"),
];

const CONCURRENCY: &[Key] = &[
    one("parallel", Form::Whole { min: 1, max: 10_000 }, Is("1"), "so many at once"),
    later("pool"),
    later("keyed"),
    later("batch"),
];

const RETRY: &[Key] = &[
    one(
        "strategy",
        Form::Choice(&["exponential", "fixed", "immediate", "random", "list"]),
        Is("exponential"),
        "how the pauses grow",
    ),
    one("max_attempts", Form::Whole { min: 1, max: 100 }, Is("4"), "attempts, the first included"),
    one(
        "base",
        Form::Span { min: 0, max: 30 * DAY },
        Is("1s"),
        "the first pause; of `fixed`: each",
    )
    .when(When::OneOf("strategy", &["exponential", "fixed"])),
    one(
        "factor",
        Form::Number { min: 1.0, max: 100.0 },
        Is("2"),
        "what each further pause is multiplied by",
    )
    .when(When::OneOf("strategy", &["exponential"])),
    one(
        "cap",
        Form::Span { min: 0, max: 30 * DAY },
        Is("1h"),
        "no pause is longer, unless a longer one is named and this is not",
    )
    .when(When::OneOf("strategy", &["exponential", "fixed", "random", "list"])),
    one(
        "jitter",
        Form::Number { min: 0.0, max: 1.0 },
        Is("0.1"),
        "each pause is spread by up to this share, both ways",
    )
    .when(When::OneOf("strategy", &["exponential", "fixed", "list"])),
    one("min", Form::Span { min: 0, max: 30 * DAY }, Is("0s"), "the shortest pause")
        .when(When::OneOf("strategy", &["random"])),
    one("max", Form::Span { min: 0, max: 30 * DAY }, Is("1m"), "the longest pause")
        .when(When::OneOf("strategy", &["random"])),
    key(
        "delays",
        Shape::List { of: Form::Span { min: 0, max: 30 * DAY }, max: 100 },
        Unset,
        "the pauses one after the other; the last one is repeated. Required",
    )
    .when(When::OneOf("strategy", &["list"])),
];

const RULE: &[Key] = &[
    key("match", Shape::Block(MATCH), Required, "which failures; all that is given must hold"),
    one(
        "then",
        Form::Choice(&["retry", "dead", "discard", "snooze"]),
        Required,
        "what follows: another attempt, the dead letters, the end without them, or another time without using up an attempt",
    ),
    one(
        "after",
        Form::Span { min: 0, max: 30 * DAY },
        Unset,
        "the pause before; `snooze` needs it, `retry` takes its own unless given",
    )
    .when(When::OneOf("then", &["retry", "snooze"])),
];

const MATCH: &[Key] = &[
    key(
        "exit",
        Shape::OneOrMore { of: Form::Whole { min: 1, max: 255 }, max: 255 },
        Unset,
        "exit codes of a command",
    ),
    key(
        "class",
        Shape::OneOrMore {
            of: Form::Choice(&[
                "transient",
                "timeout",
                "rate_limited",
                "dependency",
                "bad_data",
                "panic",
            ]),
            max: 6,
        },
        Unset,
        "classes of failures",
    ),
    key(
        "status",
        Shape::OneOrMore { of: Form::Status, max: 100 },
        Unset,
        "HTTP statuses that a push was answered with: `429`, or `5xx` for all from 500 to 599",
    ),
    key(
        "code",
        Shape::OneOrMore { of: Form::Text { max: 128 }, max: 100 },
        Unset,
        "codes that the handler gave",
    ),
];

const LIMITS: &[Key] = &[
    one("memory", Form::Size { min: MIB, max: PIB }, Unset, "memory"),
    one("processes", Form::Whole { min: 1, max: 100_000 }, Unset, "processes and threads"),
    one(
        "output",
        Form::Size { min: KIB, max: MIB },
        Is("1MiB"),
        "what it may write to its standard output",
    ),
];

const SCHEDULE: &[Key] = &[
    one(
        "cron",
        Form::Cron,
        Required,
        "when: minute, hour, day of month, month, day of week; with six fields the second comes first",
    ),
    one("timezone", Form::Zone, Is("UTC"), "the time zone of these fields"),
    one(
        "kind",
        Form::Kind,
        Required,
        "what is to be done; one of `kinds`, or a kind in the program's code",
    ),
    one(
        "missed",
        Form::Choice(&["skip", "one", "all"]),
        Is("one"),
        "what becomes of slots that nobody was there for: they are left out, one task stands for all, or each makes its task",
    ),
    one("payload", Form::Json, Unset, "what the handler is given; `null` unless given"),
    one(
        "queue",
        Form::Queue,
        Unset,
        "where the tasks wait, one of `queues`; the kind's queue unless given",
    ),
    one("priority", Form::Whole { min: 0, max: 9 }, Unset, "higher first; 4 unless given"),
    one(
        "max_attempts",
        Form::Whole { min: 1, max: 100 },
        Unset,
        "attempts, the first included; the kind's unless given",
    ),
    one(
        "timeout",
        Form::Span { min: 100, max: DAY },
        Unset,
        "how long one attempt may take; the kind's unless given",
    ),
    one(
        "total_timeout",
        Form::Span { min: 100, max: DAY },
        Unset,
        "how long all attempts of a task may take together; the kind's unless given",
    ),
    one(
        "expires_in",
        Form::Span { min: SECOND, max: 3_650 * DAY },
        Unset,
        "a task that has not started within this expires",
    ),
    one(
        "order_key",
        Form::Text { max: 128 },
        Unset,
        "a lane of the queue: its tasks run one at a time",
    ),
    key(
        "tags",
        Shape::List { of: Form::Text { max: 128 }, max: 16 },
        Unset,
        "words to find the tasks by",
    ),
];

const RETENTION: &[Key] = &[
    one(
        "success",
        Form::Span { min: SECOND, max: 36_500 * DAY },
        Is("7d"),
        "successes, after their end",
    ),
    one(
        "failed",
        Form::Span { min: SECOND, max: 36_500 * DAY },
        Is("90d"),
        "failed, cancelled and expired tasks, after their end",
    ),
    one(
        "max_bytes",
        Form::Size { min: MIB, max: PIB },
        Unset,
        "the oldest successes go first when the store uses more",
    ),
];

const TELEMETRY: &[Key] = &[
    one("log", Form::Choice(&["text", "json"]), Is("text"), "how the log on stderr is written"),
    later("otlp"),
];
