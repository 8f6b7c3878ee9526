//! Handing over what was taken out of a queue. Whoever has gone before the answer holds nothing: it is given back, and a store that is
//! closed waits for that.

use crate::engine::{DEADLINE, Engine, unless_it_panics};
use crate::error::Trouble;
use crate::jobs::RecordAll;
use longshore_core::store::{LeaseRef, Leased, Opened, StoreError};
use std::sync::{Arc, Weak};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// An answer with which tasks are handed out.
pub(crate) trait HandsOut: Send + 'static {
    /// What is held with it.
    fn leases(&self) -> Vec<LeaseRef>;
}

impl HandsOut for Vec<Leased> {
    fn leases(&self) -> Vec<LeaseRef> {
        self.iter().map(|leased| leased.lease).collect()
    }
}

impl HandsOut for Vec<Opened> {
    fn leases(&self) -> Vec<LeaseRef> {
        self.iter().filter_map(Opened::lease).collect()
    }
}

/// Whoever waits for an answer.
pub(crate) struct Caller(Weak<()>);

/// An answer, and the call that it belongs to.
type Handover<T> = (Result<T, StoreError>, OwnedSemaphorePermit);

/// An answer that is waited for. Dropped with it, it gives back what was handed out.
struct Pending<T: HandsOut> {
    answer: oneshot::Receiver<Handover<T>>,
    engine: Arc<Engine>,
    /// Is there for as long as somebody waits.
    waits: Arc<()>,
}

impl<T: HandsOut> Drop for Pending<T> {
    fn drop(&mut self) {
        self.answer.close();
        if let Ok((Ok(handed), call)) = self.answer.try_recv() {
            self.engine.give_back(handed.leases(), call);
        }
    }
}

impl Engine {
    /// Hands out, on the store's own threads.
    pub(crate) async fn hand_over<T, F>(
        self: &Arc<Self>,
        serve: impl FnOnce(Arc<Self>, Caller) -> F,
    ) -> Result<T, StoreError>
    where
        T: HandsOut,
        F: Future<Output = Result<T, Trouble>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let mut pending = Pending { answer, engine: self.clone(), waits: Arc::default() };
        let call = self.enter().await?;
        let serving = serve(self.clone(), Caller(Arc::downgrade(&pending.waits)));
        let engine = self.clone();
        self.handle.spawn(async move {
            let answer = unless_it_panics(serving).await;
            if matches!(answer, Err(Trouble::Unknown(_))) {
                engine.suspect_strays();
            }
            let answer = answer.map_err(|trouble| trouble.into_error(DEADLINE));
            if let Err((Ok(handed), call)) = reply.send((answer, call)) {
                engine.give_back(handed.leases(), call);
            }
        });
        match (&mut pending.answer).await {
            // Nobody could end it any more.
            Ok((Ok(handed), call)) if self.is_closed() => {
                self.give_back(handed.leases(), call);
                Err(StoreError::Closed)
            }
            Ok((answer, _)) => answer,
            Err(_) => Err(StoreError::Closed),
        }
    }

    /// Whether nobody could end what is handed out now.
    pub(crate) fn is_in_vain(&self, caller: &Caller) -> bool {
        self.is_closed() || caller.0.strong_count() == 0
    }

    /// Gives back what was handed to somebody who cannot end it.
    fn give_back(self: &Arc<Self>, leases: Vec<LeaseRef>, call: OwnedSemaphorePermit) {
        if leases.is_empty() {
            return;
        }
        let engine = self.clone();
        self.handle.spawn(async move {
            let tokens = leases.iter().map(|lease| lease.token.number());
            match unless_it_panics(engine.attempt(&RecordAll::release(&leases))).await {
                Ok(_) => engine.forget_held(tokens),
                Err(trouble) => {
                    tracing::debug!(%trouble, "tasks that nobody waits for are given back later");
                    engine.holds.lose(tokens);
                    engine.suspect_strays(); // and timed leases end by themselves
                }
            }
            drop(call);
        });
    }
}
