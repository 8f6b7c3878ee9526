//! RabbitMQ: its programs, settings and address.
//!
//! The user [`USER`] with the same password has all rights on the virtual host `/`, from loopback alone. Tools find a node
//! by a small register of names (`epmd`), on a port of its own. A node would start one that outlives it; so one is
//! started before, which does not.

use crate::{Account, programs};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Name and password of whoever may do everything.
pub const USER: &str = "guest";

/// What a client says first, and a server answers with a frame of a method (its first byte is 1).
const HELLO: &[u8; 8] = b"AMQP\x00\x00\x09\x01";

/// RabbitMQ as it is installed here.
#[derive(Clone, Debug)]
pub struct RabbitMq {
    programs: PathBuf,
    register: PathBuf,
    account: Account,
}

/// A node: where it is, and its ports of loopback.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Node {
    /// What it keeps, and its settings.
    pub folder: PathBuf,
    /// Where clients reach it.
    pub port: u16,
    /// Where its tools reach it.
    pub tools_port: u16,
    /// Where its name is known.
    pub register_port: u16,
}

impl RabbitMq {
    /// Returns whether there is one, where Debian puts it.
    pub fn is_installed() -> bool {
        find().is_some()
    }

    /// Takes what is installed. Started by root it will run as `rabbitmq` or `nobody`. Tells what is missing.
    pub fn installed() -> Result<Self, String> {
        let (programs, register) = find().ok_or("RabbitMQ is not installed")?;
        let account = Account::unprivileged(&["rabbitmq", "nobody"])?;
        Ok(Self { programs, register, account })
    }

    /// Returns what it calls its version, as `3.10.8`.
    pub fn version(&self) -> Result<String, String> {
        // Its own tools take seconds to say so.
        let library = self.programs.with_file_name("lib");
        let entries = std::fs::read_dir(&library).map_err(|error| error.to_string())?;
        let names = entries.flatten().map(|entry| entry.file_name());
        let found = names.filter_map(|name| version(name.to_str()?).map(str::to_owned)).max();
        found.ok_or_else(|| format!("no version in {}", library.display()))
    }

    /// Returns whom it runs as.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Makes the folder of a node, unless it is there; its settings are written anew.
    pub fn make(&self, node: &Node) -> Result<(), String> {
        let told = |error: std::io::Error| error.to_string();
        std::fs::create_dir_all(&node.folder).map_err(told)?;
        let settings = format!(
            "listeners.tcp.local = 127.0.0.1:{}\n\
             log.console = true\nlog.console.level = info\nlog.file = false\n\
             disk_free_limit.absolute = 100MB\n",
            node.port
        );
        std::fs::write(node.folder.join("rabbitmq.conf"), settings).map_err(told)?;
        std::fs::write(node.folder.join("plugins"), "[].\n").map_err(told)?;
        std::fs::write(node.folder.join("environment"), "").map_err(told)?;
        self.account.own(&node.folder)
    }

    /// Sets what every program of a node has to know.
    fn place(node: &Node, command: &mut Command) {
        let at = |name: &str| node.folder.join(name);
        command
            .current_dir(&node.folder)
            .env("HOME", &node.folder)
            .env("LC_ALL", "C.UTF-8")
            .env("RABBITMQ_NODENAME", format!("longshore-{}@localhost", node.port))
            .env("RABBITMQ_CONF_ENV_FILE", at("environment"))
            .env("RABBITMQ_CONFIG_FILE", at("rabbitmq.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", at("plugins"))
            .env("RABBITMQ_MNESIA_BASE", at("data"))
            .env("RABBITMQ_LOG_BASE", at("logs"))
            .env("RABBITMQ_DIST_PORT", node.tools_port.to_string())
            .env("ERL_EPMD_PORT", node.register_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            // One process, and no shell between it and its signals.
            .env("RUNNING_UNDER_SYSTEMD", "true");
    }

    /// Returns the call that serves a node until it is stopped; a `mortal` one dies with the thread that starts it.
    pub fn serve(&self, node: &Node, mortal: bool) -> Command {
        let mut command = match mortal {
            true => self.account.mortal("sh"),
            false => self.account.command("sh"),
        };
        // What the shell starts dies with what it becomes.
        let script =
            "setpriv --pdeathsig KILL -- \"$0\" -port \"$1\" -address 127.0.0.1 & exec \"$2\"";
        command.args(["-c", script]).arg(&self.register).arg(node.register_port.to_string());
        command.arg(self.programs.join("rabbitmq-server"));
        Self::place(node, &mut command);
        command
    }

    /// Returns a call of the tool for operators, `rabbitmqctl`.
    pub fn control(&self, node: &Node) -> Command {
        let mut command = self.account.command(self.programs.join("rabbitmqctl"));
        Self::place(node, &mut command);
        command
    }

    /// Returns whether a server on that port answers clients.
    pub fn is_ready(port: u16) -> bool {
        let time = Duration::from_secs(1);
        let answers = || {
            let mut stream = TcpStream::connect_timeout(&([127, 0, 0, 1], port).into(), time)?;
            stream.set_read_timeout(Some(time))?;
            stream.write_all(HELLO)?;
            let mut first = [0];
            stream.read_exact(&mut first)?;
            Ok::<_, std::io::Error>(first == [1])
        };
        answers().unwrap_or(false)
    }
}

/// Returns the address of a server on that port.
pub fn url(port: u16) -> String {
    format!("amqp://{USER}:{USER}@127.0.0.1:{port}/%2f")
}

/// Finds its programs, and the register's.
fn find() -> Option<(PathBuf, PathBuf)> {
    let debian = Path::new("/usr/lib/rabbitmq/bin");
    let programs = debian.join("rabbitmq-server").exists().then(|| debian.to_owned())?;
    let register = programs::find(Path::new("/usr/lib/erlang/versions"), &["epmd"])?;
    Some((programs, register.join("epmd")))
}

/// Reads `rabbitmq_server-3.10.8`.
fn version(name: &str) -> Option<&str> {
    name.strip_prefix("rabbitmq_server-")
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn a_version_is_read_from_where_it_lies() {
        assert_eq!(version("rabbitmq_server-3.10.8"), Some("3.10.8"));
        assert_eq!(version("erlang"), None);
    }
}
