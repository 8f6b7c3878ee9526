//! Asks the store how it is, for probes and metrics, and notices when it cannot go on.
//!
//! A shared store is asked everything at once, less often, and at once when it says that something has happened.

use super::{Duty, Horizon};
use crate::engine::StoreHealth;
use crate::live::Live;
use crate::telemetry::Telemetry;
use longshore_core::store::{Condition, ErrorClass, Store, StoreError};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

const EVERY: Duration = Duration::from_secs(1);
/// A shared store is asked so often at the longest: what nobody tells of is seen within two seconds.
const EVERY_SHARED: Duration = Duration::from_millis(2_000);
/// Whatever happens, it is not asked more often.
const AT_LEAST: Duration = Duration::from_millis(250);
/// A store that does not answer within this is down.
const PATIENCE: Duration = Duration::from_secs(3);

/// The duty.
pub(crate) struct Health {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) live: Arc<Live>,
    pub(crate) horizon: Horizon,
    pub(crate) shown: watch::Sender<StoreHealth>,
    pub(crate) fatal: watch::Sender<Option<StoreError>>,
    /// When it was last asked.
    pub(crate) asked: Instant,
}

impl Health {
    /// Asks, and returns when to ask again.
    async fn ask(&self) -> Result<Duration, StoreError> {
        if let Some(overview) = in_time(self.live.overview(&*self.store)).await? {
            self.horizon.show(self.asked, overview.agenda);
            self.show(overview.condition);
            self.telemetry.standing(&overview.counts, overview.condition.used_bytes);
            // Servers that were started together do not ask together for ever.
            return Ok(EVERY_SHARED.mul_f64(0.9 + fastrand::f64() / 10.0));
        }
        let condition = in_time(self.store.condition()).await?;
        self.show(condition);
        let _ = tokio::time::timeout(PATIENCE, self.look(condition.used_bytes)).await;
        Ok(EVERY)
    }

    fn show(&self, condition: Condition) {
        self.shown.send_replace(StoreHealth::Up { latency: self.asked.elapsed(), condition });
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

async fn in_time<T>(asked: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let asked = tokio::time::timeout(PATIENCE, asked).await;
    asked.unwrap_or(Err(StoreError::Deadline { waited: PATIENCE }))
}

#[async_trait::async_trait]
impl Duty for Health {
    fn name(&self) -> &'static str {
        "health"
    }

    async fn step(&mut self) -> Result<Duration, StoreError> {
        self.asked = Instant::now();
        let error = match self.ask().await {
            Ok(pause) => return Ok(pause),
            Err(error) => error,
        };
        self.shown.send_replace(StoreHealth::Down { why: error.to_string() });
        if error.class() == ErrorClass::Final {
            self.fatal.send_replace(Some(error.clone()));
            return Err(error);
        }
        Ok(EVERY)
    }

    async fn woken(&mut self) {
        tokio::time::sleep(AT_LEAST.saturating_sub(self.asked.elapsed())).await;
        self.store.stirred().await;
    }
}
