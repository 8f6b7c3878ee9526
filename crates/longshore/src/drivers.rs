//! From an address to a store or a broker: the scheme picks the driver.

use crate::Error;
use crate::config;
use longshore_core::broker::Broker;
use longshore_core::store::Store;
use std::sync::Arc;

/// The schemes that this program was built with.
const SCHEMES: &[&str] = &[
    #[cfg(feature = "embedded")]
    "embedded",
    #[cfg(feature = "postgres")]
    "postgres",
];

/// The schemes of brokers that this program was built with.
const BROKER_SCHEMES: &[&str] = &[
    #[cfg(feature = "rabbitmq")]
    "amqp",
    #[cfg(feature = "rabbitmq")]
    "amqps",
    #[cfg(feature = "embedded")]
    "embedded",
];

/// Returns the address of a store without its password.
pub fn shown(url: &str) -> String {
    crate::config::shown(url)
}

/// Returns whether the store at `url` is elsewhere, so that it may be away.
pub(crate) fn is_elsewhere(url: &str) -> bool {
    !url.starts_with("embedded:")
}

/// A store that is open, and topics of messages in the same place, where it has any.
pub(crate) struct Kept {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) topics: Option<Arc<dyn Broker>>,
}

impl From<Arc<dyn Store>> for Kept {
    fn from(store: Arc<dyn Store>) -> Self {
        Self { store, topics: None }
    }
}

/// Opens the store at `url`: `embedded:DIR`, or `postgres://USER:PASSWORD@HOST/DATABASE`. Does not wait for one that
/// is away.
pub async fn open(url: &str) -> Result<Arc<dyn Store>, Error> {
    open_kept(url).await.map(|kept| kept.store)
}

/// Opens the store at `url`, and what it has besides tasks.
pub(crate) async fn open_kept(url: &str) -> Result<Kept, Error> {
    let refused = |why: &str| Error::StoreUrl { url: shown(url), why: why.to_owned() };
    let (scheme, rest) = url
        .split_once(':')
        .ok_or_else(|| refused("must begin with its scheme, such as embedded:./data"))?;
    match scheme {
        #[cfg(feature = "embedded")]
        "embedded" if rest.is_empty() => Err(refused("names no folder, such as embedded:./data")),
        #[cfg(feature = "embedded")]
        "embedded" => {
            let options = longshore_embedded::Options::new(rest);
            // Opening reads and syncs files.
            let opened = tokio::task::spawn_blocking(move || {
                longshore_embedded::EmbeddedStore::open(&options)
            });
            let store = opened.await.map_err(std::io::Error::other)?;
            let store = store.map_err(|error| Error::Open(error.into()))?;
            let topics: Arc<dyn Broker> = Arc::new(store.broker());
            Ok(Kept { store: Arc::new(store), topics: Some(topics) })
        }
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => {
            let options = longshore_postgres::Options::new(url);
            let store = longshore_postgres::PostgresStore::open(options).await;
            let store = store.map_err(|error| match error.may_pass() {
                true => Error::Away(error.into()),
                false => Error::Open(error.into()),
            })?;
            Ok(Kept { store: Arc::new(store), topics: None })
        }
        _ => {
            let _ = rest;
            let why = format!(
                "is of no scheme that this program was built with ({})",
                SCHEMES.join(", ")
            );
            Err(refused(&why))
        }
    }
}

/// What is wrong with a broker, before anybody was asked whether it is there.
#[derive(Debug)]
pub(crate) struct BadBroker {
    /// The key below the broker's name that it is about.
    pub(crate) key: &'static str,
    /// A fragment about it.
    pub(crate) why: String,
}

fn bad_url(why: impl Into<String>) -> BadBroker {
    BadBroker { key: "url", why: why.into() }
}

/// Says what is wrong with a broker before anything is opened. `store` is the address of the store, if that is known.
pub(crate) fn check_broker(broker: &config::Broker, store: Option<&str>) -> Result<(), BadBroker> {
    let scheme = scheme_of(broker);
    if !BROKER_SCHEMES.contains(&scheme) {
        return Err(bad_url(format!(
            "is of the scheme {scheme}, which this program was not built with; there is: {}",
            BROKER_SCHEMES.join(", ")
        )));
    }
    if scheme == "embedded" && store.is_some_and(is_elsewhere) {
        return Err(bad_url(NO_TOPICS));
    }
    #[cfg(feature = "rabbitmq")]
    if scheme.starts_with("amqp") {
        rabbitmq(broker)?;
    }
    Ok(())
}

const NO_TOPICS: &str =
    "means topics of the store itself, and this store has none; name another broker";

fn scheme_of(broker: &config::Broker) -> &str {
    let first = broker.urls.first().map(config::Address::expose).unwrap_or_default();
    first.split(':').next().unwrap_or_default()
}

#[cfg(feature = "rabbitmq")]
fn rabbitmq(broker: &config::Broker) -> Result<longshore_rabbitmq::Options, BadBroker> {
    let urls = broker.urls.iter().map(config::Address::expose);
    let mut options = longshore_rabbitmq::Options::new(urls);
    options.reconnect = broker.reconnect;
    options.set(&broker.options).map_err(bad_rabbitmq)?;
    Ok(options)
}

#[cfg(feature = "rabbitmq")]
fn bad_rabbitmq(error: longshore_rabbitmq::OpenError) -> BadBroker {
    match error {
        longshore_rabbitmq::OpenError::BadUrl { why } => bad_url(why),
        longshore_rabbitmq::OpenError::BadOption { option: "rabbitmq", why } => {
            BadBroker { key: "rabbitmq", why }
        }
        error @ longshore_rabbitmq::OpenError::BadOption { .. } => {
            BadBroker { key: "rabbitmq", why: error.to_string() }
        }
    }
}

/// Opens a broker, without waiting for one that is away. `topics` are those of the store itself, if it has any.
pub(crate) fn open_broker(
    broker: &config::Broker,
    topics: Option<&Arc<dyn Broker>>,
) -> Result<Arc<dyn Broker>, BadBroker> {
    match scheme_of(broker) {
        "embedded" => topics.cloned().ok_or_else(|| bad_url(NO_TOPICS)),
        #[cfg(feature = "rabbitmq")]
        "amqp" | "amqps" => {
            let opened = longshore_rabbitmq::RabbitMq::open(rabbitmq(broker)?);
            opened.map(|broker| Arc::new(broker) as _).map_err(bad_rabbitmq)
        }
        _ => check_broker(broker, None).and(Err(bad_url("cannot be opened"))),
    }
}

#[cfg(feature = "postgres")]
#[doc(hidden)]
pub use longshore_postgres::Raw as ByHand;

/// Makes a queue as somebody would write it by hand, to measure against, and connections to it.
#[cfg(feature = "postgres")]
#[doc(hidden)]
pub async fn by_hand(url: &str, connections: usize, size: usize) -> Result<Vec<ByHand>, Error> {
    let failed = |error: longshore_postgres::OpenError| Error::Open(error.into());
    ByHand::make(url).await.map_err(failed)?;
    let mut all = Vec::new();
    for _ in 0..connections {
        all.push(ByHand::connect(url, size).await.map_err(failed)?);
    }
    Ok(all)
}

/// Opens a broker by its address alone, to measure it.
#[doc(hidden)]
pub fn broker(url: &str) -> Result<Arc<dyn Broker>, Error> {
    let opened = open_broker(&config::Broker::at(url), None);
    opened.map_err(|bad| Error::Broker { name: "bench".to_owned(), why: bad.why })
}

#[cfg(feature = "rabbitmq")]
#[doc(hidden)]
pub use longshore_rabbitmq::raw::Raw as RawMessages;

/// Removes everything that a store on a database has there; does nothing to one that keeps files.
#[doc(hidden)]
pub async fn erase(url: &str) -> Result<(), Error> {
    #[cfg(feature = "postgres")]
    if url.starts_with("postgres") {
        let erased = longshore_postgres::erase(url).await;
        return erased.map_err(|error| Error::Open(error.into()));
    }
    let _ = url;
    Ok(())
}

/// Returns the folder in which the store at `url` keeps its files; for one that keeps none here, the
/// working folder.
pub(crate) fn folder(url: &str) -> std::path::PathBuf {
    url.strip_prefix("embedded:").unwrap_or(".").into()
}
