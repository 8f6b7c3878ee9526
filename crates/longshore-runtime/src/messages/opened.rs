//! From what was declared to what runs: each consumer meets its broker.

use super::Checked;
use super::context::{Context, Shared};
use crate::brokers::Brokers;
use crate::consumer;
use crate::handler::BoxHandler;
use crate::layers::Stack;
use crate::nearest::nearest;
use longshore_core::broker::Broker;
use std::sync::Arc;

/// A consumer names no broker that there is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoBroker {
    /// It names one that nobody knows.
    #[error("the consumer {consumer} names the broker \"{broker}\", which there is not; {hint}")]
    Unknown {
        /// The consumer's name.
        consumer: String,
        /// What it names.
        broker: String,
        /// What to do.
        hint: String,
    },
    /// It names none, and there is not exactly one.
    #[error("the consumer {consumer} names no broker, and there are {count}; name one")]
    Unnamed {
        /// The consumer's name.
        consumer: String,
        /// How many brokers there are.
        count: usize,
    },
}

/// Brings consumers, their brokers and their handlers together, the handlers inside of these layers.
pub(crate) fn consuming(
    declared: Vec<(Checked, BoxHandler)>,
    cx: &consumer::Context,
    layers: &Stack,
) -> Result<Vec<Arc<Context>>, NoBroker> {
    let shared = Shared {
        clock: cx.clock.clone(),
        stall: cx.stall.clone(),
        feed: cx.executor.feed().clone(),
        fetching: cx.fetching.clone(),
    };
    let one = |(policy, handler): (Checked, BoxHandler)| {
        let named = broker_of(&policy, &cx.brokers)?;
        let declare = cx.brokers.declare_mode(&named.0);
        let handler = layers.around(&policy.layers).wrap(handler);
        let telemetry = cx.telemetry.consumer(policy.name.as_str());
        let opened = Context::new(policy, named, declare, handler, shared.clone(), telemetry);
        Ok(Arc::new(opened))
    };
    declared.into_iter().map(one).collect()
}

fn broker_of(policy: &Checked, all: &Brokers) -> Result<(Arc<str>, Arc<dyn Broker>), NoBroker> {
    let consumer = policy.name.to_string();
    let pair = |(name, broker): (&Arc<str>, &Arc<dyn Broker>)| (name.clone(), broker.clone());
    let Some(wanted) = &policy.broker else {
        let mut every = all.iter();
        return match (every.next(), every.next()) {
            (Some(only), None) => Ok(pair(only)),
            _ => Err(NoBroker::Unnamed { consumer, count: all.iter().count() }),
        };
    };
    all.iter().find(|(name, _)| *name == wanted).map(pair).ok_or_else(|| {
        let hint = match nearest(wanted, all.iter().map(|(name, _)| &**name)).first() {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "declare it under `brokers`".to_owned(),
        };
        NoBroker::Unknown { consumer, broker: wanted.to_string(), hint }
    })
}
