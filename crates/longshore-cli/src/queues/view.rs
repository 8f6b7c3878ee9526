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
        wide("CARRIER"),
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
            Cell::text(self.carrier.clone()),
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
            ("carrier", Cell::Text(self.carrier.clone().unwrap_or_else(|| "none".into()))),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_carries_a_queue_is_shown() {
        let queue = |carrier: Option<&str>| -> Queue {
            let read = serde_json::json!({
                "name": "orders", "paused": false, "carrier": carrier, "slots": 16, "tasks": {}, "ready": 0,
                "running": 0, "origin": {},
            });
            serde_json::from_value(read).unwrap()
        };
        let place = Queue::COLUMNS.iter().position(|column| column.title == "CARRIER").unwrap();
        let text = |cell| if let Cell::Text(text) = cell { text } else { String::new() };
        let listed = |queue: &Queue| text(queue.cells().swap_remove(place));
        let shown = |queue: &Queue| {
            let carrier = queue.details().into_iter().find(|(name, _)| *name == "carrier").unwrap();
            text(carrier.1)
        };
        let (carried, own) = (queue(Some("rabbit")), queue(None));
        assert_eq!((listed(&carried).as_str(), shown(&carried).as_str()), ("rabbit", "rabbit"));
        assert_eq!((listed(&own).as_str(), shown(&own).as_str()), ("", "none"));
        assert_eq!(own.cells().len(), Queue::COLUMNS.len());
    }
}
