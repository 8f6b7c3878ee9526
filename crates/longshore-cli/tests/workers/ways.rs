//! Workers that are pushed to, and commands.

use crate::check::{check, program, shown};
use crate::{PYTHON, needing};
use libtest_mimic::{Failed, Trial};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    [
        needing("ways::a_worker_that_is_pushed_to_stands_it", &[PYTHON], pushed),
        needing("ways::pushes_are_signed_if_a_secret_is_given", &[PYTHON], signed),
        needing("ways::a_receiver_that_takes_everything_for_done_is_caught", &[PYTHON], successful),
        needing("ways::a_command_stands_it", &[PYTHON], command),
        needing("ways::a_command_that_always_fails_for_good_is_caught", &[PYTHON], final_command),
        Trial::test("ways::one_way_must_be_named_and_only_one", one_way),
    ]
    .into_iter()
}

/// A receiver that is pushed to.
struct Receiver {
    child: Child,
    url: String,
}

impl Receiver {
    fn start(args: &[&str], secret: &str) -> Result<Self, Failed> {
        let mut command = Command::new("python3");
        command.arg(program("receiver.py")).args(args).env("SECRET", secret);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut port = String::new();
        let stdout = child.stdout.take().ok_or("no stdout")?;
        BufReader::new(stdout).read_line(&mut port)?;
        Ok(Self { child, url: format!("http://127.0.0.1:{}/", port.trim()) })
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pushed() -> Result<(), Failed> {
    let receiver = Receiver::start(&[], "")?;
    let said = check(&["--push", &receiver.url])?;
    said.failed(&[])?;
    // How fast a machine is depends on what else it does.
    if said.cases("advice").iter().any(|case| *case != "hundred") {
        return Err(said.told("there should be no advice"));
    }
    // What is about a connection that a worker keeps is not tried.
    match said.findings.iter().any(|found| found["case"] == "restart") {
        false => Ok(()),
        true => Err(said.told("a receiver is there without the server")),
    }
}

fn signed() -> Result<(), Failed> {
    let receiver = Receiver::start(&[], SECRET)?;
    check(&["--case", "text", "--secret", SECRET, "--push", &receiver.url])?.failed(&[])?;
    let unsigned = check(&["--case", "text", "--push", &receiver.url])?;
    unsigned.failed(&["first-task"])?;
    match unsigned.why("first-task").contains("401") {
        true => Ok(()),
        false => Err(unsigned.told("it should say what the receiver answered")),
    }
}

fn successful() -> Result<(), Failed> {
    let receiver = Receiver::start(&["successful"], "")?;
    let cases = ["--case", "bad-data", "--case", "text", "--case", "tried-again"];
    let said = check(&[&cases[..], &["--push", &receiver.url]].concat())?;
    said.failed(&["tried-again", "bad-data"])
}

fn command() -> Result<(), Failed> {
    let file = shown(&program("command.py"));
    check(&["--command", "python3", &file])?.failed(&[])
}

fn final_command() -> Result<(), Failed> {
    let file = shown(&program("command.py"));
    let cases = ["--case", "bad-data", "--case", "tried-again"];
    let said = check(&[&cases[..], &["--command", "python3", &file, "final"]].concat())?;
    said.failed(&["tried-again"])
}

fn one_way() -> Result<(), Failed> {
    for args in [&[][..], &["--push", "http://127.0.0.1:9/", "--command", "true"]] {
        let said = check(args)?;
        if said.code != Some(2) {
            return Err(said.told("it should be a wrong usage"));
        }
    }
    Ok(())
}
