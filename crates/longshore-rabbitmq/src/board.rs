//! How the connection is, for whoever asks: one word for both links, and what is counted.

use longshore_core::broker::{LinkReport, LinkState};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tokio::sync::watch;

/// Which of the two links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Receives, settles, declares and looks. It is always wanted.
    Consume,
    /// Publishes. It rests while nothing is published.
    Publish,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Consume => "consume",
            Self::Publish => "publish",
        })
    }
}

/// What is known of both links.
#[derive(Debug)]
pub(crate) struct Board {
    /// By role; a link that rests has no state.
    states: Mutex<[Option<LinkState>; 2]>,
    shown: watch::Sender<Shown>,
    reconnects: AtomicU64,
    /// Published and not confirmed.
    pub(crate) unconfirmed: AtomicU64,
    /// Settlements that came too late.
    pub(crate) stale: AtomicU64,
    /// Handed out and not settled.
    pub(crate) unsettled: AtomicU64,
}

#[derive(Debug, Clone)]
struct Shown {
    version: u64,
    state: LinkState,
    since: Instant,
}

impl Board {
    /// Makes a board before the first try.
    pub(crate) fn new() -> Self {
        let state = LinkState::Connecting { why: None };
        let shown = Shown { version: 1, state: state.clone(), since: Instant::now() };
        Self {
            states: Mutex::new([Some(state), None]),
            shown: watch::Sender::new(shown),
            reconnects: AtomicU64::new(0),
            unconfirmed: AtomicU64::new(0),
            stale: AtomicU64::new(0),
            unsettled: AtomicU64::new(0),
        }
    }

    /// Tells how one of the links is.
    pub(crate) fn set(&self, role: Role, state: Option<LinkState>) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states[role as usize] = state;
        let both = both(&states);
        self.shown.send_if_modified(|shown| {
            let is_new = shown.state != both;
            if is_new {
                *shown = Shown { version: shown.version + 1, state: both, since: Instant::now() };
            }
            is_new
        });
    }

    /// A link that was lost is back.
    pub(crate) fn came_back(&self) {
        self.reconnects.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns how it is.
    pub(crate) fn report(&self) -> LinkReport {
        let Shown { version, state, since } = self.shown.borrow().clone();
        LinkReport {
            version,
            state,
            since: since.elapsed(),
            reconnects: self.reconnects.load(Ordering::Relaxed),
            unconfirmed: self.unconfirmed.load(Ordering::Relaxed),
            stale: self.stale.load(Ordering::Relaxed),
        }
    }

    /// Returns once it is other than `seen`.
    pub(crate) async fn changed(&self, seen: u64) -> LinkReport {
        let mut shown = self.shown.subscribe();
        // The sender lives as long as the board.
        let _ = shown.wait_for(|shown| shown.version != seen).await;
        self.report()
    }
}

/// The worse of the two: what is received comes first, a link that publishes counts only while it is wanted.
fn both(states: &[Option<LinkState>; 2]) -> LinkState {
    let [consume, publish] = states;
    match (consume, publish) {
        (Some(consume), Some(publish)) if consume.is_up() => match publish {
            LinkState::Connecting { why: None } => consume.clone(),
            publish => publish.clone(),
        },
        (Some(consume), _) => consume.clone(),
        (None, _) => LinkState::Closed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up() -> Option<LinkState> {
        Some(LinkState::Up { server: "here".to_owned() })
    }

    #[test]
    fn a_link_that_rests_says_nothing() {
        let board = Board::new();
        assert_eq!(board.report().state.word(), "connecting");
        board.set(Role::Consume, up());
        let seen = board.report();
        assert!(seen.state.is_up());
        board.set(Role::Publish, Some(LinkState::Connecting { why: None }));
        board.set(Role::Publish, up());
        board.set(Role::Publish, None);
        assert_eq!(board.report().version, seen.version);
    }

    #[test]
    fn one_that_is_blocked_or_lost_is_told() {
        let board = Board::new();
        board.set(Role::Consume, up());
        board.set(Role::Publish, Some(LinkState::Blocked { why: "memory".to_owned() }));
        assert_eq!(board.report().state.word(), "blocked");
        board.set(Role::Consume, Some(LinkState::Lost { why: "gone".to_owned(), tries: 0 }));
        assert_eq!(board.report().state.word(), "lost");
    }
}
