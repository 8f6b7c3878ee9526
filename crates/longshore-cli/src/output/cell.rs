//! What stands in a table: a value that knows how people and how programs want to read it.

use super::human;
use longshore::core::{Span, State, Timestamp};
use std::time::Duration;

/// What stands in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Nothing.
    Empty,
    /// Text.
    Text(String),
    /// Text whose meaning a colour underlines.
    Toned(String, Tone),
    /// A number; stands on the right.
    Number(u64),
    /// A time: how long ago for people.
    Time(Timestamp),
    /// A duration.
    Span(Duration),
    /// Text of several lines, such as JSON; only shown whole.
    Block(String),
}

/// What a colour says; the text says it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Bad,
    Busy,
    Careful,
    Faint,
}

impl Cell {
    /// Makes text, or nothing of none.
    pub(crate) fn text(text: impl Into<Option<String>>) -> Self {
        text.into().filter(|text| !text.is_empty()).map_or(Self::Empty, Self::Text)
    }

    /// Makes the word of a task's state.
    pub(crate) fn state(state: State) -> Self {
        let tone = match state {
            State::Success => Tone::Good,
            State::Failed => Tone::Bad,
            State::Running => Tone::Busy,
            State::Retrying | State::Expired => Tone::Careful,
            State::Scheduled | State::Pending | State::Cancelled => Tone::Faint,
        };
        Self::Toned(state.as_str().to_owned(), tone)
    }

    /// Makes a time, or nothing of none.
    pub(crate) fn time(at: impl Into<Option<Timestamp>>) -> Self {
        at.into().map_or(Self::Empty, Self::Time)
    }

    /// Makes a number.
    pub(crate) fn number(number: impl Into<u64>) -> Self {
        Self::Number(number.into())
    }

    /// Makes a number, or nothing of none.
    pub(crate) fn maybe<N: Into<u64>>(number: Option<N>) -> Self {
        number.map_or(Self::Empty, Self::number)
    }

    /// Shows it to programs: one line, exact.
    pub(super) fn exact(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) | Self::Toned(text, _) | Self::Block(text) => one_line(text),
            Self::Number(number) => number.to_string(),
            Self::Time(at) => at.to_string(),
            Self::Span(span) => Span(*span).to_string(),
        }
    }

    /// Shows it to people; nothing is a dash.
    pub(super) fn human(&self, now: Timestamp) -> String {
        match self {
            Self::Empty => "-".to_owned(),
            Self::Time(at) => human::when(*at, now),
            Self::Span(span) => human::span(*span),
            Self::Block(text) => text.lines().map(one_line).collect::<Vec<_>>().join("\n"),
            exact => exact.exact(),
        }
    }
}

/// Leaves out whatever could move the cursor or break a line: texts are other people's.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_peoples_text_cannot_move_the_cursor() {
        let cell = Cell::Text("a\u{1b}[2Jb\tc\nd".into());
        assert_eq!(cell.exact(), "a [2Jb c d");
        assert_eq!(cell.human(Timestamp(0)), "a [2Jb c d");
    }
}
