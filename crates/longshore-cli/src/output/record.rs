//! What can be printed.

use super::Cell;
use serde::Serialize;

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// Its head.
    pub(crate) title: &'static str,
    /// Whether only a wide table has it.
    pub(crate) wide: bool,
}

/// Makes a column of every table.
pub(crate) const fn column(title: &'static str) -> Column {
    Column { title, wide: false }
}

/// Makes a column of wide tables.
pub(crate) const fn wide(title: &'static str) -> Column {
    Column { title, wide: true }
}

/// Something that can be printed; as JSON it is as it serializes.
pub(crate) trait Record: Serialize {
    /// The columns of a table of several.
    const COLUMNS: &'static [Column];

    /// Returns what stands in its columns.
    fn cells(&self) -> Vec<Cell>;

    /// Returns its id or name.
    fn name(&self) -> String;

    /// Returns all that is known of it, each with its label.
    fn details(&self) -> Vec<(&'static str, Cell)> {
        Self::COLUMNS.iter().map(|column| column.title).zip(self.cells()).collect()
    }
}
