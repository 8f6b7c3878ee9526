//! Where a door may listen: on loopback as it is, elsewhere with keys and TLS.

use std::net::{IpAddr, SocketAddr};

/// What guards a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Guards {
    /// Callers show keys.
    pub keys: bool,
    /// Connections are encrypted.
    pub tls: bool,
    /// Somebody said that it may listen anywhere without them.
    pub waived: bool,
}

/// The server must not listen there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "will not listen on {addr} {without}: {danger}; {remedy} (docs: /docs/howto-keys), listen on a \
     loopback address such as 127.0.0.1:{port}, or say that it is meant with --insecure-bind",
    without = self.without(),
    danger = self.danger(),
    remedy = self.remedy(),
    port = addr.port()
)]
pub struct BindRefused {
    /// Where it was asked to listen.
    pub addr: SocketAddr,
    /// What guards it.
    pub guards: Guards,
}

impl BindRefused {
    fn without(&self) -> &'static str {
        match (self.guards.keys, self.guards.tls) {
            (false, false) => "without keys and TLS",
            (false, true) => "without keys",
            (true, _) => "without TLS",
        }
    }

    fn danger(&self) -> &'static str {
        if self.guards.keys {
            "keys and payloads would cross the network in the clear"
        } else {
            "anybody who reaches the port could submit and read tasks"
        }
    }

    fn remedy(&self) -> &'static str {
        match (self.guards.keys, self.guards.tls) {
            (false, false) => "set auth.keys and server.tls",
            (false, true) => "set auth.keys",
            (true, _) => "set server.tls",
        }
    }
}

/// Judges whether the server may listen on `addr`: anywhere with keys and TLS, else on loopback.
pub fn check_bind(addr: SocketAddr, guards: Guards) -> Result<(), BindRefused> {
    let Guards { keys, tls, waived } = guards;
    if is_loopback(addr.ip()) || waived || (keys && tls) {
        Ok(())
    } else {
        Err(BindRefused { addr, guards })
    }
}

/// Whether only this machine reaches an address.
pub(crate) fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Guards = Guards { keys: false, tls: false, waived: false };

    #[test]
    fn loopback_may_be_listened_on_without_anything() {
        for fine in ["127.0.0.1:0", "127.9.9.9:80", "[::1]:80", "[::ffff:127.0.0.1]:80"] {
            assert_eq!(check_bind(fine.parse().unwrap(), NONE), Ok(()), "{fine}");
        }
    }

    #[test]
    fn elsewhere_it_takes_keys_and_tls_and_the_refusal_says_what_to_do() {
        let refused = |guards| check_bind("0.0.0.0:8443".parse().unwrap(), guards);
        for (guards, what) in [
            (NONE, "without keys and TLS"),
            (Guards { keys: true, ..NONE }, "set server.tls"),
            (Guards { tls: true, ..NONE }, "set auth.keys"),
        ] {
            let text = refused(guards).unwrap_err().to_string();
            assert!(text.contains(what) && text.contains("0.0.0.0:8443"), "{text}");
            assert!(text.contains("127.0.0.1:8443") && text.contains("--insecure-bind"), "{text}");
        }
        assert_eq!(refused(Guards { keys: true, tls: true, waived: false }), Ok(()));
        assert_eq!(refused(Guards { waived: true, ..NONE }), Ok(()));
    }
}
