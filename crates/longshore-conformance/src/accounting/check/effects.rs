//! What handlers did: how often, and under which tokens.

use super::super::{Did, EffectEntry, Recorded, Report};
use super::{Books, Rules};
use longshore_core::TaskId;
use longshore_core::rescue::SUSPECT_AFTER;
use std::collections::BTreeSet;

pub(super) fn check(books: &Books<'_>, rules: &Rules, report: &mut Report) {
    let mut tokens = BTreeSet::new();
    for effect in &books.ledgers.effects {
        if !tokens.insert(effect.token) {
            let EffectEntry { task, token, .. } = effect;
            report.token_reused.add(|| format!("token {token} of {task} was given out before"));
        }
    }
    for (task, effects) in &books.effects {
        judge_tokens(*task, effects, report);
        for of_run in effects.chunk_by(|a, b| a.run == b.run) {
            judge_run(*task, of_run, rules, report);
            judge_repeats(*task, of_run, books, rules, report);
        }
    }
}

fn judge_tokens(task: TaskId, effects: &[&EffectEntry], report: &mut Report) {
    let mut before = None;
    for effect in effects {
        let after = effect.token;
        // Equal ones were told already. Who is cut off may begin late what was taken from him.
        if let Some(before) = before.filter(|before| after < *before && effect.inside) {
            report.token_reused.add(|| format!("{task}: token {after} came after {before}"));
        }
        before = before.max(Some(after));
    }
    for old in effects.iter().filter(|effect| effect.recorded == Recorded::Applied) {
        let newer = |new: &&&EffectEntry| {
            new.sequence > old.sequence && old.end.is_some_and(|end| new.start < end)
        };
        if let Some(new) = effects.iter().find(newer) {
            report.stale_ends.add(|| {
                format!("{task}: the end under {} was applied after {} began", old.token, new.token)
            });
        }
    }
}

/// Neither too many attempts nor too many deaths.
fn judge_run(task: TaskId, effects: &[&EffectEntry], rules: &Rules, report: &mut Report) {
    let highest = effects.iter().map(|effect| effect.attempt).max().unwrap_or_default();
    let counted =
        |e: &&&EffectEntry| e.did == Some(Did::Failure) && e.recorded == Recorded::Applied;
    let failures = effects.iter().filter(counted).count() as u32;
    let attempts = highest.max(failures);
    if attempts > rules.max_attempts {
        report.over_run.add(|| format!("{task} was tried {attempts} times"));
    }
    // The first deaths only make a suspect; each one after that is a charge.
    let deaths = effects.iter().filter(|effect| effect.inside && effect.end.is_none()).count();
    if deaths as u32 > rules.crash_limit + SUSPECT_AFTER {
        report.over_run.add(|| format!("{task} was in flight at {deaths} deaths"));
    }
}

/// An effect that took place, or may have, is repeated only because of a fault.
fn judge_repeats(
    task: TaskId,
    effects: &[&EffectEntry],
    books: &Books<'_>,
    rules: &Rules,
    report: &mut Report,
) {
    let may_have_taken_place =
        |effect: &EffectEntry| matches!(effect.did, None | Some(Did::Success));
    for pair in effects.windows(2) {
        let [before, after] = pair else { continue };
        if !may_have_taken_place(before) {
            continue;
        }
        let between = before.start..=after.start;
        let excuse = books
            .ledgers
            .faults
            .iter()
            .find(|fault| between.contains(&fault.at) && !rules.harmless.contains(&fault.name));
        let repeated = format!("{task}: {} was done again under {}", before.token, after.token);
        match excuse {
            Some(fault) => {
                report.duplicates_explained.add(|| format!("{repeated} after {}", fault.name));
            }
            None => report.duplicates_unexplained.add(|| repeated),
        }
    }
}
