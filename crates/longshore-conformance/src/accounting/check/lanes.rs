//! Lanes: in the order of accepting, and one at a time.

use super::super::{ClientEntry, EffectEntry, Report, Told};
use super::Books;
use longshore_core::TaskId;
use std::collections::BTreeMap;

pub(super) fn check(books: &Books<'_>, report: &mut Report) {
    let mut lanes: BTreeMap<&str, Vec<(&ClientEntry, TaskId)>> = BTreeMap::new();
    for entry in books.ledgers.clients.iter().filter(|entry| entry.told == Told::Ok) {
        if let (Some(lane), Some(task), false) = (&entry.order_key, entry.task, entry.existing) {
            lanes.entry(lane).or_default().push((entry, task));
        }
    }
    for (lane, entries) in lanes {
        judge_order(lane, &entries, books, report);
        judge_overlaps(lane, &entries, books, report);
    }
}

/// Between accepts where one was answered before the other was sent, and within their first runs
/// (a reopened task goes to the tail): the later one begins after the earlier one was opened for
/// the last time.
fn judge_order(
    lane: &str,
    entries: &[(&ClientEntry, TaskId)],
    books: &Books<'_>,
    report: &mut Report,
) {
    let starts = |task: TaskId| {
        let first_run = books.effects_of(task).iter().filter(|effect| effect.run == 1);
        first_run.map(|effect| (effect.start, effect.sequence)).collect::<Vec<_>>()
    };
    let accepted = || entries.iter().filter(|(entry, _)| !entry.replayed);
    for (earlier, first) in accepted() {
        let Some(last_of_first) = starts(*first).into_iter().max() else { continue };
        for (_, second) in accepted().filter(|(e, _)| earlier.answered_at < e.sent_at) {
            if starts(*second).into_iter().min().is_some_and(|begun| begun < last_of_first) {
                report.order_inversions.add(|| format!("lane {lane}: {second} before {first}"));
            }
        }
    }
}

/// Whatever the order and the run: one begins after the other's handler is done.
fn judge_overlaps(
    lane: &str,
    entries: &[(&ClientEntry, TaskId)],
    books: &Books<'_>,
    report: &mut Report,
) {
    let mut tasks: Vec<TaskId> = entries.iter().map(|(_, task)| *task).collect();
    tasks.sort_unstable();
    tasks.dedup();
    let mut openings: Vec<(&EffectEntry, u64)> = tasks
        .iter()
        .flat_map(|task| books.effects_of(*task))
        .filter_map(|effect| Some((*effect, effect.held_until()?)))
        .collect();
    openings.sort_by_key(|(effect, _)| (effect.start, effect.sequence));
    let mut last: Option<(&EffectEntry, u64)> = None;
    for (effect, end) in openings {
        if let Some((before, _)) = last.filter(|(_, until)| effect.start < *until) {
            let (later, task) = (effect.task, before.task);
            report.lane_overlaps.add(|| format!("lane {lane}: {later} began while {task} ran"));
        }
        last = last.filter(|(_, until)| *until > end).or(Some((effect, end)));
    }
}
