//! Opening a database: the schema, a new epoch, then what earlier openings left behind.

use crate::base::Base;
use crate::engine::Engine;
use crate::error::{OpenError, Trouble};
use crate::jobs::TakeOver;
use crate::links::Links;
use crate::options::{Address, Options};
use crate::pulse::{self, Pulse};
use crate::survey::Survey;
use crate::{schema, signal};
use longshore_core::failpoint;
use longshore_core::task::Durability;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Whether a database answers is known within this time, unless it has to bring its schema up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Opens the database of the options.
pub(crate) async fn open(options: Options) -> Result<(Arc<Engine>, Threads), OpenError> {
    let address = Address::read(&options.url)?;
    let options = Options {
        name: options.name.or_else(|| address.name.clone()),
        connections: address.connections.unwrap_or(options.connections),
        ..options
    };
    let place = address.shown.clone();
    // Threads of its own: a caller's handlers may block theirs, and signs of life must go on.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("postgres")
        .enable_all()
        .build()
        .map_err(|error| OpenError::Unfit { place: place.clone(), why: error.to_string() })?;
    let handle = runtime.handle().clone();
    let threads = Threads(Some(runtime));
    let opening = handle.spawn(begin(options, address, handle.clone())).await;
    let engine = opening.map_err(|error| OpenError::Unfit { place, why: error.to_string() })??;
    Ok((engine, threads))
}

/// The threads of a store. They end with it, wherever it is dropped, and with an opening that is broken off.
#[derive(Debug)]
pub(crate) struct Threads(Option<Runtime>);

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

async fn begin(
    options: Options,
    address: Address,
    handle: tokio::runtime::Handle,
) -> Result<Arc<Engine>, OpenError> {
    let place = address.shown.clone();
    let name = options.name.clone();
    let ((epoch, signed), durability) = sign_in_patiently(&options, &address).await?;
    let base = Base::new(address.schema.clone(), options.clock.clone(), durability, epoch);
    let links = Links::new(address, options.connections);
    let engine = Arc::new(Engine::new(
        Arc::new(base),
        links,
        Pulse::new(options.beat, signed),
        name.clone(),
        handle,
    ));
    let failed = |trouble: Trouble| OpenError::of_trouble(&place, &trouble);
    while engine.attempt(&TakeOver { name: name.clone(), epoch }).await.map_err(failed)? {}
    let survey = async {
        let link = engine.links.read().await?;
        Survey::take(&link, &engine.base).await
    };
    let survey = survey.await.map_err(failed)?;
    engine.hub.note_peers(survey.peers);
    failpoint::pass("boot.recovered")
        .map_err(|error| OpenError::Unfit { place: place.clone(), why: error.to_string() })?;
    tokio::spawn(pulse::run(engine.clone()));
    tokio::spawn(signal::run(engine.clone()));
    Ok(engine)
}

/// Signs in, unless there is no answer in time; a large schema takes longer to be brought up.
async fn sign_in_patiently(
    options: &Options,
    address: &Address,
) -> Result<((i32, Instant), Durability), OpenError> {
    let migrates = AtomicBool::new(false);
    let mut signing = std::pin::pin!(sign_in(options, address, &migrates));
    loop {
        match tokio::time::timeout(PATIENCE, &mut signing).await {
            Ok(signed) => return signed,
            Err(_) if migrates.load(Ordering::Relaxed) => {}
            Err(_) => {
                let why = format!("no answer within {PATIENCE:?}");
                return Err(OpenError::Unreachable { place: address.shown.clone(), why });
            }
        }
    }
}

/// Prepares the schema and takes an epoch, over a connection that is closed afterwards.
async fn sign_in(
    options: &Options,
    address: &Address,
    migrates: &AtomicBool,
) -> Result<((i32, Instant), Durability), OpenError> {
    let failed = |error: tokio_postgres::Error| OpenError::of(&address.shown, &error);
    let broken = |error: failpoint::Injected| OpenError::Unfit {
        place: address.shown.clone(),
        why: error.to_string(),
    };
    let (mut client, connection) =
        address.config.connect(address.tls.clone()).await.map_err(failed)?;
    let driver = tokio::spawn(connection);
    schema::prepare(&mut client, address, migrates).await?;
    migrates.store(false, Ordering::Relaxed);
    failpoint::pass("boot.migrated").map_err(broken)?;
    client
        .batch_execute(&format!(
            "SET search_path = \"{}\"; SET synchronous_commit = on",
            address.schema
        ))
        .await
        .map_err(failed)?;
    let signed =
        pulse::sign_in(&client, options.name.as_deref(), options.clock.now().0, options.beat).await;
    let signed = signed.map_err(failed)?;
    failpoint::pass("boot.epoch_synced").map_err(broken)?;
    let standby = client
        .query_one(
            "SELECT current_setting('synchronous_standby_names') <> ''
                AND current_setting('synchronous_commit') IN ('on', 'remote_apply')",
            &[],
        )
        .await
        .map_err(failed)?;
    let replicated: bool = standby.get(0);
    drop(client);
    let _ = driver.await;
    Ok((signed, if replicated { Durability::Replicated } else { Durability::Disk }))
}
