//! Where standard output goes.

use anstream::{AutoStream, ColorChoice};
use std::io::IsTerminal;

/// Where standard output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Screen {
    /// To a program or a file.
    Pipe,
    /// To a person.
    Terminal {
        /// Columns of characters.
        width: u16,
        /// Whether colours are wanted (`NO_COLOR`, `CLICOLOR`, `TERM`).
        colour: bool,
    },
}

impl Screen {
    /// Looks where standard output goes.
    pub(super) fn of_stdout() -> Self {
        let stdout = std::io::stdout();
        if !stdout.is_terminal() {
            return Self::Pipe;
        }
        let colour = AutoStream::choice(&stdout) != ColorChoice::Never;
        // A terminal that does not tell its width is as wide as they were.
        let width = comfy_table::Table::new().width().filter(|width| *width > 0).unwrap_or(80);
        Self::Terminal { width, colour }
    }
}
