//! What has to be there: remembered, and made at start, after every reconnect, and where it is found missing.

use crate::desk::Desk;
use crate::group::GroupOptions;
use crate::link::Link;
use crate::live::Live;
use crate::names::Route;
use crate::shape::{Entry, Wanted};
use longshore_core::broker::{
    BrokerError, DeclareMode, Difference, GroupName, Pattern, To, Topology, TopologyDiff,
};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;

/// For all that a call declares.
const DECLARE: Duration = Duration::from_secs(30);
/// Between two looks whether everything is still there.
const LOOK: Duration = Duration::from_secs(10);

/// Keeps what has to be there.
#[derive(Debug)]
pub(crate) struct Keeper {
    /// The exchange of topics that name none.
    pub(crate) exchange: String,
    wanted: Mutex<Wanted>,
    /// One at a time: what two find missing is told once.
    pub(crate) making: tokio::sync::Mutex<()>,
    /// What is ours in the virtual host, and was made on which connection.
    pub(crate) commons: Mutex<(u64, HashSet<String>)>,
    remade: Mutex<Vec<GroupName>>,
    bell: Notify,
}

impl Keeper {
    /// Nothing has to be there yet.
    pub(crate) fn new(exchange: String) -> Self {
        Self {
            exchange,
            wanted: Mutex::new(Wanted::default()),
            making: tokio::sync::Mutex::new(()),
            commons: Mutex::new((0, HashSet::new())),
            remade: Mutex::new(Vec::new()),
            bell: Notify::new(),
        }
    }

    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what has to be there from now on, and returns the names of its groups, those for dead letters included.
    pub(crate) fn remember(
        &self,
        topology: &Topology,
        mode: DeclareMode,
    ) -> Result<Vec<GroupName>, BrokerError> {
        let mut read = Vec::new();
        for group in &topology.groups {
            let told = |why| BrokerError::Refused { why: format!("group {}: {why}", group.name) };
            let options = GroupOptions::read(&group.options).map_err(told)?;
            read.push(Entry::new(group.clone(), options, mode, &self.exchange));
        }
        let mut wanted = self.wanted();
        for topic in &topology.topics {
            let told = |why| BrokerError::Refused { why: format!("topic {}: {why}", topic.name) };
            wanted.add_topic(topic, mode, &self.exchange).map_err(told)?;
        }
        Ok(wanted.add(read))
    }

    /// Returns whether a group was declared.
    pub(crate) fn entry(&self, group: &GroupName) -> Option<Arc<Entry>> {
        self.wanted().groups.get(group).cloned()
    }

    /// Returns the way to where something is to go.
    pub(crate) fn route(&self, to: &To) -> Route {
        match to {
            To::Group(group) => Route::to_queue(&self.wanted().queue_of(group)),
            To::Topic(topic) => match self.wanted().topics.get(topic) {
                Some(shape) => shape.route.clone(),
                None => Route::read(topic.as_str(), &self.exchange),
            },
        }
    }

    /// Returns the way by which a pattern is bound, of no group.
    pub(crate) fn route_of(&self, pattern: &Pattern) -> Route {
        Route::read(pattern.as_str(), &self.exchange)
    }

    /// Returns the groups that would get what goes there: if nobody does, they may be missing.
    pub(crate) fn receivers(&self, to: &To, route: &Route) -> Vec<GroupName> {
        let wanted = self.wanted();
        let gets = |entry: &&Arc<Entry>| match to {
            To::Group(group) => entry.group.name == *group,
            To::Topic(_) => entry.gets(route),
        };
        wanted.groups.values().filter(gets).map(|entry| entry.group.name.clone()).collect()
    }

    /// Makes, or looks for, what these groups and all topics need.
    pub(crate) async fn apply(
        &self,
        live: &Live,
        groups: &[GroupName],
    ) -> Result<TopologyDiff, BrokerError> {
        let applied = async {
            let _one = self.making.lock().await;
            self.make(live, groups).await
        };
        match tokio::time::timeout(DECLARE, applied).await {
            Ok(applied) => applied,
            Err(_) => Err(BrokerError::Deadline { waited: DECLARE }),
        }
    }

    async fn make(&self, live: &Live, groups: &[GroupName]) -> Result<TopologyDiff, BrokerError> {
        let (entries, topics) = {
            let wanted = self.wanted();
            let entries: Vec<_> =
                groups.iter().filter_map(|name| wanted.groups.get(name).cloned()).collect();
            (entries, wanted.topics.values().cloned().collect::<Vec<_>>())
        };
        let mut work = Work::new(live);
        let creates = |entry: &Arc<Entry>| entry.mode == DeclareMode::Declare;
        if entries.iter().any(creates) {
            self.make_commons(live, &mut work).await?;
        }
        for topic in topics {
            if let Some(kind) = topic.kind {
                work.exchange(&topic.route.exchange, kind, topic.mode).await?;
            }
        }
        for entry in entries {
            let arguments = entry.arguments(|group| self.wanted().queue_of(group));
            let was_made = work.group(&entry, arguments).await?;
            if was_made && entry.was_there() {
                tracing::warn!(group = %entry.group.name, "a queue was gone and is made again; what was in it is lost");
                self.remade
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(entry.group.name.clone());
                self.bell.notify_waiters();
            }
            if entry.mode == DeclareMode::Declare {
                entry.is_there();
            }
        }
        work.ripen().await;
        if work.refused.is_empty() {
            return Ok(work.diff);
        }
        Err(BrokerError::Refused { why: work.refused.join("; ") })
    }

    /// Makes everything again on a new connection, before anybody else uses it.
    pub(crate) async fn connected(&self, live: &Live) {
        let groups: Vec<_> = self.wanted().groups.keys().cloned().collect();
        match self.apply(live, &groups).await {
            Ok(diff) => {
                for difference in diff.different {
                    tracing::warn!(%difference, "something is not as it was declared, and is left as it is");
                }
            }
            Err(error) => tracing::warn!(%error, "not everything that was declared could be made"),
        }
    }

    async fn look(&self, live: &Live) {
        let entries: Vec<_> = self.wanted().groups.values().cloned().collect();
        let mut desk = Desk::new(live);
        let mut missing = Vec::new();
        for entry in entries.iter().filter(|entry| entry.mode == DeclareMode::Declare) {
            if let Ok(None) = desk.queue(&entry.queue).await {
                missing.push(entry.group.name.clone());
            }
        }
        if !missing.is_empty()
            && let Err(error) = self.apply(live, &missing).await
        {
            tracing::warn!(%error, "a queue is gone, and cannot be made again");
        }
    }

    /// Returns the groups that were made again, once there are some.
    pub(crate) async fn remade(&self) -> Vec<GroupName> {
        loop {
            let rung = self.bell.notified();
            let remade =
                std::mem::take(&mut *self.remade.lock().unwrap_or_else(PoisonError::into_inner));
            if !remade.is_empty() {
                return remade;
            }
            rung.await;
        }
    }
}

/// Looks from time to time whether all queues are still there, for as long as the keeper is there.
pub(crate) async fn look_after(keeper: &Weak<Keeper>, link: &Link) {
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(keeper) = keeper.upgrade() else { return };
        if let Some(live) = link.live() {
            keeper.look(&live).await;
        }
    }
}

/// What is being made, and what was found out.
#[derive(Debug)]
pub(crate) struct Work<'l> {
    pub(crate) desk: Desk<'l>,
    pub(crate) diff: TopologyDiff,
    pub(crate) refused: Vec<String>,
    /// A quorum queue was made.
    pub(crate) is_fresh: bool,
}

impl<'l> Work<'l> {
    /// Nothing is made yet.
    pub(crate) fn new(live: &'l Live) -> Self {
        let (desk, diff) = (Desk::new(live), TopologyDiff::default());
        Self { desk, diff, refused: Vec::new(), is_fresh: false }
    }

    /// Keeps a difference.
    pub(crate) fn differs(&mut self, difference: Difference) {
        self.diff.different.push(difference);
    }
}
