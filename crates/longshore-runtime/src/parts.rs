//! Everything of the engine that runs, as components.

use crate::carriage::{self, Carrier};
use crate::consumer::{Context, Handlers, fetch, record, watchdog};
use crate::engine::StoreHealth;
use crate::schedules::Schedules;
use crate::supervisor::{Component, ComponentError, Deadline, Life, Policy, Stopped, Task};
use crate::upkeep::{Announcer, Cron, Due, Expiry, Health, Leader, Pruner, Rescuer, component};
use longshore_core::store::{Retention, Store};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// How long closing the store may take, whatever the deadline.
const CLOSING: Duration = Duration::from_secs(10);

/// What a process does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Roles {
    /// It runs tasks.
    pub(crate) consume: bool,
    /// It keeps the store moving.
    pub(crate) upkeep: bool,
    /// See [`Options::lost_after`](crate::Options).
    pub(crate) lost_after: Duration,
}

/// Returns all parts.
pub(crate) fn of(
    cx: &Arc<Context>,
    schedules: &Arc<Schedules>,
    keep: Retention,
    health: &watch::Sender<StoreHealth>,
    Roles { consume, upkeep, lost_after }: Roles,
) -> Vec<Arc<dyn Component>> {
    let attempts = TaskTracker::new();
    let mut parts: Vec<Arc<dyn Component>> =
        vec![Arc::new(Kept { store: cx.store.clone(), worker: cx.worker.clone() })];
    parts.extend(cx.brokers.parts(&cx.telemetry));
    if consume {
        let (context, started_at) = (cx.clone(), cx.clock.now());
        let announcer = component(move || Announcer { context: context.clone(), started_at });
        parts.push(Arc::new(announcer.needs(["store"])));
    }
    parts.push(Arc::new(health_of(cx, health).needs(["store"])));
    if upkeep {
        for duty in duties(cx, schedules, keep) {
            parts.push(Arc::new(duty.needs(["store"])));
        }
    }
    let recording = cx.clone();
    let recorder = Task::new("recorder", move |life| record::run(recording.clone(), life));
    parts.push(Arc::new(recorder.needs(["store"])));
    // While handlers end, somebody must look after those that do not.
    let needs = vec!["recorder".to_owned(), "watchdog".to_owned()];
    parts.push(Arc::new(Handlers { cx: cx.clone(), attempts: attempts.clone(), needs }));
    let watched = cx.clone();
    let look = move |life| watchdog::run(watched.clone(), life);
    parts.push(Arc::new(Task::new("watchdog", look).needs(["recorder"])));
    let carriers = cx.brokers.iter().map(|(name, broker)| {
        Arc::new(Carrier::new(cx.clone(), (name.clone(), broker.clone()), lost_after))
    });
    let carriers: Vec<Arc<Carrier>> = carriers.collect();
    if upkeep {
        parts.push(Arc::new(carriage::mandating(cx)));
        for carrier in &carriers {
            parts.push(Arc::new(carriage::relaying(carrier)));
        }
    }
    if consume {
        for carrier in &carriers {
            parts.push(Arc::new(carriage::receiving(carrier, &attempts)));
        }
        let (cx, attempts) = (cx.clone(), attempts.clone());
        let fetch = Task::new("fetch", move |life| fetch::run(cx.clone(), attempts.clone(), life));
        parts.push(Arc::new(fetch.needs(["handlers"])));
    }
    parts
}

fn health_of(cx: &Arc<Context>, health: &watch::Sender<StoreHealth>) -> Task {
    let (asking, shown) = (cx.clone(), health.clone());
    component(move || Health {
        store: asking.store.clone(),
        telemetry: asking.telemetry.clone(),
        live: asking.live.clone(),
        horizon: asking.horizon.clone(),
        shown: shown.clone(),
        fatal: asking.fatal.clone(),
        asked: Instant::now(),
    })
}

fn duties(cx: &Arc<Context>, schedules: &Arc<Schedules>, keep: Retention) -> [Task; 5] {
    let (schedules, clock) = (schedules.clone(), cx.clock.clone());
    let (due, rescuer, expiry, pruner) = (cx.clone(), cx.clone(), cx.clone(), cx.clone());
    let leader = Leader::new(cx.store.clone(), cx.worker.clone());
    let (led, expiring) = (leader.clone(), leader.clone());
    let horizon = cx.horizon.clone();
    [
        component(move || Due::new(&due, led.clone())),
        component(move || Cron::new(schedules.clone(), clock.clone(), &horizon)),
        component(move || Rescuer::new(&rescuer)),
        component(move || Expiry::new(&expiry, expiring.clone())),
        component(move || Pruner {
            store: pruner.store.clone(),
            keep: keep.clone(),
            leader: leader.clone(),
        }),
    ]
}

/// The store: open when it comes here, closed after everything else.
struct Kept {
    store: Arc<dyn Store>,
    worker: Arc<str>,
}

#[async_trait::async_trait]
impl Component for Kept {
    fn name(&self) -> &str {
        "store"
    }

    fn policy(&self) -> Policy {
        Policy { grace: CLOSING, ..Policy::default() }
    }

    async fn start(&self, _: Life) -> Result<(), ComponentError> {
        Ok(())
    }

    async fn stop(&self, _: Deadline) -> Result<Stopped, ComponentError> {
        // Whoever looks at the workers sees that this one has ended, and was not lost.
        if let Err(error) = self.store.leave(&self.worker).await {
            tracing::debug!(%error, "the register of workers was not told");
        }
        self.store.close().await.map_err(ComponentError::failed)?;
        Ok(Stopped { cleaned: vec!["closed".into()], given_back: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brokers::Brokers;
    use crate::consumer::{Ends, Executor, Running};
    use crate::intake::Intake;
    use crate::live::Live;
    use crate::registry::Registry;
    use crate::stall::StallWatch;
    use crate::supervisor::stress;
    use longshore_conformance::{ManualClock, ModelBroker, ModelStore};
    use longshore_core::broker::Broker;
    use longshore_core::store::Condition;
    use tokio_util::sync::CancellationToken;

    /// One part without the others that it needs.
    struct Alone(Arc<dyn Component>);

    #[async_trait::async_trait]
    impl Component for Alone {
        fn name(&self) -> &str {
            self.0.name()
        }
        fn policy(&self) -> Policy {
            self.0.policy()
        }
        async fn start(&self, life: Life) -> Result<(), ComponentError> {
            self.0.start(life).await
        }
        async fn ready(&self) -> Result<(), ComponentError> {
            self.0.ready().await
        }
        async fn stop(&self, deadline: Deadline) -> Result<Stopped, ComponentError> {
            self.0.stop(deadline).await
        }
    }

    fn parts() -> Vec<Arc<dyn Component>> {
        let clock = Arc::new(ManualClock::default());
        let broker: Arc<dyn Broker> = Arc::new(ModelBroker::default());
        let context = Context {
            store: Arc::new(ModelStore::new(clock.clone())),
            live: Arc::new(Live::new(Registry::default())),
            clock,
            hub: Arc::default(),
            telemetry: Arc::default(),
            nudge: Default::default(),
            horizon: Default::default(),
            stall: StallWatch::start().expect("a thread"),
            executor: Executor::start(Some(1)).expect("a thread"),
            running: Arc::new(Running::default()),
            slots: Default::default(),
            ends: Ends::default(),
            hold: longshore_core::store::Hold::Process,
            brokers: Brokers::from_iter([(Arc::from("main"), broker)]),
            worker: "test".into(),
            fetching: CancellationToken::new(),
            fatal: watch::Sender::new(None),
        };
        let condition = Condition::default();
        let health = watch::Sender::new(StoreHealth::Up { latency: Duration::ZERO, condition });
        let schedules = Schedules::new(
            context.store.clone(),
            Arc::new(Intake::new(
                context.store.clone(),
                context.live.clone(),
                context.clock.clone(),
                context.hub.clone(),
                context.nudge.clone(),
                context.telemetry.clone(),
            )),
            context.hub.clone(),
            context.telemetry.clone(),
            context.clock.clone(),
        );
        let roles = Roles { consume: true, upkeep: true, lost_after: Duration::from_secs(5) };
        of(&Arc::new(context), &Arc::new(schedules), Retention::default(), &health, roles)
    }

    #[test]
    fn every_part_survives_every_life() {
        for at in 0..parts().len() {
            stress::lifecycle(|| Alone(parts().swap_remove(at)));
        }
    }
}
