//! What people say of a consumer.

use crate::handler::Decode;
use crate::layers::{Layer, Stack};
use crate::registry::DEFAULT_GRACE;
use longshore_core::RetryPolicy;
use longshore_core::broker::Options;
use longshore_core::rule::ErrorRule;
use std::time::Duration;

/// Who gets which messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Each message goes to one of all who consume for the group.
    #[default]
    Compete,
    /// One at a time consumes for the group; another takes over when it goes.
    SingleActive,
    /// Everybody gets every message that comes while he is there.
    Broadcast,
}

impl Mode {
    /// All modes.
    pub const ALL: [Self; 3] = [Self::Compete, Self::SingleActive, Self::Broadcast];

    /// Returns the word of the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compete => "compete",
            Self::SingleActive => "single_active",
            Self::Broadcast => "broadcast",
        }
    }

    /// Reads the word of the configuration.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == word)
    }
}

/// What a consumer of messages gets, and how it treats them.
///
/// ```
/// use longshore_core::RetryPolicy;
/// use longshore_runtime::messages::Consumer;
/// use std::time::Duration;
///
/// let orders = Consumer::topic("orders.*")
///     .broker("main")
///     .parallel(32)
///     .retry(RetryPolicy::exponential(Duration::from_secs(1)).max_attempts(8))
///     .dead_letter("orders.dead");
/// assert!(orders.checked("shipping").is_ok());
/// ```
#[derive(Debug, Clone)]
pub struct Consumer {
    pub(super) topics: Vec<String>,
    pub(super) broker: Option<String>,
    pub(super) group: Option<String>,
    pub(super) mode: Mode,
    pub(super) parallel: u32,
    pub(super) decode: Decode,
    pub(super) retry: Option<RetryPolicy>,
    pub(super) on_error: Vec<ErrorRule>,
    pub(super) dead: Option<String>,
    pub(super) timeout: Duration,
    pub(super) grace: Duration,
    pub(super) parameters: serde_json::Value,
    pub(super) options: Options,
    pub(super) layers: Stack,
}

impl Consumer {
    /// Consumes what is published to topics that match: `*` stands for one word, `#` for any number of them.
    pub fn topic(pattern: impl Into<String>) -> Self {
        Self::topics([pattern.into()])
    }

    /// Consumes what is published to topics that match one of these.
    pub fn topics<T: Into<String>>(patterns: impl IntoIterator<Item = T>) -> Self {
        Self {
            topics: patterns.into_iter().map(Into::into).collect(),
            broker: None,
            group: None,
            mode: Mode::default(),
            parallel: 1,
            decode: Decode::default(),
            retry: None,
            on_error: Vec::new(),
            dead: None,
            timeout: Duration::from_secs(300),
            grace: DEFAULT_GRACE,
            parameters: serde_json::Value::Null,
            options: Options::new(),
            layers: Stack::default(),
        }
    }

    /// Takes other topics instead.
    #[must_use]
    pub fn of_topics<T: Into<String>>(mut self, patterns: impl IntoIterator<Item = T>) -> Self {
        self.topics = patterns.into_iter().map(Into::into).collect();
        self
    }

    /// Which broker carries them. Default: the only one there is.
    #[must_use]
    pub fn broker(mut self, name: impl Into<String>) -> Self {
        self.broker = Some(name.into());
        self
    }

    /// The group on whose behalf it consumes. Default: the consumer's name.
    #[must_use]
    pub fn group(mut self, name: impl Into<String>) -> Self {
        self.group = Some(name.into());
        self
    }

    /// Who gets which messages. Default: they compete.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// So many handlers run at once in this process, 1..10,000. Default: 1.
    #[must_use]
    pub fn parallel(mut self, handlers: u32) -> Self {
        self.parallel = handlers;
        self
    }

    /// One handler at a time, in the order of the broker: that of [`Consumer::parallel`] with 1.
    #[must_use]
    pub fn serial(self) -> Self {
        self.parallel(1)
    }

    /// How payloads are read. Default: as JSON. What does not fit goes to the dead letters at once.
    #[must_use]
    pub fn decode(mut self, decode: Decode) -> Self {
        self.decode = decode;
        self
    }

    /// When a failed attempt is tried again. Default: exponential, 4 attempts; of a broadcast: never.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = Some(policy);
        self
    }

    /// Failures that are treated in another way; the first that matches. Default: none.
    #[must_use]
    pub fn on_error(mut self, rules: Vec<ErrorRule>) -> Self {
        self.on_error = rules;
        self
    }

    /// The group that gets the dead letters. Default: the group's name and `.dead`.
    #[must_use]
    pub fn dead_letter(mut self, group: impl Into<String>) -> Self {
        self.dead = Some(group.into());
        self
    }

    /// How long one attempt may take, 100 ms..24 h. Default: 5 min.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long a handler that is told to stop may go on. Default: 10 s.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// What handlers are given as [`Parameters`](crate::handler::Parameters). Default: nothing.
    #[must_use]
    pub fn parameters(mut self, parameters: serde_json::Value) -> Self {
        self.parameters = parameters;
        self
    }

    /// What only the broker's driver knows, as the configuration writes it. Default: nothing.
    #[must_use]
    pub fn option(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.insert(name.into(), value.into());
        self
    }

    /// Adds a layer around its handler, inside of those for all.
    #[must_use]
    pub fn layer(mut self, layer: impl Layer + 'static) -> Self {
        self.layers = self.layers.with(layer);
        self
    }

    /// Returns the name of its broker, if it says one.
    pub fn broker_name(&self) -> Option<&str> {
        self.broker.as_deref()
    }
}
