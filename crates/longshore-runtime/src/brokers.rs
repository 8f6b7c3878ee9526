//! The brokers of this process, each a component of its own.

use crate::supervisor::{Component, ComponentError, Deadline, Life, Policy, Stopped};
use crate::telemetry::Telemetry;
use longshore_core::broker::{Broker, DeclareMode, LinkReport, LinkState};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// How long closing one may take, whatever the deadline: confirms may be under way.
const CLOSING: Duration = Duration::from_secs(5);
/// Between two looks at what changes without a word: what is unconfirmed.
const LOOK: Duration = Duration::from_secs(1);

/// Brokers, by the names that the configuration gives them. Cloning gives another handle.
#[derive(Debug, Clone, Default)]
pub struct Brokers(Arc<BTreeMap<Arc<str>, Named>>);

#[derive(Debug, Clone)]
struct Named {
    broker: Arc<dyn Broker>,
    declare: DeclareMode,
}

impl Brokers {
    /// Returns the broker of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Broker>> {
        self.0.get(name).map(|named| &named.broker)
    }

    /// Returns what is done about what a broker does not have. Default: it is created.
    pub fn declare_mode(&self, name: &str) -> DeclareMode {
        self.0.get(name).map(|named| named.declare).unwrap_or_default()
    }

    /// Sets that for one of them.
    #[must_use]
    pub fn with_declare_mode(self, name: &str, declare: DeclareMode) -> Self {
        let mut all = Arc::unwrap_or_clone(self.0);
        if let Some(named) = all.get_mut(name) {
            named.declare = declare;
        }
        Self(Arc::new(all))
    }

    /// Returns all of them with their names.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<dyn Broker>)> {
        self.0.iter().map(|(name, named)| (name, &named.broker))
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns them as components: what publishes or receives stops before them.
    pub(crate) fn parts(
        &self,
        telemetry: &Arc<Telemetry>,
    ) -> impl Iterator<Item = Arc<dyn Component>> {
        self.iter().map(|(name, broker)| {
            let (broker, telemetry) = (broker.clone(), telemetry.clone());
            let part = Connected { name: component(name), of: name.clone(), broker, telemetry };
            Arc::new(part) as Arc<dyn Component>
        })
    }
}

impl FromIterator<(Arc<str>, Arc<dyn Broker>)> for Brokers {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Arc<dyn Broker>)>>(all: I) -> Self {
        let named = |broker| Named { broker, declare: DeclareMode::default() };
        Self(Arc::new(all.into_iter().map(|(name, broker)| (name, named(broker))).collect()))
    }
}

/// Returns the name of a broker's component, which is also its name in `/health`.
pub fn component(broker: &str) -> String {
    format!("broker.{broker}")
}

/// A broker: connects by itself, and comes back by itself, so that starting it cannot fail. Closed after
/// everything that uses it. It counts as ready while it is away: what needs it begins, and waits.
struct Connected {
    name: String,
    of: Arc<str>,
    broker: Arc<dyn Broker>,
    telemetry: Arc<Telemetry>,
}

#[async_trait::async_trait]
impl Component for Connected {
    fn name(&self) -> &str {
        &self.name
    }

    fn policy(&self) -> Policy {
        Policy { grace: CLOSING, ..Policy::default() }
    }

    async fn start(&self, life: Life) -> Result<(), ComponentError> {
        let (of, broker, telemetry) =
            (self.of.clone(), self.broker.clone(), self.telemetry.clone());
        let stop = life.token();
        life.spawn(async move {
            let watching = watch(&of, &*broker, &telemetry);
            tokio::select! {
                () = stop.cancelled() => {}
                () = watching => {}
            }
            Ok(())
        });
        Ok(())
    }

    async fn stop(&self, _: Deadline) -> Result<Stopped, ComponentError> {
        let report = self.broker.close(CLOSING).await;
        self.telemetry.link(&self.of, &self.broker.link());
        if report.unconfirmed > 0 {
            let unconfirmed = report.unconfirmed;
            tracing::warn!(component = %self.name, unconfirmed, "closed before all was confirmed");
        }
        Ok(Stopped { cleaned: vec!["closed".into()], given_back: report.unsettled })
    }
}

/// Shows how a connection is, and tells each change once; never ends.
async fn watch(name: &str, broker: &dyn Broker, telemetry: &Telemetry) {
    let mut link = broker.link();
    let mut told = Told::default();
    loop {
        telemetry.link(name, &link);
        tell(name, &link, &mut told);
        link = tokio::select! {
            changed = broker.link_changed(link.version) => changed,
            () = tokio::time::sleep(LOOK) => broker.link(),
        };
    }
}

/// So many reasons are remembered.
const REASONS: usize = 16;

/// What was told since the connection came into its state.
#[derive(Debug, Default)]
struct Told {
    word: &'static str,
    reasons: HashSet<String>,
}

impl Told {
    /// Notes a state and why it is so; returns whether that is news. With several endpoints the reasons take turns.
    fn is_news(&mut self, word: &'static str, why: &str) -> bool {
        if self.word != word || self.reasons.len() >= REASONS {
            *self = Self { word, reasons: HashSet::new() };
        }
        self.reasons.insert(why.to_owned())
    }
}

fn tell(broker: &str, link: &LinkReport, told: &mut Told) {
    let why = match &link.state {
        LinkState::Connecting { why } => why.as_deref().unwrap_or_default(),
        LinkState::Up { server } => server,
        LinkState::Blocked { why } | LinkState::Lost { why, .. } | LinkState::GivenUp { why } => {
            why
        }
        LinkState::Closed => "",
    };
    if !told.is_news(link.state.word(), why) {
        return;
    }
    match &link.state {
        LinkState::Connecting { why: None } => {
            tracing::info!(broker, "the broker is being connected")
        }
        LinkState::Connecting { why: Some(why) } => {
            tracing::warn!(broker, %why, "the broker cannot be reached; it is tried again");
        }
        LinkState::Up { server } => {
            tracing::info!(broker, %server, reconnects = link.reconnects, "the broker is connected");
        }
        LinkState::Blocked { why } => {
            tracing::warn!(broker, %why, "the broker takes nothing in at the moment");
        }
        LinkState::Lost { why, tries } => {
            tracing::warn!(broker, %why, tries, "the broker is lost; it is tried again");
        }
        LinkState::GivenUp { why } => {
            tracing::error!(broker, %why, "the broker is given up: look at its address, its credentials and its rights, then start again");
        }
        LinkState::Closed => tracing::debug!(broker, "the broker is closed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_once_for_as_long_as_the_state_stays() {
        let mut told = Told::default();
        assert!(told.is_news("lost", "a: refused"));
        assert!(told.is_news("lost", "b: refused"), "the other endpoint");
        assert!(!told.is_news("lost", "a: refused"));
        assert!(told.is_news("up", "3.10"));
        assert!(told.is_news("lost", "a: refused"), "it was up in between");
    }
}
