//! Consumers as they are printed.

use crate::output::{Cell, Column, Record, Tone, column, wide};
use longshore::client::Consumer;

impl Record for Consumer {
    const COLUMNS: &'static [Column] = &[
        column("NAME"),
        column("STATE"),
        column("BROKER"),
        column("TOPICS"),
        column("GROUP"),
        column("PARALLEL"),
        column("RUNNING"),
        column("SINCE"),
        column("REASON"),
        wide("MODE"),
        wide("ATTEMPTS"),
        wide("TIMEOUT"),
        wide("DEAD LETTERS"),
    ];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::Text(self.name.clone()),
            state(self),
            Cell::Text(self.broker.clone()),
            Cell::Text(self.topics.join(",")),
            Cell::text(self.group.clone()),
            Cell::Number(self.concurrency.parallel.into()),
            Cell::Number(self.running),
            Cell::Time(self.since),
            Cell::text(self.reason.clone()),
            Cell::Text(self.mode.clone()),
            Cell::Number(self.max_attempts.into()),
            self.timeout.map_or(Cell::Empty, |time| Cell::Span(time.0)),
            Cell::text(self.dead_letter.clone()),
        ]
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn details(&self) -> Vec<(&'static str, Cell)> {
        let waiting = self.waiting;
        let oldest = waiting.and_then(|waiting| waiting.oldest_age);
        vec![
            ("name", Cell::Text(self.name.clone())),
            ("state", state(self)),
            ("reason", Cell::text(self.reason.clone())),
            ("since", Cell::Time(self.since)),
            ("broker", Cell::Text(self.broker.clone())),
            ("topics", Cell::Text(self.topics.join(", "))),
            ("group", Cell::text(self.group.clone())),
            ("mode", Cell::Text(self.mode.clone())),
            ("parallel", Cell::Number(self.concurrency.parallel.into())),
            ("prefetch", Cell::Number(self.prefetch)),
            ("decode", Cell::Text(self.decode.clone())),
            ("attempts", Cell::Number(self.max_attempts.into())),
            ("timeout", self.timeout.map_or(Cell::Empty, |time| Cell::Span(time.0))),
            ("dead letters", Cell::text(self.dead_letter.clone())),
            ("running", Cell::Number(self.running)),
            ("ready", Cell::maybe(waiting.map(|waiting| waiting.ready))),
            ("in flight", Cell::maybe(waiting.and_then(|waiting| waiting.in_flight))),
            ("consumers", Cell::maybe(waiting.and_then(|waiting| waiting.consumers))),
            ("oldest", oldest.map_or(Cell::Empty, |age| Cell::Span(age.0))),
        ]
    }
}

fn state(consumer: &Consumer) -> Cell {
    let tone = match consumer.state.as_str() {
        "running" => Tone::Good,
        "refused" => Tone::Bad,
        _ => Tone::Careful,
    };
    Cell::Toned(consumer.state.clone(), tone)
}
