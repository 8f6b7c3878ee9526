//! Which kinds and queues there are, and who runs them.

use crate::handler::BoxHandler;
use crate::layers::Stack;
use crate::schema::Schema;
use longshore_core::queue::QueueSettings;
use longshore_core::rule::ErrorRule;
use longshore_core::store::KnownKind;
use longshore_core::{KindName, QueueName, RetryPolicy, Span};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a handler that is told to stop may go on, unless its kind says otherwise.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// A kind: what may be submitted, its defaults, and who runs it.
#[derive(Debug, Clone)]
pub struct Kind {
    /// Its name.
    pub name: KindName,
    /// Where its tasks wait unless they say otherwise. Default: `default`.
    pub queue: QueueName,
    /// When a failed attempt is tried again. Default: exponential, 4 attempts.
    pub retry: RetryPolicy,
    /// Failures that are treated in another way; the first that matches. Default: none.
    pub on_error: Vec<ErrorRule>,
    /// How long one attempt may take. Default: 5 min.
    pub timeout: Span,
    /// How long all attempts of a task may take together, unless it says otherwise. Default: no
    /// limit.
    pub total_timeout: Option<Span>,
    /// What payloads must look like. Default: anything.
    pub schema: Option<Schema>,
    /// How long a running handler may go on once its task was cancelled. Default: 10 s.
    pub grace: Duration,
    /// Layers around its handler, inside of those for all kinds. Default: none.
    pub layers: Stack,
    /// Who runs it in this process; nothing if only workers outside do.
    pub handler: Option<BoxHandler>,
}

impl Kind {
    /// Makes a kind with every default.
    pub fn new(name: KindName, handler: BoxHandler) -> Self {
        Self { handler: Some(handler), ..Self::pulled(name) }
    }

    /// Makes a kind with every default that only workers outside of this process run.
    pub fn pulled(name: KindName) -> Self {
        Self {
            name,
            queue: QueueName::default(),
            retry: RetryPolicy::default(),
            on_error: Vec::new(),
            timeout: Span(Duration::from_secs(300)),
            total_timeout: None,
            schema: None,
            grace: DEFAULT_GRACE,
            layers: Stack::default(),
            handler: None,
        }
    }

    /// Makes the kind that a worker elsewhere runs.
    fn known(known: &KnownKind) -> Self {
        Self {
            queue: known.queue.clone(),
            retry: RetryPolicy::default().max_attempts(known.max_attempts),
            timeout: known.timeout,
            total_timeout: known.total_timeout,
            // One that another version can read and this one cannot binds nobody here.
            schema: known.schema.as_deref().and_then(|text| Schema::compile(text).ok()),
            ..Self::pulled(known.name.clone())
        }
    }

    /// Returns what other servers have to know of it.
    pub(crate) fn to_be_known(&self) -> KnownKind {
        KnownKind {
            name: self.name.clone(),
            queue: self.queue.clone(),
            max_attempts: self.retry.attempts(),
            timeout: self.timeout,
            total_timeout: self.total_timeout,
            schema: self.schema.as_ref().map(|schema| schema.text()),
        }
    }

    /// Where its tasks wait unless they say otherwise.
    pub fn queue(mut self, queue: QueueName) -> Self {
        self.queue = queue;
        self
    }

    /// When a failed attempt is tried again.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// How long one attempt may take: 100 ms to 24 h.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Span(timeout);
        self
    }

    /// How long all attempts of a task may take together, unless it says otherwise.
    pub fn total_timeout(mut self, timeout: Duration) -> Self {
        self.total_timeout = Some(Span(timeout));
        self
    }
}

/// The kinds and queues of this process. The queue `default` exists unasked.
#[derive(Debug, Clone)]
pub struct Registry {
    kinds: BTreeMap<KindName, Arc<Kind>>,
    queues: BTreeMap<QueueName, QueueSettings>,
    /// Of queues that are declared: who carries them, or nobody.
    carriers: BTreeMap<QueueName, Option<Arc<str>>>,
}

impl Default for Registry {
    fn default() -> Self {
        let queues = BTreeMap::from([(QueueName::default(), QueueSettings::default())]);
        Self { kinds: BTreeMap::new(), queues, carriers: BTreeMap::new() }
    }
}

impl Registry {
    /// Adds a kind, or replaces the one of that name. Its queue exists from now on.
    pub fn add(&mut self, kind: Kind) {
        self.queues.entry(kind.queue.clone()).or_default();
        self.kinds.insert(kind.name.clone(), Arc::new(kind));
    }

    /// Adds a queue, or replaces the one of that name.
    pub fn add_queue(&mut self, name: QueueName, settings: QueueSettings) {
        self.queues.insert(name, settings);
    }

    /// Says which broker carries the tasks of a queue, by its name; with nothing, that the store hands them out. Nothing is
    /// said of a queue that is not named here: it stays as the store has it, as long as others use the store too.
    pub fn carry(&mut self, queue: QueueName, carrier: Option<Arc<str>>) {
        self.queues.entry(queue.clone()).or_default();
        self.carriers.insert(queue, carrier);
    }

    /// Returns of which queues it is said who carries them, and who does.
    pub fn carriers(&self) -> impl Iterator<Item = (&QueueName, Option<&Arc<str>>)> {
        self.carriers.iter().map(|(queue, carrier)| (queue, carrier.as_ref()))
    }

    /// Returns whether it is said who carries a queue, or that nobody does.
    pub fn declares(&self, queue: &QueueName) -> bool {
        self.carriers.contains_key(queue)
    }

    /// Puts the handlers of all kinds inside of these layers.
    pub(crate) fn inside(mut self, layers: &Stack) -> Self {
        for kind in self.kinds.values_mut() {
            let Some(handler) = kind.handler.clone() else { continue };
            let handler = Some(layers.around(&kind.layers).wrap(handler));
            *kind = Arc::new(Kind { handler, ..(**kind).clone() });
        }
        self
    }

    /// Adds kinds that workers elsewhere run, unless one of the name is there.
    pub(crate) fn with_known(mut self, known: &[KnownKind]) -> Self {
        for kind in known {
            if !self.kinds.contains_key(&kind.name) {
                self.add(Kind::known(kind));
            }
        }
        self
    }

    /// Returns what other servers have to know of the kinds that are run here.
    pub(crate) fn all_to_be_known(&self) -> Vec<KnownKind> {
        let here = self.kinds.values().filter(|kind| kind.handler.is_some());
        here.map(|kind| kind.to_be_known()).collect()
    }

    /// Returns a kind.
    pub fn kind(&self, name: &str) -> Option<&Arc<Kind>> {
        self.kinds.get(name)
    }

    /// Returns all kinds, by name.
    pub fn kinds(&self) -> impl Iterator<Item = &Arc<Kind>> {
        self.kinds.values()
    }

    /// Returns a queue's own name for `name`, and what is configured, if there is such a queue.
    pub fn queue(&self, name: &str) -> Option<(&QueueName, &QueueSettings)> {
        self.queues.get_key_value(name)
    }

    /// Returns all queues, by name.
    pub fn queues(&self) -> impl Iterator<Item = (&QueueName, &QueueSettings)> {
        self.queues.iter()
    }
}
