//! What a broker has lost: published again on evidence only, for a double costs work, and a loss nothing but time.
//!
//! There are two sorts of evidence. A group that was not there, or was made again, has lost everything: [`Carrier`]
//! notes that. And a task that stands with the broker while nothing is ready there and nobody has a delivery in hand,
//! look after look, is not there: its queue was purged, or its envelope went under in another way. At a start nothing is
//! assumed to be lost.

use super::carrier::{Carrier, Line, Lost};
use longshore_core::broker::GroupStats;
use longshore_core::store::{Carried, MarkRef, StoreError};
use longshore_core::{KindName, QueueName};
use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

/// Looks in a row at which a task must have stood so.
const TWICE: u32 = 2;
/// The same where others may have it in hand, as far as the broker does not tell.
const WHERE_SHARED: u32 = 6;

/// What was seen of one queue, look after look.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    looked: Option<Instant>,
    /// At how many looks in a row a task stood so.
    missing: HashMap<MarkRef, u32>,
}

impl Evidence {
    /// Tells the store of everything that is known to be lost of a queue; returns how many tasks that concerns.
    pub(super) async fn repay(carrier: &Carrier, queue: &QueueName) -> Result<usize, StoreError> {
        let lost = carrier.take_lost(queue);
        if lost.is_empty() {
            return Ok(0);
        }
        let store = &carrier.cx.store;
        let told = async {
            let is_all = |kind| matches!(lost.get(kind), Some(Lost::All));
            let mut marks: Vec<MarkRef> = Vec::new();
            if lost.keys().any(is_all) {
                let carried = store.carried(queue).await?;
                marks.extend(carried.iter().filter(|one| is_all(&one.kind)).map(|one| one.mark));
            }
            for these in lost.values() {
                if let Lost::These(known) = these {
                    marks.extend(known);
                }
            }
            store.lost(marks).await
        };
        let told = told.await;
        if told.is_err() {
            carrier.still_lost(queue, lost);
        }
        told
    }

    /// Looks whether something of a queue is missing, if it is time to; returns how many tasks are to be published again.
    pub(super) async fn look(
        &mut self,
        carrier: &Carrier,
        queue: &QueueName,
    ) -> Result<usize, StoreError> {
        if self.looked.is_some_and(|looked| looked.elapsed() < carrier.lost_after) {
            return Ok(0);
        }
        self.looked = Some(Instant::now());
        let store = &carrier.cx.store;
        let mut lines: BTreeMap<KindName, Vec<MarkRef>> = BTreeMap::new();
        for Carried { mark, kind } in store.carried(queue).await? {
            lines.entry(kind).or_default().push(mark);
        }
        let mut missing = Vec::new();
        for (kind, marks) in lines {
            if is_idle(carrier, &(queue.clone(), kind)).await {
                missing.extend(marks);
            }
        }
        let enough = if store.is_shared() { WHERE_SHARED } else { TWICE };
        let lost = self.count(missing, enough);
        if lost.is_empty() {
            return Ok(0);
        }
        tracing::warn!(
            broker = &*carrier.name, %queue, tasks = lost.len(),
            "the broker has nothing, and these did not come: they are published again"
        );
        store.lost(lost).await
    }

    /// Counts one more look; returns those that were missing at so many.
    fn count(&mut self, missing: Vec<MarkRef>, enough: u32) -> Vec<MarkRef> {
        let before = std::mem::take(&mut self.missing);
        let mut lost = Vec::new();
        for mark in missing {
            let looks = before.get(&mark).map_or(1, |looks| looks + 1);
            if looks >= enough {
                lost.push(mark);
            } else {
                self.missing.insert(mark, looks);
            }
        }
        lost
    }
}

/// Whether nothing of a line is ready at the broker, and nobody has any of it in hand, as far as can be known.
async fn is_idle(carrier: &Carrier, line: &Line) -> bool {
    let Ok(name) = super::group::name(&line.0, &line.1) else { return false };
    if !carrier.is_empty_handed(line) {
        return false;
    }
    match carrier.broker.inspect(&name).await {
        Ok(GroupStats { ready: 0, in_flight: None | Some(0), .. }) => {
            // It may have come while the broker was asked.
            carrier.is_empty_handed(line)
        }
        Ok(_) | Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use longshore_core::task::Seq;

    fn mark(seq: i64, openings: u32) -> MarkRef {
        MarkRef { seq: Seq(seq), openings }
    }

    #[test]
    fn what_is_missing_twice_in_a_row_is_lost() {
        let mut evidence = Evidence::default();
        assert_eq!(evidence.count(vec![mark(1, 0), mark(2, 0)], 2), []);
        assert_eq!(evidence.count(vec![mark(2, 0), mark(3, 0)], 2), [mark(2, 0)]);
        assert_eq!(evidence.count(vec![mark(1, 0)], 2), [], "it was there in between");
        assert_eq!(evidence.count(vec![], 2), []);
        assert_eq!(evidence.count(vec![mark(1, 0)], 2), []);
    }

    #[test]
    fn one_that_was_opened_in_between_is_another_one() {
        let mut evidence = Evidence::default();
        assert_eq!(evidence.count(vec![mark(1, 0)], 2), []);
        assert_eq!(evidence.count(vec![mark(1, 1)], 2), []);
        assert_eq!(evidence.count(vec![mark(1, 1)], 2), [mark(1, 1)]);
    }
}
