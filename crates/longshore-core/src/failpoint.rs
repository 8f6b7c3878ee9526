//! Named gaps between durable writes, where a test may kill or break the program.
//!
//! Without the feature `faults` a point compiles to nothing. With it, the environment variable
//! `LONGSHORE_FAILPOINT` arms one: `NAME=ACTION` or `NAME=ACTION@N` for the N-th time it is
//! passed. Actions: `kill` (die at once), `error` (the step fails), `panic`, `delay` (100 ms).
//!
//! [`POINTS`] is the whole list; the walk over all of them lives in the black-box tests.

/// Every fail point there is, in the order of a task's way.
pub const POINTS: &[&str] = &[
    "boot.migrated",
    "boot.epoch_synced",
    "boot.recovered",
    "intake.before_accept",
    "store.before_begin",
    "store.accept_applied",
    "store.claim_applied",
    "store.record_applied",
    "store.upkeep_applied",
    "store.before_commit",
    "store.committed",
    "checkpoint.before",
    "checkpoint.after",
    "http.before_answer",
    "consumer.claimed",
    "consumer.performed",
    "consumer.judged",
    "consumer.recorded",
    "stop.drained",
    "stop.released",
];

/// A step failed because a test asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("fail point {0}")]
pub struct Injected(pub &'static str);

/// Passes a fail point.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub fn pass(_name: &'static str) -> Result<(), Injected> {
    Ok(())
}

#[cfg(feature = "faults")]
pub use armed::pass;

#[cfg(feature = "faults")]
mod armed {
    use super::{Injected, POINTS};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    struct Armed {
        name: String,
        action: String,
        at: u64,
        passed: AtomicU64,
    }

    fn armed() -> Option<&'static Armed> {
        static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
        ARMED
            .get_or_init(|| {
                let text = std::env::var("LONGSHORE_FAILPOINT").ok()?;
                let (name, action) = text.split_once('=')?;
                let (action, at) = action.split_once('@').unwrap_or((action, "1"));
                let at = at.parse().ok()?;
                let known = POINTS.contains(&name)
                    && matches!(action, "kill" | "error" | "panic" | "delay");
                assert!(known, "LONGSHORE_FAILPOINT: no such point or action: {text}");
                let passed = AtomicU64::new(0);
                Some(Armed { name: name.into(), action: action.into(), at, passed })
            })
            .as_ref()
    }

    /// Passes a fail point.
    ///
    /// # Panics
    /// When the point is armed with `panic`, or is not in [`POINTS`].
    pub fn pass(name: &'static str) -> Result<(), Injected> {
        debug_assert!(POINTS.contains(&name), "{name} is not in the list");
        let Some(armed) = armed().filter(|armed| armed.name == name) else { return Ok(()) };
        if armed.passed.fetch_add(1, Ordering::SeqCst) + 1 != armed.at {
            return Ok(());
        }
        match armed.action.as_str() {
            "kill" => std::process::abort(),
            "error" => Err(Injected(name)),
            "delay" => {
                std::thread::sleep(Duration::from_millis(100));
                Ok(())
            }
            _ => panic!("fail point {name}"),
        }
    }
}
