//! What a check found.

use crate::output::{Cell, Column, Record, Tone, column};
use serde::Serialize;

/// How it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// It works, but not as well or as safely as it could.
    Warn,
    /// It will not work.
    Fail,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) check: &'static str,
    pub(super) verdict: Verdict,
    /// What was found.
    pub(super) found: String,
    /// What to do.
    pub(super) fix: Option<String>,
}

impl Finding {
    /// All is well.
    pub(super) fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, found: found.into(), fix: None }
    }

    /// It could be better.
    pub(super) fn warn(
        check: &'static str,
        found: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { check, verdict: Verdict::Warn, found: found.into(), fix: Some(fix.into()) }
    }

    /// It will not work.
    pub(super) fn fail(
        check: &'static str,
        found: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { check, verdict: Verdict::Fail, found: found.into(), fix: Some(fix.into()) }
    }
}

impl Record for Finding {
    const COLUMNS: &'static [Column] =
        &[column("CHECK"), column("VERDICT"), column("FOUND"), column("FIX")];

    fn cells(&self) -> Vec<Cell> {
        let (word, tone) = match self.verdict {
            Verdict::Ok => ("ok", Tone::Good),
            Verdict::Warn => ("warn", Tone::Careful),
            Verdict::Fail => ("fail", Tone::Bad),
        };
        vec![
            Cell::Text(self.check.to_owned()),
            Cell::Toned(word.to_owned(), tone),
            Cell::Text(self.found.clone()),
            Cell::text(self.fix.clone()),
        ]
    }

    fn name(&self) -> String {
        self.check.to_owned()
    }
}
