//! What the checker found.

use super::Rules;

/// Examples of one sort that are told.
const EXAMPLES: usize = 10;

/// How often something was found, with a few examples.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// How often.
    pub count: u64,
    /// Up to ten of them, each a sentence.
    pub examples: Vec<String>,
}

impl Finding {
    pub(super) fn add(&mut self, example: impl FnOnce() -> String) {
        self.count += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(example());
        }
    }
}

/// What the checker found. Serialized, it is one JSON object.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Tasks that a client was told are accepted.
    pub accepted: u64,
    /// Of those, the ones that were last seen ended.
    pub ended: u64,
    /// Requests of unknown outcome that became a task.
    pub unknown_in: u64,
    /// Requests of unknown outcome that left no trace.
    pub unknown_out: u64,
    /// Accepted, and gone or never ended.
    pub lost: Finding,
    /// Seen as a success, and no handler succeeded.
    pub ghost_success: Finding,
    /// Seen or run, and asked for by nobody, or refused.
    pub unexpected: Finding,
    /// Two ends of one run, or a change after the end.
    pub split: Finding,
    /// More attempts, or more deaths of its process, than allowed.
    pub over_run: Finding,
    /// Two tasks under one key.
    pub double_accept: Finding,
    /// A later task of a lane began before an earlier one was done.
    pub order_inversions: Finding,
    /// Two tasks of a lane at the same time.
    pub lane_overlaps: Finding,
    /// Two active tasks under one unique key.
    pub unique_overlaps: Finding,
    /// Begun in a run that had ended.
    pub after_end: Finding,
    /// Cancelled, or run anew, and nobody had asked for it.
    pub unasked: Finding,
    /// An end was applied after its task had been opened anew.
    pub stale_ends: Finding,
    /// A token that had been given out before, or is not larger than the one before.
    pub token_reused: Finding,
    /// Effects that were repeated because of a fault.
    pub duplicates_explained: Finding,
    /// Effects that were repeated for no reason.
    pub duplicates_unexplained: Finding,
    /// What was allowed.
    pub rules: Rules,
}

impl Report {
    /// Every finding that no honest store causes, by name.
    pub fn findings(&self) -> [(&'static str, &Finding); 14] {
        [
            ("lost", &self.lost),
            ("ghost_success", &self.ghost_success),
            ("unexpected", &self.unexpected),
            ("split", &self.split),
            ("over_run", &self.over_run),
            ("double_accept", &self.double_accept),
            ("order_inversions", &self.order_inversions),
            ("lane_overlaps", &self.lane_overlaps),
            ("unique_overlaps", &self.unique_overlaps),
            ("after_end", &self.after_end),
            ("unasked", &self.unasked),
            ("stale_ends", &self.stale_ends),
            ("token_reused", &self.token_reused),
            ("duplicates_unexplained", &self.duplicates_unexplained),
        ]
    }

    /// Returns whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.findings().iter().all(|(_, finding)| finding.count == 0)
    }
}
