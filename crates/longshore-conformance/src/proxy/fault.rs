//! What is wrong with a link.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The ways of a link that something is wrong with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Both.
    Both,
    /// From the client to the target: what is asked.
    There,
    /// From the target to the client: what is answered.
    Back,
}

impl Way {
    /// Returns whether this is meant too, if `one` is `There` or `Back`.
    fn covers(self, one: Self) -> bool {
        self == Self::Both || self == one
    }
}

/// What is wrong with a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Each piece (up to 16 KiB) is held so long, in either way.
    Latency(Duration),
    /// So many bytes a second pass, in either way; at least one.
    Slow(u32),
    /// So many bytes pass at once, in either way: what is sent in one piece arrives in many.
    Pieces(usize),
    /// Nothing passes and nobody is told. What was sent meanwhile arrives once the link has healed.
    BlackHole(Way),
    /// So many more bytes of answers pass, then the connection is closed.
    Truncate(usize),
    /// Connections are closed, new ones as they come.
    Cut,
    /// The same by a reset, which throws away what is under way.
    Reset,
}

impl Fault {
    /// Returns whether connections end by it.
    pub(super) fn ends(self) -> bool {
        matches!(self, Self::Cut | Self::Reset)
    }

    /// Returns whether nothing passes that way.
    pub(super) fn swallows(self, way: Way) -> bool {
        matches!(self, Self::BlackHole(ways) if ways.covers(way))
    }

    /// Returns how many bytes are forwarded at once.
    pub(super) fn piece(self) -> usize {
        const PIECE: usize = 16 * 1024;
        match self {
            // Ten pieces a second: a slow link trickles.
            Self::Slow(rate) => (rate as usize / 10).clamp(1, PIECE),
            Self::Pieces(bytes) => bytes.clamp(1, PIECE),
            _ => PIECE,
        }
    }

    /// Returns how long a piece of so many bytes is held.
    pub(super) fn pause(self, bytes: usize) -> Duration {
        match self {
            Self::Latency(pause) => pause,
            Self::Slow(rate) => Duration::from_secs_f64(bytes as f64 / f64::from(rate.max(1))),
            _ => Duration::ZERO,
        }
    }
}

/// Which fault holds for which connection.
#[derive(Debug)]
pub(super) struct Orders {
    /// Connections are numbered as they come; each fault holds from one number on.
    from: Vec<(u64, Fault)>,
    /// The number of the next one.
    next: Arc<AtomicU64>,
}

impl Orders {
    pub(super) fn new(next: Arc<AtomicU64>) -> Self {
        Self { from: vec![(0, Fault::None)], next }
    }

    /// Returns what holds for a connection.
    pub(super) fn of(&self, number: u64) -> Fault {
        let last = self.from.iter().rev().find(|(from, _)| *from <= number);
        last.map_or(Fault::None, |(_, fault)| *fault)
    }

    pub(super) fn for_all(&mut self, fault: Fault) {
        self.from = vec![(0, fault)];
    }

    pub(super) fn for_new(&mut self, fault: Fault) {
        self.from.push((self.next.load(Ordering::SeqCst), fault));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_as_long_as_was_told_and_never_empty() {
        assert_eq!(Fault::Pieces(3).piece(), 3);
        assert_eq!(Fault::Pieces(0).piece(), 1);
        assert_eq!(Fault::Pieces(usize::MAX).piece(), Fault::None.piece());
        assert_eq!(Fault::Pieces(3).pause(3), Duration::ZERO);
    }
}
