//! What was told, and what was seen.

use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a publisher was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// It is stored: by the broker, or in the outbox.
    Stored,
    /// Nothing was stored.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// The two ledgers.
#[derive(Debug, Default)]
pub(super) struct Account(Mutex<Ledgers>);

#[derive(Debug, Default)]
struct Ledgers {
    told: BTreeMap<u64, Told>,
    seen: BTreeMap<u64, u64>,
    /// What is stored and was not handled. It is kept, as it is asked for a hundred times a second.
    missing: BTreeSet<u64>,
}

impl Account {
    fn lock(&self) -> MutexGuard<'_, Ledgers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn told(&self, number: u64, told: Told) {
        let mut ledgers = self.lock();
        ledgers.told.insert(number, told);
        if told == Told::Stored && !ledgers.seen.contains_key(&number) {
            ledgers.missing.insert(number);
        }
    }

    pub(super) fn seen(&self, number: u64) {
        let mut ledgers = self.lock();
        *ledgers.seen.entry(number).or_default() += 1;
        ledgers.missing.remove(&number);
    }

    /// Returns whether one of those from this number on was stored and handled.
    pub(super) fn was_handled_since(&self, number: u64) -> bool {
        let ledgers = self.lock();
        let mut since = ledgers.told.range(number..);
        since.any(|(one, told)| *told == Told::Stored && ledgers.seen.contains_key(one))
    }

    /// Returns how many are stored and were not handled.
    pub(super) fn missing(&self) -> usize {
        self.lock().missing.len()
    }

    /// Judges a run with so many faults: every finding in words, and the figures.
    pub(super) fn judge(&self, faults: usize) -> (Vec<String>, serde_json::Value) {
        let ledgers = self.lock();
        let mut wrong = Vec::new();
        let of = |what: Told| ledgers.told.values().filter(|told| **told == what).count();
        let mut doubled = 0;
        for (number, told) in &ledgers.told {
            let times = ledgers.seen.get(number).copied().unwrap_or(0);
            match told {
                Told::Stored if times == 0 => wrong.push(format!("{number} is lost")),
                Told::Refused if times > 0 => {
                    wrong.push(format!("{number} was refused, and handled {times} times"));
                }
                _ => {}
            }
            doubled += u64::from(times > 1);
        }
        for number in ledgers.seen.keys().filter(|number| !ledgers.told.contains_key(number)) {
            wrong.push(format!("{number} was never published"));
        }
        if faults == 0 && doubled > 0 {
            wrong.push(format!("{doubled} were handled twice without a fault"));
        }
        let figures = json!({
            "stored": of(Told::Stored), "refused": of(Told::Refused), "unknown": of(Told::Unknown),
            "handled": ledgers.seen.len(), "doubled": doubled, "faults": faults, "wrong": wrong.len(),
        });
        (wrong, figures)
    }
}
