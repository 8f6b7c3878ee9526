//! `longshore conformance worker` against workers in many languages: those of `examples/workers`
//! must stand it, and each bad one must be caught.
//!
//! | file | what it tries |
//! |---|---|
//! | `examples` | the seven workers of `examples/workers`, those whose language is here |
//! | `bad` | `worker.py` with one thing wrong each |
//! | `ways` | a worker that is pushed to, a command, and bad ones of both |

mod bad;
mod check;
mod examples;
mod ways;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use std::process::{Command, ExitCode, Stdio};

fn main() -> ExitCode {
    let mut args = Arguments::from_args();
    // They wait most of their time, but some are compiled first.
    args.test_threads.get_or_insert(2);
    let trials = examples::trials().chain(bad::trials()).chain(ways::trials()).collect();
    libtest_mimic::run(&args, trials).exit_code()
}

/// A test that calls these programs.
fn needing(
    name: &str,
    needs: &'static [&'static [&'static str]],
    test: impl FnOnce() -> Result<(), Failed> + Send + 'static,
) -> Trial {
    Trial::ignorable_test(name, move || {
        if let Some(missing) = needs.iter().find(|call| !is_there(call)) {
            return Ok(Completion::ignored_with(format!("needs {}", missing[0])));
        }
        test()?;
        Ok(Completion::Completed)
    })
}

fn is_there(call: &[&str]) -> bool {
    let mut command = Command::new(call[0]);
    command.args(&call[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

const PYTHON: &[&str] = &["python3", "--version"];
