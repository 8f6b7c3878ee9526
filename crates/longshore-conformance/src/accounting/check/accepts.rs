//! What clients were told against what came of it.

use super::super::{ClientEntry, Report, Status, Told};
use super::Books;
use longshore_core::TaskId;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of one key.
#[derive(Default)]
struct Key<'a> {
    tries: Vec<&'a ClientEntry>,
    /// Tasks that it became, by anybody's word.
    tasks: BTreeSet<TaskId>,
}

pub(super) fn check(books: &Books<'_>, report: &mut Report) {
    let mut keys: BTreeMap<&str, Key<'_>> = BTreeMap::new();
    for entry in &books.ledgers.clients {
        let key = keys.entry(&entry.key).or_default();
        key.tries.push(entry);
        key.tasks.extend(entry.task.filter(|_| entry.told == Told::Ok));
    }
    let mut strangers = BTreeSet::new();
    for effect in &books.ledgers.effects {
        match keys.get_mut(effect.key.as_str()) {
            Some(key) => drop(key.tasks.insert(effect.task)),
            None => drop(strangers.insert(effect.task)),
        }
    }
    for (name, key) in &keys {
        judge(name, key, report);
    }
    let accepted: BTreeSet<TaskId> = keys
        .values()
        .flat_map(|key| &key.tries)
        .filter_map(|entry| entry.task.filter(|_| entry.told == Told::Ok))
        .collect();
    report.accepted = accepted.len() as u64;
    for task in &accepted {
        judge_fate(*task, books, report);
    }

    let asked_for: BTreeSet<TaskId> = keys.values().flat_map(|key| key.tasks.clone()).collect();
    let is_there =
        |task: &&TaskId| books.last_seen(**task).is_some_and(|o| o.status != Status::Absent);
    strangers.extend(books.seen.keys().filter(is_there).filter(|task| !asked_for.contains(task)));
    for task in strangers {
        report.unexpected.add(|| format!("{task} is there, and nobody asked for it"));
    }
}

fn judge(name: &str, key: &Key<'_>, report: &mut Report) {
    if key.tasks.len() > 1 {
        let tasks: Vec<String> = key.tasks.iter().map(TaskId::to_string).collect();
        report.double_accept.add(|| format!("key {name} became {}", tasks.join(" and ")));
    }
    let was_told = |told: Told| key.tries.iter().any(|entry| entry.told == told);
    if was_told(Told::Ok) {
        return;
    }
    if was_told(Told::Unknown) {
        if key.tasks.is_empty() {
            report.unknown_out += 1;
        } else {
            report.unknown_in += 1;
        }
    } else if let Some(task) = key.tasks.first() {
        report.unexpected.add(|| format!("{task} ran, and its client (key {name}) was refused"));
    }
}

/// An accepted task must be there, and have ended.
fn judge_fate(task: TaskId, books: &Books<'_>, report: &mut Report) {
    match books.last_seen(task).map(|look| look.status) {
        Some(Status::Is(state)) if state.is_end() => report.ended += 1,
        Some(Status::Is(state)) => {
            report.lost.add(|| format!("{task} was accepted and is still {state}"));
        }
        Some(Status::Absent) => report.lost.add(|| format!("{task} was accepted and is gone")),
        None => report.lost.add(|| format!("{task} was accepted and never seen")),
    }
}
