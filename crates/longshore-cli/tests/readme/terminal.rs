//! The terminals in which a page is run.

use crate::blocks::{Block, Step};
use crate::compare::{bare, fits};
use libtest_mimic::Failed;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a command, a start or a reload may take; far above what any of them takes.
const PATIENCE: Duration = Duration::from_secs(300);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// What the pages show instead of the ports of this run.
const ADDR: &str = "127.0.0.1:8080";
const OTHER: &str = "9000";

/// The terminals of one page, and its folder.
pub(crate) struct Terminal {
    folder: tempfile::TempDir,
    path: OsString,
    /// Where the page's own receiver listens.
    other: u16,
    server: Option<Server>,
    others: Vec<Server>,
}

/// A program in a terminal of its own.
struct Server {
    child: Child,
    output: PathBuf,
    /// Where it listens, if it is ours.
    addr: String,
}

impl Terminal {
    pub(crate) fn new() -> Result<Self, Failed> {
        let folder = tempfile::Builder::new().prefix("longshore-page-").tempdir()?;
        let programs = folder.path().join(".programs");
        std::fs::create_dir(&programs)?;
        symlink(env!("CARGO_BIN_EXE_longshore"), programs.join("longshore"))?;
        let mut path = OsString::from(programs);
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let other = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        Ok(Self { folder, path, other, server: None, others: Vec::new() })
    }

    /// Does what a block says.
    pub(crate) fn do_block(&mut self, block: &Block) -> Result<(), Failed> {
        if let Some(name) = &block.file {
            return self.write(name, &block.text);
        }
        for step in block.steps() {
            self.do_step(&step).map_err(|failed| {
                format!("$ {}\n{}", step.command, failed.message().unwrap_or_default())
            })?;
        }
        Ok(())
    }

    fn do_step(&mut self, step: &Step) -> Result<(), Failed> {
        let command = step.command.replace("cargo run --release --", "longshore");
        if command.starts_with("cargo build") || command.starts_with("cargo install") {
            return Ok(());
        }
        let words: Vec<&str> = command.split_whitespace().collect();
        match words.as_slice() {
            ["longshore", "dev" | "serve", ..] => self.serve(&command, step),
            ["python3", ..] => self.receive(&command, step),
            _ => self.run(&command, step),
        }
    }

    /// Runs a command to its end.
    fn run(&self, command: &str, step: &Step) -> Result<(), Failed> {
        let output = self.folder.path().join(".output");
        let mut child = self.begin(command, &output)?;
        let status = until(|| Ok(child.try_wait()?))?;
        let printed = self.as_shown(&std::fs::read_to_string(&output)?);
        match &step.shown {
            Some(shown) if !fits(shown, &printed) => Err(differs(shown, &printed)),
            None if !status.success() => Err(format!("{status}\n{printed}").into()),
            _ => Ok(()),
        }
    }

    /// Starts Longshore in a terminal of its own, on a free port.
    fn serve(&mut self, command: &str, step: &Step) -> Result<(), Failed> {
        self.stop()?;
        let output = self.folder.path().join(".server");
        let mut child = self.begin(&format!("exec {command} --listen 127.0.0.1:0"), &output)?;
        let ready = until(|| {
            let printed = std::fs::read_to_string(&output)?;
            let addr = printed
                .split_once("is ready: http://")
                .and_then(|(_, rest)| Some(rest.split_once(' ')?.0.to_owned()));
            match (addr, child.try_wait()?) {
                (Some(addr), _) => Ok(Some(Ok(addr))),
                (None, Some(status)) => Ok(Some(Err(format!("{status}\n{printed}")))),
                (None, None) => Ok(None),
            }
        })?;
        let addr = ready?;
        self.server = Some(Server { child, output, addr });
        self.shows(step)
    }

    /// Waits until a server shows what the page shows.
    fn shows(&self, step: &Step) -> Result<(), Failed> {
        let (Some(shown), Some(server)) = (&step.shown, &self.server) else { return Ok(()) };
        let mut printed = String::new();
        let seen = until(|| {
            printed = self.as_shown(&std::fs::read_to_string(&server.output)?);
            Ok(fits(shown, &printed).then_some(()))
        });
        seen.map_err(|_| differs(shown, &printed))
    }

    /// Starts a program of the page. One that names the page's other port listens there.
    fn receive(&mut self, command: &str, step: &Step) -> Result<(), Failed> {
        let output = self.folder.path().join(".receiver");
        let child = self.begin(&format!("exec {command}"), &output)?;
        self.others.push(Server { child, output, addr: String::new() });
        let port = self.other;
        let program = command.split_whitespace().find(|word| word.ends_with(".py"));
        let path = program.map(|program| self.folder.path().join(program));
        let text = path.map(std::fs::read_to_string).transpose()?;
        if text.is_some_and(|text| !text.contains(&port.to_string())) {
            return Ok(());
        }
        until(|| Ok(TcpStream::connect(("127.0.0.1", port)).is_ok().then_some(())))
            .map_err(|_| format!("it does not listen at port {OTHER}: {}", step.command))?;
        Ok(())
    }

    /// Writes a file; what runs takes it over first.
    fn write(&mut self, name: &str, text: &str) -> Result<(), Failed> {
        let before = self.reloaded()?;
        std::fs::write(self.folder.path().join(name), self.as_run(text))?;
        if self.server.is_some() && name.starts_with("longshore.") {
            until(|| Ok((self.reloaded()? != before).then_some(())))?;
        }
        Ok(())
    }

    /// The configuration in force, as the server shows it.
    fn reloaded(&mut self) -> Result<Option<String>, Failed> {
        let Some(server) = &mut self.server else { return Ok(None) };
        if server.child.try_wait()?.is_some() {
            return Err("the server has ended".into());
        }
        let url = format!("http://{}/v1/config", server.addr);
        let answer = Command::new("curl").args(["-s", &url]).output()?;
        Ok(Some(String::from_utf8_lossy(&answer.stdout).into_owned()))
    }

    fn begin(&self, command: &str, output: &Path) -> Result<Child, Failed> {
        let file = File::create(output)?;
        let mut bash = Command::new("bash");
        bash.args(["-c", &self.as_run(command)]).current_dir(self.folder.path());
        bash.env("PATH", &self.path).env("NO_COLOR", "1").env("PYTHONUNBUFFERED", "1");
        if let Some(server) = &self.server {
            bash.env("LONGSHORE_SERVER", format!("http://{}", server.addr));
        }
        bash.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        Ok(bash.spawn()?)
    }

    fn as_run(&self, text: &str) -> String {
        let addr = self.server.as_ref().map_or(ADDR, |server| &server.addr);
        text.replace(ADDR, addr).replace(OTHER, &self.other.to_string())
    }

    fn as_shown(&self, text: &str) -> String {
        let addr = self.server.as_ref().map_or(ADDR, |server| &server.addr);
        text.replace(addr, ADDR).replace(&self.other.to_string(), OTHER)
    }

    /// Stops the server, as Ctrl-C would.
    fn stop(&mut self) -> Result<(), Failed> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        server.end(Signal::TERM)
    }

    /// Closes all terminals.
    pub(crate) fn leave(mut self) -> Result<(), Failed> {
        self.stop()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        for mut server in self.server.take().into_iter().chain(self.others.drain(..)) {
            let _ = server.end(Signal::KILL);
        }
    }
}

impl Server {
    fn end(&mut self, signal: Signal) -> Result<(), Failed> {
        if self.child.try_wait()?.is_none() {
            let pid = Pid::from_raw(i32::try_from(self.child.id())?).ok_or("no process")?;
            kill_process(pid, signal)?;
        }
        let ended = until(|| Ok(self.child.try_wait()?));
        if ended.is_err() {
            self.child.kill()?;
        }
        ended.map(drop)
    }
}

fn differs(shown: &str, printed: &str) -> Failed {
    format!(
        "shown:\n{shown}\nprinted:\n{printed}\ncompared as:\n{}\n{}",
        bare(shown),
        bare(printed)
    )
    .into()
}

/// Looks until there is something to see.
fn until<T>(mut look: impl FnMut() -> Result<Option<T>, Failed>) -> Result<T, Failed> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look()? {
            return Ok(seen);
        }
        if Instant::now() > deadline {
            return Err(format!("not within {PATIENCE:?}").into());
        }
        std::thread::sleep(LOOK);
    }
}
