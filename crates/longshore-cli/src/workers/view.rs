//! Workers as they are printed.

use crate::output::{Cell, Column, Record, Tone, column, wide};
use longshore::client::Worker;

impl Record for Worker {
    const COLUMNS: &'static [Column] = &[
        column("WORKER"),
        column("STATUS"),
        column("HOST"),
        column("USED"),
        column("FREE"),
        column("HEARD"),
        column("KINDS"),
        wide("PID"),
        wide("VERSION"),
        wide("STARTED"),
        wide("TASKS"),
    ];

    fn cells(&self) -> Vec<Cell> {
        let tone = match self.status.as_str() {
            "active" => Tone::Good,
            "draining" => Tone::Careful,
            _ => Tone::Bad,
        };
        vec![
            Cell::Text(self.worker.clone()),
            Cell::Toned(self.status.clone(), tone),
            Cell::Text(self.host.clone()),
            Cell::maybe(Some(self.slots.used)),
            Cell::maybe(Some(self.slots.free)),
            Cell::Time(self.seen_at),
            Cell::Text(self.kinds.join(",")),
            Cell::maybe(Some(self.pid)),
            Cell::Text(self.version.clone()),
            Cell::Time(self.started_at),
            Cell::Text(self.tasks.join(",")),
        ]
    }

    fn name(&self) -> String {
        self.worker.clone()
    }
}
