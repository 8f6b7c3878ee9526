//! The brokers of this process, each a component of its own.

use crate::supervisor::{Component, ComponentError, Deadline, Life, Policy, Stopped};
use longshore_core::broker::Broker;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long closing one may take, whatever the deadline: confirms may be under way.
const CLOSING: Duration = Duration::from_secs(5);

/// Brokers, by the names that the configuration gives them. Cloning gives another handle.
#[derive(Debug, Clone, Default)]
pub struct Brokers(Arc<BTreeMap<Arc<str>, Arc<dyn Broker>>>);

impl Brokers {
    /// Returns the broker of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Broker>> {
        self.0.get(name)
    }

    /// Returns all of them with their names.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<dyn Broker>)> {
        self.0.iter()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns them as components: what publishes or receives stops before them.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Arc<dyn Component>> {
        self.0.iter().map(|(name, broker)| {
            let part = Connected { name: component(name), broker: broker.clone() };
            Arc::new(part) as Arc<dyn Component>
        })
    }
}

impl FromIterator<(Arc<str>, Arc<dyn Broker>)> for Brokers {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Arc<dyn Broker>)>>(all: I) -> Self {
        Self(Arc::new(all.into_iter().collect()))
    }
}

/// Returns the name of a broker's component, which is also its name in `/health`.
pub(crate) fn component(broker: &str) -> String {
    format!("broker.{broker}")
}

/// A broker: connects by itself, and comes back by itself, so that starting it cannot fail. Closed after
/// everything that uses it.
struct Connected {
    name: String,
    broker: Arc<dyn Broker>,
}

#[async_trait::async_trait]
impl Component for Connected {
    fn name(&self) -> &str {
        &self.name
    }

    fn policy(&self) -> Policy {
        Policy { grace: CLOSING, ..Policy::default() }
    }

    async fn start(&self, _: Life) -> Result<(), ComponentError> {
        Ok(())
    }

    async fn stop(&self, _: Deadline) -> Result<Stopped, ComponentError> {
        let report = self.broker.close(CLOSING).await;
        if report.unconfirmed > 0 {
            let unconfirmed = report.unconfirmed;
            tracing::warn!(component = %self.name, unconfirmed, "closed before all was confirmed");
        }
        Ok(Stopped { cleaned: vec!["closed".into()], given_back: report.unsettled })
    }
}
