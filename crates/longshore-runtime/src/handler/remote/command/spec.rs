//! What is run, and what it may do.

use crate::exec::Terms;
use crate::handler::{Call, Message};
use longshore_core::{Clock, SystemClock};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// Where programs are looked for if the server itself has no `PATH`.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// What is run for each attempt, and what it may do. Comes from the configuration, never from a
/// task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandSpec {
    /// The program and its arguments; no shell is involved. A name without `/` is looked for in `PATH`.
    pub argv: Vec<String>,
    /// Where it runs. Default: the server's own folder.
    pub cwd: Option<PathBuf>,
    /// Names of the server's environment variables that it gets. Default: none.
    pub env: Vec<String>,
    /// Most bytes of stdout, before and after they were made JSON. Default: 1 MiB.
    pub output: usize,
    /// Most address space of each of its processes, in bytes. Default: no limit.
    pub memory: Option<u64>,
    /// Most processes and threads at once. Counted by a control group where the server may make one;
    /// else by the limit of the system, which counts all processes of the user and does not bind
    /// root. Default: no limit.
    pub processes: Option<u32>,
    /// From TERM to KILL. Default: 10 s.
    pub grace: Duration,
    /// The program that watches over it: one that calls [`run_if_asked`](crate::exec::run_if_asked)
    /// first in `main`, as the binary `longshore` does. Default: `/proc/self/exe`, this program.
    pub exec: PathBuf,
}

/// Why a [`CommandSpec`] cannot be run. Names the field as the configuration does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCommand {
    /// There is no program.
    #[error("command: is empty; name a program and its arguments, such as [\"wc\", \"-w\"]")]
    Empty,
    /// An argument contains a NUL character, which no program can be given.
    #[error("command[{index}]: contains a NUL character; remove it")]
    Nul {
        /// Which argument, from 0.
        index: usize,
    },
    /// A name that no variable can have, or one that the server sets itself.
    #[error(
        "env: {name:?} cannot be passed on; list names of the server's variables, without `=` and not beginning with LONGSHORE_"
    )]
    Env {
        /// The name.
        name: String,
    },
    /// A limit of zero, under which nothing can run.
    #[error("{field}: must be at least 1; leave it out for the default")]
    Zero {
        /// `output`, `memory` or `processes`.
        field: &'static str,
    },
}

impl CommandSpec {
    /// Makes one with every default.
    pub fn new(argv: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            cwd: None,
            env: Vec::new(),
            output: 1 << 20,
            memory: None,
            processes: None,
            grace: Duration::from_secs(10),
            exec: "/proc/self/exe".into(),
        }
    }

    /// Checks what can be known before it is run. Whether the program exists is not: it may come
    /// and go while the server runs.
    pub fn check(&self) -> Result<(), BadCommand> {
        if self.argv.first().is_none_or(String::is_empty) {
            return Err(BadCommand::Empty);
        }
        if let Some(index) = self.argv.iter().position(|argument| argument.contains('\0')) {
            return Err(BadCommand::Nul { index });
        }
        let bad = |name: &&String| {
            name.is_empty() || name.contains(['=', '\0']) || name.starts_with("LONGSHORE_")
        };
        if let Some(name) = self.env.iter().find(bad) {
            return Err(BadCommand::Env { name: name.clone() });
        }
        let limits = [
            ("output", self.output == 0),
            ("memory", self.memory == Some(0)),
            ("processes", self.processes == Some(0)),
        ];
        match limits.iter().find(|(_, zero)| *zero) {
            Some((field, _)) => Err(BadCommand::Zero { field }),
            None => Ok(()),
        }
    }

    /// Returns the program's name, for messages.
    pub(super) fn program(&self) -> &str {
        self.argv.first().map_or("", String::as_str)
    }

    /// Makes the process to start: the watcher, which hands folder and environment on as they are.
    pub(super) fn process(&self, call: &Call) -> Command {
        let terms = Terms { grace: self.grace, memory: self.memory, processes: self.processes };
        let mut command = Command::new(&self.exec);
        command.args(terms.arguments()).args(&self.argv);
        command.env_clear().envs(self.environment(call));
        if let Some(folder) = &self.cwd {
            command.current_dir(folder);
        }
        command
    }

    fn environment(&self, call: &Call) -> Vec<(OsString, OsString)> {
        let path = std::env::var_os("PATH").unwrap_or_else(|| PATH.into());
        let listed =
            self.env.iter().filter_map(|name| Some((name.into(), std::env::var_os(name)?)));
        let left = call.deadline.saturating_duration_since(Instant::now());
        let deadline = SystemClock.now().after(left);
        let of_all = [
            ("LONGSHORE_ATTEMPT", call.task.attempt.to_string()),
            ("LONGSHORE_DEADLINE", deadline.to_string()),
        ];
        let trace = call.task.traceparent.clone().map(|parent| ("TRACEPARENT", parent));
        let own = match &call.message {
            Some(message) => of_message(message),
            None => vec![
                ("LONGSHORE_TASK_ID", call.task.lease.id.to_string()),
                ("LONGSHORE_TOKEN", call.task.lease.token.to_string()),
            ],
        };
        let ours = of_all.into_iter().chain(trace).chain(own);
        // What others publish may hold anything; a variable cannot.
        let ours = ours.map(|(name, value)| (name.into(), value.replace('\0', "").into()));
        std::iter::once(("PATH".into(), path)).chain(listed).chain(ours).collect()
    }
}

fn of_message(message: &Message) -> Vec<(&'static str, String)> {
    let identity = message.identity().map(|id| ("LONGSHORE_MESSAGE_ID", id.to_owned()));
    let topic = message.topic().map(|topic| ("LONGSHORE_TOPIC", topic.to_string()));
    let parameters = Some(message.parameters()).filter(|said| !said.is_null());
    let parameters = parameters.map(|said| ("LONGSHORE_PARAMETERS", said.to_string()));
    let consumer = ("LONGSHORE_CONSUMER", message.consumer().to_owned());
    identity.into_iter().chain(topic).chain(parameters).chain([consumer]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_run_is_told_by_field() {
        let good = CommandSpec::new(["wc", "-w"]);
        let said = |spec: CommandSpec| spec.check().map_err(|bad| bad.to_string());
        assert_eq!(said(good.clone()), Ok(()));
        let bad = [
            (CommandSpec::new([""; 0]), "command: is empty"),
            (CommandSpec::new(["wc", "a\0b"]), "command[1]: contains a NUL"),
            (CommandSpec { env: vec!["A=B".into()], ..good.clone() }, "env: \"A=B\""),
            (CommandSpec { env: vec!["LONGSHORE_TOKEN".into()], ..good.clone() }, "env: "),
            (CommandSpec { output: 0, ..good.clone() }, "output: must be at least 1"),
            (CommandSpec { memory: Some(0), ..good }, "memory: must be"),
        ];
        for (spec, start) in bad {
            let message = said(spec).expect_err(start);
            assert!(message.starts_with(start), "{message}");
        }
    }
}
