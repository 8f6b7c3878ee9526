//! Layers that were made for tower.

use super::{Layer, Next};
use crate::handler::Call;
use longshore_core::{Fault, Outcome};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use tower::{Service, ServiceExt};

type Error = Box<dyn std::error::Error + Send + Sync>;
type Answer = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// Makes a layer of a [`tower::Layer`] whose service takes a [`Call`] and answers an [`Outcome`]. The
/// service is made once and cloned for each call, so what its clones share (permits, circuits) holds
/// for all calls. Its own errors become transient faults. A service that cannot be cloned is wrapped
/// by tower's buffer.
pub fn from_tower<L>(layer: L) -> impl Layer + use<L> + 'static
where
    L: tower::Layer<Inside>,
    L::Service: Service<Call, Response = Outcome> + Clone + Send + 'static,
    <L::Service as Service<Call>>::Error: Into<Error>,
    <L::Service as Service<Call>>::Future: Send,
{
    FromTower(Mutex::new(layer.layer(Inside(()))))
}

struct FromTower<S>(Mutex<S>);

impl<S> Layer for FromTower<S>
where
    S: Service<Call, Response = Outcome> + Clone + Send + 'static,
    S::Error: Into<Error>,
    S::Future: Send,
{
    fn call(&self, mut call: Call, next: Next) -> Answer {
        let service = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        call.next = Some(Box::new(next));
        Box::pin(async move {
            service
                .oneshot(call)
                .await
                .unwrap_or_else(|error| Outcome::Fault(Fault::transient(error.into().to_string())))
        })
    }
}

/// What a tower layer is put around: the rest of the stack, always ready.
#[derive(Debug, Clone)]
pub struct Inside(());

impl Service<Call> for Inside {
    type Response = Outcome;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Outcome, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut call: Call) -> Self::Future {
        // The call carries the way on, because the service is made before there is any call.
        let next = call.next.take();
        Box::pin(async move {
            Ok(match next {
                Some(next) => next.run(call).await,
                None => Outcome::Fault(Fault::transient("a tower layer made up a call")),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler;
    use crate::layers::Stack;
    use crate::layers::stack::tests::call;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tower::layer::layer_fn;
    use tower::util::{MapRequest, MapResponse};

    #[tokio::test]
    async fn a_tower_layer_sees_calls_and_outcomes() {
        let (calls, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counts, made) = (calls.clone(), seen.clone());
        let layer = layer_fn(move |inner: Inside| {
            made.fetch_add(1, Ordering::SeqCst);
            let counts = counts.clone();
            let counted = MapRequest::new(inner, move |call: Call| {
                counts.fetch_add(1, Ordering::SeqCst);
                call
            });
            MapResponse::new(counted, |_| Outcome::Discard("seen".into()))
        });
        let stack = Stack::default().with(from_tower(layer));
        for _ in 0..2 {
            let outcome = stack.wrap(handler::nothing()).call(call()).await;
            assert_eq!(outcome, Outcome::Discard("seen".into()));
        }
        let (calls, made) = (calls.load(Ordering::SeqCst), seen.load(Ordering::SeqCst));
        assert_eq!((calls, made), (2, 1));
    }

    #[tokio::test]
    async fn tower_layers_may_lie_in_each_other() {
        let same = || from_tower(layer_fn(|inner: Inside| inner));
        let stack = Stack::default().with(same()).with(same());
        assert_eq!(stack.wrap(handler::nothing()).call(call()).await, Outcome::Success(None));
    }

    #[tokio::test]
    async fn an_error_of_the_service_is_a_transient_fault() {
        let refuse = layer_fn(|_: Inside| {
            tower::service_fn(|_: Call| std::future::ready(Err::<Outcome, _>("overloaded")))
        });
        let stack = Stack::default().with(from_tower(refuse));
        let outcome = stack.wrap(handler::nothing()).call(call()).await;
        assert_eq!(outcome, Outcome::Fault(Fault::transient("overloaded")));
    }
}
