//! How the broker is opened, and what its addresses say.

use crate::error::OpenError;
use crate::tls::Tls;
use longshore_core::Span;
use longshore_core::broker::Reconnect;
use longshore_core::span::BadSpan;
use std::time::Duration;

/// How the broker is opened.
#[derive(Clone)]
pub struct Options {
    /// Where its servers are, tried in turn: `amqp://user:password@host:5672/vhost`, `amqps://…`. Without a vhost it is `/`.
    /// Parameters of `amqps` are RabbitMQ's own: `cacertfile`, `certfile`, `keyfile`, `verify=verify_none`,
    /// `server_name_indication`; and `auth_mechanism=external`.
    pub urls: Vec<String>,
    /// The exchange of topics that name none. Default: `amq.topic`.
    pub exchange: String,
    /// Largest payload in bytes. Default: 16 MiB.
    pub max_payload: usize,
    /// The connection that publishes is let go after so long without use. Default: 5 min.
    pub idle: Duration,
    /// How lost connections are tried again.
    pub reconnect: Reconnect,
    /// Names the connections for people who look into the broker. Default: `longshore`.
    pub name: String,
}

impl Options {
    /// Opens the broker at these addresses, with every default.
    pub fn new<U: Into<String>>(urls: impl IntoIterator<Item = U>) -> Self {
        Self {
            urls: urls.into_iter().map(Into::into).collect(),
            exchange: "amq.topic".to_owned(),
            max_payload: 16 * 1024 * 1024,
            idle: Duration::from_secs(5 * 60),
            reconnect: Reconnect::default(),
            name: "longshore".to_owned(),
        }
    }

    /// Takes options as they are written in a configuration: `exchange`, `max_payload` (bytes), `idle` (a duration)
    /// and `name`.
    pub fn set(&mut self, options: &longshore_core::broker::Options) -> Result<(), OpenError> {
        for (name, value) in options {
            match name.as_str() {
                "exchange" => self.exchange.clone_from(value),
                "name" => self.name.clone_from(value),
                "max_payload" => {
                    let bad = |_| wrong("max_payload", "must be a number of bytes");
                    self.max_payload = value.parse().map_err(bad)?;
                }
                "idle" => {
                    let span: Span =
                        value.parse().map_err(|bad: BadSpan| wrong("idle", &bad.to_string()))?;
                    self.idle = span.0;
                }
                other => {
                    let why = format!(
                        "no option {other:?}; there are: exchange, max_payload, idle, name"
                    );
                    return Err(wrong("rabbitmq", &why));
                }
            }
        }
        Ok(())
    }

    /// Reads every address.
    pub(crate) fn addresses(&self) -> Result<Vec<Address>, OpenError> {
        let addresses: Vec<_> =
            self.urls.iter().map(|url| Address::read(url)).collect::<Result<_, _>>()?;
        if addresses.is_empty() {
            return Err(OpenError::BadUrl { why: "there is none".to_owned() });
        }
        if self.exchange.is_empty() || self.exchange.len() > 255 {
            let why = "must have 1 to 255 characters".to_owned();
            return Err(OpenError::BadOption { option: "exchange", why });
        }
        Ok(addresses)
    }
}

fn wrong(option: &'static str, why: &str) -> OpenError {
    OpenError::BadOption { option, why: why.to_owned() }
}

impl std::fmt::Debug for Options {
    /// Leaves out the addresses: they may hold passwords.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("exchange", &self.exchange)
            .field("max_payload", &self.max_payload)
            .field("idle", &self.idle)
            .field("reconnect", &self.reconnect)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What an address says.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) vhost: String,
    pub(crate) tls: Option<Tls>,
    /// The certificate says who we are, no password does.
    pub(crate) is_external: bool,
}

impl Address {
    /// Reads a URL.
    pub(crate) fn read(url: &str) -> Result<Self, OpenError> {
        let (is_tls, rest) = match url.split_once("://") {
            Some(("amqp", rest)) => (false, rest),
            Some(("amqps", rest)) => (true, rest),
            _ => return Err(bad("it must begin with amqp:// or amqps://")),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (login, place),
            None => ("guest:guest", authority),
        };
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let (host, port) = place_of(place)?;
        let vhost = if path.is_empty() { "/".to_owned() } else { decoded(path)? };
        let mut address = Self {
            host,
            port: port.unwrap_or(if is_tls { 5671 } else { 5672 }),
            user: decoded(user)?,
            password: decoded(password)?,
            vhost,
            tls: is_tls.then(Tls::default),
            is_external: false,
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            address.set(name, decoded(value)?)?;
        }
        if let Some(tls) = &address.tls {
            tls.connector().map_err(|why| bad(&format!("its certificates: {why}")))?;
        }
        Ok(address)
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), OpenError> {
        if name == "auth_mechanism" && matches!(value.as_str(), "plain" | "external") {
            self.is_external = value == "external";
            return Ok(());
        }
        let Some(tls) = &mut self.tls else {
            return Err(bad("it has a parameter that is unknown, or for amqps:// only"));
        };
        match (name, value.as_str()) {
            ("cacertfile", path) => tls.roots = Some(path.into()),
            ("certfile", path) => tls.certificate = Some(path.into()),
            ("keyfile", path) => tls.key = Some(path.into()),
            ("verify", "verify_none") => tls.trusts_anybody = true,
            ("verify", "verify_peer") => tls.trusts_anybody = false,
            ("server_name_indication", name) => tls.name = Some(name.to_owned()),
            _ => {
                return Err(bad(
                    "possible parameters are cacertfile, certfile, keyfile, verify (verify_peer or verify_none), server_name_indication and auth_mechanism (plain or external)",
                ));
            }
        }
        Ok(())
    }
}

impl std::fmt::Display for Address {
    /// Names the place without secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)?;
        if self.vhost == "/" { Ok(()) } else { write!(f, "/{}", self.vhost) }
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Address({self})")
    }
}

fn bad(why: &str) -> OpenError {
    OpenError::BadUrl { why: why.to_owned() }
}

/// Reads `host`, `host:port`, `[v6]` or `[v6]:port`.
fn place_of(place: &str) -> Result<(String, Option<u16>), OpenError> {
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':').unwrap_or("?"))),
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    let port = port.map(|port| port.parse().ok().filter(|port| *port > 0));
    match (host, port) {
        ("", _) => Err(bad("it names no host")),
        (_, Some(None)) => Err(bad("its port must be a number from 1 to 65535")),
        (host, port) => Ok((decoded(host)?, port.flatten())),
    }
}

fn decoded(text: &str) -> Result<String, OpenError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next(), rest.next()].map(|b| b.map_or(' ', char::from));
                let [Some(high), Some(low)] = digits.map(|digit| digit.to_digit(16)) else {
                    return Err(bad("a % must be followed by two hexadecimal digits"));
                };
                (high * 16 + low) as u8
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| bad("it is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Address {
        Address::read(url).unwrap()
    }

    #[test]
    fn an_address_says_where_the_broker_is() {
        let address = read("amqp://me:se%2Fcret@mq.example:5673/shop%2Feu");
        assert_eq!(address.to_string(), "mq.example:5673/shop/eu");
        assert_eq!((address.user.as_str(), address.password.as_str()), ("me", "se/cret"));
        assert_eq!(read("amqp://mq").to_string(), "mq:5672");
        assert_eq!(read("amqp://mq/").vhost, "/");
        assert_eq!(read("amqp://mq/%2f").vhost, "/");
        assert_eq!(
            (read("amqp://[::1]:9").host.as_str(), read("amqp://[::1]").port),
            ("::1", 5672)
        );
        let tls = read("amqps://mq?verify=verify_none&server_name_indication=rabbit");
        assert_eq!(tls.port, 5671);
        assert!(tls.tls.is_some_and(|tls| tls.trusts_anybody && tls.name.is_some()));
    }

    #[test]
    fn a_bad_address_is_told_without_its_password() {
        for url in [
            "",
            "http://me:secret@mq",
            "amqp://me:secret@",
            "amqp://me:secret@mq:port",
            "amqp://me:secret@mq:0",
            "amqp://me:secret@mq/a%2",
            "amqp://me:secret@mq?verify=verify_none",
            "amqps://me:secret@mq?colour=red",
            "amqps://me:secret@mq?verify=sometimes",
            "amqps://me:secret@mq?cacertfile=/no/such/file",
        ] {
            let error = Address::read(url).unwrap_err();
            assert!(matches!(error, OpenError::BadUrl { .. }), "{url}: {error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        let options = Options::new(["amqp://me:secret@mq"]);
        assert!(!format!("{options:?} {:?}", options.addresses().unwrap()).contains("secret"));
        assert!(Options::new([""; 0]).addresses().is_err());
    }
}
