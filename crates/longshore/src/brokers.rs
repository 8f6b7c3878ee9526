//! The brokers of a service: those that its code names, and those of the configuration.

use crate::config::{self, Config, ConfigError};
use crate::drivers::BadBroker;
use crate::{Error, drivers};
use longshore_core::KindName;
use longshore_core::broker::Broker;
use longshore_runtime::Brokers;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What carries messages.
pub(crate) enum Carrier {
    /// At this address.
    At(config::Broker),
    /// Open already.
    Open(Arc<dyn Broker>),
}

/// Checks what of their addresses can be judged before anything is opened.
pub(crate) fn check_all(
    code: &[(String, Carrier)],
    config: Option<&Config>,
    store: Option<&str>,
) -> Result<(), Error> {
    for (name, carrier) in code {
        if let Err(why) = KindName::new(name) {
            return Err(Error::Name { name: name.clone(), why });
        }
        if let Carrier::At(at) = carrier {
            let wrong = |bad: BadBroker| Error::Broker { name: name.clone(), why: bad.why };
            drivers::check_broker(at, store).map_err(wrong)?;
        }
    }
    Ok(config.map_or(Ok(()), |config| check_configured(config, store))?)
}

/// Checks those of the configuration.
pub(crate) fn check_configured(config: &Config, store: Option<&str>) -> Result<(), ConfigError> {
    for (name, said) in &config.brokers {
        drivers::check_broker(said, store)
            .map_err(|bad| config.fault(&["brokers", name, bad.key], bad.why))?;
    }
    Ok(())
}

/// Opens all brokers. One of the configuration takes the place of one in the code.
pub(crate) fn open_all(
    code: Vec<(String, Carrier)>,
    config: Option<&Config>,
    topics: Option<&Arc<dyn Broker>>,
) -> Result<Brokers, Error> {
    let mut all: BTreeMap<Arc<str>, Arc<dyn Broker>> = BTreeMap::new();
    for (name, carrier) in code {
        if config.is_some_and(|config| config.brokers.contains_key(&name)) {
            continue;
        }
        let broker = match carrier {
            Carrier::Open(broker) => broker,
            Carrier::At(at) => match drivers::open_broker(&at, topics) {
                Ok(broker) => broker,
                Err(bad) => return Err(Error::Broker { name, why: bad.why }),
            },
        };
        all.insert(name.into(), broker);
    }
    let Some(config) = config else { return Ok(all.into_iter().collect()) };
    for (name, said) in &config.brokers {
        let opened = drivers::open_broker(said, topics);
        let wrong =
            |bad: BadBroker| ConfigError::from(config.fault(&["brokers", name, bad.key], bad.why));
        let broker = opened.map_err(wrong)?;
        all.insert(name.as_str().into(), broker);
    }
    let all: Brokers = all.into_iter().collect();
    let modes = config.brokers.iter();
    Ok(modes.fold(all, |all, (name, said)| all.with_declare_mode(name, said.declare)))
}
