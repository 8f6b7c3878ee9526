//! Tasks run by a program: payload on stdin, result on stdout, the exit code decides.
//!
//! | the command | the attempt |
//! |---|---|
//! | ends with 0 | success; stdout is the result: JSON if it is JSON, else a JSON string without the line ends at its end; nothing is `null` |
//! | 75 (`EX_TEMPFAIL`) | `transient`, code `exit.75`: tried again |
//! | 64, 65 (`EX_USAGE`, `EX_DATAERR`) | `bad_data`, code `exit.64`, `exit.65`: straight to the dead letters |
//! | any other code | `transient`, code `exit.<n>`, for the policy to decide |
//! | is ended by a signal | `transient`, code `signal.<NAME>` |
//! | cannot be run | `dependency`, code `exec.not_found`, `exec.not_executable` or `exec.failed` |
//! | writes more than it may, or not UTF-8 | `bad_data`, code `output.too_large` (and it is killed), `output.not_utf8` |
//!
//! The last line of stderr is the error's message, its last 8 KiB are the trace. The environment is
//! empty but for `PATH`, the names that the configuration lists, `LONGSHORE_TASK_ID`,
//! `LONGSHORE_ATTEMPT`, `LONGSHORE_TOKEN`, `LONGSHORE_DEADLINE` and, if the task has one,
//! `TRACEPARENT`. Of a message there are `LONGSHORE_MESSAGE_ID`, `LONGSHORE_TOPIC`, `LONGSHORE_CONSUMER` and
//! `LONGSHORE_PARAMETERS` (JSON) in the place of id and token. Stdin is a file in memory: whether the command reads it is
//! its own affair.
//!
//! A command that is cancelled, whose time is up or whose server drains is sent TERM, and KILL
//! after the grace, both with its whole process group. What it left behind when it ends is killed,
//! in whatever group or session it is; so is all of it when the server dies (see [`crate::exec`]).

mod output;
mod running;
mod spec;
mod verdict;

pub use spec::{BadCommand, CommandSpec};

use crate::handler::{BoxHandler, Call, Handler};
use longshore_core::Outcome;
use running::Running;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

struct Command(Arc<CommandSpec>);

/// Returns a handler that runs that command for each attempt.
pub fn command(spec: CommandSpec) -> BoxHandler {
    BoxHandler::new(Command(Arc::new(spec)))
}

impl Handler for Command {
    fn call(&self, call: Call) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
        let spec = self.0.clone();
        Box::pin(async move {
            match Running::start(&spec, &call).await {
                Ok(running) => verdict::verdict(&spec, running.end(&spec, &call).await),
                Err(error) => verdict::not_started(&spec, &error),
            }
        })
    }

    fn runs_outside(&self) -> bool {
        true
    }
}
