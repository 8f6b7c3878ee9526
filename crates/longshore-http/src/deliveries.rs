//! Tasks that were handed out in an answer whose arrival nobody has seen yet.
//!
//! An answer may be made for somebody who is gone. If it is dropped before it was written, or the connection
//! breaks just after, what it held is given back at once. A connection that ends in good order, one that breaks
//! later (an idle one that is closed, say), and one on which another request comes, has brought its answers over. For all
//! else there is the end of the lease.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use longshore_core::store::LeaseRef;
use longshore_runtime::Engine;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// What one connection owes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deliveries(Arc<Mutex<Vec<Owed>>>);

/// A connection that breaks so long after an answer was handed to it has brought it over.
const ON_THE_WAY: Duration = Duration::from_secs(2);

#[derive(Debug)]
struct Owed {
    leases: Vec<LeaseRef>,
    engine: Engine,
    /// When it was handed to the connection.
    since: Instant,
}

impl Owed {
    /// Gives back beside: whoever waits for the connection's end must not wait for the store.
    fn give_back(self) {
        let Self { leases, engine, .. } = self;
        if let Ok(threads) = tokio::runtime::Handle::try_current() {
            tracing::debug!(tasks = leases.len(), "a worker went away; its tasks are given back");
            threads.spawn(async move { engine.outside().give_back(leases).await });
        }
    }
}

impl Deliveries {
    fn owed(&self) -> MutexGuard<'_, Vec<Owed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another request has come: what was answered before has arrived.
    pub(crate) fn arrived(&self) {
        self.owed().clear();
    }

    /// The connection broke.
    pub(crate) fn broke(&self) {
        let owed = std::mem::take(&mut *self.owed());
        let on_the_way = owed.into_iter().filter(|owed| owed.since.elapsed() < ON_THE_WAY);
        on_the_way.for_each(Owed::give_back);
    }

    /// Makes the answer's body owe these leases.
    pub(crate) fn owe(
        &self,
        response: Response,
        leases: Vec<LeaseRef>,
        engine: Engine,
    ) -> Response {
        let owed = Some(Owed { leases, engine, since: Instant::now() });
        response.map(|body| Body::new(Parcel { body, owed, ledger: self.clone() }))
    }
}

/// A body whose arrival matters.
struct Parcel {
    body: Body,
    owed: Option<Owed>,
    ledger: Deliveries,
}

impl hyper::body::Body for Parcel {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(frame, Poll::Ready(Some(Ok(_)) | None))
            && let Some(owed) = self.owed.take()
        {
            // From here it is on the wire.
            self.ledger.owed().push(Owed { since: Instant::now(), ..owed });
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        if let Some(owed) = self.owed.take() {
            owed.give_back();
        }
    }
}
