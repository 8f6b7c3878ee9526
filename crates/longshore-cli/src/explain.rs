//! `longshore explain`: the page of an error code, from the binary itself.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Cell, Column, Output, Record, column};
use clap::Args;
use longshore::http::codes::{CODES, Code, by_name};
use serde::Serialize;
use std::io::Write;

/// Explains an error code: what happened, the likely cause, what to do
///
/// Without a code, it lists all of them.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Explain {
    /// Such as LS-40001, or 40001
    #[arg(value_name = "CODE")]
    code: Option<String>,
    #[command(flatten)]
    output: Output,
}

/// A code as it is listed.
#[derive(Debug, Serialize)]
struct Listed {
    code: String,
    status: u16,
    title: &'static str,
}

impl From<&Code> for Listed {
    fn from(code: &Code) -> Self {
        Self { code: code.name(), status: code.status().as_u16(), title: code.title }
    }
}

impl Record for Listed {
    const COLUMNS: &'static [Column] = &[column("CODE"), column("TITLE")];

    fn cells(&self) -> Vec<Cell> {
        vec![Cell::Text(self.code.clone()), Cell::Text(self.title.to_owned())]
    }

    fn name(&self) -> String {
        self.code.clone()
    }
}

impl Explain {
    /// Prints the page, or the list.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Some(asked) = self.code else {
            let mut listing = self.output.list();
            CODES.iter().try_for_each(|code| listing.push(&Listed::from(*code)))?;
            listing.finish()?;
            return Ok(Exit::Fine);
        };
        let name = asked.to_ascii_uppercase();
        let name = if name.starts_with("LS-") { name } else { format!("LS-{name}") };
        let code = by_name(&name).ok_or_else(|| {
            Failure::NotFound(format!(
                "there is no error code {asked}; `longshore explain` lists all of them"
            ))
        })?;
        std::io::stdout().write_all(code.page.as_bytes())?;
        Ok(Exit::Fine)
    }
}
