//! How brokers and consumers are.
//!
//! Everybody may read this, so what a broker says in its own words stays in the log, and with the consumers.

use super::Status;
use longshore_core::broker::{LinkReport, LinkState};
use longshore_core::{Clock, SystemClock, Timestamp};
use longshore_runtime::messages::{ConsumerView, Standing};
use longshore_runtime::{Engine, brokers};
use serde::Serialize;

/// A broker, or a consumer.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Link {
    Broker {
        status: Status,
        state: &'static str,
        since: Timestamp,
        #[serde(skip_serializing_if = "Option::is_none")]
        server: Option<String>,
        reconnects: u64,
        unconfirmed: u64,
    },
    Consumer {
        status: Status,
        state: &'static str,
        since: Timestamp,
        running: usize,
    },
}

impl Link {
    pub(super) fn status(&self) -> Status {
        match self {
            Self::Broker { status, .. } | Self::Consumer { status, .. } => *status,
        }
    }
}

impl From<LinkReport> for Link {
    fn from(report: LinkReport) -> Self {
        let status = match &report.state {
            LinkState::Up { .. } => Status::Up,
            LinkState::Connecting { .. } | LinkState::Blocked { .. } => Status::Degraded,
            LinkState::Lost { .. } | LinkState::GivenUp { .. } | LinkState::Closed => Status::Down,
        };
        let ago = i64::try_from(report.since.as_millis()).unwrap_or(i64::MAX);
        let since = Timestamp(SystemClock.now().0.saturating_sub(ago));
        let state = report.state.word();
        let server = match report.state {
            // Where it is stays in the log.
            LinkState::Up { server } => match server.split_once(", ") {
                Some((_, which)) => Some(which.to_owned()),
                None => Some(server),
            },
            _ => None,
        };
        let (reconnects, unconfirmed) = (report.reconnects, report.unconfirmed);
        Self::Broker { status, state, since, server, reconnects, unconfirmed }
    }
}

impl From<ConsumerView> for Link {
    fn from(view: ConsumerView) -> Self {
        let fine = view.standing.is_fine();
        let status = if fine { Status::Up } else { Status::Degraded };
        let (state, since, running) = (view.standing.word(), view.since, view.running);
        Self::Consumer { status, state, since, running }
    }
}

/// Returns each broker by the name of its component.
pub(super) fn of_links(engine: &Engine) -> impl Iterator<Item = (String, Link)> {
    engine.brokers().iter().map(|(name, broker)| (brokers::component(name), broker.link().into()))
}

/// Returns each consumer by the name of its component.
pub(super) fn of_consumers(engine: &Engine) -> impl Iterator<Item = (String, Link)> {
    let all = engine.consumers().list().into_iter();
    all.map(|view| (format!("consumer.{}", view.name), view.into()))
}

/// Returns which consumers do not receive, and in a word why; nothing if all do.
pub(super) fn deaf(engine: &Engine) -> Option<String> {
    let all = engine.consumers().list();
    let deaf: Vec<String> = all.iter().filter_map(|view| why(engine, view)).collect();
    (!deaf.is_empty()).then(|| deaf.join("; "))
}

fn why(engine: &Engine, view: &ConsumerView) -> Option<String> {
    let link = engine.brokers().get(&view.broker).map(|broker| broker.link().state);
    let away =
        link.filter(|state| !matches!(state, LinkState::Up { .. } | LinkState::Blocked { .. }));
    let name = &view.name;
    match (&view.standing, away) {
        (Standing::Paused, _) => None,
        (Standing::Refused { .. }, _) => Some(format!("{name}: refused, see its explain")),
        (_, Some(state)) => Some(format!("{name}: its broker {} is {}", view.broker, state.word())),
        (Standing::Running, None) => None,
        (standing, None) => Some(format!("{name}: {}", standing.word())),
    }
}
