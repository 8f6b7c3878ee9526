//! A consumer in which everything was checked that needs no broker.

use super::{Consumer, Mode};
use crate::handler::Decode;
use crate::layers::Stack;
use longshore_core::broker::{Group, GroupName, Options, Pattern};
use longshore_core::retry::MAX_ATTEMPTS;
use longshore_core::rule::ErrorRule;
use longshore_core::{KindName, RetryPolicy, Span};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

/// Most handlers of a consumer that may run at once.
const MAX_PARALLEL: u32 = 10_000;
/// Hand-outs beyond the attempts after which a message is taken to kill whoever gets it.
const CRASHES: u32 = 20;
/// What the broker itself is told of that, where it can be: ours comes first, for it says why. The same for every
/// policy, since a broker does not change what it has.
const BREAKER: u32 = MAX_ATTEMPTS + 2 * CRASHES;
/// Times of an attempt, both included.
const TIMEOUT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(86_400));

/// What is wrong with a consumer, whatever the broker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {message}")]
pub struct BadConsumer {
    /// The key of the configuration that it is about.
    pub key: &'static str,
    /// What is wrong and what to do, a lower-case fragment about the key.
    pub message: String,
}

fn bad(key: &'static str, message: impl Into<String>) -> BadConsumer {
    BadConsumer { key, message: message.into() }
}

/// A consumer whose names, patterns and numbers are fine.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Its name.
    pub name: KindName,
    /// Its broker's name; nothing: the only one there is.
    pub broker: Option<Arc<str>>,
    /// What it gets.
    pub topics: Vec<Pattern>,
    /// The group on whose behalf it consumes; a broadcast has none.
    pub group: Option<GroupName>,
    /// Who gets which messages.
    pub mode: Mode,
    /// So many handlers run at once.
    pub parallel: u32,
    /// How payloads are read.
    pub decode: Decode,
    /// When a failed attempt is tried again.
    pub retry: RetryPolicy,
    /// Failures that are treated in another way.
    pub on_error: Vec<ErrorRule>,
    /// The group that gets the dead letters; a broadcast has none.
    pub dead: Option<GroupName>,
    /// How long one attempt may take.
    pub timeout: Span,
    /// How long a handler that is told to stop may go on.
    pub grace: Duration,
    /// What handlers are given besides.
    pub parameters: Arc<serde_json::Value>,
    /// For the driver.
    pub options: Options,
    /// Layers around its handler, inside of those for all.
    pub layers: Stack,
}

impl Consumer {
    /// Checks what needs no broker to be judged.
    pub fn checked(&self, name: &str) -> Result<Checked, BadConsumer> {
        let name = KindName::new(name)
            .map_err(|why| bad("", format!("\"{name}\" is no consumer's name: it {why}")))?;
        let broadcast = self.mode == Mode::Broadcast;
        if !(1..=MAX_PARALLEL).contains(&self.parallel) {
            let message = format!("must be 1..{MAX_PARALLEL}, not {}", self.parallel);
            return Err(bad("concurrency", message));
        }
        if !(TIMEOUT.0..=TIMEOUT.1).contains(&self.timeout) {
            let message = format!("must be 100ms..1d, not {}", Span(self.timeout));
            return Err(bad("timeout", message));
        }
        let group = match (&self.group, broadcast) {
            (Some(_), true) => {
                let why = "a broadcast is for no group: everybody gets everything; leave it out";
                return Err(bad("group", why));
            }
            (None, true) => None,
            (said, false) => Some(group("group", said.as_deref().unwrap_or(name.as_str()))?),
        };
        let dead = match (&self.dead, &group) {
            (Some(_), None) => {
                let why =
                    "a broadcast belongs to no group, and so has no dead letters; leave it out";
                return Err(bad("dead_letter", why));
            }
            (None, None) => None,
            (Some(said), Some(of)) if said == of.as_str() => {
                return Err(bad("dead_letter", "is the group itself; name another one"));
            }
            (Some(said), Some(_)) => Some(self::group("dead_letter", said)?),
            (None, Some(of)) => Some(self::group("dead_letter", &format!("{of}.dead"))?),
        };
        let retry = match &self.retry {
            Some(policy) if broadcast && policy.attempts() > 1 => {
                let why = "a broadcast cannot be handed out again to one alone; \
                           set `retry: { max_attempts: 1 }`, or another `mode`";
                return Err(bad("retry", why));
            }
            Some(policy) => policy.clone(),
            None if broadcast => RetryPolicy::immediate().max_attempts(1),
            None => RetryPolicy::default(),
        };
        Ok(Checked {
            topics: self.patterns()?,
            broker: self.broker.as_deref().map(Arc::from),
            group,
            mode: self.mode,
            parallel: self.parallel,
            decode: self.decode,
            retry,
            on_error: self.on_error.clone(),
            dead,
            timeout: Span(self.timeout),
            grace: self.grace,
            parameters: Arc::new(self.parameters.clone()),
            options: self.options.clone(),
            layers: self.layers.clone(),
            name,
        })
    }

    fn patterns(&self) -> Result<Vec<Pattern>, BadConsumer> {
        if self.topics.is_empty() {
            return Err(bad("topic", "is missing"));
        }
        let pattern = |text: &String| {
            Pattern::new(text).map_err(|why| {
                bad("topic", format!("\"{text}\" is no pattern of topics: it {why}"))
            })
        };
        self.topics.iter().map(pattern).collect()
    }
}

fn group(key: &'static str, name: &str) -> Result<GroupName, BadConsumer> {
    GroupName::new(name).map_err(|why| bad(key, format!("\"{name}\" is no group's name: it {why}")))
}

impl Checked {
    /// Returns how many deliveries may be unsettled: those that run, and a quarter more that wait for their turn or
    /// for the broker's answer.
    pub fn prefetch(&self) -> NonZeroUsize {
        let most = self.parallel + self.parallel.div_ceil(4);
        NonZeroUsize::new(most as usize).unwrap_or(NonZeroUsize::MIN)
    }

    /// Returns after how many hand-outs of one attempt a message is taken to kill whoever gets it.
    pub fn too_often(&self) -> u32 {
        self.retry.attempts() + CRASHES
    }

    /// Returns the longest pause between two attempts, jitter included; nothing if there is none.
    pub fn longest_pause(&self) -> Option<Duration> {
        (1..self.retry.attempts()).filter_map(|attempt| self.retry.longest_after(attempt)).max()
    }

    /// Returns what has to be there.
    pub(super) fn topology(&self) -> Option<Group> {
        Some(Group {
            patterns: self.topics.clone(),
            single_active: self.mode == Mode::SingleActive,
            dead: self.dead.clone(),
            breaker: BREAKER,
            options: self.options.clone(),
            ..Group::new(self.group.clone()?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(consumer: &Consumer) -> String {
        consumer.checked("shipping").expect_err("it must be refused").to_string()
    }

    #[test]
    fn what_is_not_said_follows_from_the_name() {
        let checked = Consumer::topic("orders.*").checked("shipping").unwrap();
        assert_eq!(checked.group.unwrap().as_str(), "shipping");
        assert_eq!(checked.dead.unwrap().as_str(), "shipping.dead");
        assert_eq!(checked.retry, RetryPolicy::default());
    }

    #[test]
    fn a_quarter_more_is_fetched_than_runs() {
        for (parallel, prefetch) in [(1, 2), (4, 5), (32, 40)] {
            let checked = Consumer::topic("a").parallel(parallel).checked("c").unwrap();
            assert_eq!(checked.prefetch().get(), prefetch);
        }
    }

    #[test]
    fn what_no_broker_could_keep_is_refused_with_the_fix() {
        let topic = || Consumer::topic("a");
        for (consumer, why) in [
            (Consumer::topic("a*"), "topic: \"a*\" is no pattern of topics: it must be words"),
            (topic().parallel(0), "concurrency: must be 1..10000, not 0"),
            (topic().group("a b"), "group: \"a b\" is no group's name: it must have"),
            (topic().dead_letter("shipping"), "dead_letter: is the group itself"),
            (topic().mode(Mode::Broadcast).group("g"), "group: a broadcast is for no group"),
            (topic().mode(Mode::Broadcast).dead_letter("g"), "dead_letter: a broadcast belongs"),
            (
                topic().mode(Mode::Broadcast).retry(RetryPolicy::default()),
                "retry: a broadcast cannot be handed out again to one alone",
            ),
            (topic().timeout(Duration::ZERO), "timeout: must be 100ms..1d, not 0s"),
        ] {
            assert!(refused(&consumer).starts_with(why), "{}", refused(&consumer));
        }
        assert!(Consumer::topic("a").checked("No").is_err());
    }
}
