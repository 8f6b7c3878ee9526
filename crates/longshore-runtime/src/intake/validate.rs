//! The one judgement on what may be accepted. All faults are found, each with its field.

use super::Submission;
use crate::nearest::nearest;
use crate::registry::{Kind, Registry};
use longshore_core::readiness::MAX_PRIORITY;
use longshore_core::retry::MAX_ATTEMPTS;
use longshore_core::task::UniqueWhile;
use longshore_core::{KindName, NewTask, Payload, QueueName, Span, Timestamp, Valid};
use std::time::Duration;

/// Most tags a task may have.
pub const MAX_TAGS: usize = 16;
/// Most headers a task may have.
pub const MAX_HEADERS: usize = 32;
/// Longest tag, header name, `order_key` or `unique.key`, in characters.
const MAX_WORD: usize = 128;
/// Longest header value, in bytes.
const MAX_HEADER_VALUE: usize = 1_024;
/// Shortest and longest `timeout`.
const TIMEOUT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(86_400));
/// Farthest `run_at`, `delay`, `expires_in`, `total_timeout` and `unique.while`: ten years.
const HORIZON: Duration = Duration::from_secs(3_653 * 86_400);

/// Kinds that begin so do things for the server itself, and nobody else submits or leases them.
pub const OURS: &str = "longshore.";

/// Header names that mean something to the envelope or to a broker; one that ends in `-` stands for
/// all that begin so. The `x-` names are RabbitMQ's: arguments of queues, exchanges, consumers and
/// messages, and what it adds to dead letters.
const RESERVED: [&str; 28] = [
    "ls-",
    "nats-",
    "cc",
    "bcc",
    "reply-to",
    "expiration",
    "x-cancel-on-ha-failover",
    "x-consumer-timeout",
    "x-dead-letter-",
    "x-death",
    "x-death-",
    "x-delay",
    "x-delayed-type",
    "x-delivery-count",
    "x-delivery-limit",
    "x-expires",
    "x-first-death-",
    "x-ha-",
    "x-last-death-",
    "x-match",
    "x-max-",
    "x-message-ttl",
    "x-opt-",
    "x-overflow",
    "x-priority",
    "x-queue-",
    "x-single-active-consumer",
    "x-stream-",
];

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FieldError {
    /// Where, as the client wrote it, such as `tags[3]`.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl FieldError {
    /// Makes one.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// Collects what is wrong.
struct Faults(Vec<FieldError>);

impl Faults {
    fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(FieldError::new(field, message));
    }

    fn unless(&mut self, fine: bool, field: &str, message: impl FnOnce() -> String) {
        if !fine {
            self.add(field, message());
        }
    }
}

/// Judges `wish` by the kinds and queues of `registry`.
pub fn validate(
    wish: Submission,
    registry: &Registry,
    now: Timestamp,
) -> Result<Valid<NewTask>, Vec<FieldError>> {
    let mut faults = Faults(Vec::new());
    let kind = kind_of(&wish, registry, &mut faults);
    let queue = queue_of(&wish, kind, registry, &mut faults);
    let run_at = time_of(&wish, now, &mut faults);
    check_words(&wish, &mut faults);
    check_order(&wish, &mut faults);
    check_numbers(&wish, &mut faults);
    if let Some(schema) = kind.and_then(|kind| kind.schema.as_ref()) {
        let payload = wish.payload.as_ref().map_or("null", Payload::as_str);
        faults.0.extend(schema.check(payload));
    }
    let (Some(kind), Some(queue), []) = (kind, queue, faults.0.as_slice()) else {
        return Err(faults.0);
    };
    let mut task = NewTask::new(kind.name.clone());
    task.id_is_chosen = wish.id.is_some();
    task.id = wish.id.unwrap_or(task.id);
    task.queue = queue;
    task.tenant = wish.tenant;
    if let Some(payload) = wish.payload {
        task.payload = payload;
    }
    task.name = wish.name;
    // The numbers were checked against ranges that fit.
    task.priority = wish.priority.and_then(|p| u8::try_from(p).ok()).unwrap_or(task.priority);
    task.run_at = run_at;
    task.max_attempts =
        wish.max_attempts.and_then(|n| u32::try_from(n).ok()).unwrap_or(kind.retry.attempts());
    task.timeout = wish.timeout.unwrap_or(kind.timeout);
    task.total_timeout = wish.total_timeout.or(kind.total_timeout);
    task.expires_in = wish.expires_in;
    task.order_key = wish.order_key;
    task.unique = wish.unique;
    task.tags = wish.tags;
    task.headers = wish.headers;
    task.replay_of = wish.replay_of;
    task.traceparent = wish.traceparent;
    task.idempotency = wish.idempotency;
    Ok(Valid::vouch(task))
}

fn kind_of<'a>(wish: &Submission, registry: &'a Registry, faults: &mut Faults) -> Option<&'a Kind> {
    if wish.kind.starts_with(OURS) && !wish.is_ours {
        faults.add("kind", format!("is for the server alone, as all that begin with {OURS} are"));
        return None;
    }
    if let Some(kind) = registry.kind(&wish.kind) {
        return Some(kind);
    }
    if wish.kind.is_empty() {
        faults.add("kind", "is required");
    } else if let Err(bad) = KindName::new(&wish.kind) {
        faults.add("kind", bad.to_string());
    } else {
        let near = nearest(&wish.kind, registry.kinds().map(|kind| kind.name.as_str()));
        faults.add("kind", unknown("kind", &near));
    }
    None
}

fn queue_of(
    wish: &Submission,
    kind: Option<&Kind>,
    registry: &Registry,
    faults: &mut Faults,
) -> Option<QueueName> {
    let Some(asked) = &wish.queue else {
        return kind.map(|kind| kind.queue.clone());
    };
    if let Some((queue, _)) = registry.queue(asked) {
        return Some(queue.clone());
    }
    if let Err(bad) = QueueName::new(asked) {
        faults.add("queue", bad.to_string());
    } else {
        let near = nearest(asked, registry.queues().map(|(name, _)| name.as_str()));
        faults.add("queue", unknown("queue", &near));
    }
    None
}

fn unknown(what: &str, near: &[&str]) -> String {
    match near {
        [] => format!("is not a known {what}"),
        near => format!("is not a known {what}; did you mean {}?", near.join(", ")),
    }
}

fn time_of(wish: &Submission, now: Timestamp, faults: &mut Faults) -> Option<Timestamp> {
    let asked = match (wish.run_at, wish.delay) {
        (Some(_), Some(_)) => {
            faults.add("delay", "must not be given together with run_at");
            return None;
        }
        (Some(at), None) => (at, "run_at"),
        (None, Some(delay)) => (now.after(delay.0), "delay"),
        (None, None) => return None,
    };
    let (at, field) = asked;
    faults.unless(at <= now.after(HORIZON) && at.0 >= 0, field, || {
        "must lie between 1970 and ten years from now".into()
    });
    Some(at)
}

fn check_words(wish: &Submission, faults: &mut Faults) {
    if let Some(name) = &wish.name {
        let length = name.chars().count();
        faults.unless((2..=32).contains(&length), "name", || {
            format!("must have 2 to 32 characters, has {length}")
        });
        faults.unless(!has_control(name), "name", || "must not hold control characters".into());
    }
    faults.unless(wish.tags.len() <= MAX_TAGS, "tags", || {
        format!("at most {MAX_TAGS}, are {}", wish.tags.len())
    });
    for (i, tag) in wish.tags.iter().enumerate() {
        if !is_word(tag) {
            faults.add(format!("tags[{i}]"), WORD);
        }
    }
    faults.unless(wish.headers.len() <= MAX_HEADERS, "headers", || {
        format!("at most {MAX_HEADERS}, are {}", wish.headers.len())
    });
    for (name, value) in &wish.headers {
        let field = || format!("headers.{name}");
        if let Some(why) = bad_header_name(name) {
            faults.add(field(), why);
        }
        if value.len() > MAX_HEADER_VALUE || has_control(value) {
            faults.add(field(), "must have at most 1024 bytes and no control characters");
        }
    }
}

/// A lane is an order of accepting, so a time of its own does not go with it.
fn check_order(wish: &Submission, faults: &mut Faults) {
    if let Some(key) = &wish.order_key {
        faults.unless(is_word(key), "order_key", || WORD.into());
        let at = wish.run_at.map(|_| "run_at").or(wish.delay.map(|_| "delay"));
        if let Some(at) = at {
            faults.add("order_key", format!("must not be given together with {at}"));
        }
    }
    if let Some(unique) = &wish.unique {
        faults.unless(is_word(&unique.key), "unique.key", || WORD.into());
        if let UniqueWhile::Window(window) = unique.hold {
            faults.unless(!window.is_zero() && window <= HORIZON, "unique.while", || {
                "must be more than 0s and at most ten years".into()
            });
        }
    }
}

/// What is said of a text that [`is_word`] refuses.
const WORD: &str = "must have 1 to 128 characters and no control characters";

fn is_word(text: &str) -> bool {
    (1..=MAX_WORD).contains(&text.chars().count()) && !has_control(text)
}

/// Names that are the envelope's own or a broker's, and such that no broker could carry.
fn bad_header_name(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if !(1..=MAX_WORD).contains(&name.len()) || !name.bytes().all(token) {
        return Some("must be an HTTP header name of 1 to 128 characters".into());
    }
    let reserved = RESERVED
        .iter()
        .find(|word| if word.ends_with('-') { lower.starts_with(**word) } else { lower == **word });
    reserved.map(|word| match word.strip_suffix('-') {
        Some(_) => format!("names that start with {word} are reserved"),
        None => "is reserved".into(),
    })
}

fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

fn check_numbers(wish: &Submission, faults: &mut Faults) {
    if let Some(priority) = wish.priority {
        faults.unless((0..=i64::from(MAX_PRIORITY)).contains(&priority), "priority", || {
            format!("must be 0 to {MAX_PRIORITY}")
        });
    }
    if let Some(attempts) = wish.max_attempts {
        faults.unless((1..=i64::from(MAX_ATTEMPTS)).contains(&attempts), "max_attempts", || {
            format!("must be 1 to {MAX_ATTEMPTS}")
        });
    }
    if let Some(Span(timeout)) = wish.timeout {
        faults.unless((TIMEOUT.0..=TIMEOUT.1).contains(&timeout), "timeout", || {
            "must be 100ms to 24h".into()
        });
    }
    if let Some(Span(total)) = wish.total_timeout {
        faults.unless((TIMEOUT.0..=HORIZON).contains(&total), "total_timeout", || {
            "must be 100ms to ten years".into()
        });
    }
    if let Some(Span(expires)) = wish.expires_in {
        faults.unless(!expires.is_zero() && expires <= HORIZON, "expires_in", || {
            "must be more than 0s and at most ten years".into()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::nothing;
    use longshore_core::task::{OnConflict, Unique};

    fn judge(change: impl FnOnce(&mut Submission)) -> Vec<String> {
        let mut registry = Registry::default();
        registry.add(Kind::new(KindName::new("hello").unwrap(), nothing()));
        let mut wish = Submission::new("hello");
        change(&mut wish);
        match validate(wish, &registry, Timestamp(1_000)) {
            Ok(_) => Vec::new(),
            Err(faults) => faults.into_iter().map(|fault| fault.field).collect(),
        }
    }

    #[test]
    fn a_plain_wish_is_fine() {
        assert!(judge(|_| ()).is_empty());
    }

    #[test]
    fn every_fault_is_found_and_names_its_field() {
        let fields = judge(|wish| {
            wish.kind = "helo".into();
            wish.queue = Some("fast lane".into());
            wish.name = Some("x".into());
            wish.priority = Some(10);
            wish.max_attempts = Some(0);
            wish.timeout = Some(Span(Duration::from_millis(99)));
            wish.total_timeout = Some(Span(Duration::from_millis(99)));
            wish.expires_in = Some(Span::default());
            wish.order_key = Some(String::new());
            wish.unique = Some(Unique {
                key: "x".repeat(129),
                hold: UniqueWhile::Window(Duration::ZERO),
                on_conflict: OnConflict::default(),
            });
            wish.run_at = Some(Timestamp(1));
            wish.delay = Some(Span::default());
            wish.tags = vec![String::new(); 17];
            wish.headers = vec![("ls-id".into(), "x".into())];
        });
        for field in [
            "kind",
            "queue",
            "name",
            "priority",
            "max_attempts",
            "timeout",
            "total_timeout",
            "expires_in",
            "order_key",
            "unique.key",
            "unique.while",
            "delay",
            "tags",
            "tags[0]",
            "headers.ls-id",
        ] {
            assert!(fields.iter().any(|f| f == field), "{field} is missing in {fields:?}");
        }
    }

    #[test]
    fn a_lane_has_no_times_of_its_own() {
        let lane = |wish: &mut Submission| wish.order_key = Some("customer-7".into());
        assert!(judge(lane).is_empty());
        let with_delay = |wish: &mut Submission| {
            lane(wish);
            wish.delay = Some(Span::default());
        };
        assert_eq!(judge(with_delay), ["order_key"]);
        let with_time = |wish: &mut Submission| {
            lane(wish);
            wish.run_at = Some(Timestamp(1));
        };
        assert_eq!(judge(with_time), ["order_key"]);
    }

    #[test]
    fn headers_that_belong_to_brokers_are_refused() {
        for name in [
            "LS-kind",
            "Nats-Msg-Id",
            "X-Delay",
            "x-dead-letter-exchange",
            "x-message-ttl",
            "bcc",
            "reply-to",
            "a b",
            "",
            "a\r\n",
        ] {
            let fields = judge(|wish| wish.headers = vec![(name.into(), "v".into())]);
            assert_eq!(fields, [format!("headers.{name}")]);
        }
        for name in ["x-request-id", "x-team", "ls", "natsu"] {
            assert!(judge(|wish| wish.headers = vec![(name.into(), "v".into())]).is_empty());
        }
        let fields = judge(|wish| wish.headers = vec![("team".into(), "a\r\nb".into())]);
        assert_eq!(fields, ["headers.team"]);
    }
}
