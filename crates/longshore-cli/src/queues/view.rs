//! Queues as they are printed.

use crate::output::{Cell, Column, Record, Tone, column, wide};
use longshore::client::Queue;
use longshore::core::State;
use longshore::core::state::STATES;

impl Record for Queue {
    const COLUMNS: &'static [Column] = &[
        column("NAME"),
        column("STATUS"),
        column("READY"),
        column("RUNNING"),
        column("RETRYING"),
        column("SCHEDULED"),
        column("FAILED"),
        column("OLDEST"),
        wide("SUCCESS"),
        wide("CANCELLED"),
        wide("EXPIRED"),
        column("SLOTS"),
        column("LIMIT"),
        column("RATE"),
        wide("BACKLOG"),
    ];

    fn cells(&self) -> Vec<Cell> {
        let count = |state: State| Cell::Number(count(self, state));
        vec![
            Cell::Text(self.name.clone()),
            status(self),
            Cell::Number(self.ready),
            Cell::Number(self.running),
            count(State::Retrying),
            count(State::Scheduled),
            count(State::Failed),
            self.oldest_age.map_or(Cell::Empty, |age| Cell::Span(age.0)),
            count(State::Success),
            count(State::Cancelled),
            count(State::Expired),
            Cell::maybe(self.slots),
            Cell::maybe(self.limit),
            Cell::text(self.rate.clone()),
            Cell::maybe(self.backlog),
        ]
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn details(&self) -> Vec<(&'static str, Cell)> {
        let number = |number: Option<u64>| number.map(|number| number.to_string());
        let setting = |name: &str, value: Option<String>| {
            let value = value.unwrap_or_else(|| "none".into());
            match self.origin.get(name) {
                Some(origin) => Cell::Text(format!("{value} ({origin})")),
                None => Cell::Text(value),
            }
        };
        let mut lines = vec![
            ("name", Cell::Text(self.name.clone())),
            ("status", status(self)),
            ("ready", Cell::Number(self.ready)),
            ("oldest", self.oldest_age.map_or(Cell::Empty, |age| Cell::Span(age.0))),
            ("slots", setting("slots", number(self.slots.map(u64::from)))),
            ("limit", setting("limit", number(self.limit.map(u64::from)))),
            ("rate", setting("rate", self.rate.clone())),
            ("backlog", setting("backlog", number(self.backlog))),
        ];
        lines.extend(STATES.map(|state| (state.as_str(), Cell::Number(count(self, state)))));
        lines
    }
}

fn status(queue: &Queue) -> Cell {
    match queue.paused {
        true => Cell::Toned("paused".into(), Tone::Careful),
        false => Cell::Toned("active".into(), Tone::Good),
    }
}

/// Returns how many of its tasks are in this state.
pub(super) fn count(queue: &Queue, state: State) -> u64 {
    queue.tasks.get(state.as_str()).copied().unwrap_or(0)
}
