//! What every attempt of a process shares.

use super::executor::Executor;
use super::fetch::CLAIMS;
use super::record::Ends;
use super::running::Running;
use super::slots::Slots;
use crate::brokers::Brokers;
use crate::live::{Live, at_once};
use crate::notify::Hub;
use crate::stall::StallWatch;
use crate::telemetry::Telemetry;
use crate::upkeep::{Horizon, Nudge};
use longshore_core::store::{Hold, Store, StoreError};
use longshore_core::{Clock, QueueName};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A server that its store has not heard of for so long is taken for dead.
const SILENCE: Duration = Duration::from_secs(15);
/// Nothing is begun, and of a lane nothing goes on, so long before others may take it.
const MARGIN: Duration = Duration::from_secs(3);

/// What every attempt of a process shares.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) live: Arc<Live>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) nudge: Nudge,
    /// What upkeep is ahead.
    pub(crate) horizon: Horizon,
    pub(crate) stall: StallWatch,
    pub(crate) executor: Executor,
    pub(crate) running: Arc<Running>,
    /// The slots of all queues that there were: what runs holds them, whatever is set anew.
    pub(crate) slots: Mutex<HashMap<QueueName, Slots>>,
    pub(crate) ends: Ends,
    /// How this process holds what it is given.
    pub(crate) hold: Hold,
    pub(crate) brokers: Brokers,
    /// Names this life of this process.
    pub(crate) worker: Arc<str>,
    /// Cancelled when no new work is to be fetched.
    pub(crate) fetching: CancellationToken,
    /// Set when the store cannot go on.
    pub(crate) fatal: watch::Sender<Option<StoreError>>,
}

impl Context {
    /// Returns the slots of a queue, as many as are set now.
    pub(crate) fn slots_of(&self, queue: &QueueName) -> Slots {
        let count = at_once(&self.live.now().settings(queue));
        let mut all = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slots = all.entry(queue.clone()).or_insert_with(|| Slots::new(count, CLAIMS));
        slots.resize(count);
        slots.clone()
    }

    /// Returns whether somebody else may cancel or take what runs here, so that the store has to be asked.
    pub(crate) fn is_one_of_many(&self) -> bool {
        self.store.is_shared() || matches!(self.hold, Hold::Lease { .. })
    }

    /// Returns whether somebody else may run, or soon run, what was last held on so long ago.
    pub(crate) fn is_endangered(&self, held_for: Duration) -> bool {
        let lasts = match self.hold {
            Hold::Lease { lasts: Some(lasts) } => lasts,
            _ => SILENCE,
        };
        self.is_one_of_many() && held_for + MARGIN >= lasts
    }
}
