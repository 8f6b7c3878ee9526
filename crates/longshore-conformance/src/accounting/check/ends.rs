//! Ends: one a run, earned by a handler, and kept.

use super::super::{Did, Observation, Recorded, Report, Status};
use super::Books;
use longshore_core::state::Cause;
use longshore_core::{State, TaskId};

pub(super) fn check(books: &Books<'_>, report: &mut Report) {
    for (task, looks) in &books.seen {
        for pair in looks.windows(2) {
            if let Some(change) = forbidden(pair[0], pair[1]) {
                report.split.add(|| format!("{task} {change}"));
            }
        }
        let success = looks.iter().find(|look| look.status == Status::Is(State::Success));
        if let Some(look) = success {
            judge_success(*task, look.run, books, report);
        }
    }
    for (task, effects) in &books.effects {
        let applied = |did| {
            let is =
                move |e: &&&super::EffectEntry| e.recorded == Recorded::Applied && e.did == did;
            effects.iter().filter(is)
        };
        for first in applied(Some(Did::Success)) {
            let again =
                applied(Some(Did::Success)).find(|e| e.run == first.run && e.token > first.token);
            if let Some(again) = again {
                report.split.add(|| {
                    format!(
                        "{task} succeeded twice in run {}: tokens {} and {}",
                        first.run, first.token, again.token
                    )
                });
            }
        }
    }
}

/// A success needs a handler that succeeded in that run.
fn judge_success(task: TaskId, run: u32, books: &Books<'_>, report: &mut Report) {
    let earned =
        |effect: &&super::EffectEntry| effect.run == run && effect.did == Some(Did::Success);
    if !books.effects_of(task).iter().any(earned) {
        report.ghost_success.add(|| format!("{task} is a success, and no handler succeeded"));
    }
}

/// Tells what is wrong with two looks at a task, one after the other.
fn forbidden(before: &Observation, after: &Observation) -> Option<String> {
    let Status::Is(from) = before.status else { return None };
    // Gone is either pruned or lost; which of the two is judged from what was promised.
    let Status::Is(to) = after.status else { return None };
    if after.run < before.run {
        return Some(format!("went back from run {} to {}", before.run, after.run));
    }
    if after.run > before.run || !from.is_end() || from == to {
        return None;
    }
    // An operator may throw a dead letter away.
    if from.after(Cause::Discard) == Some(to) {
        return None;
    }
    Some(format!("was {from} and then {to} in run {}", after.run))
}
