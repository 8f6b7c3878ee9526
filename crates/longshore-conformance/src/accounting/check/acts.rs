//! Cancels and retries: done only when they were asked for, kept once they were answered.

use super::super::{ActEntry, Report, Status, Told, Wanted};
use super::Books;
use longshore_core::{State, TaskId};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn check(books: &Books<'_>, report: &mut Report) {
    let mut acts: BTreeMap<TaskId, Vec<&ActEntry>> = BTreeMap::new();
    for act in &books.ledgers.acts {
        acts.entry(act.task).or_default().push(act);
    }
    let known: BTreeSet<TaskId> =
        acts.keys().chain(books.seen.keys()).chain(books.effects.keys()).copied().collect();
    for task in known {
        let acts = acts.get(&task).map_or(&[][..], Vec::as_slice);
        judge_cause(task, acts, books, report);
        judge_keeping(task, acts, books, report);
        judge_ends(task, acts, books, report);
    }
}

/// Nobody cancels a task, or opens it again, of their own accord.
fn judge_cause(task: TaskId, acts: &[&ActEntry], books: &Books<'_>, report: &mut Report) {
    let asked = |wanted: Wanted, by: u64| {
        acts.iter()
            .filter(|a| a.wanted == wanted && a.told != Told::Failed && a.sent_at < by)
            .count()
    };
    let looks = books.seen.get(&task).map_or(&[][..], Vec::as_slice);
    let cancelled = looks.iter().find(|look| look.status == Status::Is(State::Cancelled));
    if cancelled.is_some_and(|look| asked(Wanted::Cancel, look.at) == 0) {
        report.unasked.add(|| format!("{task} is cancelled, and nobody asked for it"));
    }
    let seen = looks.iter().map(|look| (look.run, look.at));
    let run = books.effects_of(task).iter().map(|effect| (effect.run, effect.start));
    let too_many = seen.chain(run).find(|(run, at)| *run as usize > 1 + asked(Wanted::Retry, *at));
    if let Some((run, _)) = too_many {
        report.unasked.add(|| format!("{task} is in run {run}, and nobody asked for that many"));
    }
}

/// An answered retry is there afterwards.
fn judge_keeping(task: TaskId, acts: &[&ActEntry], books: &Books<'_>, report: &mut Report) {
    let retried = |act: &&&ActEntry| act.wanted == Wanted::Retry && act.told == Told::Ok;
    let promised = acts.iter().filter(retried).filter_map(|act| act.run).max();
    let last = books.last_seen(task).filter(|look| look.status != Status::Absent);
    if let (Some(promised), Some(last)) = (promised, last)
        && last.run < promised
    {
        report
            .lost
            .add(|| format!("{task}: run {promised} was answered, and it is in {}", last.run));
    }
}

/// Once a run was seen or told to have ended, nothing begins in it.
fn judge_ends(task: TaskId, acts: &[&ActEntry], books: &Books<'_>, report: &mut Report) {
    let looks = books.seen.get(&task).map_or(&[][..], Vec::as_slice);
    let seen = looks.iter().filter_map(|look| match look.status {
        Status::Is(state) if state.is_end() => Some((look.run, look.at)),
        _ => None,
    });
    let told = acts.iter().filter(|act| act.told == Told::Ok && act.ended);
    let told = told.filter_map(|act| Some((act.run?, act.answered_at)));
    let mut ends: BTreeMap<u32, u64> = BTreeMap::new();
    for (run, at) in seen.chain(told) {
        let first = ends.entry(run).or_insert(at);
        *first = at.min(*first);
    }
    for effect in books.effects_of(task) {
        if ends.get(&effect.run).is_some_and(|end| *end < effect.start) {
            report.after_end.add(|| {
                format!("{task}: {} began after run {} had ended", effect.token, effect.run)
            });
        }
    }
}
