//! Receiving.

use super::{Delivery, GroupName, Pattern};
use std::fmt::Debug;
use std::num::NonZeroUsize;

/// What is received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A share of what a declared group gets.
    Group(GroupName),
    /// Everything that is published to these topics while the subscription lasts, for nobody else: a broadcast.
    All(Vec<Pattern>),
}

/// Who receives what, and how much at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// What is received.
    pub what: What,
    /// How many deliveries may be unsettled at a time.
    pub prefetch: NonZeroUsize,
    /// Names the subscription for people who look into the broker.
    pub consumer: String,
}

impl Subscription {
    /// A share of a group's messages.
    pub fn to_group(group: GroupName, prefetch: NonZeroUsize) -> Self {
        Self { what: What::Group(group), prefetch, consumer: "longshore".to_owned() }
    }
}

/// How a subscription is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subscribed {
    /// The broker was not asked yet, or has not answered.
    Waiting,
    /// The broker has confirmed it: whatever comes is handed out.
    Confirmed,
    /// It was lost, or refused, and is being made again.
    Lost {
        /// Why.
        why: String,
    },
    /// Nothing is asked for, on purpose.
    Paused,
    /// It was closed.
    Ended,
}

/// What a subscription hands out. It comes back by itself after whatever ends it over there: a lost connection, a
/// deleted queue, a cancelled consumer.
#[async_trait::async_trait]
pub trait Deliveries: Send + Sync + Debug {
    /// Returns what was handed out, at most so many; waits for the first. Empty once it has ended.
    ///
    /// A call that is dropped takes nothing.
    async fn receive(&mut self, most: usize) -> Vec<Delivery>;

    /// Returns how it is.
    fn state(&self) -> Subscribed;

    /// Returns once it is other than `seen`.
    async fn state_changed(&self, seen: &Subscribed) -> Subscribed;

    /// Asks for nothing more until it is resumed: others of the group get it. What was handed out remains.
    async fn pause(&self);

    /// Goes on.
    async fn resume(&self);
}
