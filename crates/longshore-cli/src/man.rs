//! `longshore man`: the manual, made of the same texts as the help.

use crate::cli;
use crate::exit::Exit;
use crate::failure::Failure;
use clap::{Args, Command};
use clap_mangen::Man;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Prints the manual page, or writes one for every command into a folder
///
///   longshore man | man -l -
///   longshore man --dir ~/.local/share/man/man1
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Manual {
    /// Where to write the pages; made if it is not there
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Manual {
    /// Prints or writes it.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let mut command = cli::command().disable_help_subcommand(true);
        command.build();
        let Some(dir) = self.dir else {
            std::io::stdout().write_all(&page(command, "longshore")?)?;
            return Ok(Exit::Fine);
        };
        let what = || format!("cannot write the manual to {}", dir.display());
        std::fs::create_dir_all(&dir).map_err(Failure::system(what()))?;
        write(&dir, command, "longshore").map_err(Failure::system(what()))?;
        Ok(Exit::Fine)
    }
}

/// Writes the page of a command and those of the commands below it.
fn write(dir: &Path, command: Command, name: &str) -> std::io::Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        write(dir, below.clone(), &format!("{name}-{}", below.get_name()))?;
    }
    std::fs::write(dir.join(format!("{name}.1")), page(command, name)?)
}

fn page(command: Command, name: &str) -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    // A page carries the name under which it is looked for.
    let command = command.display_name(name.to_owned());
    Man::new(command).title(name).date("").render(&mut page)?;
    Ok(page)
}
