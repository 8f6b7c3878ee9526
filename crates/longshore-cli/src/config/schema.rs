//! `longshore config schema`: the JSON Schema of the configuration file.

use crate::exit::Exit;
use crate::failure::Failure;
use clap::Args;
use std::io::Write;

/// Prints the JSON Schema of the configuration file, for editors.
#[derive(Debug, Args)]
pub(crate) struct Schema {}

impl Schema {
    /// Prints it.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let schema = serde_json::to_string_pretty(&longshore::config::schema());
        let schema = schema.map_err(std::io::Error::from)? + "\n";
        std::io::stdout().write_all(schema.as_bytes())?;
        Ok(Exit::Fine)
    }
}
