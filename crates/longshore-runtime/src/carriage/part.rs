//! The components of carriage. Each follows what the store says is carried, as that changes.

use super::carrier::{Carrier, Line};

use super::receive::{Receiver, prefetch};
use super::relay::Relay;
use crate::brokers;
use crate::consumer::Context;
use crate::supervisor::{ComponentError, GiveUp, Life, Policy, Task};
use crate::upkeep::Leader;
use longshore_core::QueueName;
use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Tells the store who carries what.
pub(crate) fn mandating(cx: &Arc<Context>) -> Task {
    let cx = cx.clone();
    let run = move |life: Life| {
        let cx = cx.clone();
        async move {
            super::mandate::run(cx, life.token()).await;
            Ok(())
        }
    };
    Task::new("carriage", run).needs(["store"])
}

/// Relays everything that a broker carries.
pub(crate) fn relaying(carrier: &Arc<Carrier>) -> Task {
    let (name, needs) = named("relay", carrier);
    let carrier = carrier.clone();
    let run = move |life| relay_all(carrier.clone(), life);
    // One that fails must not take the others with it.
    let policy = Policy { give_up: GiveUp::Degraded, ..Policy::default() };
    Task::new(name, run).needs(["store".to_owned(), needs]).policy(policy)
}

/// Receives everything that a broker carries and that is run here.
pub(crate) fn receiving(carrier: &Arc<Carrier>, attempts: &TaskTracker) -> Task {
    let (name, needs) = named("receive", carrier);
    let (carrier, attempts) = (carrier.clone(), attempts.clone());
    let run = move |life| receive_all(carrier.clone(), attempts.clone(), life);
    let policy = Policy { give_up: GiveUp::Degraded, ..Policy::default() };
    Task::new(name, run).needs(["handlers".to_owned(), needs]).policy(policy)
}

fn named(what: &str, carrier: &Carrier) -> (String, String) {
    (format!("{what}.{}", carrier.name), brokers::component(&carrier.name))
}

async fn relay_all(carrier: Arc<Carrier>, life: Life) -> Result<(), ComponentError> {
    let stop = life.token();
    let office = format!("relay {}", carrier.name);
    let leader = Leader::of(office, carrier.cx.store.clone(), carrier.cx.worker.clone());
    let mut live = carrier.cx.live.watch();
    let mut queues: HashMap<QueueName, CancellationToken> = HashMap::new();
    let mut relays = JoinSet::new();
    let watching = carrier.clone();
    let watcher = async move { watching.watch().await };
    tokio::pin!(watcher);
    loop {
        live.mark_unchanged();
        let carried = carrier.queues();
        end_others(&mut queues, |queue| carried.contains(queue));
        for queue in carried {
            queues.entry(queue).or_insert_with_key(|queue| {
                let stop = stop.child_token();
                let relay =
                    Relay::new(carrier.clone(), queue.clone(), leader.clone(), stop.clone());
                relays.spawn(relay.run());
                stop
            });
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = &mut watcher => {} // never ends
            _ = live.changed() => {}
            Some(ended) = relays.join_next() => ended.map_err(ComponentError::failed)?,
        }
    }
    all_ended(relays).await
}

/// What a receiver is made for; another one takes its place when something of it changes.
type Made = (Line, NonZeroUsize);

async fn receive_all(
    carrier: Arc<Carrier>,
    attempts: TaskTracker,
    life: Life,
) -> Result<(), ComponentError> {
    let stop = life.token();
    let fetching = carrier.cx.fetching.clone();
    let mut live = carrier.cx.live.watch();
    let mut receivers: HashMap<Made, CancellationToken> = HashMap::new();
    let mut running = JoinSet::new();
    loop {
        live.mark_unchanged();
        let wanted = match fetching.is_cancelled() {
            true => HashSet::new(),
            false => wanted(&carrier),
        };
        end_others(&mut receivers, |made| wanted.contains(made));
        for made in wanted {
            receivers.entry(made).or_insert_with_key(|(line, prefetch)| {
                let stop = stop.child_token();
                let receiver = Receiver {
                    carrier: carrier.clone(),
                    line: line.clone(),
                    prefetch: *prefetch,
                    stop: stop.clone(),
                    attempts: attempts.clone(),
                };
                running.spawn(receiver.run());
                stop
            });
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = fetching.cancelled(), if !receivers.is_empty() => {}
            _ = live.changed() => {}
            Some(ended) = running.join_next() => ended.map_err(ComponentError::failed)?,
        }
    }
    all_ended(running).await
}

/// Every kind that is run here, in every queue that the broker carries.
fn wanted(carrier: &Carrier) -> HashSet<Made> {
    let now = carrier.cx.live.now();
    let here = || now.registry.kinds().filter(|kind| kind.handler.is_some());
    let queues = carrier.queues();
    let lines = queues.iter().flat_map(|queue| {
        let prefetch = prefetch(queue, &carrier.cx);
        here().map(move |kind| ((queue.clone(), kind.name.clone()), prefetch))
    });
    lines.collect()
}

/// Ends those that are not wanted any more.
fn end_others<K>(all: &mut HashMap<K, CancellationToken>, is_wanted: impl Fn(&K) -> bool) {
    all.retain(|key, stop| {
        let stays = is_wanted(key);
        if !stays {
            stop.cancel();
        }
        stays
    });
}

async fn all_ended(mut running: JoinSet<()>) -> Result<(), ComponentError> {
    while let Some(ended) = running.join_next().await {
        ended.map_err(ComponentError::failed)?;
    }
    Ok(())
}
