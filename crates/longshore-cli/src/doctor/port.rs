//! Whether the service could listen where it is to listen.

use super::Finding;
use longshore::Client;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

/// Returns whether a Longshore server answers there already, over plain HTTP.
pub(super) async fn is_ours(listen: SocketAddr) -> bool {
    if listen.port() == 0 {
        return false;
    }
    let mut to = listen;
    // Who listens everywhere answers on loopback.
    match to.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => to.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => to.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    let client = Client::connect(&format!("http://{to}"));
    match client.map(|client| client.timeout(Duration::from_secs(2))) {
        Ok(client) => client.health().await.is_ok(),
        Err(_) => false,
    }
}

/// Tries to listen there for a moment.
pub(super) fn check(listen: SocketAddr, ours: bool) -> Finding {
    if ours {
        return Finding::ok("port", format!("a Longshore server answers at {listen}"));
    }
    let other = "listen elsewhere: --listen ADDR, or server.listen";
    match TcpListener::bind(listen) {
        Ok(_) => Finding::ok("port", format!("{listen} is free")),
        Err(error) => match error.kind() {
            ErrorKind::AddrInUse => Finding::fail(
                "port",
                format!("{listen} is held by another program"),
                format!("`ss -ltnp` shows which; stop it, or {other}"),
            ),
            ErrorKind::PermissionDenied => Finding::fail(
                "port",
                format!("{listen} is not allowed to this user"),
                format!("take a port above 1023, or {other}"),
            ),
            ErrorKind::AddrNotAvailable => Finding::fail(
                "port",
                format!("{} is no address of this machine", listen.ip()),
                other,
            ),
            _ => Finding::fail("port", format!("{listen}: {error}"), other),
        },
    }
}
