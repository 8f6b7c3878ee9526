//! One hand-out of an envelope, and how it ends.

use super::{BrokerError, Envelope, GroupName, TopicName, header};
use crate::{FaultClass, Timestamp};
use std::fmt;
use std::time::Duration;

/// Where a delivery comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The topic it was published to; of a later attempt, the first one. Nothing if it went to the group itself.
    pub topic: Option<TopicName>,
    /// The group that gets it; nothing for a broadcast.
    pub group: Option<GroupName>,
    /// The publisher's own identity of the message (`message-id`), if it has one.
    pub message_id: Option<String>,
    /// The message's place in the broker, if places have names: `orders/3/1042`.
    pub position: Option<String>,
}

/// Why something becomes a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dead {
    /// The class of the last failure.
    pub class: FaultClass,
    /// In a sentence.
    pub reason: String,
}

/// How a delivery ends. The same on every broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// Done: it is never handed out again.
    Ack,
    /// Handed out again after this pause, as the next attempt.
    Retry {
        /// From now on. The broker may round it, see [`Capabilities::retry`](super::Capabilities::retry).
        after: Duration,
    },
    /// Put among the dead letters of its group, with its origin and the reason.
    Dead(Dead),
    /// Given back: handed out again, to anybody, as the same attempt.
    Release,
    /// Thrown away: as `Ack`, and counted apart.
    Discard,
}

/// What became of a settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It counts.
    Done,
    /// The delivery was of an earlier connection or assignment: nothing was done, and it is handed out again, or was
    /// already.
    Stale,
}

/// The driver's side of one delivery.
#[async_trait::async_trait]
pub trait Settler: Send + Sync + fmt::Debug {
    /// Settles. A retry and a dead letter are stored durably before the broker is told to forget the original.
    async fn settle(
        self: Box<Self>,
        envelope: Envelope,
        origin: Origin,
        how: Settlement,
    ) -> Result<Settled, BrokerError>;

    /// Asks for more time, where the broker takes back what is not settled in time.
    async fn extend(&self) -> Result<(), BrokerError>;

    /// Nobody settles it any more: it is handed out again.
    fn abandon(self: Box<Self>);
}

/// An envelope that was handed out, and is somebody's until it is settled.
///
/// Dropped unsettled, it is handed out again.
#[derive(Debug)]
pub struct Delivery {
    /// What was handed out.
    pub envelope: Envelope,
    /// Where it comes from.
    pub origin: Origin,
    /// It was handed out before, and not settled.
    pub redelivered: bool,
    /// Which hand-out it is as the broker counts, from 1, if it does: deaths and releases may be among them.
    pub hand_out: Option<u32>,
    /// The connection or assignment it belongs to.
    pub epoch: u64,
    settler: Option<Box<dyn Settler>>,
}

impl Delivery {
    /// Makes a delivery; for drivers.
    pub fn new(envelope: Envelope, origin: Origin, epoch: u64, settler: Box<dyn Settler>) -> Self {
        let settler = Some(settler);
        Self { envelope, origin, redelivered: false, hand_out: None, epoch, settler }
    }

    /// Returns what identifies the message among all of its group: its `ls-id`, else its publisher's identity, else its
    /// place. With none of these nobody can tell a duplicate.
    pub fn identity(&self) -> Option<&str> {
        let id = self.envelope.headers.get(header::ID);
        id.or(self.origin.message_id.as_deref()).or(self.origin.position.as_deref())
    }

    /// Tells the broker how this delivery ended. Takes `self`: settling twice does not compile.
    ///
    /// An error says that nothing was settled as far as is known: it is handed out again.
    pub async fn settle(mut self, how: Settlement) -> Result<Settled, BrokerError> {
        let Some(settler) = self.settler.take() else { return Ok(Settled::Stale) };
        let envelope = std::mem::take(&mut self.envelope);
        let origin = self.origin.clone();
        settler.settle(envelope, origin, how).await
    }

    /// Asks for more time.
    pub async fn extend(&self) -> Result<(), BrokerError> {
        match &self.settler {
            Some(settler) => settler.extend().await,
            None => Ok(()),
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(settler) = self.settler.take() {
            settler.abandon();
        }
    }
}

impl Envelope {
    /// Counts one attempt less, so that the next hand-out is for the same one: nothing has failed.
    #[must_use]
    pub fn uncounted(mut self) -> Self {
        let less = self.attempt() - 1;
        self.headers.set(header::ATTEMPT, less.to_string());
        self
    }

    /// Returns what is handed out at the next attempt.
    #[must_use]
    pub fn next_attempt(mut self, origin: &Origin) -> Self {
        let said = self.headers.get(header::ATTEMPT).and_then(|text| text.parse().ok());
        let next = said.unwrap_or(1_u32).saturating_add(1);
        self.headers.set(header::ATTEMPT, next.to_string());
        self.with_origin(origin)
    }

    /// Returns the dead letter that becomes of it.
    #[must_use]
    pub fn dead_letter(self, origin: &Origin, dead: &Dead, now: Timestamp) -> Self {
        let mut letter = self.with_origin(origin);
        letter.headers.set(header::DEAD_REASON, one_line(&dead.reason));
        letter.headers.set(header::DEAD_CLASS, dead.class.as_str());
        letter.headers.set(header::DEAD_AT, now.to_string());
        if let Some(group) = &origin.group {
            letter.headers.set(header::ORIGIN_GROUP, group.as_str());
        }
        letter
    }

    fn with_origin(mut self, origin: &Origin) -> Self {
        if let Some(topic) = &origin.topic {
            self.headers.set(header::ORIGIN_TOPIC, topic.as_str());
        }
        if let (None, Some(id)) = (self.headers.get(header::ID), &origin.message_id) {
            let id = one_line(id);
            self.headers.set(header::ID, id); // it keeps its identity
        }
        self
    }
}

/// Longest reason that travels, in bytes.
const MAX_REASON: usize = 1_024;

/// What can be the value of a header everywhere.
fn one_line(text: &str) -> String {
    let mut line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.len() > MAX_REASON {
        let end = (0..=MAX_REASON).rev().find(|end| line.is_char_boundary(*end)).unwrap_or(0);
        line.truncate(end);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Origin {
        Origin {
            topic: TopicName::new("orders.created").ok(),
            group: GroupName::new("shipping").ok(),
            message_id: Some("m1".to_owned()),
            position: None,
        }
    }

    #[test]
    fn the_next_attempt_counts_and_remembers_where_it_comes_from() {
        let next = Envelope::new("x").next_attempt(&origin()).next_attempt(&origin());
        assert_eq!(next.attempt(), 3);
        assert_eq!(next.headers.get(header::ORIGIN_TOPIC), Some("orders.created"));
        assert_eq!(next.headers.get(header::ID), Some("m1"), "or nobody could tell a duplicate");
    }

    #[test]
    fn what_is_not_counted_is_handed_out_as_the_same_attempt() {
        for attempt in [1, 2, 7] {
            let envelope = Envelope::new("x").with(header::ATTEMPT, attempt.to_string());
            assert_eq!(envelope.uncounted().next_attempt(&origin()).attempt(), attempt);
        }
    }

    #[test]
    fn a_dead_letter_says_why_in_one_line() {
        let dead =
            Dead { class: FaultClass::BadData, reason: format!("a\nb{}", "ä".repeat(1_000)) };
        let letter = Envelope::new("x").dead_letter(&origin(), &dead, Timestamp(0));
        let reason = letter.headers.get(header::DEAD_REASON).unwrap();
        assert!(reason.starts_with("a bä") && reason.len() <= MAX_REASON, "{}", reason.len());
        assert_eq!(letter.headers.get(header::DEAD_CLASS), Some("bad_data"));
        assert_eq!(letter.headers.get(header::ORIGIN_GROUP), Some("shipping"));
        assert_eq!(letter.payload, "x");
    }
}
