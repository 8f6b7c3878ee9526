//! What operators see of consumers, and do with them.

use super::{Context, Plan, Refusal, Standing};
use longshore_core::Timestamp;
use longshore_core::broker::GroupStats;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a broker may take to say how a group stands, for a view.
const STATS: Duration = Duration::from_secs(1);

/// All consumers of this process, by name. Cloning gives another handle.
#[derive(Debug, Clone, Default)]
pub struct Consumers(Arc<BTreeMap<String, Arc<Context>>>);

/// A consumer as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerView {
    /// Its name.
    pub name: String,
    /// Its broker's name.
    pub broker: String,
    /// What it gets.
    pub topics: Vec<String>,
    /// The group on whose behalf it consumes; a broadcast has none.
    pub group: Option<String>,
    /// Who gets which messages.
    pub mode: &'static str,
    /// So many handlers run at once in this process.
    pub parallel: u32,
    /// So many deliveries may be unsettled.
    pub prefetch: usize,
    /// How payloads are read.
    pub decode: &'static str,
    /// Attempts, the first included.
    pub max_attempts: u32,
    /// How long one may take.
    pub timeout: Duration,
    /// The group that gets the dead letters; a broadcast has none.
    pub dead_letter: Option<String>,
    /// How it is.
    pub standing: Standing,
    /// Since when.
    pub since: Timestamp,
    /// How many of its handlers run.
    pub running: usize,
    /// An operator has paused it.
    pub paused: bool,
}

/// How a consumer's policy is kept, or why it cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Explained {
    /// The broker was not there yet.
    Unknown {
        /// How the consumer is.
        standing: Standing,
    },
    /// So.
    Planned(Plan),
    /// It cannot be.
    Refused(Vec<Refusal>),
}

impl Consumers {
    pub(crate) fn new(all: impl IntoIterator<Item = Arc<Context>>) -> Self {
        let named = all.into_iter().map(|one| (one.name().to_owned(), one));
        Self(Arc::new(named.collect()))
    }

    /// Returns all of them, by name.
    pub fn list(&self) -> Vec<ConsumerView> {
        self.0.values().map(|one| view(one)).collect()
    }

    /// Returns one.
    pub fn get(&self, name: &str) -> Option<ConsumerView> {
        self.0.get(name).map(|one| view(one))
    }

    /// Returns the names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Receives nothing more for this consumer, or goes on; until this process ends. What runs goes on. Returns it as
    /// it was; nothing if there is no such consumer.
    pub fn pause(&self, name: &str, pause: bool) -> Option<ConsumerView> {
        let one = self.0.get(name)?;
        one.paused.send_if_modified(|paused| std::mem::replace(paused, pause) != pause);
        Some(view(one))
    }

    /// Returns how its policy is kept on its broker.
    pub fn explain(&self, name: &str) -> Option<Explained> {
        let one = self.0.get(name)?;
        Some(match one.plan() {
            None => Explained::Unknown { standing: one.standing().0 },
            Some(Ok(plan)) => Explained::Planned(plan),
            Some(Err(refusals)) => Explained::Refused(refusals),
        })
    }

    /// Returns how its group stands over there, if the broker says so within a second.
    pub async fn stats(&self, name: &str) -> Option<GroupStats> {
        let one = self.0.get(name)?;
        let group = one.policy.group.as_ref()?;
        tokio::time::timeout(STATS, one.broker.inspect(group)).await.ok()?.ok()
    }
}

fn view(one: &Context) -> ConsumerView {
    let (standing, since) = one.standing();
    let policy = &one.policy;
    ConsumerView {
        name: policy.name.to_string(),
        broker: one.broker_name.to_string(),
        topics: policy.topics.iter().map(ToString::to_string).collect(),
        group: policy.group.as_ref().map(ToString::to_string),
        mode: policy.mode.as_str(),
        parallel: policy.parallel,
        prefetch: policy.prefetch().get(),
        decode: policy.decode.as_str(),
        max_attempts: policy.retry.attempts(),
        timeout: policy.timeout.0,
        dead_letter: policy.dead.as_ref().map(ToString::to_string),
        standing,
        since,
        running: one.telemetry.running_now(),
        paused: *one.paused.borrow(),
    }
}
