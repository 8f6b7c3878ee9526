//! Outcomes in one word, the same in logs, metrics and spans.

use longshore_core::{FaultClass, Outcome};

/// All words. Failures have the word of their class.
pub(crate) const ENDINGS: [&str; 12] = [
    "success",
    "snooze",
    "discard",
    "cancelled",
    "released",
    "transient",
    "timeout",
    "rate_limited",
    "dependency",
    "bad_data",
    "panic",
    "crash",
];

/// Returns the word for an outcome.
pub(super) fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Success(_) => "success",
        Outcome::Snooze(_) => "snooze",
        Outcome::Discard(_) => "discard",
        Outcome::Cancelled => "cancelled",
        Outcome::Released => "released",
        Outcome::Fault(fault) => fault.class.as_str(),
        Outcome::Timeout { .. } => FaultClass::Timeout.as_str(),
        Outcome::Panic(_) => FaultClass::Panic.as_str(),
    }
}

/// Returns whether it is a failure.
pub(super) fn is_failure(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Fault(_) | Outcome::Timeout { .. } | Outcome::Panic(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use longshore_core::Fault;

    #[test]
    fn every_class_has_its_place_among_the_words() {
        for (class, _) in FaultClass::ALL {
            let word = word(&Outcome::Fault(Fault::new(class, "")));
            assert!(ENDINGS.contains(&word), "{word}");
        }
    }
}
