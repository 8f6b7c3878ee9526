//! Asks the store how it is, for probes and metrics, and notices when it cannot go on.

use super::Duty;
use crate::engine::StoreHealth;
use crate::live::Live;
use crate::telemetry::Telemetry;
use longshore_core::store::{ErrorClass, Store, StoreError};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

const EVERY: Duration = Duration::from_secs(1);
/// A store that does not answer within this is down.
const PATIENCE: Duration = Duration::from_secs(3);

/// The duty.
pub(crate) struct Health {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) live: Arc<Live>,
    pub(crate) shown: watch::Sender<StoreHealth>,
    pub(crate) fatal: watch::Sender<Option<StoreError>>,
}

impl Health {
    async fn ask(&self) -> Result<StoreHealth, StoreError> {
        let began = Instant::now();
        let condition = self.store.condition().await?;
        let latency = began.elapsed();
        // Another process may have set something.
        let _ = self.live.refresh(&*self.store).await;
        let _ = self.live.learn(&*self.store).await;
        // Slow readers do not make a store that takes work unready.
        if let Ok(counts) = self.store.counters().await {
            self.telemetry.standing(&counts, condition.used_bytes);
        }
        Ok(StoreHealth::Up { latency, condition })
    }
}

#[async_trait::async_trait]
impl Duty for Health {
    fn name(&self) -> &'static str {
        "health"
    }

    async fn step(&mut self) -> Result<Duration, StoreError> {
        let asked = match tokio::time::timeout(PATIENCE, self.ask()).await {
            Ok(asked) => asked,
            Err(_) => Err(StoreError::Deadline { waited: PATIENCE }),
        };
        match asked {
            Ok(up) => {
                self.shown.send_replace(up);
            }
            Err(error) => {
                self.shown.send_replace(StoreHealth::Down { why: error.to_string() });
                if error.class() == ErrorClass::Final {
                    self.fatal.send_replace(Some(error.clone()));
                    return Err(error);
                }
            }
        }
        Ok(EVERY)
    }
}
