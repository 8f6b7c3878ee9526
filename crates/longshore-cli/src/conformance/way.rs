//! How tasks come to the worker: it pulls them, they are pushed to it, or it is run for each.

use super::cases::Case;
use crate::failure::Failure;
use clap::{ArgGroup, Args};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// How tasks come to the worker.
#[derive(Debug, Clone, Args)]
#[group(skip)]
#[command(group(ArgGroup::new("way").required(true).args(["pull", "push", "command"])))]
pub(super) struct Way {
    /// It pulls: the command that starts it. LONGSHORE_URL says where the server is
    ///
    /// All that follows belongs to the command.
    #[arg(long, value_name = "CMD", num_args = 1.., allow_hyphen_values = true)]
    pub(super) pull: Vec<String>,
    /// It is pushed to: where it listens. It runs already
    #[arg(long, value_name = "URL")]
    push: Option<String>,
    /// It is run for each task: the program and its arguments
    ///
    /// All that follows belongs to the command.
    #[arg(long, value_name = "ARGV", num_args = 1.., allow_hyphen_values = true)]
    command: Vec<String>,
    /// What pushes are signed with, as whsec_… or file:PATH
    #[arg(long, value_name = "SECRET", requires = "push")]
    secret: Option<String>,
}

impl Way {
    /// Whether the case can be tried of such a worker.
    pub(super) fn can(&self, case: &Case) -> bool {
        !case.pull_only || !self.pull.is_empty()
    }

    /// Returns the kind's configuration.
    pub(super) fn kind(&self) -> Result<Value, Failure> {
        let here = || {
            std::env::current_dir().map_err(Failure::system("cannot tell where the program runs"))
        };
        if let Some(url) = &self.push {
            let mut kind = json!({ "push": url });
            if let Some(secret) = &self.secret {
                kind["secret"] = match secret.strip_prefix("file:") {
                    Some(path) => format!("file:{}", here()?.join(path).display()).into(),
                    None => secret.as_str().into(),
                };
            }
            return Ok(kind);
        }
        let Some((program, arguments)) = self.command.split_first() else {
            return Ok(json!({ "pull": true }));
        };
        let here = here()?;
        // The server's configuration lies elsewhere, and would be looked from.
        let program = match Path::new(program).components().count() {
            1 => PathBuf::from(program),
            _ => here.join(program),
        };
        let argv: Vec<_> =
            [program.display().to_string()].into_iter().chain(arguments.iter().cloned()).collect();
        Ok(json!({ "command": argv, "cwd": here.display().to_string() }))
    }
}
