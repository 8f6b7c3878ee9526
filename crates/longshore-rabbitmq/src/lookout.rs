//! Whether a subscription that looks fine still gets what there is.
//!
//! RabbitMQ 3.10 leaves a consumer deaf whose quorum queue was deleted and made again at once: the server consumes from
//! the new one on its behalf, counts what it hands out, and nothing ever arrives. No question that a client may ask shows
//! it. So nobody is taken for fine who only is connected: a subscription that has had nothing to do for a while is made
//! again, unseen, which also brings back what was handed to nobody.

use crate::acks::Acker;
use crate::source::Source;
use crate::topology::Keeper;
use longshore_core::broker::GroupName;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// After so many looks in a row with nothing to do, it is made again.
const STALE: u32 = 30;

/// What a look shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Nothing is wrong.
    Fine,
    /// Nobody knows, and nothing is lost by making it again.
    Stale,
    /// Its queue is another one by now.
    Remade,
}

/// Looks after one attachment.
#[derive(Debug)]
pub(crate) struct Lookout {
    keeper: Arc<Keeper>,
    /// Nothing for a queue of its own, which nobody else deletes.
    group: Option<GroupName>,
    next: Pin<Box<Sleep>>,
    /// How often the queue had been made again when this began.
    remakes: u64,
    received: u64,
    /// Looks in a row in which nothing came and nothing was open.
    quiet: u32,
}

impl Lookout {
    /// Begins.
    pub(crate) fn new(keeper: &Arc<Keeper>, source: &Source) -> Self {
        let group = source.group();
        Self {
            remakes: group.as_ref().map_or(0, |group| keeper.remakes(group)),
            keeper: keeper.clone(),
            group,
            next: Box::pin(tokio::time::sleep(LOOK)),
            received: 0,
            quiet: 0,
        }
    }

    /// Something has come.
    pub(crate) fn received(&mut self) {
        self.received += 1;
    }

    /// Returns when it is time to look.
    pub(crate) async fn turn(&mut self) {
        self.next.as_mut().await;
    }

    /// Looks how it is.
    pub(crate) fn look(&mut self, acker: &Acker) -> Sight {
        self.next.as_mut().reset(Instant::now() + LOOK);
        let Some(group) = &self.group else { return Sight::Fine };
        if self.keeper.remakes(group) != self.remakes {
            return Sight::Remade;
        }
        let is_quiet = std::mem::take(&mut self.received) == 0 && acker.is_idle();
        self.quiet = if is_quiet { self.quiet + 1 } else { 0 };
        if self.quiet >= STALE { Sight::Stale } else { Sight::Fine }
    }
}
