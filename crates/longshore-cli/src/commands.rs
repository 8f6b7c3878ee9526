//! Kinds that commands run, from the command line: for the tests, which have no configuration.

use longshore::Builder;
use longshore::core::Span;
use longshore::handler::remote::command::{CommandSpec, command};
use std::path::PathBuf;
use std::str::FromStr;

/// A kind, as `NAME=JSON` names it.
#[derive(Debug, Clone)]
pub(crate) struct CommandKind {
    name: String,
    spec: CommandSpec,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    command: Vec<String>,
    cwd: Option<PathBuf>,
    #[serde(default)]
    env: Vec<String>,
    output: Option<usize>,
    memory: Option<u64>,
    processes: Option<u32>,
    grace: Option<Span>,
}

impl FromStr for CommandKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, json) = text.split_once('=').ok_or("must be NAME=JSON")?;
        let keys: Keys = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let default = CommandSpec::new(keys.command);
        let spec = CommandSpec {
            cwd: keys.cwd,
            env: keys.env,
            output: keys.output.unwrap_or(default.output),
            memory: keys.memory,
            processes: keys.processes,
            grace: keys.grace.map_or(default.grace, |grace| grace.0),
            ..default
        };
        spec.check().map_err(|bad| bad.to_string())?;
        Ok(Self { name: name.to_owned(), spec })
    }
}

impl CommandKind {
    /// Adds it.
    pub(crate) fn add_to(&self, builder: Builder) -> Builder {
        builder.boxed_handler(&self.name, command(self.spec.clone()))
    }
}
