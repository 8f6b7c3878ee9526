//! How a store is opened, and what its URL says.

use crate::error::OpenError;
use crate::tls::{MakeTls, Trust};
use longshore_core::{Clock, SystemClock};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// Between two signs of life.
const BEAT: Duration = Duration::from_secs(5);

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// Where the database is: `postgres://user:password@host:port/database?schema=longshore&sslmode=verify-full`.
    pub url: String,
    /// The name of this server, if it has one that outlives restarts: whoever held tasks under the same name
    /// is dead. Without it, that is known three [beats](Options::beat) later.
    pub name: Option<String>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// How often it gives a sign of life. Without one for three times as long it is taken for dead, and what it
    /// held is taken back. Default: 5 s.
    pub beat: Duration,
    /// Connections for work, at most; there are four more for reading, and two of the store's own. Default: 8.
    pub connections: usize,
}

impl Options {
    /// Opens that database, with every default.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            name: None,
            clock: Arc::new(SystemClock),
            beat: BEAT,
            connections: 8,
        }
    }
}

impl std::fmt::Debug for Options {
    /// Leaves out the URL: it may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("name", &self.name)
            .field("beat", &self.beat)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

/// What a URL says.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) config: Config,
    pub(crate) schema: String,
    pub(crate) tls: MakeTls,
    /// The server's name, and how many connections it may make, if the URL says so.
    pub(crate) name: Option<String>,
    pub(crate) connections: Option<usize>,
    /// The address without user and password, for people.
    pub(crate) shown: String,
}

/// A server that does not answer at all is not waited for any longer.
const CONNECT: Duration = Duration::from_secs(10);
/// What was sent and not acknowledged for so long makes a connection dead.
const UNACKNOWLEDGED: Duration = Duration::from_secs(15);

impl Address {
    /// Reads a URL.
    pub(crate) fn read(url: &str) -> Result<Self, OpenError> {
        let bad = |why: &str| OpenError::BadUrl { why: why.to_owned() };
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(bad("it must begin with postgres://"));
        }
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let mut rest = Vec::new();
        let (mut schema, mut mode, mut root) = ("longshore".to_owned(), None, None);
        let (mut name, mut connections) = (None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("schema", name)) => schema = decoded(name)?,
                Some(("sslmode", word)) => mode = Some(word.to_owned()),
                Some(("sslrootcert", path)) => root = Some(PathBuf::from(decoded(path)?)),
                Some(("name", text)) => name = Some(decoded(text)?),
                Some(("connections", number)) => match number.parse() {
                    Ok(number @ 2..=1_000) => connections = Some(number),
                    _ => return Err(bad("connections must be a number between 2 and 1000")),
                },
                _ => rest.push(pair),
            }
        }
        check_schema(&schema)?;
        let url =
            if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            // The parser may repeat a part of the URL, so only its cause is told.
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            bad(&cause.unwrap_or_else(|| "it cannot be read".to_owned()))
        })?;
        let (ssl, trust) = match mode.as_deref() {
            Some("disable") => (SslMode::Disable, Trust::Anybody),
            None | Some("prefer") => (SslMode::Prefer, Trust::Anybody),
            Some("require") if root.is_none() => (SslMode::Require, Trust::Anybody),
            Some("require" | "verify-full") => {
                (SslMode::Require, root.as_deref().map_or(Trust::System, Trust::File))
            }
            Some(_) => {
                return Err(bad("sslmode must be disable, prefer, require or verify-full"));
            }
        };
        let tls = MakeTls::new(trust).map_err(|why| bad(&format!("its certificates: {why}")))?;
        if config.get_hosts().is_empty() {
            config.host("localhost");
        }
        config.ssl_mode(ssl);
        config.connect_timeout(CONNECT);
        config.tcp_user_timeout(UNACKNOWLEDGED);
        config.keepalives_idle(Duration::from_secs(5));
        config.keepalives_interval(Duration::from_secs(2));
        config.keepalives_retries(3);
        if config.get_application_name().is_none() {
            config.application_name("longshore");
        }
        let shown = shown(&config, &schema);
        Ok(Self { config, schema, tls, name, connections, shown })
    }
}

/// Names the place without secrets.
fn shown(config: &Config, schema: &str) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        #[cfg(unix)]
        Some(Host::Unix(path)) => path.display().to_string(),
        None => String::new(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
    format!("{host}:{port}/{database} (schema {schema})")
}

fn check_schema(name: &str) -> Result<(), OpenError> {
    let fits = name.len() <= 63
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    if fits && !name.starts_with("pg_") {
        return Ok(());
    }
    let why = "schema must match [a-z_][a-z0-9_]{0,62} and not begin with pg_".to_owned();
    Err(OpenError::BadUrl { why })
}

fn decoded(text: &str) -> Result<String, OpenError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next(), rest.next()].map(|b| b.map_or(' ', char::from));
                let [Some(high), Some(low)] = digits.map(|digit| digit.to_digit(16)) else {
                    let why = "a % must be followed by two hexadecimal digits".to_owned();
                    return Err(OpenError::BadUrl { why });
                };
                (high * 16 + low) as u8
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| OpenError::BadUrl { why: "it is not UTF-8".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_the_store_is() {
        let address =
            Address::read("postgres://me:secret@db.example:6432/app?schema=queue&sslmode=require")
                .unwrap();
        assert_eq!(address.shown, "db.example:6432/app (schema queue)");
        assert_eq!(address.config.get_ssl_mode(), SslMode::Require);
        assert_eq!(Address::read("postgres://me@db/app").unwrap().schema, "longshore");
        let named = Address::read("postgres://me@db/app?name=web%2D1&connections=3").unwrap();
        assert_eq!((named.name.as_deref(), named.connections), (Some("web-1"), Some(3)));
        let socket = Address::read("postgresql://me@/app?host=/run/postgresql").unwrap();
        assert_eq!(socket.shown, "/run/postgresql:5432/app (schema longshore)");
    }

    #[test]
    fn a_bad_url_is_told_without_its_password() {
        for url in [
            "",
            "mysql://me:secret@db/app",
            "postgres://me:secret@db/app?sslmode=sometimes",
            "postgres://me:secret@db/app?schema=Large",
            "postgres://me:secret@db/app?schema=pg_mine",
            "postgres://me:secret@db/app?schema=a%2",
            "postgres://me:secret@db:port/app",
            "postgres://me:secret@db/app?colour=red",
            "postgres://me:secret@db/app?connections=0",
            "postgres://me:secret@db/app?sslmode=verify-full&sslrootcert=/no/such/file",
        ] {
            let error = Address::read(url).unwrap_err();
            assert!(matches!(error, OpenError::BadUrl { .. }), "{url}: {error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
