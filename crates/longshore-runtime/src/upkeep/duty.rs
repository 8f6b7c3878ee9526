//! The shape of a duty and the loop that all of them share.

use longshore_core::store::{ErrorClass, StoreError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Something that has to be done from time to time.
#[async_trait::async_trait]
pub(crate) trait Duty: Send + 'static {
    /// Its name, for logs.
    fn name(&self) -> &'static str;

    /// Does one batch and returns how long to wait before the next.
    async fn step(&mut self) -> Result<Duration, StoreError>;

    /// Returns once there is a reason to wake up earlier.
    async fn woken(&mut self) {
        std::future::pending().await
    }
}

/// How long a duty waits after a failure of the store.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Does the duty until `stop`. A failing store is asked again; a final failure ends the duty,
/// for then the process is stopping.
pub(crate) fn spawn(tracker: &TaskTracker, stop: CancellationToken, mut duty: impl Duty) {
    tracker.spawn(async move {
        loop {
            let step = stop.run_until_cancelled(duty.step()).await;
            let pause = match step {
                None => return,
                Some(Ok(pause)) => pause,
                Some(Err(error)) if error.class() == ErrorClass::Final => return,
                Some(Err(error)) => {
                    tracing::warn!(duty = duty.name(), %error, "will be tried again");
                    AFTER_FAILURE
                }
            };
            let wait = async {
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = duty.woken() => {}
                }
            };
            if stop.run_until_cancelled(wait).await.is_none() {
                return;
            }
        }
    });
}
