//! `longshore completions`: what a shell needs to complete commands and flags.

use crate::cli;
use crate::exit::Exit;
use crate::failure::Failure;
use clap::Args;
use clap_complete::Shell;
use std::io::Write;

/// Prints the completions of a shell
///
///   bash:  longshore completions bash > ~/.local/share/bash-completion/completions/longshore
///   zsh:   longshore completions zsh > ~/.zfunc/_longshore
///   fish:  longshore completions fish > ~/.config/fish/completions/longshore.fish
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Completions {
    /// Which shell
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

impl Completions {
    /// Prints them.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut cli::command(), "longshore", &mut script);
        std::io::stdout().write_all(&script)?;
        Ok(Exit::Fine)
    }
}
