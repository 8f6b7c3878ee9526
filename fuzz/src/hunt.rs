//! Feeding a target, and keeping what led somewhere new.

use crate::mutate::mutate;
use crate::target::{Came, Target};
use fastrand::Rng;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// No input may take longer: far above what any takes on an idle machine, even if not optimised.
const SLOW: Duration = Duration::from_secs(5);

/// How a hunt went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hunt {
    /// Inputs that were fed.
    pub fed: usize,
    /// Of those, the accepted ones.
    pub accepted: usize,
    /// Different signs.
    pub signs: usize,
    /// The longest that one took.
    pub slowest: Duration,
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What was fed.
    pub input: Vec<u8>,
    /// What is wrong with what came of it.
    pub wrong: String,
}

/// Feeds `corpus`, then mutations of it for as long as `how_long`; `seed` makes it repeatable, as
/// far as the machine is as fast.
///
/// # Errors
/// The first broken promise.
pub fn hunt(
    target: &mut dyn Target,
    corpus: Vec<Vec<u8>>,
    how_long: Duration,
    seed: u64,
) -> Result<Hunt, Found> {
    let mut rng = Rng::with_seed(seed);
    let mut hunt = Hunt { fed: 0, accepted: 0, signs: 0, slowest: Duration::ZERO };
    let mut signs = HashSet::new();
    for input in &corpus {
        signs.insert(hunt.feed(target, input)?.sign);
    }
    let mut pool = corpus;
    let until = Instant::now() + how_long;
    while Instant::now() < until && !pool.is_empty() {
        let (one, other) = (rng.usize(..pool.len()), rng.usize(..pool.len()));
        let input = mutate(&pool[one], &pool[other], target.words(), &mut rng);
        let came = hunt.feed(target, &input)?;
        if signs.insert(came.sign) {
            pool.push(input);
        }
    }
    hunt.signs = signs.len();
    Ok(hunt)
}

impl Hunt {
    fn feed(&mut self, target: &mut dyn Target, input: &[u8]) -> Result<Came, Found> {
        let found = |wrong: String| Found { input: input.to_vec(), wrong };
        let began = Instant::now();
        let came = catch_unwind(AssertUnwindSafe(|| target.feed(input)));
        let took = began.elapsed();
        let came = came.map_err(|_| found("it panicked".to_owned()))?.map_err(found)?;
        if took > SLOW {
            return Err(found(format!("it took {took:?}")));
        }
        self.fed += 1;
        self.accepted += usize::from(came.accepted);
        self.slowest = self.slowest.max(took);
        Ok(came)
    }
}
