//! Schedules as they are printed.

use crate::output::{Cell, Column, Record, Tone, column, wide};
use longshore::client::{Schedule, Slot};

impl Record for Schedule {
    const COLUMNS: &'static [Column] = &[
        column("ID"),
        column("NAME"),
        column("STATUS"),
        column("CRON"),
        column("ZONE"),
        column("KIND"),
        column("NEXT"),
        column("LAST"),
        wide("MISSED"),
        wide("QUEUE"),
        wide("ORIGIN"),
        wide("PROBLEM"),
    ];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::Text(self.id.clone()),
            Cell::text(self.name.clone()),
            status(self),
            Cell::Text(self.cron.clone()),
            Cell::Text(self.timezone.clone()),
            Cell::Text(self.kind.clone()),
            Cell::time(self.next_slot),
            Cell::time(self.last_slot),
            Cell::Text(self.missed.as_str().to_owned()),
            Cell::text(self.queue.clone()),
            Cell::Text(self.origin.clone()),
            Cell::text(self.problem.clone()),
        ]
    }

    fn name(&self) -> String {
        self.id.clone()
    }

    fn details(&self) -> Vec<(&'static str, Cell)> {
        let origin = match self.overridden.as_slice() {
            [] => self.origin.clone(),
            fields => format!("{}, but set by hand: {}", self.origin, fields.join(", ")),
        };
        let mut lines = vec![
            ("id", Cell::Text(self.id.clone())),
            ("name", Cell::text(self.name.clone())),
            ("status", status(self)),
            ("problem", Cell::text(self.problem.clone())),
            ("cron", Cell::Text(self.cron.clone())),
            ("timezone", Cell::Text(self.timezone.clone())),
            ("missed", Cell::Text(self.missed.as_str().to_owned())),
            ("next", Cell::time(self.next_slot)),
            ("last", Cell::time(self.last_slot)),
            ("origin", Cell::Text(origin)),
            ("created", Cell::Time(self.created_at)),
            ("kind", Cell::Text(self.kind.clone())),
            ("queue", Cell::text(self.queue.clone())),
            ("priority", Cell::maybe(self.priority)),
            ("tags", Cell::text(self.tags.join(", "))),
        ];
        if let Some(payload) = &self.payload {
            lines.push(("payload", Cell::Block(payload.get().to_owned())));
        }
        lines
    }
}

fn status(schedule: &Schedule) -> Cell {
    match schedule {
        Schedule { paused: true, .. } => Cell::Toned("paused".into(), Tone::Careful),
        Schedule { problem: Some(_), .. } => Cell::Toned("failing".into(), Tone::Bad),
        Schedule { next_slot: None, .. } => Cell::Toned("over".into(), Tone::Faint),
        _ => Cell::Toned("active".into(), Tone::Good),
    }
}

impl Record for Slot {
    const COLUMNS: &'static [Column] = &[column("SLOT"), column("LOCAL")];

    fn cells(&self) -> Vec<Cell> {
        vec![Cell::Time(self.slot), Cell::Text(self.local.clone())]
    }

    fn name(&self) -> String {
        self.slot.to_string()
    }
}
