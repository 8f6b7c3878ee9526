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
        Ok(StoreHealth::Up { latency: began.elapsed(), condition })
    }

    /// Hears what others have set, and counts. Slow readers do not make a store that takes work unready.
    async fn look(&self, used_bytes: u64) {
        let _ = self.live.refresh(&*self.store).await;
        let _ = self.live.learn(&*self.store).await;
        if let Ok(counts) = self.store.counters().await {
            self.telemetry.standing(&counts, used_bytes);
        }
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
                let used_bytes = match &up {
                    StoreHealth::Up { condition, .. } => condition.used_bytes,
                    StoreHealth::Down { .. } => 0,
                };
                self.shown.send_replace(up);
                let _ = tokio::time::timeout(PATIENCE, self.look(used_bytes)).await;
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
