//! What is measured of queues that a broker carries.

use super::Telemetry;
use longshore_core::QueueName;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    queue: String,
}

impl Of {
    fn queue(queue: &QueueName) -> Self {
        Self { queue: queue.to_string() }
    }
}

/// The metrics.
#[derive(Debug, Default)]
pub(super) struct Carriage {
    relayed: Family<Of, Counter>,
    republished: Family<Of, Counter>,
    carried: Family<Of, Gauge>,
}

impl Carriage {
    /// The crate appends `_total` to the names.
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "longshore_carriage_relayed",
            "Tasks that a broker has confirmed",
            self.relayed.clone(),
        );
        registry.register(
            "longshore_carriage_republished",
            "Tasks that a broker had lost, to be published again",
            self.republished.clone(),
        );
        registry.register(
            "longshore_carriage_window_used",
            "Tasks that a broker has and nobody has opened",
            self.carried.clone(),
        );
    }
}

impl Telemetry {
    /// Counts tasks of a queue that its broker has confirmed.
    pub(crate) fn relayed(&self, queue: &QueueName, count: usize) {
        self.carriage.relayed.get_or_create(&Of::queue(queue)).inc_by(count as u64);
    }

    /// Counts tasks of a queue that its broker had lost.
    pub(crate) fn republished(&self, queue: &QueueName, count: usize) {
        self.carriage.republished.get_or_create(&Of::queue(queue)).inc_by(count as u64);
    }

    /// Shows how many tasks of a queue its broker has.
    pub(crate) fn carried(&self, queue: &QueueName, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.carriage.carried.get_or_create(&Of::queue(queue)).set(count);
    }
}
