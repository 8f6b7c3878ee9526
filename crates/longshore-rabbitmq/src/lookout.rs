//! Whether a subscription that looks fine still gets what there is.
//!
//! RabbitMQ 3.10 leaves a consumer deaf whose quorum queue was deleted and made again at once: the server consumes from
//! the new one on its behalf, counts what it hands out, and nothing ever arrives. No question that a client may ask shows
//! it. So nobody is taken for fine who only is connected: a subscription that has had nothing to do for a while is made
//! again, unseen, which also brings back what was handed to nobody.

use crate::acks::Acker;
use crate::desk::Desk;
use crate::live::Live;
use crate::source::Source;
use crate::topology::Keeper;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// So many looks in a row without anything to do, and it is asked whether there is something.
const QUIET: u32 = 10;
/// And so many, and the subscription is made again.
const STALE: u32 = 30;

/// What a look shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Nothing is wrong.
    Fine,
    /// Nobody knows, and nothing is lost by making it again.
    Stale,
    /// It gets nothing, for this reason.
    Lost(&'static str),
}

/// Looks after one attachment.
#[derive(Debug)]
pub(crate) struct Lookout {
    keeper: Arc<Keeper>,
    source: Source,
    next: Pin<Box<Sleep>>,
    /// How often the queue had been made again when this began.
    remakes: u64,
    received: u64,
    /// Looks in a row in which nothing came and nothing was open.
    quiet: u32,
    /// Something waited at the last question.
    is_suspect: bool,
}

impl Lookout {
    /// Begins.
    pub(crate) fn new(keeper: &Arc<Keeper>, source: &Source) -> Self {
        Self {
            remakes: source.group().map_or(0, |group| keeper.remakes(&group)),
            keeper: keeper.clone(),
            source: source.clone(),
            next: Box::pin(tokio::time::sleep(LOOK)),
            received: 0,
            quiet: 0,
            is_suspect: false,
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
    pub(crate) async fn look(&mut self, live: &Live, acker: &Acker, queue: &str) -> Sight {
        self.next.as_mut().reset(Instant::now() + LOOK);
        let Some(group) = self.source.group() else {
            return Sight::Fine; // nobody else deletes a queue of one's own
        };
        if self.keeper.remakes(&group) != self.remakes {
            return Sight::Lost("its queue was made again");
        }
        let is_quiet = std::mem::take(&mut self.received) == 0 && acker.is_idle();
        self.quiet = if is_quiet { self.quiet + 1 } else { 0 };
        self.is_suspect &= is_quiet;
        if self.quiet >= STALE {
            return Sight::Stale;
        }
        // Of a single active group most subscriptions get nothing, and that is right.
        if self.source.is_single() || self.quiet == 0 || !self.quiet.is_multiple_of(QUIET) {
            return Sight::Fine;
        }
        let waits = match Desk::new(live).queue(queue).await {
            Ok(Some(found)) => found.message_count() > 0,
            _ => false, // whoever sees that says so elsewhere
        };
        let is_deaf = waits && self.is_suspect;
        self.is_suspect = waits;
        if is_deaf { Sight::Lost("messages wait, and none is handed out") } else { Sight::Fine }
    }
}
