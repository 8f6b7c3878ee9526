//! The comparison of the ledgers.

mod accepts;
mod acts;
mod effects;
mod ends;
mod lanes;
mod unique;

use super::{EffectEntry, Ledgers, Observation, Recorded, Report};
use longshore_core::TaskId;
use longshore_core::rescue::CRASH_LIMIT;
use longshore_core::retry::DEFAULT_MAX_ATTEMPTS;
use std::collections::BTreeMap;

/// What a run was allowed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Rules {
    /// Attempts of a run, the first included. Default: 4.
    pub max_attempts: u32,
    /// Charges for crashes of a run. Default: 3.
    pub crash_limit: u32,
    /// Faults that excuse no duplicate, by name. Default: `clock_jump`.
    pub harmless: Vec<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            max_attempts: DEFAULT_MAX_ATTEMPTS,
            crash_limit: CRASH_LIMIT,
            harmless: vec!["clock_jump".to_owned()],
        }
    }
}

/// Compares the ledgers of a run that has come to rest.
pub fn check(ledgers: &Ledgers, rules: &Rules) -> Report {
    let books = Books::of(ledgers);
    let mut report = Report { rules: rules.clone(), ..Report::default() };
    accepts::check(&books, &mut report);
    ends::check(&books, &mut report);
    effects::check(&books, rules, &mut report);
    lanes::check(&books, &mut report);
    unique::check(&books, &mut report);
    acts::check(&books, &mut report);
    report
}

impl EffectEntry {
    /// Returns until when the opening surely held its task. Of one whose process died nobody knows;
    /// one outside may have lost its lease, unless its end was still applied.
    fn held_until(&self) -> Option<u64> {
        self.end.filter(|_| self.inside || self.recorded == Recorded::Applied)
    }
}

/// The ledgers, sorted by task and time.
struct Books<'a> {
    ledgers: &'a Ledgers,
    /// Openings of each task, in the order they began.
    effects: BTreeMap<TaskId, Vec<&'a EffectEntry>>,
    /// Looks at each task, in the order of time.
    seen: BTreeMap<TaskId, Vec<&'a Observation>>,
}

impl<'a> Books<'a> {
    fn of(ledgers: &'a Ledgers) -> Self {
        let mut effects: BTreeMap<_, Vec<&EffectEntry>> = BTreeMap::new();
        for effect in &ledgers.effects {
            effects.entry(effect.task).or_default().push(effect);
        }
        let mut seen: BTreeMap<_, Vec<&Observation>> = BTreeMap::new();
        for look in &ledgers.observations {
            seen.entry(look.task).or_default().push(look);
        }
        effects.values_mut().for_each(|of_task| of_task.sort_by_key(|e| (e.start, e.sequence)));
        seen.values_mut().for_each(|of_task| of_task.sort_by_key(|look| look.at));
        Self { ledgers, effects, seen }
    }

    fn effects_of(&self, task: TaskId) -> &[&'a EffectEntry] {
        self.effects.get(&task).map_or(&[], Vec::as_slice)
    }

    fn last_seen(&self, task: TaskId) -> Option<&'a Observation> {
        self.seen.get(&task)?.last().copied()
    }
}
