//! What an operator says of certain failures: these are tried again in an hour, those never.
//!
//! Rules are asked in order before [`decide`](crate::decide); the first that matches changes the
//! outcome, so that everything after it follows one path.

use crate::{Fault, FaultClass, Outcome};
use std::time::Duration;

/// Which failures a rule is about. A list that is empty matches all; one that is not must hold, by
/// any of its entries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ErrorMatch {
    /// Classes.
    pub classes: Vec<FaultClass>,
    /// The handler's own codes, such as `smtp.550`.
    pub codes: Vec<String>,
    /// Exit codes of a command: its code is `exit.65`.
    pub exits: Vec<u8>,
    /// First and last HTTP status, both included: a push's code is `http.404`.
    pub statuses: Vec<(u16, u16)>,
}

/// What happens to a failure that a rule matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// Straight to the dead letters.
    Dead,
    /// Tried again while attempts are left; after this pause, if there is one.
    Retry {
        /// The pause; nothing leaves it to the policy.
        after: Option<Duration>,
    },
    /// Later, without using an attempt.
    Snooze {
        /// How much later.
        after: Duration,
    },
    /// Thrown away.
    Discard,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorRule {
    /// Which failures it is about.
    pub matches: ErrorMatch,
    /// What happens to them.
    pub then: Then,
}

impl ErrorMatch {
    fn fits(&self, fault: &Fault) -> bool {
        let code = fault.code.as_deref();
        let exit: Option<u8> = code.and_then(|code| code.strip_prefix("exit.")?.parse().ok());
        let status: Option<u16> = code.and_then(|code| code.strip_prefix("http.")?.parse().ok());
        let within = |status: u16| self.statuses.iter().any(|(a, z)| (*a..=*z).contains(&status));
        (self.classes.is_empty() || self.classes.contains(&fault.class))
            && (self.codes.is_empty() || self.codes.iter().any(|one| Some(one.as_str()) == code))
            && (self.exits.is_empty() || exit.is_some_and(|exit| self.exits.contains(&exit)))
            && (self.statuses.is_empty() || status.is_some_and(within))
    }
}

/// Lets the first rule that matches change the outcome; what is no failure is left alone.
pub fn apply(rules: &[ErrorRule], outcome: Outcome) -> Outcome {
    let fault = match &outcome {
        Outcome::Fault(fault) => fault.clone(),
        Outcome::Timeout { allowed } => {
            Fault::new(FaultClass::Timeout, format!("did not end within {}", crate::Span(*allowed)))
        }
        Outcome::Panic(message) => Fault::new(FaultClass::Panic, message),
        _ => return outcome,
    };
    match rules.iter().find(|rule| rule.matches.fits(&fault)).map(|rule| &rule.then) {
        None => outcome,
        Some(Then::Dead) => Outcome::Fault(Fault { fatal: true, ..fault }),
        Some(Then::Retry { after }) => {
            // Bad data that is to be tried again must not look like bad data to `decide`.
            let class = match fault.class {
                FaultClass::BadData => FaultClass::Transient,
                class => class,
            };
            let retry_after = after.or(fault.retry_after);
            Outcome::Fault(Fault { class, retry_after, fatal: false, ..fault })
        }
        Some(Then::Snooze { after }) => Outcome::Snooze(*after),
        Some(Then::Discard) => Outcome::Discard(fault.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(code: &str, then: Then) -> ErrorRule {
        let matches = ErrorMatch { codes: vec![code.into()], ..ErrorMatch::default() };
        ErrorRule { matches, then }
    }

    fn failed(code: &str) -> Outcome {
        Outcome::Fault(Fault { code: Some(code.into()), ..Fault::transient("no") })
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let rules = [rule("exit.65", Then::Discard), rule("exit.65", Then::Dead)];
        assert_eq!(apply(&rules, failed("exit.65")), Outcome::Discard("no".into()));
        assert_eq!(apply(&rules, failed("exit.1")), failed("exit.1"));
    }

    #[test]
    fn a_rule_may_bury_any_failure_and_revive_bad_data() {
        let Outcome::Fault(fault) = apply(&[rule("a", Then::Dead)], failed("a")) else {
            panic!("a fault")
        };
        assert!(fault.fatal);
        let minute = Duration::from_secs(60);
        let matches = ErrorMatch { classes: vec![FaultClass::BadData], ..ErrorMatch::default() };
        let rules = [ErrorRule { matches, then: Then::Retry { after: Some(minute) } }];
        let Outcome::Fault(fault) = apply(&rules, Outcome::Fault(Fault::bad_data("odd"))) else {
            panic!("a fault")
        };
        assert_eq!((fault.class, fault.retry_after), (FaultClass::Transient, Some(minute)));
    }

    #[test]
    fn exit_codes_and_ranges_of_statuses_are_read_from_the_code() {
        let matches = ErrorMatch { exits: vec![65], statuses: Vec::new(), ..ErrorMatch::default() };
        let exit = ErrorRule { matches, then: Then::Discard };
        let matches = ErrorMatch { statuses: vec![(500, 599)], ..ErrorMatch::default() };
        let status = ErrorRule { matches, then: Then::Discard };
        let rules = [exit, status];
        for (code, matched) in [("exit.65", true), ("exit.6", false), ("http.503", true)] {
            let discarded = matches!(apply(&rules, failed(code)), Outcome::Discard(_));
            assert_eq!(discarded, matched, "{code}");
        }
    }

    #[test]
    fn timeouts_and_panics_are_failures_and_successes_are_not() {
        let every = ErrorRule {
            matches: ErrorMatch::default(),
            then: Then::Snooze { after: Duration::from_secs(1) },
        };
        let rules = [every];
        let timeout = Outcome::Timeout { allowed: Duration::from_secs(1) };
        let snoozed = Outcome::Snooze(Duration::from_secs(1));
        assert_eq!(apply(&rules, timeout), snoozed);
        assert_eq!(apply(&rules, Outcome::Panic("x".into())), snoozed);
        assert_eq!(apply(&rules, Outcome::Success(None)), Outcome::Success(None));
    }
}
