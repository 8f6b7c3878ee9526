//! `longshore config show`: the configuration as it holds, and where each value was said.

use super::Place;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Cell, Column, Format, Output, Record, column, wide, yaml};
use clap::Args;
use longshore::config::{Flags, Setting};
use std::io::Write;

/// Shows the configuration as it holds, secrets masked
///
/// Defaults, then the file, then the environment. It is printed as YAML of the form
/// of the file, or with `-o json` as JSON.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Show {
    /// One line for each value, with where it was said
    #[arg(long)]
    origin: bool,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    output: Output,
}

impl Record for Setting {
    const COLUMNS: &'static [Column] =
        &[column("KEY"), column("VALUE"), column("ORIGIN"), wide("LIVE")];

    fn cells(&self) -> Vec<Cell> {
        let value = match &self.value {
            serde_json::Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        let live = if self.live { "yes" } else { "after a restart" };
        vec![
            Cell::Text(self.key.clone()),
            Cell::Text(value),
            Cell::Text(self.origin.to_string()),
            Cell::Text(live.to_owned()),
        ]
    }

    fn name(&self) -> String {
        self.key.clone()
    }
}

impl Show {
    /// Shows it.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let config = match self.place.load(Flags::default()) {
            Ok(config) => config,
            Err(error) => {
                anstream::eprintln!("longshore: {error}");
                return Ok(Exit::Problems);
            }
        };
        let format = self.output.format;
        if self.origin || format == Format::Name || format == Format::Jsonl {
            let mut listing = self.output.list();
            config.origins().iter().try_for_each(|setting| listing.push(setting))?;
            listing.finish()?;
            return Ok(Exit::Fine);
        }
        let text = match format {
            Format::Json => serde_json::to_string_pretty(&config.to_json()).map(|json| json + "\n"),
            _ => yaml(&config.to_json()),
        };
        let text = text.map_err(std::io::Error::from)?;
        std::io::stdout().write_all(text.as_bytes())?;
        Ok(Exit::Fine)
    }
}
