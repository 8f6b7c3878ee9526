//! Lists: what is asked for, and one page of it.

use super::connection::Ask;
use longshore_core::{State, Timestamp};
use serde::{Deserialize, Serialize};

/// Which tasks to list. By default all of them, newest first, 50 a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListFilter {
    states: Vec<State>,
    words: Vec<(&'static str, String)>,
}

impl ListFilter {
    /// Lists everything.
    pub fn new() -> Self {
        Self::default()
    }

    fn word(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.words.push((name, value.into()));
        self
    }

    /// Of this status; given again, of any of those.
    pub fn status(mut self, state: State) -> Self {
        self.states.push(state);
        self
    }

    /// Of this queue.
    pub fn queue(self, queue: impl Into<String>) -> Self {
        self.word("queue", queue)
    }

    /// Of this kind.
    pub fn kind(self, kind: impl Into<String>) -> Self {
        self.word("kind", kind)
    }

    /// With this tag.
    pub fn tag(self, tag: impl Into<String>) -> Self {
        self.word("tag", tag)
    }

    /// Whose last failure is of this class or has this code.
    pub fn error(self, error: impl Into<String>) -> Self {
        self.word("error", error)
    }

    /// Accepted after this time.
    pub fn created_after(self, at: Timestamp) -> Self {
        self.word("created", format!("gt:{at}"))
    }

    /// Accepted before this time.
    pub fn created_before(self, at: Timestamp) -> Self {
        self.word("created", format!("lt:{at}"))
    }

    /// So many a page, 1 to 1000.
    pub fn limit(self, limit: usize) -> Self {
        self.word("limit", limit.to_string())
    }

    /// Goes on where a [`Page`] ended.
    pub fn after(mut self, cursor: impl Into<String>) -> Self {
        self.words.retain(|(name, _)| *name != "cursor");
        self.word("cursor", cursor)
    }

    pub(super) fn on<'a>(&self, mut ask: Ask<'a>) -> Ask<'a> {
        if !self.states.is_empty() {
            let states: Vec<&str> = self.states.iter().map(|state| state.as_str()).collect();
            ask = ask.query("status", &states.join(","));
        }
        for (name, value) in &self.words {
            ask = ask.query(name, value);
        }
        ask
    }
}

/// One page of a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Page<T> {
    /// What is on it. It may be shorter than asked for before the last page.
    pub items: Vec<T>,
    /// Where the next page begins, for [`ListFilter::after`]; nothing at the end.
    #[serde(default = "Option::default")]
    pub next_cursor: Option<String>,
}
