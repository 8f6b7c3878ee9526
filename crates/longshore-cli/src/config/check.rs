//! `longshore config check`: tells everything that is wrong with the configuration.

use super::Place;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Cell, Column, Format, Output, Record, column};
use clap::Args;
use longshore::config::{Fault, Flags, Origin};
use serde::Serialize;
use std::io::Write;

/// Tells everything that is wrong with the configuration
///
/// Each fault is a line: `longshore.yaml:12:5: queues.mail.slots: must be …`.
/// Exit code 8 if there is one.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Check {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    output: Output,
}

/// A fault as it is printed.
#[derive(Debug, Serialize)]
struct Found {
    file: Option<String>,
    line: Option<u64>,
    column: Option<u64>,
    key: String,
    message: String,
    #[serde(skip)]
    text: String,
}

impl From<&Fault> for Found {
    fn from(fault: &Fault) -> Self {
        let (file, line, column) = match &fault.origin {
            Origin::File { file, line, column } => {
                let known = |number: u64| Some(number).filter(|number| *number > 0);
                (Some(file.display().to_string()), known(*line), known(*column))
            }
            _ => (None, None, None),
        };
        let (key, message) = (fault.key.clone(), fault.message.clone());
        Self { file, line, column, key, message, text: fault.to_string() }
    }
}

impl Record for Found {
    const COLUMNS: &'static [Column] = &[column("FAULT")];

    fn cells(&self) -> Vec<Cell> {
        vec![Cell::Text(self.text.clone())]
    }

    fn name(&self) -> String {
        self.key.clone()
    }
}

impl Check {
    /// Checks it.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let loaded = self.place.load(Flags::default());
        let faults: Vec<Found> = match &loaded {
            Ok(_) => Vec::new(),
            Err(error) => error.faults().iter().map(Found::from).collect(),
        };
        if matches!(self.output.format, Format::Table | Format::Wide) {
            let mut out = std::io::stdout().lock();
            for fault in &faults {
                writeln!(out, "{}", fault.text)?;
            }
        } else {
            let mut listing = self.output.list();
            faults.iter().try_for_each(|fault| listing.push(fault))?;
            listing.finish()?;
        }
        match loaded {
            Ok(config) => {
                let from = config.file().map(|file| file.display().to_string());
                let from = from.unwrap_or_else(|| "no file: the defaults hold".into());
                anstream::eprintln!("longshore: the configuration is fine ({from})");
                Ok(Exit::Fine)
            }
            Err(_) => Ok(Exit::Problems),
        }
    }
}
