//! The real binary as a test sees it: started on a port of its own, asked, killed, started again on
//! the same data.

use crate::client::Client;
use libtest_mimic::Failed;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a start may take before a test gives up on it; far above what is demanded anywhere.
const START: Duration = Duration::from_secs(30);

/// Where nobody listens.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// How to start a server: `longshore dev` on a free port, with these data and this environment. Or a
/// worker.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    binary: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
}

/// A server that answered its address.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) addr: SocketAddr,
    stderr: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

/// A server that ended before it was ready.
#[derive(Debug)]
pub(crate) struct NotStarted {
    pub(crate) status: ExitStatus,
    pub(crate) stderr: String,
}

impl Launch {
    /// A server with the fail points and the effect ledger compiled in.
    pub(crate) fn new(data: impl Into<PathBuf>) -> Self {
        Self::of(["dev", "--listen", "127.0.0.1:0", "--data"]).argument(data.into())
    }

    /// A server on a store that others use too.
    pub(crate) fn on_store(url: &str) -> Self {
        Self::of(["dev", "--listen", "127.0.0.1:0"]).env("LONGSHORE__STORE", url)
    }

    /// The same, with no kinds of its own.
    pub(crate) fn serve_on(url: &str) -> Self {
        Self::of(["serve", "--listen", "127.0.0.1:0"]).env("LONGSHORE__STORE", url)
    }

    /// A server as its configuration says.
    pub(crate) fn configured(file: &Path) -> Self {
        Self::of(["serve", "--listen", "127.0.0.1:0", "--config"]).argument(file)
    }

    /// It takes tasks in, and runs none.
    pub(crate) fn accept_only(self) -> Self {
        self.argument("--accept-only")
    }

    /// A worker that runs the demo kinds: linked to a server (`--server`), or on its store (`--store`).
    pub(crate) fn worker(from: &str, url: &str) -> Self {
        Self::of(["worker", "--demo", from, url])
    }

    /// In another network.
    pub(crate) fn inside(mut self, network: &str) -> Self {
        let binary = std::mem::replace(&mut self.binary, "ip".into());
        let before = ["netns", "exec", network].map(OsString::from);
        self.arguments.splice(0..0, before.into_iter().chain([binary.into()]));
        self
    }

    fn of<const N: usize>(arguments: [&str; N]) -> Self {
        Self {
            binary: binary("LONGSHORE_BIN"),
            arguments: arguments.map(OsString::from).into(),
            environment: Vec::new(),
        }
    }

    fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// A server as people run it.
    pub(crate) fn plain(data: impl Into<PathBuf>) -> Self {
        let mut launch = Self::new(data);
        if std::env::var_os("LONGSHORE_PLAIN_BIN").is_some() {
            launch.binary = binary("LONGSHORE_PLAIN_BIN");
        }
        launch
    }

    /// Adds a kind that a command runs.
    pub(crate) fn kind(self, name: &str, command: &serde_json::Value) -> Self {
        self.argument(format!("--kind={name}={command}"))
    }

    pub(crate) fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Starts it, and waits until it is ready.
    pub(crate) fn start(&self) -> Result<Server, Failed> {
        self.try_start()?.map_err(|not| {
            Failed::from(format!("the server did not start: {}\n{}", not.status, not.stderr))
        })
    }

    /// Starts it, and kills it so long after, ready or not.
    pub(crate) fn kill_while_starting(&self, after: Duration) -> Result<(), Failed> {
        let mut child = self.spawn()?;
        std::thread::sleep(after);
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    fn spawn(&self) -> Result<Child, Failed> {
        let mut command = Command::new(&self.binary);
        command.args(&self.arguments);
        command.envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        Ok(command.spawn().map_err(|error| format!("{}: {error}", self.binary.display()))?)
    }

    /// Starts it, and does not wait; the address is told once it is ready.
    pub(crate) fn begin(&self) -> Result<(Server, mpsc::Receiver<SocketAddr>), Failed> {
        let mut child = self.spawn()?;
        let stderr = Arc::new(Mutex::new(String::new()));
        let (tell, told) = mpsc::channel();
        let pipe = child.stderr.take().ok_or("no stderr")?;
        let reader = std::thread::spawn({
            let stderr = Arc::clone(&stderr);
            move || {
                for line in BufReader::new(pipe).split(b'\n') {
                    let Ok(line) = line else { break };
                    let line = String::from_utf8_lossy(&line).into_owned();
                    if let Some(addr) = ready_at(&line) {
                        let _ = tell.send(addr);
                    }
                    let mut text = stderr.lock().unwrap_or_else(PoisonError::into_inner);
                    text.push_str(&line);
                    text.push('\n');
                }
            }
        });
        Ok((Server { child, addr: NOWHERE, stderr, reader: Some(reader) }, told))
    }

    /// Starts it, and waits until it is ready or has ended.
    pub(crate) fn try_start(&self) -> Result<Result<Server, NotStarted>, Failed> {
        let (mut server, told) = self.begin()?;
        match told.recv_timeout(START) {
            Ok(addr) => {
                server.addr = addr;
                Ok(Ok(server))
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                Err(format!("not ready after {START:?}\n{}", server.stderr()).into())
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                let status = server.wait(Duration::from_secs(10))?;
                Ok(Err(NotStarted { status, stderr: server.stderr() }))
            }
        }
    }
}

impl Server {
    pub(crate) fn client(&self) -> Client {
        Client::new(self.addr)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it printed so far; all of it once it has ended.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// kill -9, and waits until it is gone.
    pub(crate) fn kill(mut self) -> Result<String, Failed> {
        self.signal(Signal::KILL)?;
        self.wait(Duration::from_secs(10))?;
        Ok(self.stderr())
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Failed> {
        let pid = i32::try_from(self.child.id())?;
        Ok(kill_process(Pid::from_raw(pid).ok_or("no process")?, signal)?)
    }

    /// Asks it to stop, and demands that it does so in good order.
    pub(crate) fn stop(mut self) -> Result<String, Failed> {
        self.signal(Signal::TERM)?;
        let status = self.wait(Duration::from_secs(40))?;
        if !status.success() {
            return Err(format!("stopped with {status}\n{}", self.stderr()).into());
        }
        Ok(self.stderr())
    }

    pub(crate) fn has_ended(&mut self) -> Result<bool, Failed> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self, at_most: Duration) -> Result<ExitStatus, Failed> {
        let deadline = Instant::now() + at_most;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                return Err(format!("still running after {at_most:?}\n{}", self.stderr()).into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        Ok(self.child.wait()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn binary(variable: &str) -> PathBuf {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .or_else(|| option_env!("CARGO_BIN_EXE_longshore").map(PathBuf::from))
        .unwrap_or_else(|| "longshore".into())
}

/// Where it is ready, if that is what it says; a worker on a store is nowhere to be asked.
fn ready_at(line: &str) -> Option<SocketAddr> {
    let is_ready = line.starts_with("worker ") && line.contains(" is ready: ");
    address(line).or(is_ready.then_some(NOWHERE))
}

/// The address in a line such as `ready: http://127.0.0.1:8080`.
fn address(line: &str) -> Option<SocketAddr> {
    let rest = line.split("http://").nth(1)?;
    let end =
        rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':').unwrap_or(rest.len());
    rest[..end].trim_end_matches([':', '.']).parse().ok()
}

/// Waits until `look` finds something, or fails saying what was waited for.
pub(crate) fn eventually<T>(
    what: &str,
    at_most: Duration,
    mut look: impl FnMut() -> Result<Option<T>, Failed>,
) -> Result<T, Failed> {
    let deadline = Instant::now() + at_most;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if Instant::now() > deadline {
            return Err(format!("{what}: not within {at_most:?}").into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Where the shim lies, if this run has one.
pub(crate) fn shim() -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("LONGSHORE_POWERCUT_SHIM")?);
    path.exists().then_some(path)
}

/// A folder for one test, gone with it.
pub(crate) fn folder() -> Result<tempfile::TempDir, Failed> {
    Ok(tempfile::Builder::new().prefix("longshore-proof-").tempdir()?)
}

/// The data folder inside the folder of a test.
pub(crate) fn data(folder: &tempfile::TempDir) -> PathBuf {
    data_in(folder.path())
}

pub(crate) fn data_in(folder: &Path) -> PathBuf {
    folder.join("data")
}
