//! What came of a case.

use crate::output::{Cell, Column, Record, Tone, column, wide};
use serde::Serialize;

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// As it should.
    Ok,
    /// Wrongly.
    Failed,
    /// Not as well as it could: nothing that is required.
    Advice,
}

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) verdict: Verdict,
    pub(super) case: &'static str,
    /// What a good worker does.
    pub(super) says: &'static str,
    pub(super) took_ms: u64,
    /// What this one did instead.
    pub(super) found: Option<String>,
}

impl Record for Finding {
    const COLUMNS: &'static [Column] =
        &[column("VERDICT"), column("CASE"), wide("SAYS"), wide("TOOK_MS"), column("FOUND")];

    fn cells(&self) -> Vec<Cell> {
        let (word, tone) = match self.verdict {
            Verdict::Ok => ("ok", Tone::Good),
            Verdict::Failed => ("FAILED", Tone::Bad),
            Verdict::Advice => ("advice", Tone::Careful),
        };
        let found = self.found.as_ref().map(|found| format!("{}: {found}", self.says));
        vec![
            Cell::Toned(word.to_owned(), tone),
            Cell::Text(self.case.to_owned()),
            Cell::Text(self.says.to_owned()),
            Cell::Number(self.took_ms),
            Cell::text(found),
        ]
    }

    fn name(&self) -> String {
        self.case.to_owned()
    }
}
