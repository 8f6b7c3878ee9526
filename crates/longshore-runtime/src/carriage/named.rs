//! A carrier is a broker that there is.

use crate::brokers::Brokers;
use crate::nearest::nearest;
use crate::registry::Registry;

/// A queue names no broker that there is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the queue {queue} is to be carried by the broker \"{broker}\", which there is not; {hint}"
)]
pub struct NoCarrier {
    /// The queue's name.
    pub queue: String,
    /// What it names.
    pub broker: String,
    /// What to do.
    pub hint: String,
}

impl NoCarrier {
    /// Says so, with the nearest of the names that there are.
    pub fn new<'n>(queue: &str, broker: &str, known: impl Iterator<Item = &'n str>) -> Self {
        let known: Vec<&str> = known.collect();
        let hint = match (nearest(broker, known.iter().copied()).first(), &known[..]) {
            (Some(near), _) => format!("did you mean \"{near}\"?"),
            (None, []) => "declare it under `brokers`".to_owned(),
            (None, known) => format!("there are: {}", known.join(", ")),
        };
        Self { queue: queue.to_owned(), broker: broker.to_owned(), hint }
    }
}

/// Checks that each carried queue of a registry has its broker.
pub(crate) fn check(registry: &Registry, brokers: &Brokers) -> Result<(), NoCarrier> {
    for (queue, carrier) in registry.carriers() {
        if let Some(carrier) = carrier
            && brokers.get(carrier).is_none()
        {
            let known = brokers.iter().map(|(name, _)| &**name);
            return Err(NoCarrier::new(queue.as_str(), carrier, known));
        }
    }
    Ok(())
}
