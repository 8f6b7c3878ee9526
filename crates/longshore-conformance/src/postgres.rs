//! A PostgreSQL server of the tests' own: its own port, its own data, gone when the tests are.
//!
//! It is made of what is installed, as [`longshore_servers::postgres`] says. It dies with the process that started it,
//! even if that is killed. The variable `LONGSHORE_TEST_POSTGRES_URL` names a server that is there already; such
//! a one is never faulted.

use crate::process::keeper;
use longshore_servers::postgres::Postgres;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Names a server that is there already, as `postgres://user@host:port/database`.
pub const VARIABLE: &str = "LONGSHORE_TEST_POSTGRES_URL";

/// How long a start may take.
const START: Duration = Duration::from_secs(60);

/// A server that was started by a test.
#[derive(Debug)]
pub struct PostgresServer {
    folder: PathBuf,
    installed: Postgres,
    port: u16,
    process: Option<Child>,
}

impl PostgresServer {
    /// Starts a server with fsync on. Tells why there is none, if nothing is installed.
    pub fn start() -> Result<Self, String> {
        let installed = installed()?;
        let name = format!("longshore-postgres-{}-{}", std::process::id(), fastrand::u64(..));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let port = longshore_servers::free_port()?;
        let mut server = Self { folder, installed, port, process: None };
        server.installed.account().own(&server.folder)?;
        server.installed.make(&server.data())?;
        server.run()?;
        Ok(server)
    }

    /// Returns its address.
    pub fn url(&self) -> String {
        self.url_by(self.addr())
    }

    /// Returns its address for those who reach it by a [proxy](crate::proxy).
    pub fn url_by(&self, addr: SocketAddr) -> String {
        format!("postgres://longshore@{addr}/postgres")
    }

    /// Returns where it listens.
    pub fn addr(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Returns its address for those whose every statement it is to write into its [log](Self::log).
    pub fn url_logged(&self) -> String {
        format!("{}?options=-c%20log_statement%3Dall", self.url())
    }

    /// Returns what it has logged so far.
    pub fn log(&self) -> String {
        let log = std::fs::read(self.folder.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Kills it as a power cut would: none of its processes has a say.
    pub fn kill(&mut self) {
        // The children of the postmaster die with the memory they share, but only once they notice.
        if let Ok(pid) = std::fs::read_to_string(self.data().join("postmaster.pid"))
            && let Some(pid) = pid.lines().next()
        {
            let _ = Command::new("pkill").args(["-KILL", "-P", pid]).status();
            let _ = Command::new("kill").args(["-KILL", pid]).status();
        }
        self.reap();
    }

    /// Asks it to stop, and waits until it has: sessions are ended, what they began is rolled back.
    pub fn stop(&mut self) -> Result<(), String> {
        let Some(process) = &mut self.process else { return Ok(()) };
        let asked = Command::new("kill").args(["-INT", &process.id().to_string()]).status();
        if !asked.is_ok_and(|status| status.success()) {
            return Err("PostgreSQL could not be asked to stop".to_owned());
        }
        process.wait().map_err(|error| error.to_string())?;
        self.process = None;
        Ok(())
    }

    /// Stops all its processes where they are, or lets them go on: nobody answers meanwhile.
    pub fn freeze(&self, frozen: bool) {
        let signal = if frozen { "-STOP" } else { "-CONT" };
        if let Ok(pid) = std::fs::read_to_string(self.data().join("postmaster.pid"))
            && let Some(pid) = pid.lines().next()
        {
            let _ = Command::new("pkill").args([signal, "-P", pid]).status();
            let _ = Command::new("kill").args([signal, pid]).status();
        }
    }

    /// Starts it again, on the same port and data.
    pub fn restart(&mut self) -> Result<(), String> {
        self.reap();
        self.run()
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn reap(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    fn run(&mut self) -> Result<(), String> {
        longshore_servers::until_free(&[self.port], START)?;
        let log = std::fs::File::create(self.folder.join("log")).map_err(|e| e.to_string())?;
        let mut command = self.installed.account().mortal(self.installed.program("postgres"));
        command.args(Postgres::serve(&self.data(), self.port));
        command.current_dir(&self.folder).stdout(Stdio::null()).stderr(log);
        // The death signal is bound to the thread that starts it, so that one has to stay.
        self.process = Some(keeper(command)?);
        let began = Instant::now();
        while began.elapsed() < START {
            if self.installed.is_ready(self.port) {
                return Ok(());
            }
            if let Some(process) = &mut self.process
                && process.try_wait().is_ok_and(|ended| ended.is_some())
            {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        Err(format!("PostgreSQL did not start: {log}"))
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The server that the tests of one binary share.
static SHARED: Mutex<Option<Result<Shared, String>>> = Mutex::new(None);

#[derive(Debug)]
struct Shared {
    url: String,
    server: Option<PostgresServer>,
}

/// Returns the address of a server that all tests of this binary share: that of [`VARIABLE`], or one that is
/// started when this is first called. Tells what is missing if there is none.
pub fn shared() -> Result<String, String> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let found = shared.get_or_insert_with(|| match std::env::var(VARIABLE) {
        Ok(url) => Ok(Shared { url, server: None }),
        Err(_) => {
            let server =
                PostgresServer::start().map_err(|why| format!("needs PostgreSQL: {why}"))?;
            Ok(Shared { url: server.url(), server: Some(server) })
        }
    });
    found.as_ref().map(|shared| shared.url.clone()).map_err(Clone::clone)
}

/// Starts the shared server, or tells what is missing.
pub fn needed() -> Result<(), String> {
    shared().map(|_| ())
}

/// Tells what is missing where a test starts a server of its own, whether one is there already or not.
pub fn startable() -> Result<(), String> {
    installed().map(|_| ()).map_err(|why| format!("needs PostgreSQL: {why}"))
}

/// Stops the shared server, if it was started here.
pub fn stop_shared() {
    let shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(Ok(Shared { server: Some(server), .. })) = shared {
        drop(server);
    }
}

fn installed() -> Result<Postgres, String> {
    // Without it a fault would hit the first of the server's processes alone.
    if Command::new("pkill").arg("--version").stdout(Stdio::null()).status().is_err() {
        return Err("pkill is not installed".to_owned());
    }
    Postgres::installed()
}
