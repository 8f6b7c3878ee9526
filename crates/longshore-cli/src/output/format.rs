//! Which form was asked for.

use super::{Listing, Record};
use clap::{Args, ValueEnum};

/// In which form records are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table: for people on a terminal, else with tabs between its cells
    Table,
    /// A table with more columns
    Wide,
    /// JSON: one object for one thing, an array for several
    Json,
    /// JSON: one object a line
    Jsonl,
    /// YAML
    Yaml,
    /// Ids or names alone, one a line
    Name,
}

/// In which form records are printed.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// Form of the output
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "table")]
    pub(crate) format: Format,
}

impl Output {
    /// Begins a list.
    pub(crate) fn list<T: Record>(self) -> Listing<T> {
        Listing::new(self.format, false)
    }

    /// Begins a list that holds one thing if one was named.
    pub(crate) fn list_of<T: Record>(self, named: usize) -> Listing<T> {
        Listing::new(self.format, named == 1)
    }

    /// Prints one thing with all that is known of it.
    pub(crate) fn one<T: Record>(self, record: &T) -> std::io::Result<()> {
        let mut listing = Listing::new(self.format, true).detailed();
        listing.push(record)?;
        listing.finish()
    }
}
