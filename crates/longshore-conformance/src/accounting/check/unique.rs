//! Unique keys: at most one active task under each.

use super::super::{ClientEntry, Report, Told};
use super::Books;
use std::collections::BTreeMap;

/// Of two tasks that were accepted as new under one key, the earlier one was done before the later
/// one was accepted. Judged within first runs: a task that is opened again conflicts with nobody
/// that was accepted meanwhile.
pub(super) fn check(books: &Books<'_>, report: &mut Report) {
    let mut keys: BTreeMap<&str, Vec<&ClientEntry>> = BTreeMap::new();
    let accepted = |entry: &&ClientEntry| {
        entry.told == Told::Ok && !entry.existing && !entry.replayed && entry.task.is_some()
    };
    for entry in books.ledgers.clients.iter().filter(accepted) {
        if let Some(key) = &entry.unique {
            keys.entry(key).or_default().push(entry);
        }
    }
    for (key, entries) in keys {
        for earlier in &entries {
            let Some(first) = earlier.task else { continue };
            let later = entries.iter().filter(|entry| earlier.answered_at < entry.sent_at);
            for entry in later {
                let still_ran = books.effects_of(first).iter().any(|effect| {
                    effect.run == 1
                        && (effect.start > entry.answered_at
                            || effect.held_until().is_some_and(|end| end > entry.answered_at))
                });
                if let (true, Some(second)) = (still_ran, entry.task) {
                    report.unique_overlaps.add(|| {
                        format!("unique key {key}: {second} was accepted while {first} was active")
                    });
                }
            }
        }
    }
}
