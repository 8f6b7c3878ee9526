//! A PostgreSQL server of the tests' own: its own port, its own data, gone when the tests are.
//!
//! It is made of what is installed (`initdb` and `postgres`, on the path or where Debian puts them). Started
//! by root it runs as `postgres` or `nobody`, for it refuses to run as root. It dies with the process that
//! started it, even if that is killed. The variable `LONGSHORE_TEST_POSTGRES_URL` names a server that is
//! there already; such a one is never faulted.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
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
    programs: PathBuf,
    user: Option<String>,
    port: u16,
    process: Option<Child>,
}

impl PostgresServer {
    /// Starts a server with fsync on. Tells why there is none, if nothing is installed.
    pub fn start() -> Result<Self, String> {
        let programs = programs().ok_or("PostgreSQL is not installed")?;
        let user = unprivileged()?;
        let name = format!("longshore-postgres-{}-{}", std::process::id(), fastrand::u64(..));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let mut server = Self { folder, programs, user, port: free_port()?, process: None };
        if let Some(user) = &server.user {
            let owned = Command::new("chown").arg(user).arg(&server.folder).status();
            if !owned.is_ok_and(|status| status.success()) {
                return Err(format!("cannot give a folder to {user}"));
            }
        }
        let made = server
            .command("initdb")
            .args(["--auth=trust", "--username=longshore", "--encoding=UTF8", "--locale=C", "-D"])
            .arg(server.data())
            .output()
            .map_err(|error| error.to_string())?;
        if !made.status.success() {
            return Err(format!("initdb: {}", String::from_utf8_lossy(&made.stderr)));
        }
        server.demand_passwords()?;
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

    /// Everybody is trusted, but the user `locked` needs a password.
    fn demand_passwords(&self) -> Result<(), String> {
        let file = self.data().join("pg_hba.conf");
        let rules = std::fs::read_to_string(&file).map_err(|error| error.to_string())?;
        std::fs::write(&file, format!("host all locked all scram-sha-256\n{rules}"))
            .map_err(|error| error.to_string())
    }

    fn reap(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// A command that runs as the server's user, and dies with this process.
    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        if let Some(user) = &self.user {
            command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
        }
        command.arg("--").arg(program).current_dir(&self.folder).stdin(Stdio::null());
        command
    }

    fn run(&mut self) -> Result<(), String> {
        let log = std::fs::File::create(self.folder.join("log")).map_err(|e| e.to_string())?;
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).stdout(Stdio::null()).stderr(log);
        for setting in [
            &format!("port={}", self.port),
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=300",
            "fsync=on",
        ] {
            command.args(["-c", setting]);
        }
        // The death signal is bound to the thread that starts it, so that one has to stay.
        self.process = Some(keeper(command)?);
        let began = Instant::now();
        while began.elapsed() < START {
            let ready = self
                .command("pg_isready")
                .args(["-q", "-h", "127.0.0.1", "-U", "longshore", "-p", &self.port.to_string()])
                .status();
            if ready.is_ok_and(|status| status.success()) {
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

/// Stops the shared server, if it was started here.
pub fn stop_shared() {
    let shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(Ok(Shared { server: Some(server), .. })) = shared {
        drop(server);
    }
}

/// Starts a process on a thread that lives as long as this process.
fn keeper(mut command: Command) -> Result<Child, String> {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::Builder::new()
        .name("keeper".to_owned())
        .spawn(move || {
            let _ = tell.send(command.spawn().map_err(|error| error.to_string()));
            loop {
                std::thread::park();
            }
        })
        .map_err(|error| error.to_string())?;
    told.recv().map_err(|error| error.to_string())?
}

/// Where `initdb` and `postgres` are: the newest of Debian's, or on the path.
fn programs() -> Option<PathBuf> {
    let has_both = |folder: &Path| ["initdb", "postgres"].iter().all(|p| folder.join(p).exists());
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, folder)| has_both(folder))
        .collect();
    versions.sort();
    if let Some((_, newest)) = versions.pop() {
        return Some(newest);
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find(|folder| has_both(folder))
}

/// The user that a server of root's runs as; nothing if this is not root.
fn unprivileged() -> Result<Option<String>, String> {
    let id = |args: &[&str]| {
        let output = Command::new("id").args(args).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    if id(&["-u"]).as_deref() != Some("0") {
        return Ok(None);
    }
    for user in ["postgres", "nobody"] {
        if id(&["-u", user]).is_some() {
            return Ok(Some(user.to_owned()));
        }
    }
    Err("there is no user that PostgreSQL could run as".to_owned())
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    Ok(listener.local_addr().map_err(|error| error.to_string())?.port())
}
