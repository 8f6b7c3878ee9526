//! A RabbitMQ server of the tests' own: its own ports, its own data, gone when the tests are.
//!
//! It is made of what is installed, as [`longshore_servers::rabbitmq`] says. It dies with the process that started it,
//! even if that is killed. The variable `LONGSHORE_TEST_RABBITMQ_URL` names a server that is there already; such
//! a one is never faulted.

use crate::process::keeper;
use longshore_servers::rabbitmq::{Node, RabbitMq, url};
use std::net::SocketAddr;
use std::process::{Child, Command};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Names a server that is there already, as `amqp://user:password@host:port/vhost`.
pub const VARIABLE: &str = "LONGSHORE_TEST_RABBITMQ_URL";

/// How long a start may take.
const START: Duration = Duration::from_secs(180);

/// How long a stop may take.
const STOP: Duration = Duration::from_secs(60);

/// A server that was started by a test.
#[derive(Debug)]
pub struct RabbitMqServer {
    node: Node,
    installed: RabbitMq,
    process: Option<Child>,
}

impl RabbitMqServer {
    /// Starts a server. Tells why there is none, if nothing is installed.
    pub fn start() -> Result<Self, String> {
        let installed = RabbitMq::installed()?;
        let name = format!("longshore-rabbitmq-{}-{}", std::process::id(), fastrand::u64(..));
        let free = longshore_servers::free_port;
        let folder = std::env::temp_dir().join(name);
        let node = Node { folder, port: free()?, tools_port: free()?, register_port: free()? };
        installed.make(&node)?;
        let mut server = Self { node, installed, process: None };
        server.run()?;
        Ok(server)
    }

    /// Returns its address.
    pub fn url(&self) -> String {
        url(self.node.port)
    }

    /// Returns its address for those who reach it by a [proxy](crate::proxy).
    pub fn url_by(&self, addr: SocketAddr) -> String {
        url(addr.port())
    }

    /// Returns where it listens.
    pub fn addr(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.node.port))
    }

    /// Kills it as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Asks it to stop, and waits until it has; what does not stop is killed, and told.
    pub fn stop(&mut self) -> Result<(), String> {
        let Some(process) = &mut self.process else { return Ok(()) };
        let asked = Command::new("kill").args(["-TERM", &process.id().to_string()]).status();
        if !asked.is_ok_and(|status| status.success()) {
            return Err("RabbitMQ could not be asked to stop".to_owned());
        }
        let began = Instant::now();
        while process.try_wait().map_err(|error| error.to_string())?.is_none() {
            if began.elapsed() > STOP {
                self.kill();
                return Err(format!("RabbitMQ has not stopped within {STOP:?}: {}", self.log()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.process = None;
        Ok(())
    }

    /// Stops it where it is, or lets it go on: nobody answers meanwhile.
    pub fn freeze(&self, frozen: bool) {
        let signal = if frozen { "-STOP" } else { "-CONT" };
        if let Some(process) = &self.process {
            let _ = Command::new("kill").args([signal, &process.id().to_string()]).status();
        }
    }

    /// Starts it again, on the same ports and data.
    pub fn restart(&mut self) -> Result<(), String> {
        self.kill();
        self.run()
    }

    /// Calls the tool for operators, as `rabbitmqctl ARGS`.
    pub fn control(&self, args: &[&str]) -> Result<String, String> {
        let output = self.installed.control(&self.node).args(args).output();
        let output = output.map_err(|error| error.to_string())?;
        if !output.status.success() {
            let (said, why) = (&output.stdout, &output.stderr);
            let text = [String::from_utf8_lossy(said), String::from_utf8_lossy(why)].concat();
            return Err(format!("rabbitmqctl {}: {text}", args.join(" ")));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Returns what it has logged since it was started last.
    pub fn log(&self) -> String {
        let log = std::fs::read(self.node.folder.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    fn run(&mut self) -> Result<(), String> {
        let node = &self.node;
        let ports = [node.port, node.tools_port, node.register_port];
        longshore_servers::until_free(&ports, START)?;
        let told = |error: std::io::Error| error.to_string();
        let log = std::fs::File::create(self.node.folder.join("log")).map_err(told)?;
        let mut command = self.installed.serve(&self.node, true);
        command.stdout(log.try_clone().map_err(told)?).stderr(log);
        self.process = Some(keeper(command)?);
        let began = Instant::now();
        while began.elapsed() < START {
            if RabbitMq::is_ready(self.node.port) {
                return Ok(());
            }
            if let Some(process) = &mut self.process
                && process.try_wait().is_ok_and(|ended| ended.is_some())
            {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(format!("RabbitMQ did not start: {}", self.log()))
    }
}

impl Drop for RabbitMqServer {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.node.folder);
    }
}

/// The server that the tests of one binary share.
static SHARED: Mutex<Option<Result<Shared, String>>> = Mutex::new(None);

#[derive(Debug)]
struct Shared {
    url: String,
    server: Option<RabbitMqServer>,
}

/// Returns the address of a server that all tests of this binary share: that of [`VARIABLE`], or one that is
/// started when this is first called. Tells what is missing if there is none.
pub fn shared() -> Result<String, String> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let found = shared.get_or_insert_with(|| match std::env::var(VARIABLE) {
        Ok(url) => Ok(Shared { url, server: None }),
        Err(_) => {
            let server = RabbitMqServer::start().map_err(|why| format!("needs RabbitMQ: {why}"))?;
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
    RabbitMq::installed().map(|_| ()).map_err(|why| format!("needs RabbitMQ: {why}"))
}

/// Stops the shared server, if it was started here.
pub fn stop_shared() {
    let shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(Ok(Shared { server: Some(server), .. })) = shared {
        drop(server);
    }
}
