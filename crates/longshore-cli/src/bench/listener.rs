//! Which process of this machine serves an address, to see what it costs there.

use crate::child::usage;
use std::time::Duration;

/// The server of a broker, if it is a process of this machine that can be looked at.
#[derive(Debug, Clone)]
pub(super) struct Listener(Option<String>);

impl Listener {
    /// Looks who listens where that address leads.
    pub(super) fn at(url: &str) -> Self {
        Self(port(url).and_then(listening).and_then(|inode| owner(&inode)))
    }

    /// Returns its CPU time.
    pub(super) fn cpu(&self) -> Option<Duration> {
        self.0.as_ref().map(|process| usage(process).0)
    }
}

/// The port of an address on loopback.
fn port(url: &str) -> Option<u16> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    let place = authority.rsplit('@').next()?;
    let (host, port) = place.rsplit_once(':').unwrap_or((place, "5672"));
    matches!(host, "127.0.0.1" | "localhost").then(|| port.parse().ok())?
}

/// The socket that listens on a port.
fn listening(port: u16) -> Option<String> {
    const LISTEN: &str = "0A";
    let local = format!(":{port:04X}");
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(std::fs::read_to_string);
    let tables = tables.into_iter().flatten().collect::<String>();
    tables.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_it = words.get(1)?.ends_with(&local) && *words.get(3)? == LISTEN;
        is_it.then(|| words.get(9).map(|inode| format!("socket:[{inode}]")))?
    })
}

/// The process that has a socket open.
fn owner(socket: &str) -> Option<String> {
    std::fs::read_dir("/proc").ok()?.flatten().find_map(|process| {
        let _: u32 = process.file_name().to_str()?.parse().ok()?; // not the names for ourselves
        let files = std::fs::read_dir(process.path().join("fd")).ok()?;
        let mut links = files.flatten().filter_map(|file| std::fs::read_link(file.path()).ok());
        let has_it = links.any(|link| link.to_str() == Some(socket));
        has_it.then(|| process.file_name().to_str().map(str::to_owned))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_found_by_its_port() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let found = Listener::at(&format!("amqp://guest:p@127.0.0.1:{port}/%2f"));
        assert_eq!(found.0, Some(std::process::id().to_string()));
        assert!(Listener::at("amqp://10.0.0.1").cpu().is_none());
    }
}
