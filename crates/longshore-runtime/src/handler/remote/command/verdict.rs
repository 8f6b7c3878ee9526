//! What an ended command means for the attempt. Pure.

use super::output::Captured;
use super::running::Ended;
use super::spec::CommandSpec;
use crate::exec::Report;
use longshore_core::{Fault, FaultClass, Outcome, Payload};
use rustix::io::Errno;
use rustix::process::Signal;
use std::io;

/// Longest message, in characters; the trace has all of it.
const MESSAGE: usize = 500;
/// The codes of `sysexits.h` that say that the data are bad.
const BAD_DATA: [i32; 2] = [64, 65];
/// The code of `sysexits.h` that asks for another try.
const TRY_AGAIN: i32 = 75;

/// Judges an end.
pub(super) fn verdict(spec: &CommandSpec, ended: Ended) -> Outcome {
    let Ended { report, stdout, stderr, stopped } = ended;
    if stdout.over {
        return failed(too_large(spec), "output.too_large", stderr);
    }
    match report {
        Some(Report::NotRun(errno)) => {
            failed(not_run(spec, &io::Error::from_raw_os_error(errno)), code_of(errno), stderr)
        }
        Some(Report::Exited(0)) => result(spec, stdout, stderr),
        // It obeyed, or it was killed: how it ended then says nothing of the task.
        _ if stopped => Outcome::Cancelled,
        Some(Report::Exited(code)) => {
            let class =
                if BAD_DATA.contains(&code) { FaultClass::BadData } else { FaultClass::Transient };
            let ending = match code {
                TRY_AGAIN => "asked for another try (exit code 75)".to_owned(),
                code => format!("ended with exit code {code}"),
            };
            failed(said(class, &stderr, &ending), format!("exit.{code}"), stderr)
        }
        Some(Report::Signalled(signal)) => {
            let name = name_of(signal);
            let ending = format!("was ended by signal {name}");
            failed(said(FaultClass::Transient, &stderr, &ending), format!("signal.{name}"), stderr)
        }
        Some(Report::Started(_)) | None => {
            let lost = Fault::transient("the process that watched over the command was killed");
            failed(lost, "exec.lost", stderr)
        }
    }
}

/// Judges a command whose watcher could not be started.
pub(super) fn not_started(spec: &CommandSpec, error: &io::Error) -> Outcome {
    let missing = spec.cwd.as_ref().filter(|folder| !folder.is_dir());
    let message = match missing {
        Some(folder) => format!("cannot run {:?}: no folder {}", spec.program(), folder.display()),
        None => format!("cannot run {:?} by {}: {error}", spec.program(), spec.exec.display()),
    };
    failed(Fault::new(FaultClass::Dependency, message), "exec.failed", String::new())
}

fn failed(mut fault: Fault, code: impl Into<String>, stderr: String) -> Outcome {
    fault.code = Some(code.into());
    fault.trace = (!stderr.is_empty()).then_some(stderr);
    Outcome::Fault(fault)
}

/// The last line of stderr, or how it ended.
fn said(class: FaultClass, stderr: &str, ending: &str) -> Fault {
    let line = stderr.lines().rev().map(str::trim).find(|line| !line.is_empty());
    let message = line.map(|line| line.chars().take(MESSAGE).collect());
    Fault::new(class, message.unwrap_or_else(|| format!("the command {ending}")))
}

fn too_large(spec: &CommandSpec) -> Fault {
    Fault::bad_data(format!(
        "the command wrote more than {} bytes of result; let it write less, or raise `output` of the kind",
        spec.output
    ))
}

fn not_run(spec: &CommandSpec, error: &io::Error) -> Fault {
    let message = format!(
        "cannot run {:?}: {error}; check `command` of the kind (and, of a script, its first line)",
        spec.program()
    );
    Fault::new(FaultClass::Dependency, message)
}

fn code_of(errno: i32) -> &'static str {
    match Errno::from_raw_os_error(errno) {
        Errno::NOENT | Errno::NOTDIR => "exec.not_found",
        Errno::ACCESS | Errno::PERM | Errno::NOEXEC | Errno::ISDIR => "exec.not_executable",
        _ => "exec.failed",
    }
}

/// What it wrote: JSON as it stands, anything else as a JSON string.
fn result(spec: &CommandSpec, stdout: Captured, stderr: String) -> Outcome {
    let Ok(text) = String::from_utf8(stdout.bytes) else {
        let fault = Fault::bad_data(
            "the command's result is not UTF-8; let it write text, or encode it (base64)",
        );
        return failed(fault, "output.not_utf8", stderr);
    };
    let bare = text.trim();
    if bare.is_empty() || bare == "null" {
        return Outcome::Success(None);
    }
    if serde_json::from_str::<serde::de::IgnoredAny>(bare).is_ok() {
        return Outcome::Success(Some(Payload::from_json(bare)));
    }
    match serde_json::to_string(text.trim_end_matches(['\n', '\r'])) {
        Ok(json) if json.len() <= spec.output => Outcome::Success(Some(Payload::from_json(json))),
        _ => failed(too_large(spec), "output.too_large", stderr),
    }
}

fn name_of(signal: i32) -> String {
    const NAMES: [(Signal, &str); 20] = [
        (Signal::HUP, "HUP"),
        (Signal::INT, "INT"),
        (Signal::QUIT, "QUIT"),
        (Signal::ILL, "ILL"),
        (Signal::TRAP, "TRAP"),
        (Signal::ABORT, "ABRT"),
        (Signal::BUS, "BUS"),
        (Signal::FPE, "FPE"),
        (Signal::KILL, "KILL"),
        (Signal::USR1, "USR1"),
        (Signal::SEGV, "SEGV"),
        (Signal::USR2, "USR2"),
        (Signal::PIPE, "PIPE"),
        (Signal::ALARM, "ALRM"),
        (Signal::TERM, "TERM"),
        (Signal::XCPU, "XCPU"),
        (Signal::XFSZ, "XFSZ"),
        (Signal::VTALARM, "VTALRM"),
        (Signal::PROF, "PROF"),
        (Signal::SYS, "SYS"),
    ];
    let known = NAMES.iter().find(|(known, _)| known.as_raw() == signal);
    known.map_or_else(|| signal.to_string(), |(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(report: Report, stdout: &[u8], stderr: &str) -> Outcome {
        let ended = Ended {
            report: Some(report),
            stdout: Captured { bytes: stdout.to_vec(), over: false },
            stderr: stderr.into(),
            stopped: false,
        };
        verdict(&CommandSpec { output: 16, ..CommandSpec::new(["x"]) }, ended)
    }

    fn wrote(stdout: &[u8]) -> Result<Option<String>, String> {
        match of(Report::Exited(0), stdout, "") {
            Outcome::Success(result) => Ok(result.map(|json| json.as_str().to_owned())),
            Outcome::Fault(fault) => Err(fault.code.unwrap_or_default()),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn what_it_wrote_is_json_or_becomes_a_string() {
        let some = |json: &str| Ok(Some(json.to_owned()));
        assert_eq!(wrote(b"3\n"), some("3"));
        assert_eq!(wrote(b" {\"a\": [1]}\n"), some("{\"a\": [1]}"));
        assert_eq!(wrote(b"  two\nlines\n\n"), some("\"  two\\nlines\""));
        assert_eq!(wrote(b""), Ok(None));
        assert_eq!(wrote(b"\n"), Ok(None));
        assert_eq!(wrote(b"null\n"), Ok(None));
        assert_eq!(wrote(b"\xff"), Err("output.not_utf8".into()));
        assert_eq!(wrote(b"aaaaaaaaaaaaaaaa"), Err("output.too_large".into()));
    }

    #[test]
    fn the_way_it_ended_decides() {
        use FaultClass::{BadData, Dependency, Transient};
        let cases = [
            (Report::Exited(1), Transient, "exit.1", "the command ended with exit code 1"),
            (Report::Exited(64), BadData, "exit.64", "the command ended with exit code 64"),
            (Report::Exited(65), BadData, "exit.65", "the command ended with exit code 65"),
            (Report::Exited(127), Transient, "exit.127", "the command ended with exit code 127"),
            (
                Report::Exited(75),
                Transient,
                "exit.75",
                "the command asked for another try (exit code 75)",
            ),
            (
                Report::Signalled(11),
                Transient,
                "signal.SEGV",
                "the command was ended by signal SEGV",
            ),
            (Report::Signalled(35), Transient, "signal.35", "the command was ended by signal 35"),
            (
                Report::NotRun(2),
                Dependency,
                "exec.not_found",
                "cannot run \"x\": No such file or directory (os error 2); check `command` of the kind (and, of a script, its first line)",
            ),
        ];
        for (report, class, code, message) in cases {
            let expected = Fault { code: Some(code.into()), ..Fault::new(class, message) };
            assert_eq!(of(report, b"", ""), Outcome::Fault(expected));
        }
    }

    #[test]
    fn the_last_line_of_stderr_is_the_message_and_all_of_it_the_trace() {
        let Outcome::Fault(fault) = of(Report::Exited(3), b"", "line 1\n  gave up \n\n") else {
            panic!("it failed");
        };
        assert_eq!(fault.message, "gave up");
        assert_eq!(fault.trace.as_deref(), Some("line 1\n  gave up \n\n"));
    }

    #[test]
    fn told_to_stop_it_may_still_succeed_and_is_cancelled_else() {
        let spec = CommandSpec::new(["x"]);
        let told = |report| {
            let stdout = Captured::default();
            verdict(&spec, Ended { report, stdout, stderr: String::new(), stopped: true })
        };
        assert_eq!(told(Some(Report::Exited(0))), Outcome::Success(None));
        assert_eq!(told(Some(Report::Exited(143))), Outcome::Cancelled);
        assert_eq!(told(Some(Report::Signalled(9))), Outcome::Cancelled);
        assert_eq!(told(None), Outcome::Cancelled);
    }
}
