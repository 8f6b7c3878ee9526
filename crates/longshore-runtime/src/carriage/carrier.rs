//! One broker that carries tasks, as relay and receivers of this process see it.

use super::group;
use crate::consumer::Context;
use longshore_core::broker::{
    Broker, BrokerError, DeclareMode, GroupName, LinkState, Topology, TopologyDiff,
};
use longshore_core::store::MarkRef;
use longshore_core::{KindName, QueueName};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// So long the store may take to say what stands with the broker; without it, more is published again.
const ASKED: Duration = Duration::from_secs(1);

/// A kind of a carried queue: what has a group of its own.
pub(super) type Line = (QueueName, KindName);

/// One broker that carries tasks.
#[derive(Debug)]
pub(crate) struct Carrier {
    pub(super) cx: Arc<Context>,
    pub(super) name: Arc<str>,
    pub(super) broker: Arc<dyn Broker>,
    mode: DeclareMode,
    /// So long broker and consumers must have been idle before something counts as lost.
    pub(super) lost_after: Duration,
    known: Mutex<Known>,
    /// One after the other, so that whoever finds a group there knows what was lost with the one before.
    declaring: tokio::sync::Mutex<()>,
    /// Rings when there is evidence that something was lost.
    pub(super) found: Notify,
}

#[derive(Debug, Default)]
struct Known {
    groups: HashMap<GroupName, Line>,
    hands: HashMap<Line, Arc<AtomicUsize>>,
    /// What the broker had of these is lost, and the store was not told yet.
    lost: HashMap<Line, Lost>,
}

/// What of a line is lost.
#[derive(Debug, Clone)]
pub(super) enum Lost {
    /// Whatever stands with the broker.
    All,
    /// What stood with it before.
    These(Vec<MarkRef>),
}

impl Lost {
    fn and(&mut self, more: Self) {
        match (&mut *self, more) {
            (Self::These(known), Self::These(more)) => known.extend(more),
            (_, Self::All) => *self = Self::All,
            (Self::All, _) => {}
        }
    }
}

/// Deliveries that are with this process, until it is dropped.
#[derive(Debug)]
pub(super) struct Hand(Arc<AtomicUsize>);

impl Drop for Hand {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Carrier {
    pub(crate) fn new(
        cx: Arc<Context>,
        (name, broker): (Arc<str>, Arc<dyn Broker>),
        lost_after: Duration,
    ) -> Self {
        let mode = cx.brokers.declare_mode(&name);
        Self {
            cx,
            name,
            broker,
            mode,
            lost_after,
            known: Mutex::default(),
            declaring: tokio::sync::Mutex::default(),
            found: Notify::new(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the queues whose tasks it carries now, as the store says.
    pub(super) fn queues(&self) -> Vec<QueueName> {
        let now = self.cx.live.now();
        let carried = now.controls.carriers.iter().filter(|(_, carrier)| **carrier == *self.name);
        carried.map(|(queue, _)| queue.clone()).collect()
    }

    /// Sees to it that the group of a kind's tasks is there. One that was not is evidence: whatever the broker had of it
    /// before is lost. What others have published since, once it was there, is not.
    pub(super) async fn declare(&self, line: &Line) -> Result<GroupName, BrokerError> {
        let refused = |why: String| BrokerError::Refused { why };
        let name = group::name(&line.0, &line.1).map_err(|bad| refused(bad.to_string()))?;
        self.known().groups.insert(name.clone(), line.clone());
        let _alone = self.declaring.lock().await;
        let had = self.carried(line).await;
        let topology = Topology::of(group::group(name.clone()));
        let TopologyDiff { missing, different } = self.broker.declare(&topology, self.mode).await?;
        for different in &different {
            tracing::warn!(broker = &*self.name, %different, "is not as declared, and is left as it is");
        }
        if self.mode == DeclareMode::Verify && !missing.is_empty() {
            let missing = missing.join(", ");
            return Err(refused(format!(
                "not there: {missing}; create it, or set `declare: declare` for the broker"
            )));
        }
        if !missing.is_empty() {
            self.note_lost(line.clone(), had);
        }
        Ok(name)
    }

    /// Returns what stands with the broker of a line; all of it if the store does not say.
    async fn carried(&self, (queue, kind): &Line) -> Lost {
        match tokio::time::timeout(ASKED, self.cx.store.carried(queue)).await {
            Ok(Ok(carried)) => {
                let of = carried.into_iter().filter(|one| one.kind == *kind);
                Lost::These(of.map(|one| one.mark).collect())
            }
            Ok(Err(_)) | Err(_) => Lost::All, // whoever tells the store of it will hear the error
        }
    }

    /// Returns once groups were made again: what was in them is lost.
    pub(super) async fn watch(&self) {
        loop {
            let remade = self.broker.remade().await;
            for name in remade {
                let line = self.known().groups.get(&name).cloned();
                if let Some(line) = line {
                    tracing::warn!(
                        broker = &*self.name, group = %name,
                        "the group was gone and was made again: its tasks are published again"
                    );
                    let had = self.carried(&line).await;
                    self.note_lost(line, had);
                }
            }
        }
    }

    fn note_lost(&self, line: Line, lost: Lost) {
        if matches!(&lost, Lost::These(none) if none.is_empty()) {
            return;
        }
        self.also_lost(line, lost);
        self.found.notify_waiters();
    }

    fn also_lost(&self, line: Line, lost: Lost) {
        match self.known().lost.entry(line) {
            Entry::Occupied(mut known) => known.get_mut().and(lost),
            Entry::Vacant(empty) => {
                empty.insert(lost);
            }
        }
    }

    /// Takes what is lost of a queue.
    pub(super) fn take_lost(&self, queue: &QueueName) -> HashMap<KindName, Lost> {
        let mut known = self.known();
        let taken = known.lost.extract_if(|(of, _), _| of == queue);
        taken.map(|((_, kind), lost)| (kind, lost)).collect()
    }

    /// Puts it back: the store could not be told.
    pub(super) fn still_lost(&self, queue: &QueueName, lost: HashMap<KindName, Lost>) {
        for (kind, lost) in lost {
            self.also_lost((queue.clone(), kind), lost);
        }
    }

    /// Counts one more delivery that is with this process.
    pub(super) fn hand(&self, line: &Line) -> Hand {
        let count = self.known().hands.entry(line.clone()).or_default().clone();
        count.fetch_add(1, Ordering::AcqRel);
        Hand(count)
    }

    /// Returns whether nothing of a line is with this process.
    pub(super) fn is_empty_handed(&self, line: &Line) -> bool {
        let known = self.known();
        known.hands.get(line).is_none_or(|count| count.load(Ordering::Acquire) == 0)
    }

    /// Returns once the link may be up, or so much time is over.
    pub(super) async fn link_moves(&self, at_most: Duration) {
        let link = self.broker.link();
        if !link.state.is_up() {
            let moved = self.broker.link_changed(link.version);
            let _ = tokio::time::timeout(at_most, moved).await;
        }
    }

    /// Returns whether something can be asked of it now.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.broker.link().state, LinkState::Up { .. })
    }
}
