//! A start whose store is away: it waits, for a database may come up after its servers.

use crate::service::Signals;
use crate::{Error, drivers};
use longshore_core::store::Store;
use longshore_runtime::Failed;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Pauses between attempts: the first one, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));
/// The same trouble is told again so often.
const TOLD_EVERY: Duration = Duration::from_secs(30);
/// An attempt that a signal meets may still succeed within this, to be closed in good order.
const FINISH: Duration = Duration::from_secs(1);

/// Opens the store at `url`; while it is away, again and again. Nothing if a signal came first.
pub(crate) async fn open(url: &str, signals: &Signals) -> Result<Option<Arc<dyn Store>>, Error> {
    let mut pause = PAUSES.0;
    let mut told = Told::default();
    loop {
        let opening = drivers::open(url);
        tokio::pin!(opening);
        let opened = tokio::select! {
            opened = &mut opening => opened,
            () = signals.asked() => {
                if let Ok(Ok(store)) = tokio::time::timeout(FINISH, opening).await {
                    store.close().await.map_err(Failed::Store)?;
                }
                return Ok(None);
            }
        };
        match opened {
            Err(Error::Away(why)) => told.tell(&why.to_string()),
            opened => return opened.map(Some),
        }
        let asked = signals.asked();
        // Many servers that a database has left do not come back all at once.
        let between = pause.mul_f64(0.5 + fastrand::f64() / 2.0);
        if tokio::time::timeout(between, asked).await.is_ok() {
            return Ok(None);
        }
        pause = pause.mul_f64(1.5).min(PAUSES.1);
    }
}

/// What was told last, and when.
#[derive(Debug, Default)]
struct Told(Option<(String, Instant)>);

impl Told {
    /// Tells what is in the way: at once if it is new, else now and then.
    fn tell(&mut self, why: &str) {
        if self.0.as_ref().is_none_or(|(last, at)| last != why || at.elapsed() >= TOLD_EVERY) {
            tracing::warn!("{why}. The start waits for it, and tries again every few seconds");
            self.0 = Some((why.to_owned(), Instant::now()));
        }
    }
}
