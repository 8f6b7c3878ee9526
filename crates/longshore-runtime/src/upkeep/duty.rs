//! The shape of a duty and the loop that all of them share.

use crate::supervisor::Task;
use longshore_core::store::{ErrorClass, StoreError};
use std::time::Duration;

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

/// Makes a component of a duty: it is done until the component is told to stop. A failing store is
/// asked again. After a final failure nothing can be done, for then the process is stopping.
pub(crate) fn component<D: Duty>(make: impl Fn() -> D + Send + Sync + 'static) -> Task {
    let name = make().name();
    Task::new(name, move |life| {
        let duty = make();
        async move {
            let stop = life.token();
            stop.run_until_cancelled(repeat(duty)).await;
            Ok(())
        }
    })
}

async fn repeat(mut duty: impl Duty) {
    loop {
        let pause = match duty.step().await {
            Ok(pause) => pause,
            Err(error) if error.class() == ErrorClass::Final => std::future::pending().await,
            Err(error) => {
                tracing::warn!(duty = duty.name(), %error, "will be tried again");
                AFTER_FAILURE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = duty.woken() => {}
        }
    }
}
