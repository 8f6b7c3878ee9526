//! Queues as clients read them.

use crate::etag::Tag;
use longshore_core::queue::{QueueSettings, Rate};
use longshore_core::state::STATES;
use longshore_core::{QueueName, Span, Timestamp};
use longshore_runtime::QueueView;
use serde::Serialize;
use serde::ser::Serializer;
use std::time::Duration;

/// A queue: what holds, where that comes from, and what is in it.
#[derive(Debug, Serialize)]
pub(super) struct Shown<'a> {
    name: &'a QueueName,
    paused: bool,
    carrier: Option<&'a str>,
    slots: u32,
    limit: Option<u32>,
    rate: Option<Rate>,
    backlog: Option<u64>,
    origin: Origins,
    tasks: Counts<'a>,
    ready: u64,
    running: u64,
    oldest_age: Option<Span>,
}

/// Where each setting comes from.
#[derive(Debug, Serialize)]
struct Origins {
    slots: Origin,
    limit: Origin,
    rate: Origin,
    backlog: Origin,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Origin {
    Api,
    Config,
    Default,
}

impl Origin {
    fn of<T>(set: Option<&T>, configured: Option<&T>) -> Self {
        match (set, configured) {
            (Some(_), _) => Self::Api,
            (None, Some(_)) => Self::Config,
            (None, None) => Self::Default,
        }
    }
}

/// How many tasks there are in each state; all states are there.
#[derive(Debug)]
struct Counts<'a>(&'a [u64; STATES.len()]);

impl Serialize for Counts<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(STATES.iter().zip(self.0).map(|(state, count)| (state.as_str(), count)))
    }
}

impl<'a> Shown<'a> {
    pub(super) fn new(queue: &'a QueueView, now: Timestamp) -> Self {
        let (set, configured) = (&queue.set, &queue.configured);
        let QueueSettings { slots, limit, rate, backlog } = queue.settings();
        Self {
            name: &queue.name,
            paused: queue.paused,
            carrier: queue.carrier.as_deref(),
            slots: slots.unwrap_or(QueueSettings::SLOTS),
            limit,
            rate,
            backlog,
            origin: Origins {
                slots: Origin::of(set.slots.as_ref(), configured.slots.as_ref()),
                limit: Origin::of(set.limit.as_ref(), configured.limit.as_ref()),
                rate: Origin::of(set.rate.as_ref(), configured.rate.as_ref()),
                backlog: Origin::of(set.backlog.as_ref(), configured.backlog.as_ref()),
            },
            tasks: Counts(&queue.tasks),
            ready: queue.ready,
            running: running(queue),
            oldest_age: oldest_age(queue, now),
        }
    }

    /// Names its settings. What is in the queue changes all the time and is left out.
    pub(super) fn tag(&self) -> Tag {
        let settings = (&self.name, self.slots, self.limit, self.rate, self.backlog, &self.origin);
        // Names and numbers alone always serialize.
        Tag::of(&serde_json::to_vec(&settings).unwrap_or_default())
    }
}

/// What an autoscaler asks for.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Scaling {
    depth: u64,
    oldest_age: Option<Span>,
    in_flight: u64,
    wanted: u64,
}

impl Scaling {
    pub(super) fn new(queue: &QueueView, now: Timestamp) -> Self {
        let QueueSettings { slots, limit, .. } = queue.settings();
        let slots = u64::from(slots.unwrap_or(QueueSettings::SLOTS)).max(1);
        let in_flight = running(queue);
        // Nobody is wanted for what is held back.
        let ready = if queue.paused { 0 } else { queue.ready };
        let most = limit.map_or(u64::MAX, u64::from);
        let wanted = ready.saturating_add(in_flight).min(most).div_ceil(slots);
        Self { depth: queue.ready, oldest_age: oldest_age(queue, now), in_flight, wanted }
    }
}

fn running(queue: &QueueView) -> u64 {
    queue.tasks[longshore_core::State::Running as usize]
}

fn oldest_age(queue: &QueueView, now: Timestamp) -> Option<Span> {
    let age = queue.oldest_ready.map(|since| now.since(since));
    // A span says milliseconds.
    age.map(|age| Span(Duration::from_millis(u64::try_from(age.as_millis()).unwrap_or(u64::MAX))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(ready: u64, running: u64, set: QueueSettings) -> QueueView {
        let mut tasks = [0; STATES.len()];
        tasks[longshore_core::State::Running as usize] = running;
        QueueView {
            name: QueueName::default(),
            configured: QueueSettings::default(),
            set,
            paused: false,
            carrier: None,
            tasks,
            ready,
            oldest_ready: None,
        }
    }

    fn wanted(queue: &QueueView) -> u64 {
        Scaling::new(queue, Timestamp(0)).wanted
    }

    #[test]
    fn so_many_processes_are_wanted_as_the_work_fills() {
        let plain = QueueSettings::default;
        assert_eq!(wanted(&queue(0, 0, plain())), 0);
        assert_eq!(wanted(&queue(1, 0, plain())), 1);
        assert_eq!(wanted(&queue(16, 1, plain())), 2);
        let limited = QueueSettings { slots: Some(10), limit: Some(25), ..plain() };
        assert_eq!(wanted(&queue(1_000, 0, limited)), 3);
        let paused = QueueView { paused: true, ..queue(1_000, 1, plain()) };
        assert_eq!(wanted(&paused), 1);
    }
}
