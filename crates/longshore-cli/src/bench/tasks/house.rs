//! The engine that is measured, and what its handler does.

use crate::bench::precise::Alarm;
use crate::failure::Failure;
use longshore::core::{KindName, Outcome, QueueName, TaskId};
use longshore::handler::{BoxHandler, Cx, States, boxed, nothing};
use longshore::runtime::{Brokers, Options};
use longshore::{Engine, Error, Kind, QueueSettings, Registry, drivers};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// When handlers were called, by task.
#[derive(Debug, Clone, Default)]
pub(super) struct Starts(Arc<Mutex<HashMap<TaskId, Instant>>>);

impl Starts {
    fn note(&self, id: TaskId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Instant::now());
    }

    /// Takes out when the handler of a task was called.
    pub(super) fn take(&self, id: TaskId) -> Option<Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id)
    }
}

/// What the handler does.
#[derive(Debug)]
pub(super) enum Does {
    /// Nothing: everything else is measured.
    Nothing,
    /// Waits, without using the CPU.
    Sleep(Duration),
    /// Notes when it was called.
    Note(Starts),
}

impl Does {
    fn handler(self) -> Result<BoxHandler, Failure> {
        let states = States::default();
        let made = match self {
            Self::Nothing => return Ok(nothing()),
            Self::Sleep(time) => {
                let alarm = Alarm::start()?;
                let sleep = move || {
                    let alarm = alarm.clone();
                    async move { alarm.sleep(time).await }
                };
                boxed(sleep, &states)
            }
            Self::Note(starts) => boxed(
                move |cx: Cx| {
                    starts.note(cx.id());
                    std::future::ready(Outcome::Success(None))
                },
                &states,
            ),
        };
        made.map_err(|missing| Failure::Bench(missing.to_string()))
    }
}

/// The kind that is measured.
pub(super) const KIND: &str = "bench.noop";

/// The queue that is measured, and what a broker that carries it is called.
pub(super) const QUEUE: &str = "bench";

/// Opens the store and starts an engine with one kind in a queue of its own, which a broker may carry.
pub(super) async fn engine(
    url: &str,
    does: Does,
    slots: usize,
    carrier: Option<&str>,
) -> Result<Engine, Failure> {
    let bad = |bad: longshore::core::name::BadName| Failure::Bench(bad.to_string());
    let store = drivers::open(url).await?;
    let queue = QueueName::new(QUEUE).map_err(bad)?;
    let kind = Kind::new(KindName::new(KIND).map_err(bad)?, does.handler()?);
    let mut registry = Registry::default();
    registry.add(Kind { queue: queue.clone(), ..kind });
    let slots = u32::try_from(slots).ok();
    registry.add_queue(queue.clone(), QueueSettings { slots, ..QueueSettings::default() });
    let mut brokers = Brokers::default();
    if let Some(carrier) = carrier {
        registry.carry(queue, Some(Arc::from(QUEUE)));
        brokers = [(Arc::from(QUEUE), drivers::broker(carrier)?)].into_iter().collect();
    }
    let options = Options { brokers, ..Options::new(store, registry) };
    Ok(Engine::start(options).map_err(Error::from)?)
}
