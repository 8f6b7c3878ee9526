//! Of many servers on one store, one relays the tasks of a broker; another one steps in where nothing moves.
//!
//! A double does no harm, so nothing depends on there being only one. One server that leads and cannot reach the broker
//! must not hold back what others could publish: so all look, and what was seen to lie for two looks is published by
//! whoever sees it.

use crate::upkeep::Leader;
use longshore_core::store::{MarkRef, Marked, StoreError};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Between two looks of one who does not lead.
const LOOK: Duration = Duration::from_secs(2);

/// Whether this server relays the tasks of a queue, and what it has seen lie.
#[derive(Debug)]
pub(super) struct Office {
    leader: Leader,
    seen: HashSet<MarkRef>,
    looked: Option<Instant>,
}

/// What this server does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It relays whatever there is.
    Lead,
    /// It looks whether something lies.
    Look,
    /// It waits so long.
    Wait(Duration),
}

impl Office {
    pub(super) fn new(leader: Leader) -> Self {
        Self { leader, seen: HashSet::new(), looked: None }
    }

    pub(super) async fn turn(&mut self) -> Result<Turn, StoreError> {
        if self.leader.wait().await?.is_none() {
            self.seen.clear();
            self.looked = None;
            return Ok(Turn::Lead);
        }
        let rest = self.looked.map(|looked| LOOK.saturating_sub(looked.elapsed()));
        match rest.filter(|rest| !rest.is_zero()) {
            Some(rest) => Ok(Turn::Wait(rest)),
            None => {
                self.looked = Some(Instant::now());
                Ok(Turn::Look)
            }
        }
    }

    /// Returns what lay at the last look already.
    pub(super) fn lying(&mut self, marks: Vec<Marked>) -> Vec<Marked> {
        let before = std::mem::take(&mut self.seen);
        self.seen = marks.iter().map(|marked| marked.mark).collect();
        marks.into_iter().filter(|marked| before.contains(&marked.mark)).collect()
    }
}
