//! The brokers of a configuration.

use super::address::driver_of;
use super::block::Block;
use super::build::{address, named};
use super::form::Leaf;
use super::model::Broker;
use super::reader::Reader;
use super::secret::Address;
use longshore_core::broker::{DeclareMode, Reconnect};
use longshore_runtime::nearest::nearest;
use std::collections::BTreeMap;

/// Blocks with what only one driver knows, named after it.
pub(super) const DRIVERS: [&str; 1] = ["rabbitmq"];

/// Reads what carries messages.
pub(super) fn brokers(root: &Block, reader: &mut Reader<'_>) -> BTreeMap<String, Broker> {
    let mut all = BTreeMap::new();
    for (name, block) in named(root, "brokers") {
        let urls: Vec<Address> = block.list("url").iter().filter_map(address).collect();
        let driver = one_driver(block, &urls, reader);
        for other in DRIVERS.iter().filter(|other| block.has(other)) {
            if driver.is_some_and(|driver| driver != *other) {
                let message = "belongs to another sort of broker than the `url`";
                reader.fault(&block.path_of(other), &block.origin_of(other), message);
            }
        }
        let declare = match block.text("declare") {
            Some("verify") => DeclareMode::Verify,
            Some("off") => DeclareMode::Off,
            _ => DeclareMode::Declare,
        };
        let options = driver.map(|driver| options(block, driver)).unwrap_or_default();
        let broker = Broker { urls, declare, reconnect: reconnect(block, reader), options };
        all.insert(name.to_owned(), broker);
    }
    all
}

/// Reads a key that names a broker, of the configuration or of the code.
pub(super) fn named_by(
    key: &str,
    block: &Block,
    brokers: &BTreeMap<String, Broker>,
    reader: &mut Reader<'_>,
) -> Option<String> {
    let wanted = block.text(key)?;
    let coded = reader.sources.coded_brokers();
    let known: Vec<&str> = brokers.keys().map(String::as_str).chain(coded).collect();
    if !known.contains(&wanted) {
        let hint = match nearest(wanted, known).first() {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "declare it under `brokers`".into(),
        };
        let message = format!("there is no broker \"{wanted}\"; {hint}");
        reader.fault(&block.path_of(key), &block.origin_of(key), message);
    }
    Some(wanted.to_owned())
}

/// Returns the name of a broker's driver.
pub(super) fn driver(broker: &Broker) -> Option<&'static str> {
    broker.urls.first().and_then(driver_at)
}

fn driver_at(url: &Address) -> Option<&'static str> {
    driver_of(url.expose().split(':').next().unwrap_or_default())
}

/// Endpoints of one broker speak one language.
fn one_driver(block: &Block, urls: &[Address], reader: &mut Reader<'_>) -> Option<&'static str> {
    let first = driver_at(urls.first()?)?;
    if urls.iter().any(|url| driver_at(url) != Some(first)) {
        let message = "names different sorts of brokers; give each a name of its own";
        reader.fault(&block.path_of("url"), &block.origin_of("url"), message);
    }
    Some(first)
}

fn reconnect(block: &Block, reader: &mut Reader<'_>) -> Reconnect {
    let usual = Reconnect::default();
    let Some(block) = block.block("reconnect") else { return usual };
    let reconnect = Reconnect {
        first: block.span("first").unwrap_or(usual.first),
        cap: block.span("cap").unwrap_or(usual.cap),
        most: block.small("max_tries"),
        unavailable_after: block.small("unavailable_after").unwrap_or(usual.unavailable_after),
    };
    if reconnect.first > reconnect.cap {
        let key = if block.has("cap") { "cap" } else { "first" };
        let message = "the first pause is longer than the longest";
        reader.fault(&block.path_of(key), &block.origin_of(key), message);
    }
    reconnect
}

/// Returns what is said for one driver alone, as it was written.
pub(super) fn options(block: &Block, driver: &str) -> BTreeMap<String, String> {
    let Some(options) = block.block(driver) else { return BTreeMap::new() };
    let text = |leaf: &Leaf| match leaf {
        Leaf::Text(text) => Some(text.clone()),
        _ => None,
    };
    let pair = |name: &str| Some((name.to_owned(), options.pick(name, text)?));
    options.entries.iter().filter_map(|entry| pair(&entry.name)).collect()
}
