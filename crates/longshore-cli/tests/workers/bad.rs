//! Bad workers: `worker.py` with one thing wrong each. The check must say which.

use crate::check::{check, examples, folder, shown};
use crate::{PYTHON, needing};
use libtest_mimic::{Failed, Trial};

/// A line of `worker.py`, what stands there instead, and what the check must say.
struct Bad {
    name: &'static str,
    line: &'static str,
    instead: &'static str,
    /// What is tried of it.
    cases: &'static [&'static str],
    fails: &'static [&'static str],
    /// Part of why the first one fails.
    because: &'static str,
}

const TELLS: &str = r#"call(f"/v1/leases/{task['lease']}/{end}", told)"#;
const LATE: &str = "error.code == 409: return None";
const READS: &str = "json.load(urllib.request.urlopen(request, timeout=30))";

const BAD: &[Bad] = &[
    Bad {
        name: "swallows_a_task",
        line: TELLS,
        instead: r#"work.get("value") == 7 or call(f"/v1/leases/{task['lease']}/{end}", told)"#,
        cases: &["text", "ten-at-once"],
        fails: &["ten-at-once"],
        because: "after 7 of 10: a task is still running",
    },
    Bad {
        name: "rounds_large_integers",
        line: READS,
        instead: "json.load(urllib.request.urlopen(request, timeout=30), parse_int=lambda it: int(float(it)))",
        cases: &["text", "integers"],
        fails: &["integers"],
        because: "the result is [9007199254740992,",
    },
    Bad {
        name: "dies_at_the_first_end_that_comes_too_late",
        line: LATE,
        instead: "error.code == 409: raise SystemExit(3)",
        cases: &["late-end", "text"],
        fails: &["late-end"],
        because: "the worker ended (exit status: 3)",
    },
    Bad {
        name: "tells_an_end_that_came_too_late_again_and_again",
        line: LATE,
        instead: "error.code == 410: return None",
        cases: &["text", "late-end"],
        fails: &["late-end"],
        because: "a task is still pending",
    },
    Bad {
        name: "reports_success_for_everything",
        line: r#"if work["do"] == "fail":"#,
        instead: "if False:",
        cases: &["tried-again", "bad-data", "text"],
        fails: &["tried-again", "bad-data"],
        because: "the task ended as success, not as failed",
    },
    Bad {
        name: "never_tries_again",
        line: r#"{"class": work["class"],"#,
        instead: r#"{"class": "bad_data","#,
        cases: &["tried-again", "bad-data"],
        fails: &["tried-again"],
        because: "the task failed in attempt 1, not in attempt 2",
    },
    Bad {
        name: "dies_when_the_server_goes_away",
        line: "            time.sleep(1)\n",
        instead: "            raise\n",
        cases: &["restart"],
        fails: &["restart"],
        because: "the worker ended",
    },
    Bad {
        name: "loses_what_it_was_given_in_a_text",
        line: r#"told = {"result": work["value"]}"#,
        instead: r#"told = {"result": str(work["value"]).encode("ascii", "replace").decode() if work["value"] is not None else None}"#,
        cases: &["text", "nested"],
        fails: &["text", "nested"],
        because: "the result is",
    },
    Bad {
        name: "does_nothing",
        line: r#"{"kinds": ["conformance"],"#,
        instead: r#"{"kinds": ["another"],"#,
        cases: &["text"],
        fails: &["first-task"],
        because: "a task is still pending",
    },
];

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    let caught = BAD.iter().map(|bad| {
        needing(&format!("bad::one_that_{}_is_caught", bad.name), &[PYTHON], || is_caught(bad))
    });
    let others = [
        needing("bad::one_that_tells_each_end_twice_is_advised", &[PYTHON], is_advised),
        Trial::test("bad::one_that_ends_at_once_is_caught", ends_at_once),
        Trial::test("bad::one_that_cannot_be_started_is_told", cannot_be_started),
    ];
    caught.chain(others)
}

fn is_caught(bad: &Bad) -> Result<(), Failed> {
    let said = tried(bad.line, bad.instead, bad.cases)?;
    said.failed(bad.fails)?;
    match said.why(bad.fails[0]).contains(bad.because) {
        true => Ok(()),
        false => Err(said.told(&format!("it should say {:?}", bad.because))),
    }
}

fn is_advised() -> Result<(), Failed> {
    let said = tried(TELLS, &format!("{TELLS}; {TELLS}"), &["text", "told-once"])?;
    said.failed(&[])?;
    match said.cases("advice").as_slice() {
        ["told-once"] => Ok(()),
        _ => Err(said.told("it should be advised to tell each end once")),
    }
}

fn ends_at_once() -> Result<(), Failed> {
    let said = check(&["--pull", "true"])?;
    said.failed(&["first-task"])?;
    match said.findings.len() {
        1 => Ok(()),
        _ => Err(said.told("nothing else should be tried")),
    }
}

fn cannot_be_started() -> Result<(), Failed> {
    let said = check(&["--pull", "./no-such-worker"])?;
    match (said.code, said.findings.is_empty()) {
        (Some(1), true) => Ok(()),
        _ => Err(said.told("it should not begin")),
    }
}

/// Tries `worker.py` with something else instead of a line.
fn tried(line: &str, instead: &str, cases: &[&str]) -> Result<crate::check::Said, Failed> {
    let good = std::fs::read_to_string(examples().join("worker.py"))?;
    if good.matches(line).count() != 1 {
        return Err(format!("worker.py should have {line:?} once").into());
    }
    let folder = folder()?;
    let file = folder.path().join("worker.py");
    std::fs::write(&file, good.replace(line, instead))?;
    let mut args = vec!["--start", "20s", "--patience", "8s"];
    args.extend(cases.iter().flat_map(|case| ["--case", case]));
    let file = shown(&file);
    check(&[&args[..], &["--pull", "python3", &file]].concat())
}
