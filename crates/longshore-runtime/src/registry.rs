//! Which kinds and queues there are, and who runs them.

use crate::handler::BoxHandler;
use longshore_core::{KindName, QueueName, RetryPolicy, Span};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Slots of a queue that says nothing: so many of its tasks run at once in this process.
pub const DEFAULT_SLOTS: usize = 16;

/// A kind: what may be submitted, its defaults, and who runs it.
#[derive(Debug, Clone)]
pub struct Kind {
    /// Its name.
    pub name: KindName,
    /// Where its tasks wait unless they say otherwise. Default: `default`.
    pub queue: QueueName,
    /// When a failed attempt is tried again. Default: exponential, 4 attempts.
    pub retry: RetryPolicy,
    /// How long one attempt may take. Default: 5 min.
    pub timeout: Span,
    /// Who runs it.
    pub handler: BoxHandler,
}

impl Kind {
    /// Makes a kind with every default.
    pub fn new(name: KindName, handler: BoxHandler) -> Self {
        Self {
            name,
            queue: QueueName::default(),
            retry: RetryPolicy::default(),
            timeout: Span(Duration::from_secs(300)),
            handler,
        }
    }
}

/// A queue of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// So many of its tasks run at once in this process. Default: 16.
    pub slots: usize,
}

impl Default for Queue {
    fn default() -> Self {
        Self { slots: DEFAULT_SLOTS }
    }
}

/// The kinds and queues of this process. The queue `default` exists unasked.
#[derive(Debug, Clone)]
pub struct Registry {
    kinds: BTreeMap<KindName, Arc<Kind>>,
    queues: BTreeMap<QueueName, Queue>,
}

impl Default for Registry {
    fn default() -> Self {
        let queues = BTreeMap::from([(QueueName::default(), Queue::default())]);
        Self { kinds: BTreeMap::new(), queues }
    }
}

impl Registry {
    /// Adds a kind, or replaces the one of that name. Its queue exists from now on.
    pub fn add(&mut self, kind: Kind) {
        self.queues.entry(kind.queue.clone()).or_default();
        self.kinds.insert(kind.name.clone(), Arc::new(kind));
    }

    /// Adds a queue, or replaces the one of that name.
    pub fn add_queue(&mut self, name: QueueName, queue: Queue) {
        self.queues.insert(name, queue);
    }

    /// Returns a kind.
    pub fn kind(&self, name: &str) -> Option<&Arc<Kind>> {
        self.kinds.get(name)
    }

    /// Returns all kinds, by name.
    pub fn kinds(&self) -> impl Iterator<Item = &Arc<Kind>> {
        self.kinds.values()
    }

    /// Returns a queue's own name for `name`, if there is such a queue.
    pub fn queue(&self, name: &str) -> Option<(&QueueName, &Queue)> {
        self.queues.get_key_value(name)
    }

    /// Returns all queues, by name.
    pub fn queues(&self) -> impl Iterator<Item = (&QueueName, &Queue)> {
        self.queues.iter()
    }
}
