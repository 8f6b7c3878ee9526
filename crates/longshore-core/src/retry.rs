//! Whether and when a failed attempt is tried again.
//!
//! [`decide`] is pure: it answers with a pause, never with a time, and takes its dice as an
//! argument, so that every decision can be replayed.

use crate::{FaultClass, Outcome};
use std::time::Duration;

/// Attempts of a task that says nothing, the first included.
pub const DEFAULT_MAX_ATTEMPTS: u32 = 4;

/// Most attempts that may be asked for.
pub const MAX_ATTEMPTS: u32 = 100;

/// How the pauses between attempts grow.
#[derive(Debug, Clone, PartialEq)]
pub enum Backoff {
    /// `base × factor^(n−1)`.
    Exponential {
        /// The first pause.
        base: Duration,
        /// What each further one is multiplied by.
        factor: f64,
    },
    /// Always the same.
    Fixed(Duration),
    /// None at all.
    Immediate,
    /// Evenly spread between the two; its nominal pause is the middle.
    Random {
        /// Shortest pause.
        min: Duration,
        /// Longest pause.
        max: Duration,
    },
    /// One after the other; the last one is repeated.
    List(Vec<Duration>),
}

/// When a failed attempt is tried again: nominally `base * 2^(n-1)`, capped at one hour;
/// [`decide`] adds the jitter (±10 %).
///
/// ```
/// use longshore_core::RetryPolicy;
/// use std::time::Duration;
/// let policy = RetryPolicy::exponential(Duration::from_secs(1)).cap(Duration::from_secs(60)).max_attempts(4);
/// assert_eq!(policy.delay_after(3), Some(Duration::from_secs(4)));
/// assert_eq!(policy.delay_after(4), None);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RetryPolicy {
    backoff: Backoff,
    cap: Duration,
    jitter: f64,
    max_attempts: u32,
}

impl Default for RetryPolicy {
    /// Exponential: 1 s, doubled each time, four attempts.
    fn default() -> Self {
        Self::exponential(Duration::from_secs(1))
    }
}

impl RetryPolicy {
    fn new(backoff: Backoff, jitter: f64) -> Self {
        let cap = Duration::from_secs(3600);
        Self { backoff, cap, jitter, max_attempts: DEFAULT_MAX_ATTEMPTS }
    }

    /// Doubles from `base` on; see [`RetryPolicy::factor`].
    pub fn exponential(base: Duration) -> Self {
        Self::new(Backoff::Exponential { base, factor: 2.0 }, 0.1)
    }

    /// Always pauses `pause`.
    pub fn fixed(pause: Duration) -> Self {
        Self::new(Backoff::Fixed(pause), 0.1)
    }

    /// Tries again at once.
    pub fn immediate() -> Self {
        Self::new(Backoff::Immediate, 0.0)
    }

    /// Pauses evenly spread between `min` and `max`.
    pub fn random(min: Duration, max: Duration) -> Self {
        Self::new(Backoff::Random { min, max: max.max(min) }, 0.0)
    }

    /// Pauses as listed, then repeats the last; an empty list means at once.
    pub fn list(pauses: impl Into<Vec<Duration>>) -> Self {
        Self::new(Backoff::List(pauses.into()), 0.1)
    }

    /// Multiplies by `factor` (at least 1) instead of 2; of exponential policies only.
    pub fn factor(mut self, by: f64) -> Self {
        if let Backoff::Exponential { factor, .. } = &mut self.backoff {
            *factor = if by.is_finite() { by.max(1.0) } else { 1.0 };
        }
        self
    }

    /// No pause is longer than `cap`, jitter included. Default: one hour.
    pub fn cap(mut self, cap: Duration) -> Self {
        self.cap = cap;
        self
    }

    /// Spreads each pause by up to this share, 0..1. Default: 0.1.
    pub fn jitter(mut self, share: f64) -> Self {
        self.jitter = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
        self
    }

    /// Tries at most `attempts` times, the first included. 1..100, default 4.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts.clamp(1, MAX_ATTEMPTS);
        self
    }

    /// Returns how often a task is tried, the first time included.
    pub fn attempts(&self) -> u32 {
        self.max_attempts
    }

    /// Returns the nominal pause after attempt `n` (from 1), or nothing if it was the last.
    pub fn delay_after(&self, n: u32) -> Option<Duration> {
        (n < self.max_attempts).then(|| self.nominal(n))
    }

    /// Returns the longest pause after attempt `n` (from 1), jitter included, or nothing if it was the last.
    pub fn longest_after(&self, n: u32) -> Option<Duration> {
        (n < self.max_attempts).then(|| self.thrown(n, u64::MAX))
    }

    fn nominal(&self, n: u32) -> Duration {
        let n = n.max(1);
        let pause = match &self.backoff {
            Backoff::Exponential { base, factor } => {
                let exponent = i32::try_from(n - 1).unwrap_or(i32::MAX);
                Duration::try_from_secs_f64(base.as_secs_f64() * factor.powi(exponent))
                    .unwrap_or(self.cap)
            }
            Backoff::Fixed(pause) => *pause,
            Backoff::Immediate => Duration::ZERO,
            Backoff::Random { min, max } => *min + (*max - *min) / 2,
            Backoff::List(pauses) => {
                let last = pauses.len().saturating_sub(1);
                pauses.get((n as usize - 1).min(last)).copied().unwrap_or_default()
            }
        };
        pause.min(self.cap)
    }

    /// The pause with its dice thrown: `entropy` is uniform over all of `u64`.
    fn thrown(&self, n: u32, entropy: u64) -> Duration {
        let unit = entropy as f64 / u64::MAX as f64;
        if let Backoff::Random { min, max } = &self.backoff {
            return min.saturating_add(times(*max - *min, unit)).min(self.cap);
        }
        times(self.nominal(n), 1.0 + self.jitter * (2.0 * unit - 1.0)).min(self.cap)
    }
}

/// Multiplies; what is beyond all measure is the longest there is.
fn times(pause: Duration, by: f64) -> Duration {
    Duration::try_from_secs_f64(pause.as_secs_f64() * by).unwrap_or(Duration::MAX)
}

/// What is left to a run besides its attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Budget {
    /// Attempts that this task may use, the first included; overrides the policy's.
    pub max_attempts: Option<u32>,
    /// What is left of `total_timeout`; nothing if there is none.
    pub total_left: Option<Duration>,
    /// Whether somebody asked to cancel.
    pub cancel_asked: bool,
}

/// What becomes of a task after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It succeeded.
    Complete,
    /// Another attempt follows after this pause.
    Retry {
        /// The pause, jitter included.
        after: Duration,
    },
    /// To the dead letters.
    Bury(BuryReason),
    /// Later, without using an attempt.
    Snooze {
        /// How much later.
        after: Duration,
    },
    /// Thrown away for this reason.
    Discard(String),
    /// Ends cancelled.
    Cancel,
    /// Given back, uncharged.
    Release,
}

/// Why a task was buried; shown as `reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuryReason {
    /// The last attempt failed.
    Exhausted,
    /// No attempt would ever succeed.
    BadData,
    /// The handler, or a rule of its kind, said that it is not to be tried again.
    Fatal,
    /// `total_timeout` is over, or would be before the next attempt.
    TotalTimeout,
    /// It killed its process too often.
    Crash,
    /// A parent failed.
    ParentFailed,
    /// An assertion of the store did not hold.
    Invariant,
}

impl BuryReason {
    /// All reasons.
    pub const ALL: [Self; 7] = [
        Self::Exhausted,
        Self::BadData,
        Self::Fatal,
        Self::TotalTimeout,
        Self::Crash,
        Self::ParentFailed,
        Self::Invariant,
    ];

    /// Reads the word of the API.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }

    /// Returns the word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::BadData => "bad_data",
            Self::Fatal => "fatal",
            Self::TotalTimeout => "total_timeout",
            Self::Crash => "crash",
            Self::ParentFailed => "parent_failed",
            Self::Invariant => "invariant",
        }
    }
}

/// Decides what follows from an outcome. `attempt` counts from 1.
///
/// A success wins over a cancel that came too late; a cancel wins over another attempt.
pub fn decide(
    outcome: &Outcome,
    attempt: u32,
    policy: &RetryPolicy,
    budget: Budget,
    entropy: u64,
) -> Verdict {
    let (class, asked_pause) = match outcome {
        Outcome::Fault(fault) if fault.fatal && !budget.cancel_asked => {
            let bad = fault.class == FaultClass::BadData;
            return Verdict::Bury(if bad { BuryReason::BadData } else { BuryReason::Fatal });
        }
        Outcome::Success(_) => return Verdict::Complete,
        Outcome::Discard(reason) => return Verdict::Discard(reason.clone()),
        Outcome::Cancelled => return Verdict::Cancel,
        _ if budget.cancel_asked => return Verdict::Cancel,
        Outcome::Released => return Verdict::Release,
        Outcome::Snooze(after) => {
            return match budget.total_left {
                Some(left) if left <= *after => Verdict::Bury(BuryReason::TotalTimeout),
                _ => Verdict::Snooze { after: *after },
            };
        }
        Outcome::Fault(fault) => (fault.class, fault.retry_after),
        Outcome::Timeout { .. } => (FaultClass::Timeout, None),
        Outcome::Panic(_) => (FaultClass::Panic, None),
    };
    let policy = match budget.max_attempts {
        Some(attempts) => &policy.clone().max_attempts(attempts),
        None => policy,
    };
    if class == FaultClass::BadData {
        return Verdict::Bury(BuryReason::BadData);
    }
    if policy.delay_after(attempt).is_none() {
        return Verdict::Bury(BuryReason::Exhausted);
    }
    let after = asked_pause.unwrap_or_else(|| policy.thrown(attempt, entropy));
    match budget.total_left {
        Some(left) if left <= after => Verdict::Bury(BuryReason::TotalTimeout),
        _ => Verdict::Retry { after },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fault;
    use proptest::prelude::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn failed() -> Outcome {
        Outcome::Fault(Fault::transient("no"))
    }

    #[test]
    fn the_default_pauses_one_two_and_four_seconds() {
        let policy = RetryPolicy::default();
        let pauses: Vec<_> = (1..=4).map(|n| policy.delay_after(n)).collect();
        assert_eq!(pauses, [Some(S(1)), Some(S(2)), Some(S(4)), None]);
    }

    #[test]
    fn each_strategy_pauses_in_its_way() {
        let third = |policy: RetryPolicy| policy.max_attempts(10).delay_after(3);
        assert_eq!(third(RetryPolicy::exponential(S(2)).factor(3.0)), Some(S(18)));
        assert_eq!(third(RetryPolicy::fixed(S(7))), Some(S(7)));
        assert_eq!(third(RetryPolicy::immediate()), Some(S(0)));
        assert_eq!(third(RetryPolicy::random(S(2), S(4))), Some(S(3)));
        assert_eq!(third(RetryPolicy::list([S(1), S(5)])), Some(S(5)));
        assert_eq!(third(RetryPolicy::list([])), Some(S(0)));
    }

    #[test]
    fn bad_data_goes_straight_to_the_dead_letters() {
        let outcome = Outcome::Fault(Fault::bad_data("no address"));
        let verdict = decide(&outcome, 1, &RetryPolicy::default(), Budget::default(), 0);
        assert_eq!(verdict, Verdict::Bury(BuryReason::BadData));
    }

    #[test]
    fn what_the_handler_returned_wins_over_a_cancel() {
        let budget = Budget { cancel_asked: true, ..Budget::default() };
        let policy = RetryPolicy::default();
        assert_eq!(decide(&Outcome::Success(None), 1, &policy, budget, 0), Verdict::Complete);
        assert_eq!(decide(&failed(), 1, &policy, budget, 0), Verdict::Cancel);
        assert_eq!(decide(&Outcome::Released, 1, &policy, budget, 0), Verdict::Cancel);
    }

    #[test]
    fn the_pause_that_a_target_asked_for_is_honoured() {
        let outcome =
            Outcome::Fault(Fault::new(FaultClass::RateLimited, "slow down").retry_after(S(90)));
        let verdict = decide(&outcome, 1, &RetryPolicy::default(), Budget::default(), 7);
        assert_eq!(verdict, Verdict::Retry { after: S(90) });
    }

    #[test]
    fn no_attempt_starts_after_the_total_time() {
        let budget = Budget { total_left: Some(S(1)), ..Budget::default() };
        let verdict = decide(&failed(), 3, &RetryPolicy::default(), budget, 0);
        assert_eq!(verdict, Verdict::Bury(BuryReason::TotalTimeout));
    }

    fn any_policy() -> impl Strategy<Value = RetryPolicy> {
        let ms = || (0u64..10_000_000).prop_map(Duration::from_millis);
        let base = prop_oneof![
            (ms(), 1.0f64..10.0).prop_map(|(b, f)| RetryPolicy::exponential(b).factor(f)),
            ms().prop_map(RetryPolicy::fixed),
            Just(RetryPolicy::immediate()),
            (ms(), ms()).prop_map(|(a, b)| RetryPolicy::random(a, b)),
            proptest::collection::vec(ms(), 0..5).prop_map(RetryPolicy::list),
        ];
        (base, ms(), 0.0f64..1.0, 1u32..=100)
            .prop_map(|(p, cap, jitter, n)| p.cap(cap).jitter(jitter).max_attempts(n))
    }

    proptest! {
        #[test]
        fn a_failing_task_is_tried_exactly_max_attempts_times(policy in any_policy(), seed: u64) {
            let mut attempt = 1;
            while let Verdict::Retry { .. } = decide(&failed(), attempt, &policy, Budget::default(), seed) {
                attempt += 1;
            }
            prop_assert_eq!(attempt, policy.attempts());
        }

        #[test]
        fn no_pause_is_longer_than_the_cap(policy in any_policy(), n in 1u32..100, seed: u64) {
            if let Verdict::Retry { after } = decide(&failed(), n, &policy, Budget::default(), seed) {
                prop_assert!(after <= policy.cap);
            }
        }

        #[test]
        fn the_jitter_stays_within_its_share(policy in any_policy(), n in 1u32..100, seed: u64) {
            prop_assume!(!matches!(policy.backoff, Backoff::Random { .. }));
            if let (Verdict::Retry { after }, Some(nominal)) =
                (decide(&failed(), n, &policy, Budget::default(), seed), policy.delay_after(n))
            {
                let off = after.as_secs_f64() - nominal.as_secs_f64();
                prop_assert!(off.abs() <= nominal.as_secs_f64() * policy.jitter + 1e-6);
            }
        }
    }
}
